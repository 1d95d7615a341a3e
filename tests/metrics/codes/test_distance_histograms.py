"""Histograms of distances and separability against a loop over all pairs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from skhash.codes import pack_codes
from skhash.metrics import distance_histograms, separability


@given(data=st.data(), n_jobs=st.sampled_from([None, 2]))
@settings(max_examples=80, deadline=None)
def test_equals_brute_force(brute, data, n_jobs):
    case = data.draw(brute.cases(max_items=15, exclude_self=True))
    bits, y = case.database.shape[1], case.labels
    distances = {True: [], False: []}
    for i, j in combinations(range(len(y)), 2):
        shared = bool(np.any(y[i] * y[j])) if y.ndim == 2 else bool(y[i] == y[j])
        distances[shared].append(int((case.database[i] != case.database[j]).sum()))
    got = distance_histograms(case.database, y, n_jobs=n_jobs)
    assert got.intra.tolist() == np.bincount(distances[True], minlength=bits + 1).tolist()
    assert got.inter.tolist() == np.bincount(distances[False], minlength=bits + 1).tolist()
    means = [np.mean(distances[kind]) if distances[kind] else np.nan for kind in (False, True)]
    assert got.separability == pytest.approx(means[0] - means[1], nan_ok=True, abs=1e-12)
    if y.any():
        assert separability(case.database, y) == pytest.approx(means[0] - means[1], nan_ok=True, abs=1e-9)


def test_many_samples_of_many_classes():
    rng = np.random.RandomState(0)
    codes, y = rng.randint(0, 2, (700, 70)), rng.randint(0, 40, 700)
    got = distance_histograms(pack_codes(codes), y, bits=70)
    same = y[:, None] == y
    distances = (codes[:, None] != codes).sum(axis=2)
    upper = np.triu(np.ones((700, 700), bool), k=1)
    assert got.intra.tolist() == np.bincount(distances[upper & same], minlength=71).tolist()
    assert got.inter.tolist() == np.bincount(distances[upper & ~same], minlength=71).tolist()


def test_hadamard_codes():
    # methods.md 16.5: rows of Sylvester's H_8 are 4 apart; the first 100 rows of [H_64; -H_64] at least 32.
    codes = hadamard(8).astype(np.int8)
    assert distance_histograms(codes, np.arange(8)).inter.tolist() == [0, 0, 0, 0, 28, 0, 0, 0, 0]
    codes = np.vstack([hadamard(64), -hadamard(64)])[:100].astype(np.int8)
    inter = distance_histograms(codes, np.arange(100)).inter
    assert np.flatnonzero(inter).tolist() == [32, 64]
    assert inter[64] == 36  # a row and its negative


def test_definitions():
    got = distance_histograms([[0, 0], [0, 1], [1, 1]], [0, 0, 1])
    assert (
        got.definition
        == "unordered pairs of distinct samples by Hamming distance; intra shares a label, inter does not"
    )
    for score in (got.separability, separability([[0, 0], [0, 1], [1, 1]], [0, 0, 1])):
        assert score == 0.5
        assert score.definition.startswith("separability: mean Hamming distance of pairs that share no label minus")


@pytest.mark.parametrize(
    ("codes", "y", "message"),
    [
        ([[0.5, 1.0], [0.0, 1.0]], [0, 1], "codes are continuous"),
        ([[0, 1]], [0], "exclude_self=True requires a database of at least two rows, got 1"),
        ([[0, 1], [1, 1]], [0, 1, 0], "labels must have one row per code, 2, got 3"),
    ],
)
def test_errors(codes, y, message):
    with pytest.raises(ValueError, match=message):
        distance_histograms(codes, y)
