"""Convolutions on a CPU whose weights are in the processor's order, with the norm and the ReLU after them included.

Torch orders the weights of a convolution anew at every call, which takes as long as some images, and norms and ReLUs
read and write whole maps. oneDNN, which torch brings, keeps ordered weights and applies a ReLU while it writes.
"""

from __future__ import annotations

import copy
import platform
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from skhash.nn._backbones import SmallCNN
from skhash.nn._float_twin import fold_batch_norm

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")


class PackedConv2d(nn.Conv2d):
    """Convolution for inference that keeps its weights in oneDNN's order, made by `pack_convolutions`."""

    # Ordered for inputs of this shape.
    packed: tuple[tuple[int, ...], Tensor] | None
    activation: str

    @classmethod
    def like(cls, layer: nn.Conv2d) -> PackedConv2d:
        """Turn a convolution into one of this class, in place."""
        layer.__class__ = cls
        assert isinstance(layer, cls)
        layer.packed, layer.activation = None, "none"
        return layer

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        shape = tuple(input.shape)
        ordered = self.packed
        # Of other channels, torch's own error names them, and oneDNN's does not.
        if ordered is None and len(shape) == 4 and shape[1] == self.in_channels:
            arguments = self.padding, self.stride, self.dilation, self.groups, shape
            ordered = self.packed = shape, torch.ops.mkldnn._reorder_convolution_weight(weight.detach(), *arguments)
        plain = input.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        if ordered is None or ordered[0] != shape or not plain:
            z = super()._conv_forward(input, weight, bias)
            return z.relu() if self.activation == "relu" else z
        # The strides of one channel fit both orders of dimensions; only a copy has those of channels last.
        copied = input.clone if shape[1] == 1 else input.contiguous
        return torch.ops.mkldnn._convolution_pointwise(
            copied(memory_format=torch.channels_last),
            ordered[1],
            bias,
            self.padding,
            self.stride,
            self.dilation,
            self.groups,
            self.activation,
            [],
            "",
        )


def pack_convolutions(module: nn.Module, sample: Tensor) -> nn.Module | None:
    """Return a copy of a network that computes the same faster on this processor, in evaluation mode.

    Parameters
    ----------
    module : nn.Module
        The network. If all of its layers are torch's or the library's, norms are included in convolutions, which
        changes the rounding. Other networks may differ in rounding as well, because maps have channels last.
    sample : Tensor of shape (n, channels, height, width)
        Zeros that have the shape of the inputs, with which networks with other layers are tried.

    Returns
    -------
    packed : nn.Module or None
        The copy; None if there is no convolution to pack, if the processor is not supported, if the network has binary
        layers, whose signs follow the last digit, or if it cannot be copied or run with channels last.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import SmallCNN
    >>> from skhash.nn._packed_convolution import pack_convolutions
    >>> network, images = SmallCNN(3).eval(), torch.rand(8, 3, 32, 32)
    >>> packed = pack_convolutions(network, images)
    >>> packed is None or torch.allclose(packed(images), network(images), atol=1e-5)
    True
    """
    layers = list(module.modules())
    if not _is_supported() or not any(_can_pack(layer) for layer in layers):
        return None
    if any(type(layer).__module__.startswith("skhash.nn.binary") for layer in layers):
        return None
    known = all(type(layer).__module__.startswith(("torch.nn.modules.", "skhash.nn.")) for layer in layers)
    try:
        folds = known and _can_fold(module)
        packed = fold_batch_norm(module) if folds else copy.deepcopy(module).eval().requires_grad_(False)
        for layer in list(packed.modules()):
            if isinstance(layer, nn.Conv2d) and _can_pack(layer):
                PackedConv2d.like(layer)
        if folds:
            _include_relus(packed)
            _flatten(packed)
        if not known:  # such as a `view` of a map, which needs channels first
            with torch.inference_mode():
                packed(sample)
    except (RuntimeError, TypeError):
        return None
    return packed


def _is_supported() -> bool:
    """Return whether torch has oneDNN and its operators, on processors for which the codes have been tested."""
    has_operators = hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled and has_operators


def _can_pack(layer: nn.Module) -> bool:
    if type(layer) is not nn.Conv2d or layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        return False
    return layer.weight.dtype == torch.float32 and layer.weight.device.type == "cpu"


def _can_fold(module: nn.Module) -> bool:
    """Return whether every layer is called once, without hooks, and every norm has its statistics."""
    times = Counter(id(layer) for _, layer in module.named_modules(remove_duplicate=False))
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    return all(
        times[id(layer)] == 1
        and not any(vars(layer).get(hooks) for hooks in _HOOKS)
        and not (isinstance(layer, norms) and layer.running_mean is None)
        for layer in module.modules()
    )


def _include_relus(module: nn.Module) -> None:
    """Let packed convolutions apply the ReLU that follows them in an `nn.Sequential`."""
    for parent in [layer for layer in module.modules() if isinstance(layer, nn.Sequential)]:
        last: Any = None
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.ReLU) and isinstance(last, PackedConv2d):
                last.activation = "relu"
                setattr(parent, name, nn.Identity())
            if not isinstance(child, nn.Identity):
                last = child


def _flatten(module: nn.Module) -> None:
    """Put the layers of sequences into the sequence around them, without identities: each call takes microseconds."""
    for parent in [layer for layer in module.modules() if isinstance(layer, nn.Sequential)]:
        # A subclass may call its layers by name or number.
        if type(parent) is nn.Sequential or isinstance(parent, SmallCNN):
            layers = list(_leaves(parent))
            parent._modules.clear()
            parent.extend(layers)


def _leaves(sequence: nn.Sequential) -> Iterator[nn.Module]:
    for layer in sequence:
        if type(layer) is nn.Sequential:
            yield from _leaves(layer)
        elif not isinstance(layer, nn.Identity):
            yield layer
