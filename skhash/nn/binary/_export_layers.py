"""One exporter for each class of modules that can become operations of the runtime."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skhash.nn import BiHalf, DeepHead, HashHead, HashNetwork, Standardize
from skhash.nn.binary._activations import RPReLU, RSign, Sign
from skhash.nn.binary._blocks import AveragePool, Duplicate, ResidualBlock
from skhash.nn.binary._layers import BinaryConv2d, BinaryLinear
from skhash.nn.binary._mlp import BinaryMLP
from skhash.nn.binary._norm_rounding import norm_rounding
from skhash.nn.binary._resnet import BinaryResNet
from skhash.nn.binary._stem import Int8Stem
from skhash.nn.binary._vgg import BinaryVGG
from skhash.runtime import (
    Add,
    Affine,
    AvgPool,
    BinaryConv,
    Clip,
    Concat,
    GlobalAvgPool,
    Int8Conv,
    MaxPool,
    RealConv,
)
from skhash.runtime import RPReLU as PackedRPReLU
from skhash.runtime import Sign as PackedSign

if TYPE_CHECKING:
    from skhash.nn.binary._export import Exporter
    from skhash.runtime import Map

_STEM_UNIT = 2.0**-14  # factor by which `Int8Stem` multiplies its sums


def tabulate(module: nn.Module, channels: int, n_pixels: int) -> NDArray[np.float32]:
    """Compute a module's output for each pixel value, (channels, n_pixels); pixels are divided by 255 first."""
    pixels = (torch.arange(n_pixels, dtype=torch.uint8).float() / 255).view(-1, 1, 1, 1).expand(-1, channels, 1, 1)
    with torch.inference_mode():
        return copy.deepcopy(module).cpu()(pixels).flatten(1).T.numpy()


def _numbers(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()


def _as_numbers(e: Exporter, value: int) -> int:
    """Convert a value to real numbers, except integers: operations that compare or multiply take both."""
    return value if e.map(value).kind == "integer" else e.real(value)


def _identity(e: Exporter, module: nn.Module, value: int) -> int:
    return value


def _sequence(e: Exporter, module: nn.Sequential, value: int) -> int:
    return e.children(module, value, *(name for name, _ in module.named_children()))


def _parts(*names: str) -> Callable[[Exporter, Any, int], int]:
    return lambda e, module, value: e.children(module, value, *names)


def _standardize(e: Exporter, module: Standardize, value: int) -> int:
    if e.map(value).kind == "pixels":
        return e.lookup(value, module)
    if getattr(module, "mean_low", None) is not None:
        raise ValueError(
            "it has features whose mean is more than 4,096 standard deviations, which need double precision; subtract "
            "their mean from X before fit"
        )
    # Two operations, as the module rounds after the subtraction.
    mean, factor = -_numbers(module.mean).ravel(), 1 / _numbers(module.std).ravel()
    value = e.add(Affine(value, np.ones_like(mean), mean))
    return e.add(Affine(value, factor))


def _int8_stem(e: Exporter, module: Int8Stem, value: int) -> int:
    if e.map(value).kind != "pixels":
        raise ValueError(f"its input must be integer pixels, got {e.map(value)}")
    weight = _numbers(module.integer_weights()).transpose(0, 2, 3, 1)
    value = e.add(Int8Conv(value, weight, module.stride, module.padding))
    return e.add(Affine(value, np.full(len(weight), _STEM_UNIT)))


def _batch_norm(e: Exporter, module: nn.BatchNorm1d | nn.BatchNorm2d, value: int) -> int:
    if module.running_mean is None or module.running_var is None:
        raise ValueError("it has no running statistics, so its outputs depend on the batch")
    channels = module.num_features
    weight = np.ones(channels) if module.weight is None else _numbers(module.weight)
    bias = np.zeros(channels) if module.bias is None else _numbers(module.bias)
    mean, variance = _numbers(module.running_mean), _numbers(module.running_var)
    return e.add(
        Affine.from_batch_norm(_as_numbers(e, value), weight, bias, mean, variance, module.eps, **norm_rounding())
    )


def _sign(e: Exporter, module: Sign, value: int) -> int:
    return value if e.map(value).kind == "sign" else e.add(PackedSign(_as_numbers(e, value)))


def _rsign(e: Exporter, module: RSign, value: int) -> int:
    # x + shift >= 0 exactly where x >= -shift, in floating point too: the sum rounds to 0 only if x == -shift.
    return e.add(PackedSign(_as_numbers(e, value), -_numbers(module.shift)))


def _rprelu(e: Exporter, module: RPReLU, value: int) -> int:
    shifts = (_numbers(module.shift_in), _numbers(module.slope), _numbers(module.shift_out))
    return e.add(PackedRPReLU(e.real(value), *shifts))


def _hardtanh(e: Exporter, module: nn.Hardtanh, value: int) -> int:
    return e.add(Clip(e.real(value), module.min_val, module.max_val))


def _relu(e: Exporter, module: nn.Module, value: int) -> int:
    return e.add(Clip(e.real(value), 0.0, np.inf))


def _flatten(e: Exporter, module: nn.Flatten, value: int) -> int:
    if (module.start_dim, module.end_dim) != (1, -1):
        raise ValueError(
            f"it must have start_dim=1 and end_dim=-1, got start_dim={module.start_dim} and end_dim={module.end_dim}"
        )
    return e.flatten(value)


def _as_filters(weight: NDArray[np.float32], map_: Map) -> NDArray[np.float32]:
    """View the weights of a linear layer as filters that cover a whole map."""
    if weight[0].size != map_.n_pixels * map_.channels:
        raise ValueError(f"it takes {weight[0].size} inputs, got {map_}")
    # The layer was trained on maps that torch flattened in the order (channel, row, column).
    return weight.reshape(len(weight), map_.channels, map_.height, map_.width).transpose(0, 2, 3, 1)


def _binary(
    e: Exporter,
    module: BinaryConv2d | BinaryLinear,
    value: int,
    as_filters: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    **options: Any,
) -> int:
    if e.map(value).kind != "sign":
        raise ValueError(f"its inputs must be signs, got {e.map(value)}; put a Sign or RSign before it")
    signs, scale = (_numbers(part) for part in module.rule.parts(module.weight))
    value = e.add(BinaryConv.from_signs(value, as_filters(signs), **options), takes_flat=True)
    return value if (scale == 1).all() else e.add(Affine(value, scale))


def _binary_conv(e: Exporter, module: BinaryConv2d, value: int) -> int:
    options = {"stride": module.stride, "padding": module.padding, "padding_value": module.pad_mode}
    return _binary(e, module, value, lambda signs: signs.transpose(0, 2, 3, 1), **options)


def _binary_linear(e: Exporter, module: BinaryLinear, value: int) -> int:
    return _binary(e, module, value, lambda signs: _as_filters(signs, e.map(value)))


def _with_bias(e: Exporter, module: nn.Linear | nn.Conv2d, value: int) -> int:
    return value if module.bias is None else e.add(Affine(value, np.ones(len(module.bias)), _numbers(module.bias)))


def _linear(e: Exporter, module: nn.Linear, value: int) -> int:
    value = e.real(value)
    filters = _as_filters(_numbers(module.weight), e.map(value))
    return _with_bias(e, module, e.add(RealConv(value, filters), takes_flat=True))


def _conv(e: Exporter, module: nn.Conv2d, value: int) -> int:
    if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
        raise ValueError(
            f"it must have groups=1, dilation=1 and padding_mode='zeros', got groups={module.groups}, "
            f"dilation={module.dilation} and padding_mode={module.padding_mode!r}"
        )
    sides = module.padding if isinstance(module.padding, tuple) else (module.padding,)
    if len({*module.stride}) > 1 or len({*sides}) > 1 or isinstance(sides[0], str):
        raise ValueError(
            f"stride and padding must be one number for both directions, got stride={module.stride} and "
            f"padding={module.padding!r}"
        )
    weight = _numbers(module.weight).transpose(0, 2, 3, 1)
    return _with_bias(e, module, e.add(RealConv(e.real(value), weight, module.stride[0], sides[0])))


def _max_pool(e: Exporter, module: nn.MaxPool2d, value: int) -> int:
    kernel, stride, padding, dilation = (
        {number} if isinstance(number, int) else set(number)
        for number in (module.kernel_size, module.stride, module.padding, module.dilation)
    )
    if max(map(len, (kernel, stride, padding))) > 1 or dilation != {1} or module.ceil_mode or module.return_indices:
        raise ValueError(f"it must be square, without dilation, ceil_mode and return_indices, got {module!r}")
    return e.add(MaxPool(_as_numbers(e, value), (*kernel, *kernel), *stride, *padding))


def _average_pool(e: Exporter, module: AveragePool, value: int) -> int:
    return e.add(AvgPool(e.real(value), (2, 2), 2, partial=True))


def _duplicate(e: Exporter, module: Duplicate, value: int) -> int:
    return e.add(Concat((e.real(value),) * module.times))


def _residual_block(e: Exporter, module: ResidualBlock, value: int) -> int:
    # The shortcut first, so that the body's convolution can add it in its epilogue.
    shortcut = e.real(e.children(module, value, "shortcut"))
    body = e.real(e.children(module, value, "body"))
    return e.children(module, e.add(Add((body, shortcut))), "activation")


def _resnet(e: Exporter, module: BinaryResNet, value: int) -> int:
    return e.add(GlobalAvgPool(e.real(e.children(module, value, "stem", "blocks"))))


def _deep_head(e: Exporter, module: DeepHead, value: int) -> int:
    for name in ("first", "second"):
        value = _relu(e, module, e.children(module, value, name))
    return e.children(module, value, "linear")


EXPORTERS: dict[type[nn.Module], Callable[[Exporter, Any, int], int]] = {
    HashNetwork: _parts("preprocess", "backbone", "head"),
    Standardize: _standardize,
    BinaryResNet: _resnet,
    BinaryVGG: _parts("layers"),
    BinaryMLP: _parts("stem", "blocks"),
    ResidualBlock: _residual_block,
    HashHead: _parts("linear", "balance"),
    DeepHead: _deep_head,
    Int8Stem: _int8_stem,
    BinaryConv2d: _binary_conv,
    BinaryLinear: _binary_linear,
    Sign: _sign,
    RSign: _rsign,
    RPReLU: _rprelu,
    AveragePool: _average_pool,
    Duplicate: _duplicate,
    BiHalf: _identity,
    nn.Sequential: _sequence,
    nn.Identity: _identity,
    nn.Dropout: _identity,
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.MaxPool2d: _max_pool,
    nn.Hardtanh: _hardtanh,
    nn.ReLU: _relu,
}
