"""Sums of tiles: all integers of convolutions, on every target, against torch over -1 and +1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.runtime import Affine, BinaryConv, Int8Conv, Lookup, Network, PackedHasher, RealConv, Sign
from skhash.runtime.codegen._targets import list_targets

torch = pytest.importorskip("torch")
F = torch.nn.functional

TARGETS = [target.name for target in list_targets()]


def to_torch(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 3, 1)).astype(np.float32))


def flat(x):
    return np.moveaxis(x.numpy(), 1, 3).reshape(len(x), -1)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    channels=st.sampled_from([1, 3, 31, 32, 33, 64, 70, 128]),
    filters=st.sampled_from([1, 16, 31, 32, 40, 64]),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 2),
    height=st.integers(1, 11),
    width=st.integers(1, 11),
    value=st.sampled_from(["zero", "minus", "plus"]),
)
def test_binary_convolution(target, seed, channels, filters, kernel, stride, height, width, value):
    rng = np.random.default_rng(seed)
    weight = rng.choice([-1, 1], size=(filters, kernel, kernel, channels))
    # pixels of a batch become random signs of as many channels by a first layer of one weight each
    first, threshold = rng.choice([-1, 1], size=(channels, 1, 1, 2)), rng.integers(-99, 99, channels)
    settings = {"stride": stride, "padding": kernel // 2, "padding_value": value}
    operations = (Int8Conv(0, first), Affine(1, np.ones(channels)), Sign(2, threshold))
    conv = BinaryConv.from_signs(3, weight, **settings)
    network = Network((height, width, 2), (*operations, conv, Affine(4, np.ones(filters))))
    X = rng.integers(0, 256, size=(2, height, width, 2), dtype=np.uint8)
    found = PackedHasher(network, target=target).decision_function(X)

    signs = F.conv2d(to_torch(X) - 128, to_torch(first)) >= torch.from_numpy(threshold).view(-1, 1, 1)
    border = {"zero": 0, "minus": -1, "plus": 1}[value]
    x = F.pad(torch.where(signs, 1.0, -1.0), (kernel // 2,) * 4, value=border)
    np.testing.assert_array_equal(found, flat(F.conv2d(x, to_torch(weight), stride=stride)))


@pytest.mark.parametrize("target", TARGETS)
def test_long_windows_do_not_overflow_bytes(target):
    # every bit differs: each byte counter reaches its most
    n = 32 * 31 * 3 + 32
    network = Network((n,), (Sign(0), BinaryConv.from_signs(1, -np.ones((3, 1, 1, n))), Affine(2, np.ones(3))))
    np.testing.assert_array_equal(PackedHasher(network, target=target).decision_function(np.ones((1, n))), [[-n] * 3])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "side"), [(1, 3, 1, 9), (3, 7, 2, 14), (4, 5, 1, 6), (3, 1, 1, 5)]
)
def test_int8_convolution(target, channels, kernel, stride, side):
    rng = np.random.default_rng(0)
    weight = rng.integers(-128, 128, size=(40, kernel, kernel, channels))
    weight[0], weight[1] = -128, 127
    operations = (Int8Conv(0, weight, stride, kernel // 2), Affine(1, np.ones(40)))
    X = rng.choice(np.uint8([0, 1, 127, 128, 255]), size=(2, side, side, channels))
    X[0] = 255
    found = PackedHasher(Network((side, side, channels), operations), target=target).decision_function(X)
    expected = F.conv2d(to_torch(X).double() - 128, to_torch(weight).double(), stride=stride, padding=kernel // 2)
    np.testing.assert_array_equal(found, flat(expected))


@pytest.mark.parametrize("target", TARGETS)
def test_real_convolution(target):
    rng = np.random.default_rng(0)
    table, weight = rng.normal(size=(3, 256)).astype(np.float32), rng.normal(size=(20, 3, 3, 3)).astype(np.float32)
    network = Network((9, 8, 3), (Lookup(0, table), RealConv(1, weight, 2, 1)))
    X = rng.integers(0, 256, size=(2, 9, 8, 3), dtype=np.uint8)
    found = PackedHasher(network, target=target).decision_function(X)
    x = to_torch(table[np.arange(3), X]).double()
    np.testing.assert_allclose(found, flat(F.conv2d(x, to_torch(weight).double(), stride=2, padding=1)), atol=1e-5)
