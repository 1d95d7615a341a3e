"""The interpreter computes the same as torch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import runtime as rt

torch = pytest.importorskip("torch")
F = torch.nn.functional


def to_torch(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 3, 1)).astype(np.float32))


def to_numpy(x):
    return np.moveaxis(x.numpy(), 1, 3)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6), kernel=st.sampled_from([1, 3, 5]), stride=st.integers(1, 2), padding=st.integers(0, 2),
    value=st.sampled_from(["zero", "minus", "plus"]),
)  # fmt: skip
def test_binary_convolution(seed, kernel, stride, padding, value):
    padding = min(padding, kernel - 1)
    rng = np.random.default_rng(seed)
    weight = rng.choice([-1, 1], size=(4, kernel, kernel, 3))
    conv = rt.BinaryConv.from_signs(2, weight, stride=stride, padding=padding, padding_value=value)
    images, table = rng.integers(0, 256, size=(2, 7, 6, 3), dtype=np.uint8), rng.normal(size=(3, 256))
    network = rt.Network((7, 6, 3), (rt.Lookup(0, table), rt.Sign(1), conv, rt.Affine(3, np.ones(4))))
    found = rt.interpret(network, images)[-1]
    x = np.where(table.astype(np.float32)[np.arange(3), images] >= 0, 1, -1)
    border = {"zero": 0, "minus": -1, "plus": 1}[value]
    expected = F.conv2d(F.pad(to_torch(x), (padding,) * 4, value=border), to_torch(weight), stride=stride)
    np.testing.assert_array_equal(found, to_numpy(expected))


def test_int8_convolution_and_pools():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(3, 9, 7, 3), dtype=np.uint8)
    weight = rng.integers(-128, 128, size=(6, 3, 3, 3))
    operations = (
        rt.Int8Conv(0, weight, 2, 1),
        rt.Affine(1, np.full(6, 2.0**-14)),
        rt.MaxPool(2, (3, 3), 2, 1),
        rt.AvgPool(2, partial=True),
        rt.GlobalAvgPool(2),
    )
    values = rt.interpret(rt.Network((9, 7, 3), operations), images)
    x = F.conv2d(to_torch(images) - 128, to_torch(weight), stride=2, padding=1) * 2.0**-14
    np.testing.assert_array_equal(values[2], to_numpy(x))
    np.testing.assert_array_equal(values[3], to_numpy(F.max_pool2d(x, 3, 2, 1)))
    np.testing.assert_array_equal(values[4], to_numpy(F.avg_pool2d(x, 2, ceil_mode=True)))


def test_elementwise_operations():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(size=(20, 5)), np.zeros((1, 5)), -np.zeros((1, 5))]).astype(np.float32)
    before, slope, after, threshold = rng.normal(size=(4, 5)).astype(np.float32)
    operations = (
        rt.RPReLU(0, before, slope, after),
        rt.Clip(0, -0.5, 0.25),
        rt.Sign(0),
        rt.Sign(0, threshold),
        rt.SignsToReal(4),
        rt.Concat((0, 1)),
        rt.Add((0, 1)),
    )
    values = [value[:, 0, 0] for value in rt.interpret(rt.Network((5,), operations), x)]
    t = torch.from_numpy(x)
    expected = F.prelu(t + torch.from_numpy(before), torch.from_numpy(slope)) + torch.from_numpy(after)
    np.testing.assert_array_equal(values[1], expected)
    np.testing.assert_array_equal(values[2], F.hardtanh(t, -0.5, 0.25))
    np.testing.assert_array_equal(values[3], x >= 0)
    assert values[3][20:].all()
    np.testing.assert_array_equal(values[4], t - torch.from_numpy(threshold) >= 0)
    np.testing.assert_array_equal(values[5], np.where(values[4], 1, -1))
    np.testing.assert_array_equal(values[6], np.hstack([x, values[1]]))
    np.testing.assert_array_equal(values[7], x + values[1])


@pytest.mark.parametrize("padding", [0, 1])
def test_real_convolution(padding):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(2, 6, 5, 3), dtype=np.uint8)
    table, weight = rng.normal(size=(3, 256)), rng.normal(size=(4, 3, 3, 3))
    operations = (rt.Lookup(0, table), rt.RealConv(1, weight, 2, padding))
    found = rt.interpret(rt.Network((6, 5, 3), operations), images)[-1]
    x = table.astype(np.float32)[np.arange(3), images]
    expected = F.conv2d(to_torch(x).double(), to_torch(weight).double(), stride=2, padding=padding)
    np.testing.assert_allclose(found, to_numpy(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sides", [(1, 1), (3, 5), (4, 4), (7, 7), (16, 15), (16, 16), (23, 29)])
def test_the_mean_of_a_map_is_torchs_to_the_last_bit(sides):
    rng = np.random.default_rng(0)
    X, table = rng.integers(0, 256, size=(3, *sides, 96), dtype=np.uint8), rng.normal(size=(96, 256))
    values = rt.interpret(rt.Network((*sides, 96), (rt.Lookup(0, table), rt.GlobalAvgPool(1))), X)
    x = torch.from_numpy(values[1]).permute(0, 3, 1, 2)
    assert x.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(values[2][:, 0, 0], x.mean(dim=(2, 3)))
