"""What is relevant to which query: by equal or shared labels, or by lists. Queries of one group share their answer."""

import numpy as np

from skhash.bitops import kernel
from skhash.codes import pack_codes
from skhash.utils import read_labels


class ClassRelevance:
    """An item is relevant if it has the query's class.

    Parameters
    ----------
    queries, items : ndarray of int64 of shape (n_queries,) and (n_items,)
        Classes, numbered from 0 on both sides alike.
    """

    def __init__(self, queries, items):
        n_classes = int(max(queries.max(), items.max())) + 1
        small = np.min_scalar_type(n_classes)  # which numpy sorts by digits
        self.group, self.items = queries.astype(small), items.astype(small)
        self.order = np.argsort(self.items, kind="stable")
        self._ends = np.bincount(items, minlength=n_classes).cumsum()

    @property
    def longest(self):
        """Length of the longest list."""
        return int(np.diff(self._ends, prepend=0).max())

    def ranges(self):
        """First and last position, the latter excluded, of each query's relevant items in `order`."""
        starts = np.concatenate([[0], self._ends[:-1]])
        return starts[self.group], self._ends[self.group]

    def lists(self, groups):
        """List the relevant items of some groups, ascending: `offsets` (len(groups) + 1,) and `rows`."""
        return _join([self.order[self._ends[g - 1] if g else 0 : self._ends[g]] for g in groups])

    def permute(self, order):
        """Follow items that are put in another order."""
        return ClassRelevance(self.group, self.items[order])

    def relevant_to_itself(self):
        """Whether each query would be relevant to itself, were it an item."""
        return np.ones(len(self.group), bool)

    def sides_agree(self):
        """Whether the queries have the items' classes, row by row."""
        return np.array_equal(self.group, self.items)


class SharedLabelRelevance:
    """An item is relevant if it shares a label with the query.

    Parameters
    ----------
    queries, items : ndarray of uint64 of shape (n_queries, n_words) and (n_items, n_words)
        Packed multi-hot labels.
    """

    def __init__(self, queries, items):
        self.items = items
        self.label_sets, self.group = np.unique(queries, axis=0, return_inverse=True)
        self.group = self.group.reshape(len(queries))

    @property
    def longest(self):
        """Upper bound of the length of a list."""
        return len(self.items)

    def lists(self, groups):
        """List the relevant items of some groups, ascending: `offsets` (len(groups) + 1,) and `rows`."""
        return _join([np.flatnonzero(_share_a_label(self.items, self.label_sets[group])) for group in groups])

    def permute(self, order):
        """Follow items that are put in another order."""
        permuted = object.__new__(SharedLabelRelevance)
        permuted.items, permuted.label_sets, permuted.group = self.items[order], self.label_sets, self.group
        return permuted

    def relevant_to_itself(self):
        """Whether each query would be relevant to itself, were it an item: not without any label."""
        return self.label_sets.any(axis=1)[self.group]

    def sides_agree(self):
        """Whether the queries have the items' labels, row by row."""
        return np.array_equal(self.label_sets[self.group], self.items)


class ListedRelevance:
    """The relevant items are listed for each query.

    Parameters
    ----------
    lists : list of ndarray of int64
        Rows of the items, ascending.
    """

    def __init__(self, lists):
        self._lists = lists
        self.group = np.arange(len(lists))

    @property
    def longest(self):
        """Length of the longest list."""
        return max(map(len, self._lists), default=0)

    def lists(self, groups):
        """List the relevant items of some groups, ascending: `offsets` (len(groups) + 1,) and `rows`."""
        return _join([self._lists[group] for group in groups])

    def permute(self, order):
        """Follow items that are put in another order."""
        position = np.argsort(order)
        return ListedRelevance([np.sort(position[rows]) for rows in self._lists])


def read_relevance(query_labels, database_labels, n_queries, n_items):
    """Read both sides' labels and say what they make relevant."""
    query, database = read_both_labels(query_labels, database_labels, n_queries, n_items)
    if query.multilabel:
        return SharedLabelRelevance(pack_codes(query.codes), pack_codes(database.codes))
    classes = np.unique(np.concatenate([query.classes, database.classes]))
    return ClassRelevance(*(np.searchsorted(classes, side.classes)[side.codes] for side in (query, database)))


def read_both_labels(query_labels, database_labels, n_queries, n_items):
    """Read both sides' labels and check that they are of one kind."""
    query = _read(query_labels, "query", n_queries)
    database = _read(database_labels, "database", n_items)
    if query.multilabel != database.multilabel:
        kinds = {True: "a multi-hot matrix", False: "one class label per row"}
        raise ValueError(
            f"query_labels is {kinds[query.multilabel]} but database_labels is {kinds[database.multilabel]}; "
            "both must be of one kind."
        )
    if query.multilabel and len(query.classes) != len(database.classes):
        raise ValueError(
            f"query_labels has {len(query.classes)} label columns, database_labels has {len(database.classes)}."
        )
    if not query.multilabel and (query.classes.dtype.kind in "OU") != (database.classes.dtype.kind in "OU"):
        raise ValueError(
            f"query_labels has dtype {query.classes.dtype} but database_labels has {database.classes.dtype}: "
            "strings and numbers are never equal."
        )
    return query, database


def _read(labels, side, n_rows):
    """Read the labels of one side; a wrong number of rows is told in this function's own words."""
    if labels is None:
        raise ValueError(f"{side}_labels must be class labels or a multi-hot matrix, got None.")
    labels = read_labels(labels, name=f"{side}_labels")
    if len(labels) != n_rows:
        raise ValueError(f"{side}_codes has {n_rows} rows, but {side}_labels has {len(labels)}.")
    return labels


def _join(lists):
    """Lists one behind the other, and where each begins."""
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(rows) for rows in lists], out=offsets[1:])
    return offsets, np.concatenate(lists) if lists else np.empty(0, np.int64)


@kernel
def _share_a_label(items, labels):
    """Tell which rows of `items` have a bit in common with `labels`."""
    shared = np.zeros(len(items), np.bool_)
    for w in range(len(labels)):
        if labels[w]:
            for i in range(len(items)):
                shared[i] |= (items[i, w] & labels[w]) != 0
    return shared
