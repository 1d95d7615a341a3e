import itertools

import numpy as np
import pytest
import torch

from skhash.nn import sign
from skhash.nn.binary import RULES, BinaryConv2d, BinaryLinear

BORDER = {"zero": 0, "minus": -1, "plus": 1}


def signs(*shape, seed=0):
    return sign(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))


def convolve(x, weight, stride, padding, border):
    """Convolve integers by explicit loops."""
    n, _, h, w = x.shape
    padded = np.full((n, x.shape[1], h + 2 * padding, w + 2 * padding), border, dtype=np.int64)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    k = weight.shape[2]
    out_h, out_w = ((s + 2 * padding - k) // stride + 1 for s in (h, w))
    out = np.zeros((n, len(weight), out_h, out_w), dtype=np.int64)
    for i, j in itertools.product(range(out_h), range(out_w)):
        window = padded[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
        out[:, :, i, j] = np.einsum("nchw,ochw->no", window, weight)
    return out


@pytest.mark.parametrize("pad_mode", BORDER)
@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (1, 1, 0), (5, 2, 2), (3, 1, 0)])
def test_convolution_gives_exact_integers(pad_mode, kernel_size, stride, padding):
    layer = BinaryConv2d(5, 4, kernel_size, stride, padding, pad_mode=pad_mode, weight_rule="bnn")
    x = signs(2, 5, 7, 6)
    expected = convolve(x.numpy(), sign(layer.weight).detach().numpy(), stride, padding, BORDER[pad_mode])
    assert np.array_equal(layer(x).detach().numpy(), expected)
    assert np.array_equal(layer.eval()(x).numpy(), expected)


@pytest.mark.parametrize("rule", RULES)
def test_evaluation_is_integers_times_scales_and_training_nearly_so(rule):
    layer = BinaryConv2d(6, 8, 3, padding=1, pad_mode="minus", weight_rule=rule)
    x = signs(3, 6, 5, 5)
    trained = layer(x)
    filters, scale = layer.rule.parts(layer.weight)
    integers = torch.from_numpy(convolve(x.numpy(), filters.numpy(), 1, 1, -1))
    assert torch.equal(layer.eval()(x), integers * scale[:, None, None])
    torch.testing.assert_close(trained, layer(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_linear_is_a_convolution_of_one_position(rule):
    linear, convolution = BinaryLinear(20, 7, weight_rule=rule), BinaryConv2d(20, 7, 1, weight_rule=rule)
    convolution.load_state_dict(
        {name: value.view(convolution.state_dict()[name].shape) for name, value in linear.state_dict().items()}
    )
    x = signs(4, 20)
    torch.testing.assert_close(linear(x), convolution(x[:, :, None, None])[:, :, 0, 0])
    assert torch.equal(linear.eval()(x), convolution.eval()(x[:, :, None, None])[:, :, 0, 0])


@pytest.mark.parametrize("rule", RULES)
def test_a_generator_draws_weights_and_scales(rule):
    state = torch.get_rng_state()
    layers = [BinaryLinear(30, 20, weight_rule=rule) for _ in range(3)]
    torch.set_rng_state(state)
    for layer, seed in zip(layers, (0, 0, 1), strict=True):
        layer.initialize(torch.Generator().manual_seed(seed))
    assert torch.equal(torch.get_rng_state(), state)
    first, second, third = (list(layer.parameters()) for layer in layers)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, third, strict=True))


def test_what_is_counted():
    assert BinaryConv2d(8, 16, 3).n_binary == 8 * 16 * 9
    assert BinaryConv2d(8, 16, 3).macs(100) == 8 * 16 * 9 * 100
    assert BinaryLinear(8, 16).macs() == BinaryLinear(8, 16).n_binary == 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pad_mode": "one"}, "pad_mode must be one of .* got 'one'"),
        ({"weight_rule": "x"}, "weight_rule must be one of"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        BinaryConv2d(2, 2, 3, **options)
