"""Relevance of items to queries: by equal labels, by shared labels, or by lists.

Queries with the same relevant items form a group, so that work is done once per group.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skhash.bitops import kernel
from skhash.codes import pack_codes
from skhash.utils import read_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import Labels

_SHORT = 253  # greatest difference of labels in one byte, with the number of classes
_FEW = 4  # classes whose items are found by as many passes over all items, rather than by sorting these


class ClassRelevance:
    """An item is relevant if it has the query's class.

    Parameters
    ----------
    queries, items : ndarray of int64 of shape (n_queries,) and (n_items,)
        Classes, numbered from 0 in the same way on both sides.
    """

    def __init__(self, queries: NDArray[Any], items: NDArray[Any]) -> None:
        self._n_classes = int(max(queries.max(), items.max())) + 1
        small = np.min_scalar_type(self._n_classes)  # numpy sorts short integers by radix sort
        self.group, self.items = queries.astype(small), items.astype(small)

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rows of the items by class, those of a class ascending."""
        return np.argsort(self.items, kind="stable")

    @cached_property
    def _sizes(self) -> NDArray[np.int64]:
        """Number of items of each class."""
        return np.bincount(self.items, minlength=self._n_classes)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Position after the last item of each class in `order`."""
        return self._sizes.cumsum()

    @cached_property
    def _looks_up(self) -> bool:
        """Whether items are sorted by class: a search for those of a few classes is faster."""
        return len(self.group) > _FEW and len(np.unique(self.group)) > _FEW

    @property
    def longest(self) -> int:
        """Upper bound of the length of a list."""
        return int(self._sizes.max()) if self._looks_up else len(self.items)

    def ranges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first position and the one after the last of each query's relevant items in `order`."""
        starts = np.concatenate([[0], self._ends[:-1]])
        return starts[self.group], self._ends[self.group]

    def lists(self, groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the relevant items of some groups, ascending, as `offsets` of shape (len(groups) + 1,) and `rows`."""
        if not self._looks_up:
            return _join([_find_true(self.items == group) for group in groups])
        return _join([self.order[self._ends[g - 1] if g else 0 : self._ends[g]] for g in groups])

    def totals(self) -> NDArray[np.int64]:
        """Count the relevant items of each query."""
        return self._sizes[self.group]

    def of_rows(self, queries: NDArray[np.int64] | slice, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Check whether items, shape (n_queries, n), are relevant to the queries in some rows."""
        return self.items[rows] == self.group[queries, None]

    def permute(self, order: NDArray[np.int64]) -> ClassRelevance:
        """Return the same relevance for items in another order."""
        return ClassRelevance(self.group, self.items[order])

    def relevant_to_itself(self) -> NDArray[np.bool_]:
        """Check whether each query is relevant to itself if it is an item: always."""
        return np.ones(len(self.group), bool)

    def sides_agree(self) -> bool:
        """Check whether the queries have the classes of the items, row by row."""
        return np.array_equal(self.group, self.items)


class SharedLabelRelevance:
    """An item is relevant if it shares a label with the query.

    Parameters
    ----------
    queries, items : ndarray of uint64 of shape (n_queries, n_words) and (n_items, n_words)
        Packed multi-hot labels.
    """

    def __init__(self, queries: NDArray[np.uint64], items: NDArray[np.uint64]) -> None:
        self.items = items
        self.label_sets, self.group = np.unique(queries, axis=0, return_inverse=True)
        self.group = self.group.reshape(len(queries))

    @property
    def longest(self) -> int:
        """Upper bound of the length of a list."""
        return len(self.items)

    def lists(self, groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the relevant items of some groups, ascending, as `offsets` of shape (len(groups) + 1,) and `rows`."""
        return _join([np.flatnonzero(_share_a_label(self.items, self.label_sets[group])) for group in groups])

    def totals(self) -> NDArray[np.int64]:
        """Count the relevant items of each query."""
        sets, sizes = distinct_rows(self.items)
        return _count_sharing(sets, sizes, self.label_sets)[self.group]

    def of_rows(self, queries: NDArray[np.int64] | slice, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Check whether items, shape (n_queries, n), are relevant to the queries in some rows."""
        shared = np.zeros(rows.shape, bool)
        for items, labels in zip(self.items.T, self.label_sets[self.group[queries]].T, strict=True):
            shared |= (items[rows] & labels[:, None]) != 0
        return shared

    def permute(self, order: NDArray[np.int64]) -> SharedLabelRelevance:
        """Return the same relevance for items in another order."""
        permuted = object.__new__(SharedLabelRelevance)
        permuted.items, permuted.label_sets, permuted.group = self.items[order], self.label_sets, self.group
        return permuted

    def relevant_to_itself(self) -> NDArray[np.bool_]:
        """Check whether each query is relevant to itself if it is an item: unless it has no label."""
        return np.asarray(self.label_sets.any(axis=1))[self.group]

    def sides_agree(self) -> bool:
        """Check whether the queries have the labels of the items, row by row."""
        return np.array_equal(self.label_sets[self.group], self.items)


class ListedRelevance:
    """An item is relevant if it is in the query's list.

    Parameters
    ----------
    lists : list of ndarray of int64
        Rows of the items, ascending.
    """

    def __init__(self, lists: list[NDArray[np.int64]]) -> None:
        self._lists = lists
        self.group = np.arange(len(lists))

    @property
    def longest(self) -> int:
        """Length of the longest list."""
        return max(map(len, self._lists), default=0)

    def lists(self, groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """List the relevant items of some groups, ascending, as `offsets` of shape (len(groups) + 1,) and `rows`."""
        return _join([self._lists[group] for group in groups])

    def totals(self) -> NDArray[np.int64]:
        """Count the relevant items of each query."""
        return np.array([len(rows) for rows in self._lists], np.int64)

    def permute(self, order: NDArray[np.int64]) -> ListedRelevance:
        """Return the same relevance for items in another order."""
        position = np.argsort(order)
        return ListedRelevance([np.sort(position[rows]) for rows in self._lists])


Relevance: TypeAlias = ClassRelevance | SharedLabelRelevance | ListedRelevance


def read_relevance(
    query_labels: ArrayLike | None, database_labels: ArrayLike | None, n_queries: int, n_items: int
) -> ClassRelevance | SharedLabelRelevance:
    """Read the labels of both sides and build the relevance that follows from them."""
    if classes := _number_short(query_labels, database_labels, n_queries, n_items):
        return ClassRelevance(*classes)
    query, database = read_both_labels(query_labels, database_labels, n_queries, n_items)
    if query.multilabel:
        return SharedLabelRelevance(pack_codes(query.codes), pack_codes(database.codes))
    return ClassRelevance(*number_alike(query, database))


def _number_short(
    query_labels: ArrayLike | None, database_labels: ArrayLike | None, n_queries: int, n_items: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Number integer labels of a short range without looking for the distinct ones, or return None for other labels.

    For a few queries it takes longer to find the distinct labels of the database than to rank it.
    """
    sides = [(query_labels, n_queries), (database_labels, n_items)]
    for labels, n_rows in sides:
        if type(labels) is not np.ndarray or labels.dtype.kind not in "iu" or labels.shape != (n_rows,):
            return None
    query, items = (labels for labels, _ in sides if isinstance(labels, np.ndarray))
    least = min(int(query.min()), int(items.min()))
    if max(int(query.max()), int(items.max())) - least > _SHORT:
        return None
    # Differences modulo 256 are those of the integers, because these are at most `_SHORT`.
    offset = np.uint8(least % 256)
    return query.astype(np.uint8) - offset, items.astype(np.uint8) - offset


def number_alike(query: Labels, database: Labels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number the classes of both sides in the same way, from 0."""
    if np.array_equal(query.classes, database.classes):
        return query.codes, database.codes
    # In the order of the database's classes, so that its many rows keep their numbers; others come after them.
    position = np.searchsorted(database.classes, query.classes).clip(max=len(database.classes) - 1)
    known = database.classes[position] == query.classes
    position[~known] = len(database.classes) + np.arange((~known).sum())
    return position[query.codes], database.codes


def read_both_labels(
    query_labels: ArrayLike | None, database_labels: ArrayLike | None, n_queries: int, n_items: int
) -> tuple[Labels, Labels]:
    """Read the labels of both sides and check that they are of the same kind."""
    query = _read(query_labels, "query", n_queries)
    database = _read(database_labels, "database", n_items)
    if query.multilabel != database.multilabel:
        kinds = {True: "a multi-hot matrix", False: "one class label per row"}
        raise ValueError(
            f"query_labels and database_labels must be of the same kind, got {kinds[query.multilabel]} and "
            f"{kinds[database.multilabel]}."
        )
    if query.multilabel and len(query.classes) != len(database.classes):
        raise ValueError(
            "query_labels and database_labels must have the same number of columns, got "
            f"{len(query.classes)} and {len(database.classes)}."
        )
    if not query.multilabel and (query.classes.dtype.kind in "OU") != (database.classes.dtype.kind in "OU"):
        raise ValueError(
            "query_labels and database_labels must both be strings or both be numbers, got dtypes "
            f"{query.classes.dtype} and {database.classes.dtype}."
        )
    return query, database


def _read(labels: ArrayLike | None, side: str, n_rows: int) -> Labels:
    """Read the labels of one side; errors name the side."""
    if labels is None:
        raise ValueError(f"{side}_labels must be class labels or a multi-hot matrix, got None.")
    read = read_labels(labels, name=f"{side}_labels")
    if len(read) != n_rows:
        raise ValueError(f"{side}_labels must have one row per code, {n_rows}, got {len(read)}.")
    return read


def _join(lists: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Concatenate lists; return the offset of each, and the values."""
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(rows) for rows in lists], out=offsets[1:])
    return offsets, np.concatenate(lists) if lists else np.empty(0, np.int64)


def distinct_rows(rows: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Find the distinct rows, in the order of their first ones, and how many rows are equal to each."""
    first, sizes = _distinct_rows(rows, np.full(1 << (2 * len(rows)).bit_length(), -1))
    return rows[first], sizes


@kernel
def _distinct_rows(rows, slots):
    """Find the first of each set of equal rows, and the sizes of the sets; `slots` is a hash table full of -1."""
    # Linear probing, at most half full.
    first, sizes = np.empty(len(rows), np.int64), np.zeros(len(rows), np.int64)
    n_found, last = 0, len(slots) - 1
    for row in range(len(rows)):
        mixed = np.uint64(0)
        for w in range(rows.shape[1]):
            mixed = (mixed ^ rows[row, w]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        slot = np.int64(mixed & np.uint64(last))
        while True:
            known = slots[slot]
            if known < 0:
                slots[slot] = n_found
                first[n_found], sizes[n_found] = row, 1
                n_found += 1
                break
            equal = True
            for w in range(rows.shape[1]):
                equal &= rows[first[known], w] == rows[row, w]
            if equal:
                sizes[known] += 1
                break
            slot = (slot + 1) & last
    return first[:n_found], sizes[:n_found]


@kernel
def _count_sharing(sets, sizes, label_sets):
    """Count the items that have a bit in common with each of `label_sets`, given distinct items and their numbers."""
    totals = np.zeros(len(label_sets), np.int64)
    for q in range(len(label_sets)):
        for i in range(len(sets)):
            shared = np.uint64(0)
            for w in range(sets.shape[1]):
                shared |= sets[i, w] & label_sets[q, w]
            if shared:
                totals[q] += sizes[i]
    return totals


@kernel
def _find_true(mask):
    """Find the rows of `mask` that are true."""
    # Without a branch, which would be mispredicted at nearly every row that is found.
    rows, n_found = np.empty(len(mask) + 1, np.int64), np.uint64(0)
    for row in range(len(mask)):
        rows[n_found] = row
        n_found += np.uint64(mask[row])
    return rows[:n_found]


@kernel
def _share_a_label(items, labels):
    """Find the rows of `items` that have a bit in common with `labels`."""
    shared = np.zeros(len(items), np.bool_)
    for w in range(len(labels)):
        if labels[w]:
            for i in range(len(items)):
                shared[i] |= (items[i, w] & labels[w]) != 0
    return shared
