"""Normalized discounted cumulative gain, with the number of labels in common as graded relevance."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skhash.bitops import kernel, popcount
from skhash.codes import pack_codes
from skhash.metrics._score import Score
from skhash.metrics.ranking._nearest import nearest_rows, worth_searching
from skhash.metrics.ranking._protocols import TIE_WORDS
from skhash.metrics.ranking._ranks import measure, shift_to_starts
from skhash.metrics.ranking._relevance import ClassRelevance, distinct_rows, read_both_labels, read_relevance
from skhash.metrics.ranking._retrieval import (
    RETRIEVAL_CONSTRAINTS,
    Retrieval,
    check_same_sides,
    own_rows,
    read_both_codes,
)
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike

NDCG_TIES: Final = ("stable", "expected")

_BATCH = 64


@validate_params(
    {
        **RETRIEVAL_CONSTRAINTS,
        "R": [Interval(Integral, 1, None, closed="left"), None],
        "gain": [StrOptions({"exponential", "linear"})],
        "ties": [StrOptions(set(NDCG_TIES))],
    },
    prefer_skip_nested_validation=True,
)
def ndcg(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    R: int | None = 100,
    gain: Literal["exponential", "linear"] = "exponential",
    ties: Literal["stable", "expected"] = "stable",
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Score:
    r"""Compute the normalized discounted cumulative gain of the first R results (NDCG@R), by graded relevance.

    The grade of an item is the number of labels that it has in common with the query.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Multi-hot labels of both sides, or class labels, whose grades are 0 and 1.
    R : int, default=100
        Number of ranks that count; None means the whole database.
    gain : {"exponential", "linear"}, default="exponential"
        Gain of grade g: :math:`2^g - 1`, usual in multi-label hashing, or g.
    ties : {"stable", "expected"}, default="stable"
        Order of items at the same distance: as in the database, or averaged over all orders.
    exclude_self : bool, default=False
        Exclude each query from its own ranking: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    ndcg : Score
        From 0 to 1. A query to which nothing is relevant counts 0.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent.

    Notes
    -----
    .. math:: \mathrm{DCG@}R = \sum_{r=1}^{R} \frac{\mathrm{gain}(g_r)}{\log_2(1 + r)}

    divided by the same for the best possible order. scikit-learn's `ndcg_score` has the linear gain.

    References
    ----------
    .. [1] K. Jaervelin, J. Kekaelaeinen. "Cumulated gain-based evaluation of IR techniques". ACM TOIS 20(4), 2002.

    Examples
    --------
    >>> from skhash.metrics import ndcg
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> round(ndcg([[0, 0, 0, 0]], database, [[1, 1]], [[1, 0], [1, 1], [0, 0], [0, 1]]), 4)
    0.8045
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
    query, items = read_both_labels(query_labels, database_labels, len(queries), len(database))
    if exclude_self:
        check_same_sides(queries, database, np.array_equal(query.decode(), items.decode()))
    own = own_rows(len(queries), exclude_self)
    depth = len(database) if R is None else min(R, len(database))
    discounts = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, depth + 2)))])
    if query.multilabel:
        query_words, item_words = pack_codes(query.codes), pack_codes(items.codes)
        grades = np.arange(len(query.classes) + 1, dtype=float)
        table = 2.0**grades - 1 if gain == "exponential" else grades, discounts
        sides = queries, database, bits, own, depth, n_jobs
        if ties == "stable" and worth_searching(depth, len(database)):
            parts = [_sum_found(query_words[batch], item_words, rows, *table) for batch, rows in nearest_rows(*sides)]
            reached = np.concatenate(parts)
            sets, group = np.unique(query_words, axis=0, return_inverse=True)
            ideal = _sum_ideal(sets, *distinct_rows(item_words), exclude_self, *table)[group.reshape(-1)]
        else:
            reached, ideal = _rank_all(*sides, query_words, item_words, table, expected=ties == "expected")
    else:  # both gains are 0 or 1
        relevance = read_relevance(query_labels, database_labels, len(queries), len(database))
        retrieval = Retrieval(queries, database, bits, relevance, own, n_jobs)
        reached = _sum_relevant(retrieval, discounts, expected=ties == "expected")
        ideal = discounts[np.minimum(retrieval.totals(), depth)]
    values = np.divide(reached, ideal, out=np.zeros(len(ideal)), where=ideal > 0)
    definition = (
        f"NDCG@{'all' if R is None else R}: {gain} gain of the number of shared labels, queries without relevant items "
        f"count 0, {TIE_WORDS[ties]}"
    )
    return Score(values.mean(), definition, values)


def _sum_relevant(retrieval: Retrieval, discounts: NDArray[np.float64], *, expected: bool) -> NDArray[np.float64]:
    """Sum the discounts of the relevant items among the first ones of each ranking."""
    depth = len(discounts) - 1
    # Ranks beyond the last that counts gain nothing.
    step = np.append(np.diff(discounts, prepend=0.0), 0.0)

    relevance = retrieval.relevance
    if not expected and isinstance(relevance, ClassRelevance) and worth_searching(depth, len(retrieval.database)):
        found = nearest_rows(
            *(retrieval.queries, retrieval.database, retrieval.bits, retrieval.own, depth, retrieval.n_jobs)
        )
        return np.concatenate(
            [_sum_equal(relevance.group[batch], relevance.items, rows, step) for batch, rows in found]
        )

    def sum_ranks(_: NDArray[np.int64], ranks: Any, starts: Any, lengths: Any) -> tuple[NDArray[np.float64]]:
        return (_sum_ranks(ranks, starts, lengths, step),)

    def sum_groups(rows: NDArray[np.int64], counts: Any, relevant: Any) -> tuple[NDArray[np.float64]]:
        # Each rank of a group of equal distances has the mean gain of its items.
        ends = np.minimum(counts.cumsum(axis=1), depth)
        spans = np.diff(discounts[ends], axis=1, prepend=0.0)
        shares = np.divide(relevant, counts, out=np.zeros(counts.shape), where=counts > 0)
        return ((shares * spans).sum(axis=1),)

    batches = retrieval.groups(sum_groups) if expected else retrieval.ranks(sum_ranks, depth)
    return retrieval.per_query(batches)[0]


def _rank_all(
    queries: NDArray[np.uint64],
    database: NDArray[np.uint64],
    bits: int,
    own: NDArray[np.int64],
    depth: int,
    n_jobs: int | None,
    query_words: NDArray[np.uint64],
    item_words: NDArray[np.uint64],
    table: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    expected: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum the discounted gains of each ranking and of the best possible one, in threads, from all distances."""
    columns = np.ascontiguousarray(database.T), np.ascontiguousarray(item_words.T)
    n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
    size = min(_BATCH, -(-len(queries) // n_threads))
    parts = Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(_gain_sums)(*(queries[rows], query_words[rows], own[rows], *columns, bits, *table, depth, expected))
        for rows in gen_batches(len(queries), size)
    )
    reached, ideal = (np.concatenate(part) for part in zip(*parts, strict=True))
    return reached, ideal


@kernel
def _sum_found(query_labels, item_labels, rows, gains, discounts):
    """Sum the discounted gains of the first items of each ranking, `rows` of shape (n_queries, R)."""
    reached = np.zeros(len(rows))
    for q in range(len(rows)):
        for rank in range(rows.shape[1]):
            grade = _grade_of(query_labels[q], item_labels[rows[q, rank]])
            if grade:
                reached[q] += gains[grade] * (discounts[rank + 1] - discounts[rank])
    return reached


@kernel
def _sum_ranks(ranks, starts, lengths, step):
    """Sum the discounts of each query's ranks, up to the last that counts."""
    # One query's ranks are added in their order, whatever the batch.
    reached = np.zeros(len(lengths))
    for q in range(len(lengths)):
        for rank in ranks[starts[q] : starts[q] + lengths[q]]:
            if rank >= len(step) - 1:  # they ascend
                break
            reached[q] += step[rank]
    return reached


@kernel
def _sum_equal(query_classes, item_classes, rows, step):
    """Sum the discounts of the ranks of items of the query's class, `rows` of shape (n_queries, R)."""
    reached = np.zeros(len(rows))
    for q in range(len(rows)):
        for rank in range(rows.shape[1]):
            if item_classes[rows[q, rank]] == query_classes[q]:
                reached[q] += step[rank + 1]
    return reached


@kernel
def _sum_ideal(label_sets, sets, sizes, exclude_self, gains, discounts):
    """Sum the discounted gains of the best possible ranking for some queries' labels.

    `sets` and `sizes` are the distinct labels of the items and how many items have them.
    """
    ideal, n_of_grade = np.zeros(len(label_sets)), np.empty(len(gains), np.int64)
    for q in range(len(label_sets)):
        n_of_grade[:] = 0
        for i in range(len(sets)):
            n_of_grade[_grade_of(label_sets[q], sets[i])] += sizes[i]
        if exclude_self:
            n_of_grade[_grade_of(label_sets[q], label_sets[q])] -= 1
        ideal[q] = _best(n_of_grade, gains, discounts)
    return ideal


@kernel
def _best(n_of_grade, gains, discounts):
    """Sum the discounted gains of the ranks in the order of descending grades."""
    total, first = 0.0, 0
    for grade in range(len(gains) - 1, 0, -1):
        last = min(first + n_of_grade[grade], len(discounts) - 1)
        total += gains[grade] * (discounts[last] - discounts[first])
        first = last
    return total


@kernel
def _grade_of(label, other):
    """Count the labels that two rows have in common."""
    grade = np.int64(0)
    for word in range(len(label)):
        grade += np.int64(popcount(label[word] & other[word]))  # pyright: ignore[reportCallIssue]
    return grade


@kernel
def _grade(label, labels, grades):
    """Count the labels that each item has in common with a query."""
    grades[:] = 0
    for word in range(len(label)):
        column = labels[word]
        for item in range(len(grades)):
            grades[item] += popcount(label[word] & column[item])  # pyright: ignore[reportCallIssue]


@kernel
def _gain_sums(queries, query_labels, own, database, labels, bits, gains, discounts, R, expected):
    """Sum the discounted gains of the first R items of each ranking, and of the best possible one, without row `own`.

    `discounts[r]` is the sum of the discounts of the first r ranks.
    """
    # Distances are sorted by counting: `starts[d]` is the rank of the next item at distance d.
    n_queries, n_items = len(queries), database.shape[1]
    reached, ideal = np.zeros(n_queries), np.zeros(n_queries)
    distance, grades = np.empty(n_items, np.int32), np.empty(n_items, np.int32)
    starts, sums, n_of_grade = np.empty(bits + 2, np.int64), np.empty(bits + 2), np.empty(len(gains), np.int64)
    for q in range(n_queries):
        measure(queries[q], database, distance)
        _grade(query_labels[q], labels, grades)
        if own[q] >= 0:
            distance[own[q]], grades[own[q]] = bits + 1, 0  # after all other items, without any gain
        starts[:], sums[:], n_of_grade[:] = 0, 0.0, 0
        for item in range(n_items):
            starts[distance[item]] += 1
            sums[distance[item]] += gains[grades[item]]
            n_of_grade[grades[item]] += 1
        shift_to_starts(starts)
        if expected:
            for d in range(bits + 1):
                first, size = starts[d], starts[d + 1] - starts[d]
                # Each rank of the group has the mean gain of its items.
                if size and first < R:
                    reached[q] += sums[d] / size * (discounts[min(first + size, R)] - discounts[first])
        else:
            for item in range(n_items):
                rank = starts[distance[item]]
                starts[distance[item]] += 1
                if rank < R:
                    reached[q] += gains[grades[item]] * (discounts[rank + 1] - discounts[rank])
        ideal[q] = _best(n_of_grade, gains, discounts)
    return reached, ideal
