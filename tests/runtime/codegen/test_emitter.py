"""Loops and vectors, compiled and run."""

import ctypes

import numpy as np
import pytest

from skhash.runtime.codegen._emitter import F32, I32, I64
from skhash.runtime.codegen._kernels import compile_function
from skhash.runtime.codegen._targets import list_targets

pytestmark = pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)


def run(target, key, write, *arrays):
    address = compile_function(target, key, write)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * len(arrays))(address)(*(array.ctypes.data for array in arrays))


def test_folds(target):
    def write(e, source, out):
        count = e.load(source, I64, 8)
        [total] = e.fold(count, [I64(0)], lambda index, carried: [e.b.add(carried[0], index)], step=3)
        e.store(total, out, 8)
        others = e.b.sub(count, I64(1))
        [rest] = e.fold_if_any(others, [I64(100)], lambda index, carried: [e.b.add(carried[0], I64(1))])
        e.store(rest, e.at(out, 1, 8), 8)
        e.loop_if_any(e.b.sub(count, I64(2)), lambda index: e.store(index, e.at(out, 2, 8), 8))

    for count in (1, 2, 10):
        out = np.full(3, -1)
        run(target, "folds", write, np.array([count]), out)
        assert out.tolist() == [sum(range(0, count, 3)), 100 + count - 1, count - 3 if count > 2 else -1]


def test_vectors(target):
    n = target.lanes
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, n)).astype(np.float32)
    words = rng.integers(0, 2**31, size=n, dtype=np.int32)

    def write(e, x, y, words, floats, ints, bits):
        a, b = e.load(x, e.floats), e.load(y, e.floats)
        e.store(e.larger(a, b), floats)
        e.store(e.splat(e.load(x, F32)), e.at(floats, 1, 4 * n))
        e.store(e.fused(a, b, a), e.at(floats, 2, 4 * n))
        e.store(e.popcount(e.load(words, e.ints)), ints)
        e.store(e.larger(e.load(words, e.ints), e.constant(e.ints, 2**30)), e.at(ints, 1, 4 * n))
        e.store_mask(e.b.fcmp_ordered(">", a, b), bits)
        e.store_mask(e.load_mask(bits), e.at(bits, 1, 4))
        e.store(e.b.trunc(e.offset(words, 1), I32), e.at(bits, 2, 4))

    floats, ints, bits = np.zeros((3, n), np.float32), np.zeros((2, n), np.int32), np.zeros(3, np.int32)
    run(target, "vectors", write, x, y, words, floats, ints, bits)
    np.testing.assert_array_equal(floats[0], np.maximum(x, y))
    np.testing.assert_array_equal(floats[1], x[0])
    np.testing.assert_allclose(floats[2], x.astype(float) * y + x, rtol=1e-6)
    np.testing.assert_array_equal(ints[0], np.bitwise_count(words))
    np.testing.assert_array_equal(ints[1], np.maximum(words, 2**30))
    assert bits[0] == sum(1 << i for i in range(n) if x[i] > y[i])
    assert bits[1] == bits[0]
    assert bits[2] == words[1]
