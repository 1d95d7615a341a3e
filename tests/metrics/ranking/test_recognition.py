"""Accuracy of the vote of neighbors against counting by hand."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics import knn_accuracy


def is_right(case, q, k):
    """Check whether the k nearest vote for the query's labels."""
    distances = [int((code != case.queries[q]).sum()) for code in case.database]
    others = [row for row in range(len(distances)) if not (case.exclude_self and row == q)]
    nearest = sorted(others, key=lambda row: (distances[row], row))[:k]
    if case.labels.ndim == 2:
        winners = [2 * sum(case.labels[nearest, c]) >= len(nearest) for c in range(case.labels.shape[1])]
        return winners == [bool(label) for label in case.query_labels[q]]
    # Counter keeps the order in which it met the classes, and max takes the first of equal ones: the nearest.
    votes = Counter(case.labels[row] for row in nearest)
    return max(votes, key=votes.get) == case.query_labels[q]


@given(data=st.data(), k=st.integers(1, 18), n_jobs=st.sampled_from([None, 2]))
@settings(max_examples=100, deadline=None)
def test_equals_brute_force(brute, data, k, n_jobs):
    case = data.draw(brute.cases(max_items=15))
    expected = [is_right(case, q, k) for q in range(len(case.queries))]
    got = knn_accuracy(*case.sides, n_neighbors=k, exclude_self=case.exclude_self, n_jobs=n_jobs)
    assert got == pytest.approx(np.mean(expected))
    assert got.per_query.tolist() == expected


def test_100_neighbors_by_default_and_packed_codes(make_sides):
    queries, database, *labels = make_sides(n=300, bits=9)
    expected = knn_accuracy(queries, database, *labels, n_neighbors=100)
    assert (
        knn_accuracy(queries, database, *labels) == expected != knn_accuracy(queries, database, *labels, n_neighbors=1)
    )
    assert knn_accuracy(pack_codes(queries), pack_codes(database), *labels, bits=9) == expected
    assert expected.definition == (
        "accuracy of the vote of the 100 nearest; equal votes go to the class that is nearest"
    )


def test_a_class_that_the_database_lacks_is_never_right():
    codes = [[0, 0], [0, 1]]
    assert knn_accuracy(codes, codes, ["a", "z"], ["a", "b"], n_neighbors=1).per_query.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_neighbors": 0}, r"The 'n_neighbors' parameter of knn_accuracy must be an int in the range \[1, inf\)"),
        ({"query_codes": [[0, 0.5]]}, "query_codes: codes are continuous"),
        ({"exclude_self": True}, "exclude_self=True requires query_codes and database_codes to be equal"),
        ({"query_labels": [0, 1]}, "query_labels must have one row per code, 1, got 2"),
        ({"query_labels": ["a"]}, "must both be strings or both be numbers"),
    ],
)
def test_errors(changes, message):
    arguments = {
        "query_codes": [[0, 1]],
        "database_codes": [[0, 0], [0, 1]],
        "query_labels": [0],
        "database_labels": [0, 1],
    }
    with pytest.raises(ValueError, match=message):
        knn_accuracy(**{**arguments, **changes})
