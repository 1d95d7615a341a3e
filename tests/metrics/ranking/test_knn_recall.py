"""Recall of true neighbors against sets, and against an exact search."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import HammingIndex
from skhash.metrics import knn_recall
from skhash.metrics.ranking import _knn_recall

FORMS = {
    "int64": lambda ids: np.array(ids, np.int64),
    "int32": lambda ids: np.array(ids, np.int32),
    "uint64": lambda ids: np.array(ids, np.uint64),
    "list": lambda ids: ids,
    "tensor": torch.tensor,
    "frame": pd.DataFrame,
    "objects": lambda ids: np.array(ids, object),
}


def rows(draw, n_rows, n_columns):
    one = st.lists(st.integers(0, 14), min_size=n_columns, max_size=n_columns, unique=True)
    return draw(st.lists(one, min_size=n_rows, max_size=n_rows))


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from([*FORMS]), st.sampled_from([*FORMS]), st.sampled_from([1, 7, 2**24]))
def test_equals_sets(data, form, other_form, at_once):
    n, n_true, n_found = (data.draw(st.integers(1, 6)) for _ in range(3))
    true, found = rows(data.draw, n, n_true), rows(data.draw, n, n_found)
    k = data.draw(st.integers(1, min(n_true, n_found)))
    expected = [len({*a[:k]} & {*b}) / k for a, b in zip(true, found, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_knn_recall, "_COMPARED_AT_ONCE", at_once)
        got = knn_recall(FORMS[form](true), FORMS[other_form](found), k)
    assert got == pytest.approx(np.mean(expected), abs=1e-12)
    assert got.per_query.tolist() == expected
    assert got.definition == f"{k}-recall@{n_found}: found among the {k} true nearest / {k}"
    if n_true >= n_found:
        assert knn_recall(true, found) == knn_recall(true, found, n_found)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.booleans())
def test_missing_neighbors(data, as_text):
    """-1 is not an id: neither a true neighbor nor a hit."""
    n, k = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    true, found = (
        [
            row[:length] + [-1] * (k - length)
            for row in rows(data.draw, n, k)
            for length in [data.draw(st.integers(0, k))]
        ]
        for _ in range(2)
    )
    true[0][0] = 3 if 3 not in true[0] else true[0][0] if true[0][0] != -1 else 3
    expected = []
    for a, b in zip(true, found, strict=True):
        real = {*a} - {-1}
        expected.append(len(real & {*b}) / len(real) if real else np.nan)
    if as_text:
        true, found = ([[-1 if i == -1 else f"id {i}" for i in row] for row in ids] for ids in (true, found))
        true, found = np.array(true, object), np.array(found, object)
    got = knn_recall(true, found)
    np.testing.assert_array_equal(got.per_query, expected)
    assert got == pytest.approx(np.nanmean(expected))


def test_large_integers_are_not_rounded():
    true = np.array([[2**63 + 1, 2**62]], np.uint64)
    assert knn_recall(true, true) == 1
    assert knn_recall(true, true - np.uint64(1)) == 0
    assert knn_recall([[2**62 + 1]], np.array([[2**62]], np.uint64)) == 0


def test_labels_are_ids_too():
    true, found = [["a", "b"], ["c", "d"]], [["b", "x"], ["d", "c"]]
    assert knn_recall(true, found).per_query.tolist() == [0.5, 1]
    tuples = np.empty((1, 2), object)
    tuples[0] = [("a", 1), ("b", 2)]
    assert knn_recall(tuples, tuples[:, ::-1]) == 1


def test_of_an_exact_search_it_is_1():
    rng = np.random.default_rng(0)
    codes, ids = rng.integers(0, 2, (50, 32)).astype(np.uint8), [f"{i}" for i in rng.permutation(50)]
    index = HammingIndex().fit(codes, ids=ids)
    exact = index.kneighbors(codes[:7], 10)[1]
    assert knn_recall(exact, index.kneighbors(codes[:7], 10)[1]) == 1
    assert knn_recall(exact, index.kneighbors(codes[:7], 5)[1]) == 1
    assert knn_recall(exact, index.kneighbors(codes[:7], 20)[1], k=10) == 1
    found = index.kneighbors(codes[:7], 10, where=ids[:3], missing="pad")[1]
    assert knn_recall(exact, found) == pytest.approx(np.isin(exact, ids[:3]).mean())


IDS = [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((IDS, IDS[:1]), ValueError, "must have one row per query: got 2 and 1 rows."),
        ((IDS, [[1, 2, 3], [3, 4, 5]]), ValueError, "true_ids has 2 columns, expected at least k = 3; pass more"),
        ((IDS, IDS, 3), ValueError, "k must be <= the number of columns of found_ids, which is 2, got 3."),
        ((IDS, IDS, 0), ValueError, "The 'k' parameter of knn_recall must be"),
        ((IDS, IDS, 1.0), ValueError, "The 'k' parameter of knn_recall must be"),
        (([1, 2], IDS), ValueError, "true_ids must have shape (n_queries, n_neighbors), got (2,); kneighbors and"),
        (
            (IDS, (IDS, IDS)),
            ValueError,
            "found_ids must have shape (n_queries, n_neighbors), got (2, 2, 2); kneighbors",
        ),
        ((IDS, np.empty((2, 0), int)), ValueError, "found_ids must have shape (n_queries, n_neighbors), got (2, 0)"),
        ((IDS, np.ones((2, 2))), TypeError, "found_ids must contain ids or rows, got values of type float64; kneighb"),
        ((np.ones((2, 2), bool), IDS), TypeError, "true_ids must contain ids or rows, got values of type bool;"),
        ((IDS, np.array([[1.5, 2], [3, 4]], object)), TypeError, "found_ids must contain ids or rows, got floats or"),
        ((np.array([[True, 2], [3, 4]], object), IDS), TypeError, "true_ids must contain ids or rows, got floats or"),
        ((IDS, np.array([["1", "2"], ["3", "4"]])), TypeError, "the same type of ids, got int and str."),
        ((IDS, np.array([[1, {}], [3, 4]], object)), TypeError, "found_ids must contain integers or hashable labels"),
        (([[1, 1], [3, 4]], IDS), ValueError, "true_ids must not repeat an id in a row, but row 0 does."),
        (([[-1, -1]], [[-1, -1]]), ValueError, "true_ids must have a true neighbor of at least one query, got none."),
    ],
)
def test_errors(args, error, message):
    with pytest.raises(error, match=re.escape(message)):
        knn_recall(*args)


def test_repeated_answers_count_once():
    assert knn_recall([[1, 2]], [[1, 1]]) == 0.5
