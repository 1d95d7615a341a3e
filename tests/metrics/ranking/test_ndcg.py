"""NDCG against the definition, over all orders of ties, and against scikit-learn's."""

from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from skhash.codes import pack_codes
from skhash.metrics import ndcg


def dcg(grades, R, gain):
    return sum((2**g - 1 if gain == "exponential" else g) / log2(1 + r) for r, g in enumerate(grades[:R], start=1))


@given(
    data=st.data(),
    R=st.one_of(st.none(), st.integers(1, 18)),
    gain=st.sampled_from(["exponential", "linear"]),
    ties=st.sampled_from(["stable", "expected"]),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_equals_brute_force(brute, data, R, gain, ties, n_jobs):
    case = data.draw(brute.cases(max_items=6 if ties == "expected" else 15))
    values = []
    for q in range(len(case.queries)):
        orders = brute.rankings(case, q, ties)
        ideal = dcg(sorted(orders[0], reverse=True), R, gain)
        values.append(np.mean([dcg(order, R, gain) for order in orders]) / ideal if ideal else 0.0)
    got = ndcg(*case.sides, R=R, gain=gain, ties=ties, exclude_self=case.exclude_self, n_jobs=n_jobs)
    assert got == pytest.approx(np.mean(values), abs=1e-12)
    assert got.per_query == pytest.approx(values, abs=1e-12)


@pytest.mark.parametrize("R", [5, 31, None])
@pytest.mark.parametrize("multi_hot", [False, True])
def test_linear_gain_equals_sklearn(R, multi_hot):
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 2, (31, 6)) if multi_hot else rng.randint(0, 3, 31)
    query = [[1, 1, 0, 1, 1, 0]] if multi_hot else [1]
    grades = labels @ query[0] if multi_hot else (labels == 1).astype(int)
    # No ties: one code per distance from the zero code.
    distances = rng.permutation(31)
    codes = np.zeros((1, 30), int), (np.arange(30) < distances[:, None]).astype(int)
    expected = ndcg_score([grades], [-distances], k=R)
    for ties in ("stable", "expected"):
        assert ndcg(*codes, query, labels, R=R, gain="linear", ties=ties) == pytest.approx(expected, abs=1e-12)
    # Ties, which scikit-learn averages over.
    tied = distances // 4
    database = (np.arange(30) < tied[:, None]).astype(int)
    expected = ndcg_score([grades], [-tied], k=R)
    assert ndcg(codes[0], database, query, labels, R=R, gain="linear", ties="expected") == pytest.approx(expected)


def test_more_labels_than_a_word_holds():
    rng = np.random.RandomState(0)
    hot = (rng.rand(3, 130) < 0.4).astype(int), (rng.rand(20, 130) < 0.4).astype(int)
    codes = rng.randint(0, 2, (3, 5)), rng.randint(0, 2, (20, 5))
    got = ndcg(*codes, *hot, gain="linear", R=10)
    for q in range(3):
        order = np.argsort((codes[0][q] != codes[1]).sum(axis=1), kind="stable")
        grades = (hot[1] @ hot[0][q])[order]
        assert got.per_query[q] == pytest.approx(dcg(grades, 10, "linear") / dcg(-np.sort(-grades), 10, "linear"))


def test_items_that_have_all_labels():
    codes, hot = [[0, 0], [0, 1], [1, 1]], [[1, 0, 0], [1, 1, 1], [1, 1, 0]]
    reached, ideal = 1 + 7 / log2(3) + 3 / 2, 7 + 3 / log2(3) + 1 / 2
    assert ndcg(codes[:1], codes, [[1, 1, 1]], hot) == pytest.approx(reached / ideal)


@pytest.mark.parametrize("ties", ["stable", "expected"])
@pytest.mark.parametrize("n_queries", [1, 64, 65, 200])
def test_same_on_any_number_of_threads(make_sides, ties, n_queries):
    sides = make_sides(n_queries=n_queries, n=50, multi_hot=True)
    expected = ndcg(*sides, ties=ties)
    for n_jobs in (2, 3):
        np.testing.assert_array_equal(ndcg(*sides, ties=ties, n_jobs=n_jobs).per_query, expected.per_query)
    packed = [pack_codes(codes) for codes in sides[:2]]
    assert ndcg(*packed, *sides[2:], ties=ties, bits=16) == expected


def test_codes_so_long_that_distances_need_two_bytes():
    database = np.arange(300) < np.array([[44], [300], [256], [0]])
    assert ndcg(np.zeros((1, 300)), database, [1], [1, 0, 0, 1]) == 1.0


def test_defaults(make_sides):
    sides = make_sides(n=150, multi_hot=True)
    assert ndcg(*sides) == ndcg(*sides, R=100, gain="exponential", ties="stable") != ndcg(*sides, R=None)
    assert ndcg(*sides).definition == (
        "NDCG@100: exponential gain of the number of shared labels, queries without relevant items count 0, "
        "ties in database order"
    )
    assert ndcg(*sides, R=None, gain="linear", ties="expected").definition.startswith("NDCG@all: linear gain")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"R": 0}, r"The 'R' parameter of ndcg must be an int in the range \[1, inf\)"),
        ({"gain": "square"}, "The 'gain' parameter of ndcg must be a str among"),
        ({"ties": "random"}, "The 'ties' parameter of ndcg must be a str among"),
        ({"query_codes": [[0, 0.5]]}, "query_codes: codes are continuous"),
        ({"exclude_self": True}, "exclude_self=True requires query_codes and database_codes to be equal"),
        ({"query_labels": [0, 1]}, "query_labels must have one row per code, 1, got 2"),
        ({"query_labels": [[1, 0]]}, "must be of the same kind, got a multi-hot matrix and one class label"),
        ({"database_codes": np.empty((0, 2), int), "database_labels": []}, "database_codes must have at least one row"),
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
        ndcg(**{**arguments, **changes})


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("R", [1, 5, 8, 9, None])
def test_class_labels_with_and_without_a_search(exclude_self, R):
    """Up to a sixteenth of the database is searched for, more is ranked in full."""
    rng = np.random.default_rng(3)
    codes, labels = rng.integers(0, 2, (130, 12)), rng.integers(0, 4, 130)
    n_queries = 130 if exclude_self else 40
    score = ndcg(codes[:n_queries], codes, labels[:n_queries], labels, R=R, exclude_self=exclude_self)
    for q in range(n_queries):
        order = sorted((int((codes[q] != code).sum()), row) for row, code in enumerate(codes))
        relevant = [labels[row] == labels[q] for _, row in order if not (exclude_self and row == q)]
        discounts = [1 / log2(rank + 2) for rank in range(len(relevant))][:R]
        gained = sum(discount for discount, found in zip(discounts, relevant, strict=False) if found)
        assert score.per_query[q] == pytest.approx(gained / sum(discounts[: sum(relevant)]), abs=1e-12)
