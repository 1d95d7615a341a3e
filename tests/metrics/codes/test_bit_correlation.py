from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from skhash.metrics import bit_correlation


def by_pairs(codes):
    """Mean over pairs of columns; a constant column counts as a copy of every other."""
    values = []
    for a, b in permutations(codes.T, 2):
        constant = len(set(a.tolist())) == 1 or len(set(b.tolist())) == 1
        values.append(1.0 if constant else abs(np.corrcoef(a, b)[0, 1]))
    return np.mean(values)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.sampled_from([2, 5, 66]), st.booleans())
def test_correlation_by_pairs(seed, n, bits, tight):
    codes = np.random.default_rng(seed).integers(0, 2, (n, bits))
    with config_context(working_memory=1e-4 if tight else 1024):
        assert bit_correlation(codes) == pytest.approx(by_pairs(codes))


def test_copies_and_complements_are_fully_correlated():
    bit = np.random.default_rng(0).integers(0, 2, (50, 1))
    assert bit_correlation(np.hstack([bit, bit, 1 - bit])) == pytest.approx(1)


def test_independent_bits_are_not_correlated():
    assert bit_correlation([[0, 0], [0, 1], [1, 0], [1, 1]]) == 0


def test_a_dead_bit_makes_it_worse_and_one_bit_has_nothing_to_repeat():
    assert bit_correlation([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]]) == pytest.approx(4 / 6)
    assert bit_correlation([[0], [1]]) == 0
    assert "1 where one of them is constant" in bit_correlation([[0], [1]]).definition


def test_errors():
    with pytest.raises(ValueError, match="codes are continuous"):
        bit_correlation([[0.2, -0.7]])
