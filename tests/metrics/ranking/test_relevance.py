"""Relevance of items to queries against comparing every pair."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skhash.codes import pack_codes
from skhash.metrics.ranking._relevance import (
    ClassRelevance,
    ListedRelevance,
    SharedLabelRelevance,
    read_both_labels,
    read_relevance,
)


def labels_of_both(kind):
    rng = np.random.RandomState(0)
    if kind.startswith("multi-hot"):
        n_classes = int(kind.split()[1])
        query, items = rng.rand(9, n_classes) < 0.1, rng.rand(40, n_classes) < 0.1
        query[:2] = False
        return query.astype(int), items.astype(int)
    query, items = rng.randint(2, 8, 9), rng.randint(0, 5, 40)
    names = np.array([f"class {i}" for i in range(10)])
    return (names[query], names[items]) if kind == "strings" else (3 * query - 9, 3 * items - 9)


def relevant_rows(query, items):
    """Rows of the items that share a label with a query, ascending."""
    return [row for row, label in enumerate(items) if np.any(query * label if np.ndim(label) else query == label)]


def as_lists(relevance, rows):
    """Return lists of some queries' relevant items, as a ranking requests them."""
    groups, local = np.unique(relevance.group[rows], return_inverse=True)
    offsets, listed = relevance.lists(groups)
    return [listed[offsets[g] : offsets[g + 1]].tolist() for g in local]


@pytest.mark.parametrize("kind", ["numbers", "strings", "multi-hot 4", "multi-hot 70"])
def test_lists(kind):
    query, items = labels_of_both(kind)
    relevance = read_relevance(query, items, 9, 40)
    expected = [relevant_rows(label, items) for label in query]
    assert as_lists(relevance, np.arange(9)) == expected
    assert as_lists(relevance, np.array([7, 1, 7])) == [expected[7], expected[1], expected[7]]
    assert relevance.longest >= max(map(len, expected))
    order = np.random.RandomState(1).permutation(40)
    permuted = relevance.permute(order)
    assert as_lists(permuted, np.arange(9)) == [relevant_rows(label, items[order]) for label in query]
    assert as_lists(relevance, np.arange(9)) == expected
    assert relevance.longest >= permuted.longest


@pytest.mark.parametrize("kind", ["numbers", "strings"])
def test_ranges_of_items_ordered_by_class(kind):
    query, items = labels_of_both(kind)
    relevance = read_relevance(query, items, 9, 40)
    assert isinstance(relevance, ClassRelevance)
    starts, stops = relevance.ranges()
    for label, start, stop in zip(query, starts, stops, strict=True):
        assert relevance.order[start:stop].tolist() == relevant_rows(label, items)
    assert relevance.relevant_to_itself().all()


def test_queries_without_a_label_are_not_relevant_to_themselves():
    query, items = labels_of_both("multi-hot 70")
    relevance = read_relevance(query, items, 9, 40)
    assert isinstance(relevance, SharedLabelRelevance)
    assert relevance.relevant_to_itself().tolist() == query.any(axis=1).tolist()
    assert not relevance.relevant_to_itself()[:2].any()


@pytest.mark.parametrize("kind", ["numbers", "multi-hot 4"])
def test_whether_both_sides_have_equal_labels(kind):
    _, items = labels_of_both(kind)
    assert read_relevance(items, items.copy(), 40, 40).sides_agree()
    assert not read_relevance(items[::-1], items, 40, 40).sides_agree()
    assert not read_relevance(items[:9], items, 9, 40).sides_agree()


def test_sparse_labels():
    query, items = labels_of_both("multi-hot 4")
    relevance = read_relevance(csr_array(query), csr_array(items), 9, 40)
    assert as_lists(relevance, np.arange(9)) == [relevant_rows(label, items) for label in query]


@pytest.mark.parametrize("n_classes", [255, 256, 300, 70_000])
def test_many_classes(n_classes):
    items = np.arange(n_classes)
    relevance = read_relevance(items[::-1], items, n_classes, n_classes)
    some = np.array([0, n_classes // 2, n_classes - 1])
    assert as_lists(relevance, some) == [[n_classes - 1 - row] for row in some]
    assert relevance.longest == 1


def test_listed():
    relevance = ListedRelevance([np.array([1, 4]), np.array([], np.int64), np.array([0])])
    assert as_lists(relevance, np.array([2, 0, 1])) == [[0], [1, 4], []]
    assert relevance.longest == 2
    # Item 4 comes first, item 1 last.
    assert as_lists(relevance.permute(np.array([4, 0, 3, 2, 1])), np.arange(3)) == [[0, 4], [], [1]]
    assert ListedRelevance([]).longest == 0


def test_packed_labels_share_bits_of_any_word():
    hot = np.zeros((3, 130), int)
    hot[0, 0] = hot[1, 129] = hot[2, [64, 129]] = 1
    relevance = SharedLabelRelevance(pack_codes(hot), pack_codes(hot))
    assert as_lists(relevance, np.arange(3)) == [[0], [1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("query", "items", "message"),
    [
        ([0, 1], [0, 1, 0], "query_labels must have one row per code, 3, got 2"),
        ([0, 1, 0], [0, 1], "database_labels must have one row per code, 3, got 2"),
        ([[1, 0], [0, 1], [1, 1]], [0, 1, 0], "must be of the same kind, got a multi-hot matrix and one class"),
        ([0, 1, 0], [[1, 0], [0, 1], [1, 1]], "must be of the same kind, got one class label per row and a multi"),
        ([[1, 0], [0, 1], [1, 1]], [[1, 0, 0]] * 3, "must have the same number of columns, got 2 and 3"),
        (["a", "b", "b"], [0, 1, 0], r"must both be strings or both be numbers, got dtypes <U1 and int64"),
        (None, [0, 1, 0], "query_labels must be class labels or a multi-hot matrix, got None"),
        ([0, 1, 0], None, "database_labels must be class labels or a multi-hot matrix, got None"),
        ([0.5, 1.5, 1.0], [0, 1, 0], "Unknown label type: query_labels is 'continuous'"),
        ([0, 1, 0], [0.5, 1.5, 1.0], "Unknown label type: database_labels is 'continuous'"),
    ],
)
def test_errors(query, items, message):
    with pytest.raises(ValueError, match=message):
        read_both_labels(query, items, 3, 3)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int64, np.uint64])
@pytest.mark.parametrize("span", [1, 100, 253, 254, 300])
def test_integers_of_a_short_range_are_compared_as_labels(dtype, span):
    limits = np.iinfo(dtype)
    if span > int(limits.max) - int(limits.min):
        return
    rng = np.random.default_rng(span)
    for least in {int(limits.min), int(limits.max) - span, 0 if span <= limits.max else int(limits.min)}:
        offsets = np.concatenate([rng.integers(0, span + 1, 400), [0, span]])
        labels = np.array([least + int(offset) for offset in offsets], dtype)
        queries, items = labels[:7], labels[7:]
        relevance = read_relevance(queries, items, len(queries), len(items))
        equal = queries[:, None] == items
        rows = np.tile(np.arange(len(items)), (len(queries), 1))
        assert np.array_equal(relevance.of_rows(slice(None), rows), equal)
        assert np.array_equal(relevance.totals(), equal.sum(axis=1))
        offsets, listed = relevance.lists(relevance.group)
        for q in range(len(queries)):
            assert np.array_equal(listed[offsets[q] : offsets[q + 1]], np.flatnonzero(equal[q]))
