"""One exporter for each class of modules that can become operations of the runtime."""

import copy

import numpy as np
import torch
from torch import nn

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

_STEM_UNIT = 2.0**-14  # what `Int8Stem` multiplies its sums by


def tabulate(module, channels, n_pixels):
    """Compute what a module makes of each pixel, `(channels, n_pixels)`, from pixels divided by 255 as samples are."""
    pixels = (torch.arange(n_pixels, dtype=torch.uint8).float() / 255).view(-1, 1, 1, 1).expand(-1, channels, 1, 1)
    with torch.inference_mode():
        return copy.deepcopy(module).cpu()(pixels).flatten(1).T.numpy()


def _numbers(tensor):
    return tensor.detach().cpu().float().numpy()


def _as_numbers(e, value):
    """Reals, or integers as they are: what compares and multiplies takes both."""
    return value if e.map(value).kind == "integer" else e.real(value)


def _nothing(e, module, value):
    return value


def _sequence(e, module, value):
    return e.children(module, value, *(name for name, _ in module.named_children()))


def _parts(*names):
    return lambda e, module, value: e.children(module, value, *names)


def _standardize(e, module, value):
    if e.map(value).kind == "pixels":
        return e.lookup(value, module)
    mean, factor = -_numbers(module.mean).ravel(), 1 / _numbers(module.std).ravel()
    value = e.add(Affine(value, np.ones_like(mean), mean))
    return e.add(Affine(value, factor))


def _int8_stem(e, module, value):
    if e.map(value).kind != "pixels":
        raise ValueError(f"it takes pixels as they are, not {e.map(value)}")
    weight = _numbers(module.integer_weights()).transpose(0, 2, 3, 1)
    value = e.add(Int8Conv(value, weight, module.stride, module.padding))
    return e.add(Affine(value, np.full(len(weight), _STEM_UNIT)))


def _batch_norm(e, module, value):
    if module.running_mean is None:
        raise ValueError("it keeps no statistics, so every batch gives another result")
    channels = module.num_features
    weight = np.ones(channels) if module.weight is None else _numbers(module.weight)
    bias = np.zeros(channels) if module.bias is None else _numbers(module.bias)
    mean, variance = _numbers(module.running_mean), _numbers(module.running_var)
    return e.add(
        Affine.from_batch_norm(_as_numbers(e, value), weight, bias, mean, variance, module.eps, **norm_rounding())
    )


def _sign(e, module, value):
    return value if e.map(value).kind == "sign" else e.add(PackedSign(_as_numbers(e, value)))


def _rsign(e, module, value):
    return e.add(PackedSign(_as_numbers(e, value), -_numbers(module.shift)))


def _rprelu(e, module, value):
    shifts = (_numbers(module.shift_in), _numbers(module.slope), _numbers(module.shift_out))
    return e.add(PackedRPReLU(e.real(value), *shifts))


def _hardtanh(e, module, value):
    return e.add(Clip(e.real(value), module.min_val, module.max_val))


def _relu(e, module, value):
    return e.add(Clip(e.real(value), 0.0, np.inf))


def _flatten(e, module, value):
    if (module.start_dim, module.end_dim) != (1, -1):
        raise ValueError(f"start_dim={module.start_dim} and end_dim={module.end_dim}, expected 1 and -1")
    return e.flatten(value)


def _as_filters(weight, map_):
    """Weights of a linear layer as filters that cover a whole map."""
    if weight[0].size != map_.n_pixels * map_.channels:
        raise ValueError(f"it takes {weight[0].size} inputs, but there is {map_}")
    return weight.reshape(len(weight), map_.channels, map_.height, map_.width).transpose(0, 2, 3, 1)


def _binary(e, module, value, as_filters, **options):
    if e.map(value).kind != "sign":
        raise ValueError(f"its inputs are no signs but {e.map(value)}: put a Sign or RSign before it")
    signs, scale = (_numbers(part) for part in module.rule.parts(module.weight))
    value = e.add(BinaryConv.from_signs(value, as_filters(signs), **options), takes_flat=True)
    return value if (scale == 1).all() else e.add(Affine(value, scale))


def _binary_conv(e, module, value):
    options = {"stride": module.stride, "padding": module.padding, "padding_value": module.pad_mode}
    return _binary(e, module, value, lambda signs: signs.transpose(0, 2, 3, 1), **options)


def _binary_linear(e, module, value):
    return _binary(e, module, value, lambda signs: _as_filters(signs, e.map(value)))


def _with_bias(e, module, value):
    return value if module.bias is None else e.add(Affine(value, np.ones(len(module.bias)), _numbers(module.bias)))


def _linear(e, module, value):
    value = e.real(value)
    filters = _as_filters(_numbers(module.weight), e.map(value))
    return _with_bias(e, module, e.add(RealConv(value, filters), takes_flat=True))


def _conv(e, module, value):
    if module.groups != 1 or module.dilation != (1, 1) or module.padding_mode != "zeros":
        raise ValueError("it has groups, dilation or a border of other numbers than zeros")
    sides = module.padding if isinstance(module.padding, tuple) else (module.padding,)
    if len({*module.stride}) > 1 or len({*sides}) > 1 or isinstance(sides[0], str):
        raise ValueError("stride and padding must be one number for both directions")
    weight = _numbers(module.weight).transpose(0, 2, 3, 1)
    return _with_bias(e, module, e.add(RealConv(e.real(value), weight, module.stride[0], sides[0])))


def _max_pool(e, module, value):
    kernel, stride, padding, dilation = (
        {number} if isinstance(number, int) else set(number)
        for number in (module.kernel_size, module.stride, module.padding, module.dilation)
    )
    if max(map(len, (kernel, stride, padding))) > 1 or dilation != {1} or module.ceil_mode or module.return_indices:
        raise ValueError("it must be square, without dilation, ceil_mode and return_indices")
    return e.add(MaxPool(_as_numbers(e, value), (*kernel, *kernel), *stride, *padding))


def _average_pool(e, module, value):
    return e.add(AvgPool(e.real(value), (2, 2), 2, partial=True))


def _duplicate(e, module, value):
    return e.add(Concat((e.real(value),) * module.times))


def _residual_block(e, module, value):
    # First the shortcut: a convolution can then add it to its sums at once.
    shortcut = e.real(e.children(module, value, "shortcut"))
    body = e.real(e.children(module, value, "body"))
    return e.children(module, e.add(Add((body, shortcut))), "activation")


def _resnet(e, module, value):
    return e.add(GlobalAvgPool(e.real(e.children(module, value, "stem", "blocks"))))


def _deep_head(e, module, value):
    for name in ("first", "second"):
        value = _relu(e, module, e.children(module, value, name))
    return e.children(module, value, "linear")


EXPORTERS = {
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
    BiHalf: _nothing,
    nn.Sequential: _sequence,
    nn.Identity: _nothing,
    nn.Dropout: _nothing,
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.MaxPool2d: _max_pool,
    nn.Hardtanh: _hardtanh,
    nn.ReLU: _relu,
}
