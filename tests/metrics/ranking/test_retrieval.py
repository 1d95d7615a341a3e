"""Rankings of a batch of queries, in full and up to ties, against numpy; and their memory."""

import tracemalloc

import numpy as np
import pytest
import sklearn
from bitarray import bitarray
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics.ranking import _retrieval
from skhash.metrics.ranking._relevance import ListedRelevance
from skhash.metrics.ranking._retrieval import Retrieval, read_both_codes, read_retrieval


def counts_of(retrieval):
    """Return the counts of `groups`, query by query, within the code length."""
    batches = retrieval.groups(lambda rows, counts, relevant: (counts, relevant))
    counts, relevant = retrieval.per_query(batches)
    assert not counts[:, retrieval.bits + 1 :].any()
    assert not relevant[:, retrieval.bits + 1 :].any()
    return counts[:, : retrieval.bits + 1].tolist(), relevant[:, : retrieval.bits + 1].tolist()


def ranks_of(retrieval):
    """Return the result of `ranks` as a list per query."""
    found = [None] * len(retrieval.queries)

    def keep(rows, ranks, starts, totals):
        for row, start, total in zip(rows, starts, totals, strict=True):
            assert found[row] is None
            found[row] = ranks[start : start + total].tolist()

    assert sum(len(rows) for rows, _ in retrieval.ranks(keep)) == len(found)
    return found


@given(data=st.data(), n_jobs=st.sampled_from([None, 1, 2]))
@settings(max_examples=80, deadline=None)
def test_equals_brute_force(brute, data, n_jobs):
    case = data.draw(brute.cases(max_items=20))
    retrieval = read_retrieval(*case.sides, exclude_self=case.exclude_self, n_jobs=n_jobs)
    assert retrieval.n_ranked == len(case.database) - case.exclude_self
    assert retrieval.bits == case.database.shape[1]
    ranks, (counts, relevant) = ranks_of(retrieval), counts_of(retrieval)
    for q in range(len(case.queries)):
        (ranking,) = brute.rankings(case, q)
        assert ranks[q] == [rank for rank, shared in enumerate(ranking, start=1) if shared]
        items = list(brute.items(case, q))
        distances = [distance for distance, _ in items], [distance for distance, shared in items if shared]
        expected = [np.bincount(np.array(d, int), minlength=retrieval.bits + 1).tolist() for d in distances]
        assert [counts[q], relevant[q]] == expected


@pytest.mark.parametrize("multi_hot", [False, True])
@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize(("bits", "n"), [(9, 6000), (130, 6000), (270, 2000)])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_same_in_little_memory(make_sides, multi_hot, exclude_self, bits, n, n_jobs):
    sides = make_sides(n_queries=300, n=n, bits=bits, n_classes=5, multi_hot=multi_hot)
    if exclude_self:
        sides = sides[1], sides[1], sides[3], sides[3]
        sides = tuple(side[:700] for side in sides)
    expected = read_retrieval(*sides, exclude_self=exclude_self)
    expected = ranks_of(expected), counts_of(expected)
    # A tenth of a mebibyte is some 3000 codes of one word at a time and some 100 queries.
    with sklearn.config_context(working_memory=0.1):
        retrieval = read_retrieval(*sides, exclude_self=exclude_self, n_jobs=n_jobs)
        assert (ranks_of(retrieval), counts_of(retrieval)) == expected


def test_a_database_larger_than_the_working_memory(make_sides):
    queries, database, *labels = make_sides(n_queries=20, n=80_000, bits=64, n_classes=4)
    with sklearn.config_context(working_memory=1):
        counts, relevant = counts_of(read_retrieval(queries, database, *labels))
    words = [pack_codes(codes)[:, 0] for codes in (queries, database)]
    for q in range(20):
        distances = np.bitwise_count(words[0][q] ^ words[1])
        assert counts[q] == np.bincount(distances, minlength=65).tolist()
        assert relevant[q] == np.bincount(distances[labels[0][q] == labels[1]], minlength=65).tolist()


@pytest.mark.parametrize("multi_hot", [False, True])
@pytest.mark.parametrize("way", ["ranks", "groups"])
def test_memory_does_not_grow_with_the_pairs(make_sides, multi_hot, way):
    retrieval = read_retrieval(*make_sides(n_queries=4000, n=8000, bits=64, n_classes=8, multi_hot=multi_hot))
    with sklearn.config_context(working_memory=1):
        next(iter(getattr(read_retrieval(*make_sides()), way)(lambda *_: None)))  # compiles
        tracemalloc.start()
        for _ in getattr(retrieval, way)(lambda *_: None):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4000 * 8000 / 10  # a tenth of a byte per pair


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_memory_of_tables_is_bounded(n_jobs):
    codes = np.random.RandomState(0).randint(0, 2**63, (200_000, 2)).astype(np.uint64)
    lists = [np.arange(3)] * 4
    retrieval = Retrieval(codes[:4], codes, 128, ListedRelevance(lists), np.full(4, -1), n_jobs)
    counts_of(retrieval)  # compiles
    with sklearn.config_context(working_memory=1):
        tracemalloc.start()
        counts_of(retrieval)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 2 * 2**20 < codes.nbytes  # a table of all codes would take 3.5 times as much as they do


@pytest.mark.parametrize("working_memory", [0, 1e-6])
def test_less_memory_than_one_query_needs(make_sides, working_memory):
    retrieval = read_retrieval(*make_sides(n_queries=4, n=50))
    expected = ranks_of(retrieval), counts_of(retrieval)
    with sklearn.config_context(working_memory=working_memory):
        assert (ranks_of(retrieval), counts_of(retrieval)) == expected


@pytest.mark.parametrize("n_jobs", [None, 1, 2, 7])
def test_queries_come_back_in_their_order(make_sides, n_jobs):
    retrieval = read_retrieval(*make_sides(n_queries=700, n=10), n_jobs=n_jobs)
    for batches in (
        retrieval.groups(lambda rows, *_: (rows, -rows)),
        retrieval.ranks(lambda rows, *_: (rows, -rows)),
    ):
        rows, negative = retrieval.per_query(batches)
        assert rows.tolist() == list(range(700))
        assert negative.tolist() == (-rows).tolist()


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("multi_hot", [False, True])
def test_shuffled(make_sides, exclude_self, multi_hot):
    queries, database, query_labels, labels = make_sides(n=60, bits=3, multi_hot=multi_hot)
    if exclude_self:
        queries, query_labels = database, labels
    retrieval = read_retrieval(queries, database, query_labels, labels, exclude_self=exclude_self)
    shuffled, order = retrieval.shuffled(5), np.random.RandomState(5).permutation(60)
    np.testing.assert_array_equal(shuffled.database, retrieval.database[order])
    if exclude_self:
        np.testing.assert_array_equal(shuffled.database[shuffled.own], retrieval.queries)
        np.testing.assert_array_equal(order[shuffled.own], np.arange(60))
    else:
        assert ranks_of(shuffled) == ranks_of(read_retrieval(queries, database[order], query_labels, labels[order]))
    assert counts_of(shuffled) == counts_of(retrieval)
    assert ranks_of(shuffled) != ranks_of(retrieval)


def test_listed_items():
    codes = pack_codes([[0, 0], [0, 1], [1, 1], [0, 0]])
    lists = [np.array([1, 3]), np.array([], np.int64), np.array([0, 2])]
    retrieval = Retrieval(codes[:3], codes, 2, ListedRelevance(lists), np.full(3, -1), None)
    assert ranks_of(retrieval) == [[2, 3], [], [1, 3]]
    counts, relevant = counts_of(retrieval)
    assert counts == [[2, 1, 1], [1, 3, 0], [1, 1, 2]]
    assert relevant == [[1, 1, 0], [0, 0, 0], [1, 0, 1]]


FORMS = {
    "bits": lambda codes: codes,
    "bool": lambda codes: codes.astype(bool),
    "signs": lambda codes: 2 * codes.astype(np.int8) - 1,
    "floats": lambda codes: 2.0 * codes - 1,
    "words": pack_codes,
    "bytes": lambda codes: np.packbits(codes, axis=1, bitorder="little"),
    "bitarrays": lambda codes: [bitarray(row.tolist()) for row in codes],
    "lists": lambda codes: codes.tolist(),
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bits", [1, 9, 64, 65, 300])
def test_every_form_of_codes(make_sides, form, bits):
    queries, database, *_ = make_sides(n_queries=3, n=5, bits=bits)
    for pair in ((FORMS[form](queries), FORMS[form](database)), (FORMS[form](queries), database)):
        packed, packed_database, got_bits = read_both_codes(*pair, bits, "little")
        assert got_bits == bits
        np.testing.assert_array_equal(packed, pack_codes(queries))
        np.testing.assert_array_equal(packed_database, pack_codes(database))


CODES = np.eye(4, dtype=np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_codes": CODES + 0.3}, "query_codes: codes are continuous"),
        ({"database_codes": CODES.astype(float) - 0.5}, "database_codes: codes are continuous"),
        ({"database_codes": [[-1, 0, 1, 1]] * 4}, r"database_codes: codes mix 0/1 with -1/\+1"),
        ({"query_codes": CODES[0]}, "query_codes: Expected 2D array of codes, got 1D array"),
        ({"query_codes": CODES[:, :3]}, "must have the same number of bits, got 3 and 4"),
        ({"bits": 5}, "query_codes: codes have 4 columns, but bits=5 needs 5 columns"),
        ({"query_codes": CODES[:0], "query_labels": []}, "query_codes must have at least one row, got none"),
        ({"database_codes": CODES[:0], "database_labels": []}, "database_codes must have at least one row, got none"),
        ({"query_labels": [0, 1]}, "query_labels must have one row per code, 4, got 2"),
        (
            {"query_codes": CODES[::-1], "exclude_self": True},
            "exclude_self=True requires query_codes and database_codes to be equal",
        ),
        (
            {"query_labels": [1, 1, 0, 1], "exclude_self": True},
            "exclude_self=True requires query_labels and database_labels to be equal",
        ),
        (
            {"query_codes": CODES[:2], "query_labels": [0, 1], "exclude_self": True},
            "exclude_self=True requires query_codes and database_codes to be equal",
        ),
        (
            {
                **dict.fromkeys(["query_codes", "database_codes"], CODES[:1]),
                **{"query_labels": [0], "database_labels": [0]},
                "exclude_self": True,
            },
            "exclude_self=True requires a database of at least two rows, got 1",
        ),
    ],
)
def test_errors(changes, message):
    labels = [0, 1, 0, 1]
    arguments = {"query_codes": CODES, "database_codes": CODES, "query_labels": labels, "database_labels": labels}
    with pytest.raises(ValueError, match=message):
        read_retrieval(**{**arguments, **changes})


@pytest.mark.parametrize("n_classes", [2, 50])
@pytest.mark.parametrize("exclude_self", [False, True])
def test_groups_do_not_depend_on_how_ranges_are_counted(monkeypatch, n_classes, exclude_self):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (700, 20)), rng.integers(0, n_classes, 700)
    queries = slice(None) if exclude_self else slice(90)
    retrieval = read_retrieval(codes[queries], codes, labels[queries], labels, exclude_self=exclude_self)
    found = []
    for shared in (1, 10**9):
        monkeypatch.setattr(_retrieval, "_SHARED", shared)
        monkeypatch.setattr(_retrieval, "_REPEATED", 0)
        found.append(retrieval.per_query(retrieval.groups(lambda _, *counts: counts)))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[0][0].sum() == len(retrieval.queries) * retrieval.n_ranked
    assert found[0][1].sum() == retrieval.totals().sum()


@pytest.mark.parametrize("bits", [20, 300])
def test_a_few_queries_are_counted_as_many(bits):
    rng = np.random.default_rng(0)
    codes, labels = rng.integers(0, 2, (700, bits)), rng.integers(0, 5, 700)

    def groups(n_queries):
        retrieval = read_retrieval(codes[:n_queries], codes, labels[:n_queries], labels)
        return retrieval.per_query(retrieval.groups(lambda _, *counts: counts))

    for few, many in zip(groups(3), groups(90), strict=True):
        np.testing.assert_array_equal(few, many[:3])
