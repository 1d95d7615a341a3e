"""Precision and recall within a Hamming radius against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.metrics import precision_within_radius, recall_within_radius
from skhash.metrics.ranking._radius import EMPTY_BALL


def by_loops(brute, case, radius, empty_ball):
    """Precisions and recalls of all queries, None where a query is left out."""
    precisions, recalls = [], []
    for q in range(len(case.queries)):
        items = list(brute.items(case, q))
        inside = [shared > 0 for distance, shared in items if distance <= radius]
        hits, total = sum(inside), sum(shared > 0 for _, shared in items)
        precision, recall = hits / len(inside) if inside else 0.0, hits / total if total else 0.0
        if empty_ball == "skip" and not inside:
            precision = None
        if empty_ball == "skip_no_hit" and not hits:
            precision = recall = None
        precisions.append(precision)
        recalls.append(recall)
    return precisions, recalls


@given(
    data=st.data(),
    radius=st.integers(0, 40),
    empty_ball=st.sampled_from(sorted(EMPTY_BALL)),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_equals_brute_force(brute, data, radius, empty_ball, n_jobs):
    case = data.draw(brute.cases(max_items=15))
    options = {"empty_ball": empty_ball, "exclude_self": case.exclude_self, "n_jobs": n_jobs}
    for function, values in zip(
        (precision_within_radius, recall_within_radius), by_loops(brute, case, radius, empty_ball), strict=True
    ):
        got = function(*case.sides, radius, **options)
        mean = brute.mean_of(values)
        assert got == pytest.approx(np.nan if mean is None else mean, abs=1e-12, nan_ok=True)
        np.testing.assert_allclose(got.per_query, np.array(values, float), atol=1e-12)


# Nothing within 1 of the first query, nothing relevant within 1 of the second, one of two relevant at the third.
SIDES = [[1, 1, 1], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1], [0, 1, 0]], [0, 9, 0], [0, 1, 2]


@pytest.mark.parametrize(
    ("empty_ball", "precision", "recall"),
    [("zero", 1 / 9, 1 / 3), ("skip", 1 / 6, 1 / 3), ("skip_no_hit", 1 / 3, 1)],
)
def test_empty_balls(empty_ball, precision, recall):
    assert precision_within_radius(*SIDES, 1, empty_ball=empty_ball) == pytest.approx(precision)
    assert recall_within_radius(*SIDES, 1, empty_ball=empty_ball) == pytest.approx(recall)


def test_nan_where_all_queries_are_left_out():
    sides = [[1, 1, 1]], *SIDES[1:2], [0], SIDES[3]
    assert np.isnan(precision_within_radius(*sides, 0, empty_ball="skip"))
    assert recall_within_radius(*sides, 0, empty_ball="skip") == 0
    for function in (precision_within_radius, recall_within_radius):
        assert np.isnan(function(*sides, 0, empty_ball="skip_no_hit"))


def test_defaults(make_sides):
    sides = make_sides(bits=6)
    for function in (precision_within_radius, recall_within_radius):
        assert function(*sides) == function(*sides, 2, empty_ball="zero")
    assert precision_within_radius(*sides).definition == (
        "precision within Hamming radius 2, queries with nothing within the radius have precision 0"
    )
    assert recall_within_radius(*sides).definition == (
        "recall within Hamming radius 2, queries without relevant items count 0"
    )
    assert recall_within_radius(*sides, 1, empty_ball="skip_no_hit").definition == (
        "recall within Hamming radius 1, queries with nothing relevant within the radius left out of both"
    )


@pytest.mark.parametrize("function", [precision_within_radius, recall_within_radius])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -1}, r"The 'radius' parameter of \w+_within_radius must be an int in the range \[0, inf\)"),
        ({"radius": 1.5}, r"The 'radius' parameter of \w+_within_radius must be an int"),
        ({"empty_ball": "nan"}, r"The 'empty_ball' parameter of \w+_within_radius must be a str among"),
        ({"exclude_self": True}, "exclude_self=True requires query_codes and database_codes to be equal"),
    ],
)
def test_errors(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(*SIDES, **options)
