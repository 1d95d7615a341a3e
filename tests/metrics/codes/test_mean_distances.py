from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from skhash.codes import pack_codes
from skhash.metrics.codes._mean_distances import mean_distances
from skhash.utils import read_labels


def by_pairs(codes, shares):
    distances = {True: [], False: []}
    for i, j in combinations(range(len(codes)), 2):
        distances[bool(shares(i, j))].append((codes[i] != codes[j]).sum())
    return [np.mean(distances[key]) if distances[key] else np.nan for key in (True, False)]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 25), st.sampled_from([1, 3, 64, 66]), st.booleans())
def test_means_by_pairs(seed, n, bits, tight):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (n, bits))
    y, multi_hot = rng.integers(0, 3, n), (rng.random((n, 4)) < 0.4).astype(int)
    with config_context(working_memory=1e-4 if tight else 1024):
        single = mean_distances(pack_codes(codes), bits, read_labels(y))
        several = mean_distances(pack_codes(codes), bits, read_labels(multi_hot))
    assert single == pytest.approx(by_pairs(codes, lambda i, j: y[i] == y[j]), nan_ok=True)
    assert several == pytest.approx(by_pairs(codes, lambda i, j: multi_hot[i] @ multi_hot[j]), nan_ok=True)
