"""Precision and recall among the first k against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.metrics import precision_at_k, recall_at_k
from skhash.metrics.ranking._average_precision import TIES


@given(data=st.data(), ties=st.sampled_from(sorted(TIES)), n_jobs=st.sampled_from([None, 2]))
@settings(max_examples=120, deadline=None)
def test_equals_brute_force(brute, data, ties, n_jobs):
    case = data.draw(brute.cases(max_items=6 if ties == "expected" else 15))
    k = data.draw(st.integers(1, len(case.database) - case.exclude_self))
    options = {"ties": ties, "exclude_self": case.exclude_self, "random_state": 3, "n_jobs": n_jobs}
    hits = [brute.mean_hits(case, q, k, ties=ties, seed=3) for q in range(len(case.queries))]
    totals = [brute.n_relevant(case, q) for q in range(len(case.queries))]
    for function, expected in (
        (precision_at_k, [found / k for found in hits]),
        (recall_at_k, [found / total if total else 0.0 for found, total in zip(hits, totals, strict=True)]),
    ):
        got = function(*case.sides, k, **options)
        assert got == pytest.approx(np.mean(expected), abs=1e-12)
        assert got.per_query == pytest.approx(expected, abs=1e-12)


def test_k_is_100_by_default(make_sides):
    sides = make_sides(n=150)
    for function in (precision_at_k, recall_at_k):
        assert function(*sides) == function(*sides, 100) != function(*sides, 99)


def test_all_items(make_sides):
    sides = make_sides(n=150)
    assert recall_at_k(*sides, 150) == 1
    shares = (sides[2][:, None] == sides[3]).mean(axis=1)
    assert precision_at_k(*sides, 150).per_query == pytest.approx(shares)


def test_definitions(make_sides):
    sides = make_sides(n=20)
    assert precision_at_k(*sides, 3, ties="expected").definition == (
        "precision@3: relevant among the k nearest / k, averaged over all orders of ties"
    )
    assert recall_at_k(*sides, 3).definition == (
        "recall@3: relevant among the k nearest / all relevant, queries without relevant items count 0, "
        "ties in database order"
    )


@pytest.mark.parametrize("function", [precision_at_k, recall_at_k])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 9}, "k must be <= n_ranked = 8, got 9"),
        ({}, "k must be <= n_ranked = 8, got 100"),
        ({"k": 8, "exclude_self": True}, "k must be <= n_ranked = 7, got 8"),
        ({"k": 0}, r"The 'k' parameter of \w+_at_k must be an int in the range \[1, inf\)"),
        ({"k": 2.0}, r"The 'k' parameter of \w+_at_k must be an int"),
        ({"k": 2, "ties": "fair"}, r"The 'ties' parameter of \w+_at_k must be a str among"),
        ({"k": 2, "bits": 9}, "query_codes: codes have 16 columns, but bits=9 needs 9"),
    ],
)
def test_errors(make_sides, function, options, message):
    _, database, _, labels = make_sides(n=8)
    with pytest.raises(ValueError, match=message):
        function(database, database, labels, labels, **options)
