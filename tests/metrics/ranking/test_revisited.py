"""Instance retrieval against the benchmarks' rules, item by item."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics import (
    RANKING_PROTOCOLS,
    RankingProtocol,
    gldv2_map,
    revisited_average_precision,
    revisited_map,
)

LEVELS = {
    "easy": ({"easy"}, {"junk", "hard"}),
    "medium": ({"easy", "hard"}, {"junk"}),
    "hard": ({"hard"}, {"junk", "easy"}),
}


@pytest.mark.parametrize(
    ("ranks", "n_positive", "expected"),
    [
        # methods.md 16.4.
        ([0, 2, 3, 6, 9], None, 0.659921),
        ([0, 1, 2, 4, 7], None, 0.874643),
        ([0, 2, 3, 6, 9], 5, 0.659921),
        ([0], 2, 0.5),
        ([], 3, 0.0),
        ([1], 1, (0 / 1 + 1 / 2) / 2),
    ],
)
def test_golden_average_precision(ranks, n_positive, expected):
    assert revisited_average_precision(ranks, n_positive) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("ranks", "n_positive", "message"),
    [
        ([1, 0], None, "ranks must be a 1-D array of distinct integers >= 0 in ascending order"),
        ([1, 1], None, "ranks must be a 1-D array of distinct integers"),
        ([-1, 1], None, "ranks must be a 1-D array of distinct integers"),
        ([0.0, 1.0], None, "ranks must be a 1-D array of distinct integers"),
        ([[0, 1]], None, "ranks must be a 1-D array of distinct integers"),
        ([0, 1], 1, "n_positive must be >= 2 for 2 ranks, got 1"),
        ([], None, "n_positive must be >= 1 for 0 ranks, got 0"),
    ],
)
def test_errors_of_average_precision(ranks, n_positive, message):
    with pytest.raises(ValueError, match=message):
        revisited_average_precision(ranks, n_positive)


@st.composite
def ground_truths(draw):
    """Codes of both sides and disjoint lists for each query."""
    rng = np.random.RandomState(draw(st.integers(0, 10_000)))
    n_queries, n, bits = draw(st.integers(1, 5)), draw(st.integers(2, 25)), draw(st.sampled_from([2, 6, 70]))
    codes = rng.randint(0, 2, (n_queries, bits)), rng.randint(0, 2, (n, bits))
    kinds = rng.choice(["easy", "hard", "junk", "none"], size=(n_queries, n), p=[0.2, 0.2, 0.2, 0.4])
    names = ("easy", "hard", "junk")
    truth = [{name: rng.permutation(np.flatnonzero(row == name)).tolist() for name in names} for row in kinds]
    return *codes, truth


def ranked(query, database):
    """Rows of the database, nearest first, ties in database order."""
    return sorted(range(len(database)), key=lambda row: (int((query != database[row]).sum()), row))


@given(
    case=ground_truths(),
    difficulty=st.sampled_from(sorted(LEVELS)),
    ks=st.sampled_from([(1, 5, 10), (3,)]),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_equals_brute_force(brute, case, difficulty, ks, n_jobs):
    queries, database, truth = case
    positive, ignored = LEVELS[difficulty]
    aps, precisions = [], {k: [] for k in ks}
    for query, entry in zip(queries, truth, strict=True):
        kind = {row: name for name, rows in entry.items() for row in rows}
        flags = [kind.get(row) in positive for row in ranked(query, database) if kind.get(row) not in ignored]
        if not any(flags):
            aps.append(None)
            for values in precisions.values():
                values.append(None)
            continue
        ap, j = 0.0, 0
        for k, flag in enumerate(flags):
            if flag:
                before = 1.0 if k == 0 else j / k
                ap += (before + (j + 1) / (k + 1)) / (2 * sum(flags))
                j += 1
        aps.append(ap)
        for k, values in precisions.items():
            last = min(max(rank for rank, flag in enumerate(flags, start=1) if flag), k)
            values.append(sum(flags[:last]) / last)
    if brute.mean_of(aps) is None:
        with pytest.raises(ValueError, match=f"must have a query with a positive item at difficulty='{difficulty}'"):
            revisited_map(queries, database, truth, difficulty=difficulty, ks=ks)
        return
    got = revisited_map(queries, database, truth, difficulty=difficulty, ks=ks, n_jobs=n_jobs)
    assert got.map == pytest.approx(brute.mean_of(aps), abs=1e-12)
    np.testing.assert_allclose(got.map.per_query, np.array(aps, float), atol=1e-12)
    assert list(got.precision) == list(ks)
    for k, values in precisions.items():
        assert got.precision[k] == pytest.approx(brute.mean_of(values), abs=1e-12)
        np.testing.assert_allclose(got.precision[k].per_query, np.array(values, float), atol=1e-12)


def test_ignored_items_are_taken_out():
    # Ranks of the positives from 0: 0, 2, 3, 6, 9 without the ignored ones, as in the golden value.
    distances = np.arange(14)
    database = (np.arange(14) < distances[:, None]).astype(int)
    entry = {"easy": [1, 5, 6], "hard": [9, 13], "junk": [0, 3, 7, 12]}
    kept = [row for row in range(14) if row not in entry["junk"]]
    assert [kept.index(row) for row in (1, 5, 6, 9, 13)] == [0, 3, 4, 6, 9]
    got = revisited_map(np.zeros((1, 14), int), database, [entry])
    assert got.map == pytest.approx(revisited_average_precision([0, 3, 4, 6, 9]))
    assert got.precision == {1: 1.0, 5: pytest.approx(3 / 5), 10: pytest.approx(5 / 10)}
    assert got.definition.startswith("revisited Oxford / Paris, medium: trapezoidal AP without ignored items")
    assert got.map.definition == f"mAP, {got.definition}"
    assert got.precision[5].definition == f"mP@5, {got.definition}"


def test_forms_of_codes_and_little_memory():
    rng = np.random.RandomState(0)
    queries, database = rng.randint(0, 2, (30, 70)), rng.randint(0, 2, (500, 70))
    rows = [rng.permutation(500) for _ in range(30)]
    truth = [{"easy": row[:9], "hard": row[9:20], "junk": np.sort(row[20:50])} for row in rows]
    expected = revisited_map(queries, database, truth)
    with sklearn.config_context(working_memory=0.001):
        got = revisited_map(pack_codes(queries), pack_codes(database), truth, bits=70, n_jobs=2)
    np.testing.assert_array_equal(got.map.per_query, expected.map.per_query)
    assert got.precision == expected.precision


ENTRY = {"easy": [0], "hard": [1], "junk": []}
CODES = [[0, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ground_truth": [ENTRY] * 2}, "ground_truth must have one entry per query, 1, got 2"),
        (
            {"ground_truth": [{"easy": [0], "junk": []}]},
            r"ground_truth\[0\] must have the keys 'easy', 'hard' .*missing: \['hard'\]",
        ),
        (
            {"ground_truth": [{**ENTRY, "easy": [3]}]},
            r"ground_truth\[0\] must have rows from 0 to 2, got rows from 3 to 3",
        ),
        (
            {"ground_truth": [{**ENTRY, "junk": [-1]}]},
            r"ground_truth\[0\] must have rows from 0 to 2, got rows from -1 to -1",
        ),
        ({"ground_truth": [{**ENTRY, "easy": [0, 0]}]}, r"ground_truth\[0\] must not have a row twice, got \d twice"),
        ({"ground_truth": [{**ENTRY, "easy": [1]}]}, r"ground_truth\[0\] must not have a row twice, got \d twice"),
        ({"ground_truth": [{**ENTRY, "junk": [0]}]}, r"ground_truth\[0\] must not have a row twice, got \d twice"),
        (
            {"ground_truth": [{**ENTRY, "easy": [0.5]}]},
            r"ground_truth\[0\] must be 1-D integer rows, got dtype float64",
        ),
        (
            {"ground_truth": [{**ENTRY, "easy": [[0]]}]},
            r"ground_truth\[0\] must be 1-D integer rows, .* shape \(1, 1\)",
        ),
        (
            {"ground_truth": [{**ENTRY, "easy": [], "hard": []}]},
            "must have a query with a positive item at difficulty='medium'",
        ),
        ({"difficulty": "moderate"}, "The 'difficulty' parameter of revisited_map must be a str among"),
        ({"ks": []}, r"ks must contain integers >= 1, got \[\]"),
        ({"ks": [1.5, 5]}, r"ks must contain integers >= 1, got \[1.5, 5\]"),
        ({"ks": [0, 5]}, r"ks must contain integers >= 1, got \[0, 5\]"),
        ({"query_codes": [[0.5, 1.0]]}, "query_codes: codes are continuous"),
        ({"database_codes": np.empty((0, 2), int)}, "database_codes must have at least one row"),
    ],
)
def test_errors(changes, message):
    arguments = {"query_codes": CODES[:1], "database_codes": CODES, "ground_truth": [ENTRY]}
    with pytest.raises(ValueError, match=message):
        revisited_map(**{**arguments, **changes})


@given(
    case=ground_truths(),
    protocol=st.sampled_from(
        ["gldv2", "gldv2-orthohash", RankingProtocol("short", R=3, denominator="min"), "hashnet", "skhash"]
    ),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=100, deadline=None)
def test_gldv2_equals_brute_force(brute, case, protocol, n_jobs):
    queries, database, truth = case
    plan = RANKING_PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    lists, aps = [entry["easy"] for entry in truth], []
    for query, rows in zip(queries, lists, strict=True):
        flags = [row in rows for row in ranked(query, database)][: plan.R]
        depth = len(database) if plan.R is None else plan.R
        divisor = {"top": sum(flags), "total": len(rows), "min": min(depth, len(rows))}[plan.denominator]
        missed = None if plan.zero_hit == "skip" else 0.0
        aps.append(brute.precision_sum(flags) / divisor if any(flags) else missed)
    if brute.mean_of(aps) is None:
        with pytest.raises(ValueError, match="zero_hit='skip' requires a query"):
            gldv2_map(queries, database, lists, protocol=protocol)
    else:
        got = gldv2_map(queries, database, lists, protocol=protocol, n_jobs=n_jobs)
        assert got == pytest.approx(brute.mean_of(aps), abs=1e-12)
        assert got.definition == plan.describe()


def test_gldv2_divides_by_at_most_100():
    database = (np.arange(150) < np.arange(150)[:, None]).astype(int)
    query, rows = np.zeros((1, 150), int), np.arange(30, 150)  # 120 relevant items, 70 of them in the first 100
    reached = sum(hit / (30 + hit) for hit in range(1, 71))
    assert gldv2_map(query, database, [rows]) == pytest.approx(reached / 100)
    assert gldv2_map(query, database, [rows], protocol="gldv2-orthohash") == pytest.approx(reached / 120)


@pytest.mark.parametrize("ties", ["expected", "optimistic", "pessimistic", "random"])
def test_gldv2_with_ties_broken_otherwise(ties):
    # Three items at one distance, one of them relevant: at rank 1, 2 or 3.
    got = gldv2_map([[0]], [[1], [1], [1]], [[1]], protocol=RankingProtocol("mine", ties=ties))
    if ties == "random":
        assert float(got) in (1, 1 / 2, 1 / 3)
    else:
        expected = {"expected": (1 + 1 / 2 + 1 / 3) / 3, "optimistic": 1, "pessimistic": 1 / 3}[ties]
        assert got == pytest.approx(expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ground_truth": []}, "ground_truth must have one entry per query, 1, got 0"),
        ({"ground_truth": [[3]]}, r"ground_truth\[0\] must have rows from 0 to 2, got rows from 3 to 3"),
        ({"ground_truth": [[2, 2]]}, r"ground_truth\[0\] must not have a row twice, got \d twice"),
        ({"ground_truth": [["a"]]}, r"ground_truth\[0\] must be 1-D integer rows, got dtype <U1"),
        ({"protocol": "delg"}, "The 'protocol' parameter of gldv2_map must be a str among"),
    ],
)
def test_errors_of_gldv2(options, message):
    with pytest.raises(ValueError, match=message):
        gldv2_map(CODES[:1], CODES, **{"ground_truth": [[0]], **options})
