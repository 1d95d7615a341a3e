import tracemalloc

import numpy as np
import pytest
import sklearn
from bitarray import bitarray
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from skhash.codes import pack_codes
from skhash.metrics import RANKING_PROTOCOLS, RankingProtocol, mean_average_precision

TIES = ["stable", "expected", "optimistic", "pessimistic", "random"]


def by_loops(brute, case, *, R, denominator, zero_hit, unlabeled, ties):
    """The definition, query by query: average precisions, None for queries that are left out."""
    n_ranked = len(case.database) - case.exclude_self
    limit = n_ranked if R is None else min(R, n_ranked)
    values = []
    for q, label in enumerate(case.query_labels):
        orders = brute.rankings(case, q, ties)
        # The mean over all orders of ties, except for "top", which is a ratio of means.
        total = np.mean([brute.precision_sum(order, limit) for order in orders])
        hits = brute.mean_hits(case, q, limit, ties=ties)
        n_relevant = brute.n_relevant(case, q)
        divisor = {"top": hits, "total": n_relevant, "min": min(limit, n_relevant)}[denominator]
        skipped = (zero_hit == "skip" and hits == 0) or (unlabeled == "skip" and np.ndim(label) and not any(label))
        values.append(None if skipped else total / divisor if hits else 0.0)
    return values


@given(
    data=st.data(),
    R=st.one_of(st.none(), st.integers(1, 18)),
    denominator=st.sampled_from(["top", "total", "min"]),
    zero_hit=st.sampled_from(["zero", "skip"]),
    unlabeled=st.sampled_from(["zero", "skip"]),
    ties=st.sampled_from(TIES),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=200, deadline=None)
def test_equals_brute_force(brute, data, R, n_jobs, **options):
    case = data.draw(brute.cases(max_items=6 if options["ties"] == "expected" else 15))
    expected = by_loops(brute, case, R=R, **options)
    arguments = {
        "protocol": RankingProtocol("mine", unlabeled=options.pop("unlabeled")),
        **{"R": R, "exclude_self": case.exclude_self, "random_state": 0, "n_jobs": n_jobs},
        **options,
    }
    if brute.mean_of(expected) is None:
        with pytest.raises(ValueError, match="='skip' requires a query"):
            mean_average_precision(*case.sides, **arguments)
        return
    got = mean_average_precision(*case.sides, **arguments)
    assert isinstance(got, float)
    assert got == pytest.approx(brute.mean_of(expected), abs=1e-12)
    np.testing.assert_allclose(got.per_query, np.array(expected, float), atol=1e-12)


@given(data=st.data(), protocol=st.sampled_from(sorted(RANKING_PROTOCOLS)), as_name=st.booleans())
@settings(max_examples=60, deadline=None)
def test_protocols_equal_their_fields(brute, data, protocol, as_name):
    case, plan = data.draw(brute.cases()), RANKING_PROTOCOLS[protocol]
    options = {name: getattr(plan, name) for name in ("R", "denominator", "zero_hit", "unlabeled", "ties")}
    expected = brute.mean_of(by_loops(brute, case, **options))
    arguments = {"protocol": protocol if as_name else plan, "exclude_self": case.exclude_self}
    if expected is None:
        with pytest.raises(ValueError, match="='skip' requires a query"):
            mean_average_precision(*case.sides, **arguments)
    else:
        assert mean_average_precision(*case.sides, **arguments) == pytest.approx(expected, abs=1e-12)


GOLDEN = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]  # methods.md 16.4


@pytest.mark.parametrize(
    ("options", "distances", "expected"),
    [
        ({"R": 5}, np.arange(10), 0.805556),
        ({"R": 5, "denominator": "total"}, np.arange(10), 0.483333),
        ({"R": 5, "denominator": "min"}, np.arange(10), 0.483333),
        ({}, np.arange(10), 0.697619),
        ({"ties": "expected"}, np.array([0, 1, 1, 1, 2, 2, 3, 3, 3, 3]), 0.757606),
    ],
)
def test_golden(options, distances, expected):
    database = (np.arange(10) < distances[:, None]).astype(np.uint8)
    got = mean_average_precision(np.zeros((1, 10)), database, [1], GOLDEN, **options)
    assert got == pytest.approx(expected, abs=1e-6)
    assert got.per_query == pytest.approx([expected], abs=1e-6)


def test_definition_says_what_was_changed(make_sides):
    score = mean_average_precision(*make_sides(), protocol="hashnet", R=9, ties="expected", zero_hit="skip")
    assert score.definition == (
        "mAP@9 (hashnet, ties='expected'): AP over relevant items in the top R; queries without a hit skipped; "
        "averaged over all orders of ties"
    )
    assert mean_average_precision(*make_sides(), protocol=RankingProtocol("mine", R=4)).definition.startswith(
        "mAP@4 (mine)"
    )


def test_queries_left_out_are_nan():
    database, labels = [[0, 0], [0, 1], [1, 1]], [[1, 0], [1, 0], [0, 0]]
    sides = [[0, 0]] * 3, database, [[1, 0], [0, 1], [0, 0]], labels
    np.testing.assert_array_equal(mean_average_precision(*sides).per_query, [1, 0, 0])
    np.testing.assert_array_equal(mean_average_precision(*sides, protocol="csq").per_query, [1, 0, np.nan])
    np.testing.assert_array_equal(mean_average_precision(*sides, protocol="hashnet").per_query, [1, np.nan, np.nan])
    with pytest.raises(ValueError, match="unlabeled='skip' requires a query with a label, got 0 of"):
        mean_average_precision([[0, 0]], database, [[0, 0]], labels, protocol="csq")


def test_many_batches_equal_one(make_sides):
    sides = make_sides(n_queries=700, n=3000, n_classes=20)
    for ties in ("stable", "optimistic"):
        expected = mean_average_precision(*sides, R=100, ties=ties)
        with sklearn.config_context(working_memory=0.05):
            got = mean_average_precision(*sides, R=100, ties=ties, n_jobs=2)
        assert got == expected
        np.testing.assert_array_equal(got.per_query, expected.per_query)


def test_equals_sklearn_without_ties():
    # One code per distance from the zero code, in a shuffled database.
    rng = np.random.RandomState(0)
    distances = rng.permutation(31)
    database = (np.arange(30) < distances[:, None]).astype(np.uint8)
    labels = rng.randint(0, 2, 31)
    reference = average_precision_score(labels, -distances)
    for ties in TIES:
        got = mean_average_precision(np.zeros((1, 30)), database, [1], labels, denominator="total", ties=ties)
        assert got == pytest.approx(reference, abs=1e-12)


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("exclude_self", [False, True])
def test_same_on_any_number_of_threads(make_sides, ties, exclude_self):
    queries, database, query_labels, labels = make_sides(n_queries=601, n=300)
    if exclude_self:
        queries, query_labels = database, labels
    results = {
        mean_average_precision(
            queries, database, query_labels, labels, ties=ties, exclude_self=exclude_self, random_state=3, n_jobs=n_jobs
        )
        for n_jobs in (None, 1, 2, 5)
    }
    assert len(results) == 1


@pytest.mark.parametrize("bits", [16, 70])
def test_same_for_every_form_of_codes(make_sides, bits):
    queries, database, *labels = make_sides(bits=bits)
    expected = mean_average_precision(queries, database, *labels)
    forms = [
        lambda codes: 2 * codes.astype(np.int64) - 1,
        lambda codes: codes.astype(bool),
        pack_codes,
        lambda codes: np.packbits(codes, axis=1, bitorder="little"),
        lambda codes: [bitarray(row.tolist()) for row in codes],
    ]
    for form in forms:
        assert mean_average_precision(form(queries), form(database), *labels, bits=bits) == expected
        assert mean_average_precision(form(queries), database, *labels, bits=bits) == expected


def test_codes_so_long_that_distances_need_two_bytes():
    # In one byte, 300 would tie with 44 and 256 with 0.
    database = np.arange(300) < np.array([[44], [300], [256], [0]])
    assert mean_average_precision(np.zeros((1, 300)), database, [1], [1, 0, 0, 1]) == 1.0


def test_one_hot_labels_equal_class_labels(make_sides):
    queries, database, query_labels, labels = make_sides(n_classes=80)
    hot = [np.eye(80, dtype=int)[side] for side in (query_labels, labels)]
    expected = mean_average_precision(queries, database, query_labels, labels, R=50)
    assert mean_average_precision(queries, database, *hot, R=50) == expected


def test_labels_are_compared_by_value_not_by_position():
    codes = [[0, 0], [0, 1], [1, 1]]
    assert mean_average_precision(codes[:1], codes, ["c"], ["b", "c", "d"]) == 0.5
    assert mean_average_precision(codes[:1], codes, [5], [7, 9, 11]) == 0.0
    strings = np.array(["b", "c", "d"], dtype=object)
    assert mean_average_precision(codes[:1], codes, strings[2:], strings) == pytest.approx(1 / 3)


def test_defaults():
    # Ranks of the relevant items: 2 and 3 for the first query; none for the second, which counts 0.
    database = [[0, 0, 0], [0, 0, 0], [0, 0, 1]]
    got = mean_average_precision([[0, 0, 0], [1, 1, 1]], database, ["a", "z"], ["b", "a", "a"])
    assert got == pytest.approx(((1 / 2 + 2 / 3) / 2 + 0) / 2)


def test_order_of_queries_does_not_matter(make_sides):
    queries, database, query_labels, labels = make_sides()
    order = np.random.RandomState(1).permutation(len(queries))
    got = mean_average_precision(queries[order], database, query_labels[order], labels)
    assert got == pytest.approx(mean_average_precision(queries, database, query_labels, labels), abs=1e-15)


def test_inputs_and_global_random_state_are_left_alone(make_sides):
    arrays = make_sides()
    copies = [array.copy() for array in arrays]
    state = repr(np.random.get_state())
    mean_average_precision(*arrays, ties="random")
    assert repr(np.random.get_state()) == state
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_memory_is_bounded_by_the_database_not_by_the_pairs(make_sides):
    queries, database, query_labels, labels = make_sides(n_queries=2_000, n=5_000, bits=64)
    mean_average_precision(queries[:2], database, query_labels[:2], labels)  # compiles
    for ties in ("stable", "expected"):
        tracemalloc.start()
        mean_average_precision(queries, database, query_labels, labels, ties=ties)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2_000 * 5_000 / 2  # half a byte per pair


CODES = np.eye(4, dtype=np.uint8)
HOT = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_codes": CODES + 0.3}, "query_codes: codes are continuous"),
        ({"database_codes": [[-1, 0, 1, 1]] * 4}, r"database_codes: codes mix 0/1 with -1/\+1"),
        ({"query_codes": CODES[:, :3]}, "must have the same number of bits, got 3 and 4"),
        ({"query_codes": pack_codes(CODES)}, "must have the same number of bits, got 64 and 4.*bits="),
        ({"query_codes": CODES[:0], "query_labels": []}, "query_codes must have at least one row"),
        ({"database_codes": CODES[:0], "database_labels": []}, "database_codes must have at least one row"),
        ({"query_labels": [0, 1]}, "query_labels must have one row per code, 4, got 2"),
        ({"database_labels": [0, 1]}, "database_labels must have one row per code, 4, got 2"),
        ({"query_labels": HOT}, "must be of the same kind, got a multi-hot matrix and one class label per row"),
        (
            {"query_labels": HOT, "database_labels": HOT[:, :2]},
            "must have the same number of columns, got 3 and 2",
        ),
        ({"query_labels": list("abcd")}, "must both be strings or both be numbers"),
        ({"query_labels": [0.5, 1.5, 2.5, 3.5]}, "Unknown label type: query_labels"),
        ({"R": 0}, r"The 'R' parameter of mean_average_precision must be an int in the range \[1, inf\)"),
        ({"ties": "fair"}, "The 'ties' parameter of mean_average_precision must be a str among"),
        ({"denominator": "R"}, "The 'denominator' parameter of mean_average_precision must be a str among"),
        ({"protocol": "cifar"}, "The 'protocol' parameter of mean_average_precision must be a str among"),
        (
            {"query_labels": [1, 1, 0, 1], "exclude_self": True},
            "exclude_self=True requires query_labels and database_labels to be equal",
        ),
        ({"zero_hit": "drop"}, "The 'zero_hit' parameter of mean_average_precision must be a str among"),
        (
            {"query_labels": [7, 8, 9, 9], "zero_hit": "skip"},
            "relevant item within the top 4, got 0 of 4 queries",
        ),
        (
            {"query_codes": CODES[::-1], "exclude_self": True},
            "exclude_self=True requires query_codes and database_codes to be equal",
        ),
        (
            {
                "query_codes": CODES[:1],
                "database_codes": CODES[:1],
                "query_labels": [0],
                "database_labels": [0],
                "exclude_self": True,
            },
            "exclude_self=True requires a database of at least two rows, got 1",
        ),
    ],
)
def test_errors(changes, message):
    arguments = {
        "query_codes": CODES,
        "database_codes": CODES,
        "query_labels": [0, 1, 0, 1],
        "database_labels": [0, 1, 0, 1],
    }
    with pytest.raises(ValueError, match=message):
        mean_average_precision(**{**arguments, **changes})
