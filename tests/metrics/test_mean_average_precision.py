import tracemalloc

import numpy as np
import pytest
from bitarray import bitarray
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from skhash.codes import pack_codes
from skhash.metrics import average_precision, mean_average_precision

TIES = ["stable", "expected", "optimistic", "pessimistic", "random"]


@st.composite
def retrievals(draw):
    """Codes and labels of both sides; the two sides are the same with exclude_self."""
    rng = np.random.RandomState(draw(st.integers(0, 10_000)))
    n_queries, n, bits = draw(st.integers(1, 6)), draw(st.integers(2, 15)), draw(st.sampled_from([1, 4, 9, 66]))
    multilabel, exclude_self = draw(st.booleans()), draw(st.booleans())
    database = rng.randint(0, 2, (n, bits))
    labels = rng.randint(0, 2, (n, 4)) if multilabel else rng.choice(["ant", "bee", "cow"], n)
    if exclude_self:
        return database, database, labels, labels, exclude_self
    queries = rng.randint(0, 2, (n_queries, bits))
    query_labels = rng.randint(0, 2, (n_queries, 4)) if multilabel else rng.choice(["bee", "cow", "dog"], n_queries)
    return queries, database, query_labels, labels, exclude_self


def ranked_flags(query, database, label, labels, ties, self_row):
    """Relevance flags in rank order and the distances, by an explicit loop over the database."""
    items = []
    for row, code in enumerate(database):
        if row == self_row:
            continue
        relevant = bool(np.any(label * labels[row])) if labels.ndim == 2 else bool(label == labels[row])
        preference = {"optimistic": not relevant, "pessimistic": relevant}.get(ties, 0)
        items.append((int(np.sum(query != code)), preference, row, relevant))
    items.sort()
    return [item[3] for item in items], [item[0] for item in items]


def brute_force(queries, database, query_labels, labels, exclude_self, *, R, denominator, zero_hit, ties):
    if ties == "random":
        order = np.random.RandomState(0).permutation(len(database))
        self_rows = np.argsort(order)
        database, labels = database[order], labels[order]
    else:
        self_rows = np.arange(len(queries))
    scores = []
    for q, query in enumerate(queries):
        row = self_rows[q] if exclude_self else None
        flags, distances = ranked_flags(query, database, query_labels[q], labels, ties, row)
        if ties == "expected":
            ap = average_precision(flags, distances, R=R, denominator=denominator, ties=ties)
            length = len(flags) if R is None else min(R, len(flags))
            missed = not any(f and d <= distances[length - 1] for f, d in zip(flags, distances, strict=True))
        else:
            hits, total = 0, 0.0
            for rank, relevant in enumerate(flags[:R], start=1):
                hits += relevant
                total += relevant * hits / rank
            n_relevant = sum(flags)
            limit = len(flags) if R is None else R
            divisor = {"top": hits, "total": n_relevant, "min": min(limit, n_relevant)}[denominator]
            missed = hits == 0
            ap = 0.0 if missed else total / divisor
        if not (missed and zero_hit == "skip"):
            scores.append(ap)
    return np.mean(scores) if scores else None


@given(
    retrieval=retrievals(),
    R=st.one_of(st.none(), st.integers(1, 18)),
    denominator=st.sampled_from(["top", "total", "min"]),
    zero_hit=st.sampled_from(["zero", "skip"]),
    ties=st.sampled_from(TIES),
)
@settings(max_examples=250, deadline=None)
def test_equals_brute_force(retrieval, R, denominator, zero_hit, ties):
    *arrays, exclude_self = retrieval
    options = {"R": R, "denominator": denominator, "zero_hit": zero_hit, "ties": ties}
    expected = brute_force(*arrays, exclude_self, **options)
    if expected is None:
        with pytest.raises(ValueError, match="zero_hit='skip' leaves no query"):
            mean_average_precision(*arrays, exclude_self=exclude_self, random_state=0, **options)
        return
    got = mean_average_precision(*arrays, exclude_self=exclude_self, random_state=0, **options)
    assert isinstance(got, float)
    assert got == pytest.approx(expected, abs=1e-12)


def make_retrieval(n_queries=30, n=400, bits=16, n_classes=3, seed=0):
    rng = np.random.RandomState(seed)
    codes = [rng.randint(0, 2, (rows, bits)).astype(np.uint8) for rows in (n_queries, n)]
    return *codes, *(rng.randint(0, n_classes, rows) for rows in (n_queries, n))


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
def test_same_on_any_number_of_threads(ties, exclude_self):
    queries, database, query_labels, labels = make_retrieval(n_queries=601, n=300)
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
def test_same_for_every_form_of_codes(bits):
    queries, database, *labels = make_retrieval(bits=bits)
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


def test_one_hot_labels_equal_class_labels():
    queries, database, query_labels, labels = make_retrieval(n_classes=80)
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


def test_order_of_queries_does_not_matter():
    queries, database, query_labels, labels = make_retrieval()
    order = np.random.RandomState(1).permutation(len(queries))
    got = mean_average_precision(queries[order], database, query_labels[order], labels)
    assert got == pytest.approx(mean_average_precision(queries, database, query_labels, labels), abs=1e-15)


def test_inputs_and_global_random_state_are_left_alone():
    arrays = make_retrieval()
    copies = [array.copy() for array in arrays]
    state = repr(np.random.get_state())
    mean_average_precision(*arrays, ties="random")
    assert repr(np.random.get_state()) == state
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_memory_is_bounded_by_the_database_not_by_the_pairs():
    queries, database, query_labels, labels = make_retrieval(n_queries=2_000, n=5_000, bits=64)
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
        ({"query_codes": CODES[:, :3]}, "query_codes have 3 bits, database_codes have 4"),
        ({"query_codes": pack_codes(CODES)}, "query_codes have 64 bits, database_codes have 4.*bits="),
        ({"query_codes": CODES[:0], "query_labels": []}, "query_codes has no rows"),
        ({"database_codes": CODES[:0], "database_labels": []}, "database_codes has no rows"),
        ({"query_labels": [0, 1]}, "query_codes has 4 rows, but query_labels has 2"),
        ({"database_labels": [0, 1]}, "database_codes has 4 rows, but database_labels has 2"),
        ({"query_labels": HOT}, "query_labels is a multi-hot matrix but database_labels is one class label per row"),
        (
            {"query_labels": HOT, "database_labels": HOT[:, :2]},
            "query_labels has 3 label columns, database_labels has 2",
        ),
        ({"query_labels": list("abcd")}, "strings and numbers are never equal"),
        ({"query_labels": [0.5, 1.5, 2.5, 3.5]}, "Unknown label type: query_labels"),
        ({"R": 0}, r"The 'R' parameter of mean_average_precision must be an int in the range \[1, inf\)"),
        ({"ties": "fair"}, "The 'ties' parameter of mean_average_precision must be a str among"),
        ({"denominator": "R"}, "The 'denominator' parameter of mean_average_precision must be a str among"),
        ({"zero_hit": "drop"}, "The 'zero_hit' parameter of mean_average_precision must be a str among"),
        ({"query_labels": [7, 8, 9, 9], "zero_hit": "skip"}, "none of the 4 has a relevant item within the top 4"),
        ({"query_codes": CODES[::-1], "exclude_self": True}, "exclude_self=True needs the same codes"),
        (
            {
                "query_codes": CODES[:1],
                "database_codes": CODES[:1],
                "query_labels": [0],
                "database_labels": [0],
                "exclude_self": True,
            },
            "exclude_self=True leaves nothing to rank",
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
