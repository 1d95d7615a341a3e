from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics import collision_rate


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.sampled_from([1, 2, 3, 66]), st.integers(2, 70))
def test_rates_by_pairs(seed, n, bits, n_classes):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (4, bits))[rng.integers(0, 4, n)]
    y = rng.integers(0, n_classes, n)
    multi_hot = (rng.random((n, n_classes)) < 1.5 / n_classes).astype(int)
    multi_hot[0] = 0  # a sample without labels shares none, not with its like either
    pairs = list(combinations(range(n), 2))
    equal = {pair for pair in pairs if (codes[pair[0]] == codes[pair[1]]).all()}
    assert collision_rate(codes) == len(equal) / len(pairs)
    apart = [(i, j) for i, j in pairs if y[i] != y[j]]
    if apart:
        assert collision_rate(codes, y) == len(equal & set(apart)) / len(apart)
    apart = [(i, j) for i, j in pairs if not (multi_hot[i] & multi_hot[j]).any()]
    assume(multi_hot.any())
    assert collision_rate(codes, multi_hot) == len(equal & set(apart)) / len(apart)


def test_closed_cases():
    assert collision_rate(np.ones((6, 9), dtype=int)) == 1
    assert collision_rate(np.eye(6, dtype=int)) == 0
    codes = np.array([[0, 1], [0, 1], [1, 1]])
    assert collision_rate(codes) == collision_rate(pack_codes(codes), bits=2) == 1 / 3
    assert collision_rate(codes, ["a", "b", "b"]) == 1 / 2
    assert collision_rate(codes, np.array([[1, 0], [0, 1], [0, 1]])) == 1 / 2


def test_definitions():
    codes = [[0, 1], [1, 1]]
    assert collision_rate(codes).definition == "share of pairs of samples with equal codes"
    assert "without a common label" in collision_rate(codes, [0, 1]).definition


def test_errors():
    codes = [[0, 1], [1, 1]]
    with pytest.raises(ValueError, match="codes must have at least 2 rows, got 1"):
        collision_rate([[0, 1]])
    with pytest.raises(ValueError, match="y must have one row per code, 2, got 3"):
        collision_rate(codes, [0, 1, 1])
    for y in ([1, 1], [[1, 1], [0, 1]]):
        with pytest.raises(ValueError, match="y must leave at least one pair of samples without a common label"):
            collision_rate(codes, y)
    with pytest.raises(ValueError, match="codes are continuous"):
        collision_rate([[0.2, -0.7], [0.1, 1.0]])
