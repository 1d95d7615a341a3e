"""Operations refuse sources that do not fit, and say why."""

import numpy as np
import pytest

from skhash.runtime import (
    Add,
    Affine,
    AvgPool,
    BinaryConv,
    Clip,
    Concat,
    GlobalAvgPool,
    Int8Conv,
    Lookup,
    Map,
    MaxPool,
    Network,
    PackedHasher,
    RealConv,
    RPReLU,
    Sign,
    SignsToReal,
    interpret,
)
from skhash.runtime.network._network import OPERATIONS

torch = pytest.importorskip("torch")

PIXELS, REAL, SIGN, INTEGER = (
    Map("pixels", 6, 5, 3),
    Map("real", 6, 5, 8),
    Map("sign", 6, 5, 8),
    Map("integer", 6, 5, 8),
)
ONES = np.ones(8)


def binary(shape=(4, 3, 3, 8), **settings):
    return BinaryConv.from_signs(0, np.ones(shape), **settings)


@pytest.mark.parametrize(
    ("operation", "sources", "expected"),
    [
        (Lookup(0, np.zeros((3, 256))), [PIXELS], Map("real", 6, 5, 3)),
        (Int8Conv(0, np.zeros((4, 3, 3, 3)), 2, 1), [PIXELS], Map("integer", 3, 3, 4)),
        (RealConv(0, np.zeros((4, 6, 5, 8))), [REAL], Map("real", 1, 1, 4)),
        (binary(stride=2, padding=1), [SIGN], Map("integer", 3, 3, 4)),
        (Affine(0, ONES), [INTEGER], REAL),
        (Sign(0, ONES), [REAL], SIGN),
        (SignsToReal(0), [SIGN], REAL),
        (RPReLU(0, ONES, ONES, ONES), [REAL], REAL),
        (Clip(0), [REAL], REAL),
        (Add((0, 0)), [REAL, REAL], REAL),
        (Concat((0, 0)), [REAL, REAL], Map("real", 6, 5, 16)),
        (MaxPool(0), [INTEGER], Map("integer", 3, 2, 8)),
        (AvgPool(0), [REAL], Map("real", 3, 2, 8)),
        (AvgPool(0, partial=True), [REAL], Map("real", 3, 3, 8)),
        (AvgPool(0, (1, 1), 9, partial=True), [REAL], Map("real", 1, 1, 8)),
        (GlobalAvgPool(0), [REAL], Map("real", 1, 1, 8)),
    ],
)
def test_result(operation, sources, expected):
    assert operation.result(*sources) == expected
    assert OPERATIONS[type(operation).__name__] is type(operation)


@pytest.mark.parametrize(
    ("operation", "sources", "message"),
    [
        (Lookup(0, np.zeros((256, 3))), [PIXELS], r"table has shape \(256, 3\), expected \(3, 256\)"),
        (Lookup(0, np.zeros((3, 256))), [REAL], "the source is real 6 x 5 x 8, expected kind pixels"),
        (Int8Conv(0, np.full((1, 400, 400, 3), 127)), [PIXELS], "float32 could not represent"),
        (Int8Conv(0, np.zeros((4, 3, 3, 1))), [PIXELS], r"weight has shape \(4, 3, 3, 1\), but the source has 3"),
        (RealConv(0, np.zeros((4, 8))), [REAL], "expected 4 dimensions"),
        (RealConv(0, np.zeros((4, 7, 3, 8))), [REAL], r"a window of \(7, 3\).*does not fit"),
        (binary((4, 3, 3, 9)), [SIGN], "but the source has 8 channels"),
        (binary(padding=3), [SIGN], "padding 3 does not fit"),
        (binary(padding_value="one"), [SIGN], "padding_value must be one of .* got 'one'"),
        (BinaryConv(0, np.zeros(3), (4, 3, 3, 8)), [SIGN], r"bits has shape \(3,\), expected \(36,\)"),
        (BinaryConv(0, np.zeros(3), (4, 8)), [SIGN], r"shape must be four positive sizes .* got \(4, 8\)"),
        (binary(), [REAL], "expected kind sign"),
        (Affine(0, ONES, np.ones(1)), [REAL], r"offset has shape \(1,\)"),
        (Sign(0, np.ones(7)), [REAL], r"threshold has shape \(7,\), but the source has 8 channels"),
        (SignsToReal(0), [REAL], "expected kind sign"),
        (RPReLU(0, ONES, np.ones(2), ONES), [REAL], r"slope has shape \(2,\)"),
        (Clip(0, 1, 0), [REAL], "low must be <= high = 0.0, got 1.0"),
        (Add((0, 1)), [REAL, Map("real", 6, 5, 9)], "expected two real maps of one shape"),
        (Concat((0, 1)), [REAL, Map("real", 6, 6, 8)], "expected real maps of one size"),
        (MaxPool(0, (2, 2), 2, 2), [REAL], r"padding must be <= half of the window \(2, 2\), got 2"),
        (AvgPool(0, (7, 7)), [REAL], "does not fit"),
        (AvgPool(0, (1, 1), 0, partial=True), [REAL], "stride 0 does not fit"),
        (AvgPool(0, (10**9, 1), partial=True), [REAL], "1000000000, 1.*does not fit"),
        (GlobalAvgPool(0), [SIGN], "expected kind real"),
    ],
)
def test_refusal(operation, sources, message):
    with pytest.raises(ValueError, match=message):
        operation.result(*sources)


@pytest.mark.parametrize(("kernel", "padding"), [((2, 2), 1), ((2, 5), 1), ((4, 4), 2)])
def test_a_max_pool_may_start_half_a_window_outside_as_in_torch(kernel, padding):
    X = np.random.default_rng(0).integers(0, 256, size=(2, 7, 6, 3), dtype=np.uint8)
    operations = (Lookup(0, np.arange(3 * 256).reshape(3, 256) - 300), MaxPool(1, kernel, 2, padding))
    network = Network((7, 6, 3), operations)
    x = torch.from_numpy(np.moveaxis(interpret(network, X)[1], 3, 1).copy())
    expected = torch.nn.functional.max_pool2d(x, kernel, 2, padding).numpy()
    np.testing.assert_array_equal(np.moveaxis(interpret(network, X)[2], 3, 1), expected)
    np.testing.assert_array_equal(PackedHasher(network).decision_function(X), interpret(network, X)[2].reshape(2, -1))


def test_nan_is_refused():
    with pytest.raises(ValueError, match="Affine: scale contains NaN"):
        Affine(0, [np.nan])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: binary(stride=1.5), "BinaryConv: stride must be an integer, got 1.5"),
        (lambda: RealConv(0, np.zeros((1, 1, 1, 8)), np.inf), "RealConv: stride must be an integer, got inf"),
        (lambda: MaxPool(0, (2, 2.0)), r"MaxPool: kernel must be integers, got \(2, 2.0\)"),
        (lambda: AvgPool(0, 2), "AvgPool: kernel must be integers, got 2"),
        (lambda: Clip(0, "low"), "Clip: low must be a number, got 'low'"),
        (lambda: Add((0, 1.5)), r"Add: sources must be integers, got \(0, 1.5\)"),
        (lambda: SignsToReal(None), "SignsToReal: sources must be integers, got None"),
    ],
)
def test_settings_of_other_kinds_are_refused(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_numbers_of_numpy_are_taken():
    operation = MaxPool(np.int64(0), np.array([3, 3]), np.int32(2))
    assert operation.settings() == {"sources": (0,), "kernel": (3, 3), "stride": 2, "padding": 0}
    assert type(operation.stride) is int


def test_signs_come_back_from_bits():
    weight = np.random.default_rng(0).choice([-1, 1], size=(5, 3, 2, 7))
    operation = BinaryConv.from_signs(0, weight)
    np.testing.assert_array_equal(operation.signs(), weight)
    assert (operation.n_weights, operation.limit, operation.kernel) == (210, 42, (3, 2))
    assert operation.bits.size == 27


def test_the_lowest_bit_is_the_first_weight_and_zero_counts_as_plus():
    np.testing.assert_array_equal(BinaryConv.from_signs(0, np.array([[[[1, -1, 0]]]])).bits, [0b101])
