"""Signs of networks of features that are affine maps: one product in single precision, the network where it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from skhash.bitops import SignProjection
from skhash.nn import HashHead, HashNetwork, Standardize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.nn import Inference

__all__ = ["NetworkSigns"]


class NetworkSigns(SignProjection):
    """Bits of a network that is an affine map of its features.

    Parameters
    ----------
    mean : ndarray of float64 of shape (n_features,)
        Mean that the network subtracts.
    components : ndarray of float64 of shape (bits, n_features)
        All its products and scales in one matrix.
    offset : ndarray of float64 of shape (bits,)
        What it adds.
    inference : Inference
        The network in double precision, which decides where single precision leaves a sign open.
    """

    def __init__(
        self,
        mean: NDArray[np.float64],
        components: NDArray[np.float64],
        offset: NDArray[np.float64],
        inference: Inference,
    ) -> None:
        super().__init__(mean, components, offset)
        self.inference = inference

    @classmethod
    def find(cls, network: HashNetwork, inference: Inference) -> NetworkSigns | None:
        """Return the affine map of a network, None if it is none, or has layers that are not the library's own."""
        preprocess, backbone, head = network.preprocess, network.backbone, network.head
        if inference.dtype != torch.float64 or inference.device.type != "cpu" or type(backbone) is not nn.Identity:
            return None
        if type(preprocess) not in (Standardize, nn.Identity) or type(head) is not HashHead or _has_hooks(network):
            return None
        linear, balance = head.linear, head.balance
        if type(linear) is not nn.Linear or type(balance) not in (nn.Identity, nn.BatchNorm1d):
            return None
        components, n_features = _double(linear.weight), linear.in_features
        offset = np.zeros(len(components)) if linear.bias is None else _double(linear.bias)
        mean = np.zeros(n_features)
        if isinstance(preprocess, Standardize):
            mean = _double(preprocess.mean)
            low = getattr(preprocess, "mean_low", None)
            mean = mean if low is None else mean + _double(low)
            components = components / _double(preprocess.std)
        if isinstance(balance, nn.BatchNorm1d):
            if balance.running_mean is None or balance.running_var is None:
                return None
            scale = 1 / np.sqrt(_double(balance.running_var) + balance.eps)
            scale *= 1.0 if balance.weight is None else _double(balance.weight)
            offset = (offset - _double(balance.running_mean)) * scale
            offset += 0.0 if balance.bias is None else _double(balance.bias)
            components = components * scale[:, None]
        # A network that keeps the numbers of a diverged training has no bound.
        if not (np.isfinite(components).all() and np.isfinite(offset).all() and np.isfinite(mean).all()):
            return None
        return cls(mean, np.ascontiguousarray(components), offset, inference)

    def _find_bits(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        inputs = torch.from_numpy(np.array(rows, np.float64, order="C"))
        return (self.inference.run(inputs).numpy() >= 0).view(np.uint8)

    def _find_values(self, rows: NDArray[Any], i: NDArray[np.intp], k: NDArray[np.intp]) -> NDArray[Any]:
        own, places = np.unique(i, return_inverse=True)
        return self._find_bits(rows[own])[places, k]


def _double(tensor: torch.Tensor) -> NDArray[np.float64]:
    """Return a copy of a tensor in double precision."""
    return tensor.detach().to(torch.float64, copy=True).numpy()


def _has_hooks(network: HashNetwork) -> bool:
    """Return whether functions of the user take part when codes are computed."""
    layers = [layer for part in (network.preprocess, network.backbone, network.head) for layer in part.modules()]
    return any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers)
