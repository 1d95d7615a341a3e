"""A record of what a network is made of, to notice that it has changed."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from skhash.nn import HashNetwork

__all__ = ["Snapshot"]


class Snapshot:
    """Layers with their hooks and tensors with address and number of changes: all that codes of a network depend on.

    The objects themselves are kept alive, so that no other object can take their address.

    Parameters
    ----------
    network : HashNetwork
        The network; its loss takes no part.
    contents : bool, default=False
        Whether to look at the numbers themselves, too, for changes in place that torch does not count (through
        `tensor.data`). This takes less time than such a network, but more than one on packed words.
    """

    def __init__(self, network: HashNetwork, *, contents: bool = False) -> None:
        self._network = network
        parts = (network.preprocess, network.backbone, network.head)
        layers = [layer for part in parts for layer in part.modules()]
        # Children and tensors by layer: much faster to look through than `modules` and `state_dict`.
        owned = [own for layer in layers for own in (layer._modules, layer._parameters, layer._buffers) if own]
        self._owned = [network._modules, *owned]
        self._kept = [each for own in self._owned for each in own.values()]
        self._ids = [*map(id, self._kept)]
        self._hooks = [hooks for layer in layers for hooks in (layer._forward_hooks, layer._forward_pre_hooks)]
        self._n_hooks = sum(map(len, self._hooks))
        tensors = [each for own in owned for each in own.values() if isinstance(each, torch.Tensor)]
        self._counted = [tensor for tensor in tensors if not tensor.is_inference()]
        self._changes = [tensor._version for tensor in self._counted]
        self._addressed = tensors
        self._addresses = [tensor.data_ptr() for tensor in tensors]
        self._totals: list[Callable[[], Any]] = [_total_of(tensor) for tensor in tensors] if contents else []
        self._contents = [total() for total in self._totals]

    def is_current(self, network: HashNetwork) -> bool:
        """Return whether nothing has changed."""
        return (
            network is self._network
            and [*map(id, chain.from_iterable([own.values() for own in self._owned]))] == self._ids
            and sum(map(len, self._hooks)) == self._n_hooks
            and [tensor._version for tensor in self._counted] == self._changes
            and [tensor.data_ptr() for tensor in self._addressed] == self._addresses
            and [total() for total in self._totals] == self._contents
        )


def _total_of(tensor: torch.Tensor) -> Callable[[], Any]:
    """Return a function that sums up the numbers of a tensor."""
    values = tensor.detach()
    if values.device.type == "cpu" and values.is_contiguous() and values.dtype in (torch.float32, torch.float64):
        words = values.reshape(-1).numpy().view(np.uint8)
        words = words.view(np.uint64) if len(words) % 8 == 0 else words.view(np.uint32)
        return words.sum  # of integers: no change is lost in the rounding, and it is faster
    return lambda: values.sum().item()
