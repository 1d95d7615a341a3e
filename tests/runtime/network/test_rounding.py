"""One rounding means one rounding; thresholds are where the float result changes sign."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.runtime import Affine
from skhash.runtime.network._rounding import ALWAYS, NEVER, affine, fused_multiply_add, smallest_positive

NUMBERS = st.floats(-1e6, 1e6, width=32)


def rounded(exact):
    """Return the nearest float32 of a fraction, of two equally near ones that with an even last bit."""
    low = np.float32(float(exact))
    candidates = [np.nextafter(low, np.float32(-np.inf)), low, np.nextafter(low, np.float32(np.inf))]
    return min(candidates, key=lambda f: (abs(Fraction(float(f)) - exact), int(f.view(np.int32)) & 1))


@settings(max_examples=300, deadline=None)
@given(x=NUMBERS, scale=NUMBERS, offset=NUMBERS)
def test_fused_multiply_add_rounds_once(x, scale, offset):
    exact = Fraction(x) * Fraction(scale) + Fraction(offset)
    expected = rounded(exact)
    if abs(expected) > 1e-30:  # subnormal numbers round elsewhere
        assert fused_multiply_add(np.float32(x), np.float32(scale), np.float32(offset)) == expected


def test_fused_multiply_add_where_rounding_twice_differs():
    # The product is 1 + 2**-24, halfway between two float32; what is added is less than float64 can see beside it.
    x, scale = np.float32(97 * 257), np.float32(673 * 2.0**-24)
    tiny = np.float32(2.0**-60)
    assert np.float32(np.float64(x) * np.float64(scale) + np.float64(tiny)) == 1
    assert fused_multiply_add(x, scale, tiny) == np.float32(1 + 2.0**-23)
    assert fused_multiply_add(x, scale, -tiny) == 1


@pytest.mark.parametrize("fused", [True, False])
def test_affine_is_what_it_says(fused):
    x, scale, offset = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
    expected = fused_multiply_add(x, scale, offset) if fused else x * scale + offset
    np.testing.assert_array_equal(affine(x, Affine(0, scale, offset, fused)), expected)
    assert (fused_multiply_add(x, scale, offset) != x * scale + offset).any()


def test_affine_without_offset_only_multiplies():
    assert affine(np.float32(3), Affine(0, [0.1])) == np.float32(3) * np.float32(0.1)


@given(limit=st.integers(0, 40), thresholds=st.lists(st.integers(-45, 45), min_size=1, max_size=8))
def test_bisection_finds_the_first_integer_that_passes(limit, thresholds):
    thresholds = np.array(thresholds)
    found = smallest_positive(lambda sums: sums >= thresholds, limit, len(thresholds))
    for threshold, answer in zip(thresholds, found, strict=True):
        passing = [i for i in range(-limit, limit + 1) if i >= threshold]
        assert answer == (NEVER if not passing else ALWAYS if passing[0] == -limit else passing[0])


@pytest.mark.parametrize("fused_offset", [True, False])
def test_batch_norm_step_by_step(fused_offset):
    rng = np.random.default_rng(0)
    weight, bias, mean = rng.normal(size=(3, 200)).astype(np.float32)
    variance = rng.uniform(0.01, 9, 200).astype(np.float32)
    operation = Affine.from_batch_norm(0, weight, bias, mean, variance, 1e-3, fused=False, fused_offset=fused_offset)
    assert not operation.fused
    for w, b, m, v, scale, offset in zip(weight, bias, mean, variance, operation.scale, operation.offset, strict=True):
        deviation = np.float32(np.sqrt(np.float64(np.float32(v + np.float32(1e-3)))))
        factor = np.float32(w * np.float32(np.float32(1) / deviation))
        product = Fraction(float(m)) * Fraction(float(factor))
        if not fused_offset:
            product = Fraction(float(np.float32(float(product))))
        assert scale == factor
        assert offset == np.float32(float(Fraction(float(b)) - product))
