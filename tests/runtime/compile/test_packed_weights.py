"""Packed weights are unpacked unchanged."""

import numpy as np
import pytest

from skhash.runtime import BinaryConv, Int8Conv, RealConv
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile._packed_weights import PackedWeights, strip_weights, unpack_weights


@pytest.mark.parametrize("factors", [None, np.int8([1, -1, 1, -1, -1])])
def test_binary(factors):
    signs = np.random.default_rng(0).choice(np.int8([-1, 1]), size=(5, 3, 3, 7))
    operation = BinaryConv.from_signs(4, signs, stride=2, padding=1, padding_value="plus")
    empty = strip_weights(operation)
    assert empty.bits.strides == (0,)  # no memory
    packed = signs if factors is None else signs * factors[:, None, None, None]
    found = unpack_weights(empty, PackedWeights(layout.tile_binary(packed, 32), None, factors))
    np.testing.assert_array_equal(found.bits, operation.bits)
    assert found.settings() == operation.settings()


def test_real():
    operation = RealConv(0, np.random.default_rng(0).normal(size=(5, 3, 3, 7)), 1, 1)
    empty = strip_weights(operation)
    assert empty.weight.strides == (0, 0, 0, 0)
    found = unpack_weights(empty, PackedWeights(layout.tile_floats(operation.weight, 16)))
    np.testing.assert_array_equal(found.weight, operation.weight)


def test_others_keep_theirs():
    operation = Int8Conv(0, np.ones((1, 3, 3, 1)))
    assert strip_weights(operation) is operation
    assert unpack_weights(operation, None) is operation
