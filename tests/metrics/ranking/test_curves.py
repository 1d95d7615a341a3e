"""Curves of precision and recall against the definition at every rank and radius."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.metrics import (
    precision_at_k,
    precision_recall_by_radius,
    precision_recall_by_rank,
    precision_within_radius,
    recall_at_k,
    recall_within_radius,
)
from skhash.metrics.ranking._average_precision import TIES
from skhash.metrics.ranking._radius import EMPTY_BALL


@given(
    data=st.data(),
    R=st.one_of(st.none(), st.integers(1, 18)),
    zero_hit=st.sampled_from(["zero", "skip"]),
    ties=st.sampled_from(sorted(TIES)),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_by_rank_equals_brute_force(brute, data, R, zero_hit, ties, n_jobs):
    case = data.draw(brute.cases(max_items=6 if ties == "expected" else 15))
    options = {"R": R, "zero_hit": zero_hit, "ties": ties, "exclude_self": case.exclude_self}
    n_ranked = len(case.database) - case.exclude_self
    ranks = range(1, min(R or n_ranked, n_ranked) + 1)
    hits = [[brute.mean_hits(case, q, k, ties=ties, seed=4) for k in ranks] for q in range(len(case.queries))]
    counted = [q for q in range(len(hits)) if zero_hit == "zero" or hits[q][-1] > 0]
    if not counted:
        with pytest.raises(ValueError, match=f"zero_hit='skip' requires a query .* within the top {ranks[-1]}"):
            precision_recall_by_rank(*case.sides, **options, random_state=4, n_jobs=n_jobs)
        return
    curve = precision_recall_by_rank(*case.sides, **options, random_state=4, n_jobs=n_jobs)
    assert curve.thresholds.tolist() == list(ranks)
    precision = np.mean([np.array(hits[q]) / ranks for q in counted], axis=0)
    recall = np.mean([np.array(hits[q]) / max(brute.n_relevant(case, q), 1) for q in counted], axis=0)
    np.testing.assert_allclose(curve.precision, precision, atol=1e-12)
    np.testing.assert_allclose(curve.recall, recall, atol=1e-12)


@given(data=st.data(), empty_ball=st.sampled_from(sorted(EMPTY_BALL)), n_jobs=st.sampled_from([None, 2]))
@settings(max_examples=80, deadline=None)
def test_by_radius_equals_brute_force(brute, data, empty_ball, n_jobs):
    case = data.draw(brute.cases(max_items=15))
    options = {"empty_ball": empty_ball, "exclude_self": case.exclude_self}
    curve = precision_recall_by_radius(*case.sides, **options, n_jobs=n_jobs)
    assert curve.thresholds.tolist() == list(range(case.database.shape[1] + 1))
    items = [list(brute.items(case, q)) for q in range(len(case.queries))]
    for radius, precision, recall in zip(curve.thresholds, curve.precision, curve.recall, strict=True):
        precisions, recalls = [], []
        for of_query in items:
            ball = [shared > 0 for distance, shared in of_query if distance <= radius]
            if any(ball) or empty_ball != "skip_no_hit":
                recalls.append(sum(ball) / max(sum(shared > 0 for _, shared in of_query), 1))
                if ball or empty_ball == "zero":
                    precisions.append(sum(ball) / max(len(ball), 1))
        for got, values in ((precision, precisions), (recall, recalls)):
            assert got == pytest.approx(sum(values) / len(values) if values else np.nan, nan_ok=True)


@pytest.mark.parametrize("ties", sorted(TIES))
@pytest.mark.parametrize("multi_hot", [False, True])
def test_points_are_those_of_single_scores(make_sides, ties, multi_hot):
    sides = make_sides(n=300, n_classes=5, multi_hot=multi_hot)
    curve = precision_recall_by_rank(*sides, ties=ties, R=200, random_state=0)
    for k in (1, 2, 17, 200):
        assert curve.precision[k - 1] == pytest.approx(precision_at_k(*sides, k, ties=ties, random_state=0))
        assert curve.recall[k - 1] == pytest.approx(recall_at_k(*sides, k, ties=ties, random_state=0))
    curve = precision_recall_by_radius(*sides)
    for radius in (0, 3, 16):
        assert curve.precision[radius] == pytest.approx(precision_within_radius(*sides, radius))
        assert curve.recall[radius] == pytest.approx(recall_within_radius(*sides, radius))


def test_many_batches_equal_one(make_sides):
    sides = make_sides(n_queries=600, n=3000)
    for function in (precision_recall_by_radius, precision_recall_by_rank):
        expected = function(*sides)
        with sklearn.config_context(working_memory=0.05):
            got = function(*sides, n_jobs=2)
        np.testing.assert_allclose(got.precision, expected.precision, rtol=1e-12)
        np.testing.assert_allclose(got.recall, expected.recall, rtol=1e-12)


def test_definitions(make_sides):
    assert precision_recall_by_rank(*make_sides(), R=7, zero_hit="skip", ties="expected").definition == (
        "precision and recall by rank, means over queries, queries without a relevant item in the first 7 skipped, "
        "averaged over all orders of ties"
    )
    assert precision_recall_by_rank(*make_sides()).definition == (
        "precision and recall by rank, means over queries, ties in database order"
    )
    assert precision_recall_by_radius(*make_sides(), empty_ball="skip").definition == (
        "precision and recall by Hamming radius, means over queries, "
        "queries with nothing within the radius left out of the precision"
    )


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (
            precision_recall_by_rank,
            {"R": 0},
            r"The 'R' parameter of precision_recall_by_rank must be an int in the range",
        ),
        (precision_recall_by_rank, {"ties": "fair"}, "The 'ties' parameter of precision_recall_by_rank must be a str"),
        (
            precision_recall_by_rank,
            {"zero_hit": "drop"},
            "The 'zero_hit' parameter of precision_recall_by_rank must be",
        ),
        (precision_recall_by_radius, {"empty_ball": "nan"}, "The 'empty_ball' parameter of precision_recall_by_radius"),
        (
            precision_recall_by_radius,
            {"exclude_self": True},
            "exclude_self=True requires query_codes and database_codes to be equal",
        ),
    ],
)
def test_errors(make_sides, function, options, message):
    with pytest.raises(ValueError, match=message):
        function(*make_sides(), **options)


@pytest.mark.parametrize("exclude_self", [False, True])
def test_the_first_ranks_of_many_are_those_of_all(exclude_self):
    """A search finds them, and the totals of recall come from labels."""
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (2000, 16)), rng.integers(0, 5, 2000)
    sides = (codes, codes, labels, labels) if exclude_self else (codes[:30], codes, labels[:30], labels)
    first = precision_recall_by_rank(*sides, R=10, exclude_self=exclude_self)
    every = precision_recall_by_rank(*sides, exclude_self=exclude_self)
    np.testing.assert_allclose(first.precision, every.precision[:10], rtol=1e-12)
    np.testing.assert_allclose(first.recall, every.recall[:10], rtol=1e-12)
