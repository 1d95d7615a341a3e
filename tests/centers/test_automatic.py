import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import centers
from skhash.centers import bernoulli_centers, distinct_columns, make_hash_centers, min_distance, plotkin_bound


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 150), st.integers(1, 70))
def test_there_are_centers_for_any_size_and_they_are_the_best(n_classes, bits):
    start = time.perf_counter()
    made = make_hash_centers(n_classes, bits, random_state=0)
    assert time.perf_counter() - start < 20  # 0.3 s on an idle machine
    assert made.shape == (n_classes, bits)
    distance = min_distance(made)
    assert distance <= plotkin_bound(n_classes, bits)
    assert distance > 0 or n_classes > 2**bits
    for method in ("bch", "bernoulli", "hadamard", "levenshtein", "linear", "reed_solomon"):
        try:
            other = make_hash_centers(n_classes, bits, method=method, random_state=1)
        except ValueError:
            continue
        assert min_distance(other) <= distance


@pytest.mark.parametrize("n_classes", [10, 21, 100])
def test_bits_repeat_less_than_in_the_first_rows_of_hadamards_matrix(n_classes):
    for bits in (16, 32, 48, 64):
        assert distinct_columns(make_hash_centers(n_classes, bits, random_state=0)) >= 0.9 * bits


def test_a_later_generator_that_reaches_the_bound_is_not_missed():
    # Linear and BCH codes come first, with a distance of 2; only Reed-Solomon codes reach Plotkin's bound.
    assert [min_distance(make_hash_centers(17, 8, method=m, random_state=0)) for m in ("linear", "bch")] == [2, 2]
    assert min_distance(make_hash_centers(17, 8, random_state=0)) == plotkin_bound(17, 8) == 3


def test_a_thousand_classes():
    assert min_distance(make_hash_centers(1000, 64, random_state=0)) >= 28
    assert min_distance(make_hash_centers(1000, 128, random_state=0)) >= 56


def test_a_million_classes():
    made = make_hash_centers(1_000_000, 128, random_state=0)
    assert min_distance(made) >= 48 > min_distance(bernoulli_centers(20_000, 128, random_state=0))


def test_more_classes_than_codes():
    made = make_hash_centers(40, 3, random_state=0)
    assert min_distance(made) == 0
    assert len(np.unique(made, axis=0)) == 8


def test_more_bits_than_any_code_has(monkeypatch):
    """Where no generator has centers, there are always fair coins."""

    def none(*arguments):
        raise centers._checks.NoCentersError

    monkeypatch.setattr("skhash.centers._automatic._STRUCTURED", (none,))
    made = make_hash_centers(2000, 40, random_state=0)
    np.testing.assert_array_equal(made, bernoulli_centers(2000, 40, random_state=0))
