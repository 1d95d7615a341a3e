"""Mean average precision of a retrieval by Hamming distance."""

from numbers import Integral

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import gen_batches
from sklearn.utils.parallel import Parallel, delayed

from skhash.codes import as_packed
from skhash.metrics._average_precision import DENOMINATORS, TIES
from skhash.metrics._kernels import histograms, stable_sums
from skhash.metrics._precision_sums import divide, tied_sums
from skhash.metrics._relevance import label_words
from skhash.utils import Interval, StrOptions, local_random_state, validate_params

MAP_CONSTRAINTS = {
    "R": [Interval(Integral, 1, None, closed="left"), None],
    "denominator": [StrOptions(DENOMINATORS)],
    "zero_hit": [StrOptions({"zero", "skip"})],
    "ties": [StrOptions(TIES)],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
}

# Bounds the histograms in memory (two of bits + 1 int64 each per query) and evens out the threads' work.
BATCH = 256


@validate_params({**MAP_CONSTRAINTS, "exclude_self": ["boolean"]}, prefer_skip_nested_validation=True)
def mean_average_precision(
    query_codes,
    database_codes,
    query_labels,
    database_labels,
    *,
    R=None,
    denominator="top",
    zero_hit="zero",
    ties="stable",
    exclude_self=False,
    bits=None,
    random_state=None,
    n_jobs=None,
):
    """Mean average precision (mAP@R) of ranking a database by Hamming distance from each query.

    With the defaults: the whole database is ranked by Hamming distance, equal distances in database order; a database
    item is relevant if it has the query's label (shares one, if there are several); the precisions at the ranks of the
    relevant items are averaged over the relevant items; a query without any counts 0; the mean is over all queries.
    Published figures differ in every one of these choices: state yours with the number.

    Parameters
    ----------
    query_codes : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
        Codes that are searched for.
    database_codes : array-like of shape (n_items, bits) or in another form of `skhash.codes`
        Codes that are searched.
    query_labels : array-like of shape (n_queries,) or (n_queries, n_classes)
        Class labels (integers, strings) or a multi-hot 0 / 1 matrix. Classes that the database lacks are legal: such a
        query has no relevant item.
    database_labels : array-like of shape (n_items,) or (n_items, n_classes)
        The same for the database, of the same kind.
    R : int, default=None
        Ranks that count, at least 1 (mAP@R). None means the whole database (mAP@all).
    denominator : {"top", "total", "min"}, default="top"
        What a query's sum of precisions is divided by: the number of relevant items within the first `R` ("top", the
        usual one in deep hashing: it does not measure recall), the number of all relevant items ("total"), or
        `min(R, total)`. All the same if `R` is None.
    zero_hit : {"zero", "skip"}, default="zero"
        Whether a query with no relevant item within the first `R` counts 0 or is left out of the mean.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at one distance: as in the database, averaged over all orders, relevant items first, relevant
        items last, or database order after one shuffle of the database by `random_state`. Short codes tie often; in a
        database sorted by class "stable" favours some classes, "expected" does not. See `average_precision` for what is
        exact.
    exclude_self : bool, default=False
        Leave each query out of its own ranking: query `i` is database item `i`, and both sides hold the same codes.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"` only.
    n_jobs : int, default=None
        Number of threads; None means 1 unless in a `joblib.parallel_config` context, -1 means all. The result does not
        depend on it.

    Returns
    -------
    map : float
        Mean average precision, from 0 to 1.

    Raises
    ------
    ValueError
        If codes or labels are malformed or do not fit each other, if either side is empty, or if `zero_hit="skip"`
        leaves no query.

    See Also
    --------
    average_precision : One ranked list, and the definition in full.
    make_map_scorer : The same as a `scoring=` of scikit-learn.

    Notes
    -----
    Each query costs one pass over the database that counts distances; nothing is sorted. Memory grows with the
    database, not with the number of pairs: about 18 bytes per item and thread, beside codes and labels.

    Examples
    --------
    >>> from skhash.metrics import mean_average_precision
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> mean_average_precision([[0, 0, 0, 0]], database, ["cat"], ["cat", "dog", "cat", "dog"])
    0.8333333333333333
    >>> mean_average_precision(database, database, [0, 0, 1, 1], [0, 0, 1, 1], exclude_self=True)
    1.0
    """
    queries, database, bits = _read_codes(query_codes, database_codes, bits, exclude_self)
    labels, database_labels, multilabel = label_words(query_labels, database_labels, len(queries), len(database))
    own = np.arange(len(queries)) if exclude_self else np.full(len(queries), -1)
    if ties == "random":
        shuffled = local_random_state(random_state).permutation(len(database))
        database, database_labels = database[shuffled], database_labels[shuffled]
        own = np.argsort(shuffled) if exclude_self else own
    n_ranked = len(database) - exclude_self
    R = n_ranked if R is None else min(R, n_ranked)

    order = np.lexsort(labels.T)  # queries of one label in a row share the list of relevant items
    queries, labels, own = queries[order], labels[order], own[order]
    searched = np.ascontiguousarray(database.T), np.ascontiguousarray(database_labels.T), multilabel
    size = min(BATCH, -(-len(queries) // effective_n_jobs(n_jobs)))
    parts = Parallel(n_jobs=n_jobs, require="sharedmem")(
        delayed(_sum_precisions)(queries[rows], labels[rows], *searched, own[rows], bits, R, ties)
        for rows in gen_batches(len(queries), size)
    )
    sums, hits, total = (np.concatenate(part) for part in zip(*parts, strict=True))
    ap = divide(sums, hits, total, R, denominator)
    if zero_hit == "skip":
        if not hits.any():
            raise ValueError(
                f"zero_hit='skip' leaves no query: none of the {len(queries)} has a relevant item within the top {R}."
            )
        ap = ap[hits > 0]
    return float(ap.mean())


def _read_codes(query_codes, database_codes, bits, exclude_self):
    """Pack both sides and check that they fit each other."""
    queries, query_bits = _pack(query_codes, bits, "query_codes")
    database, bits = _pack(database_codes, bits, "database_codes")
    if query_bits != bits:
        raise ValueError(
            f"query_codes have {query_bits} bits, database_codes have {bits}. "
            "(Packed words count 64 bits each unless bits= says fewer.)"
        )
    if exclude_self and not np.array_equal(queries, database):
        raise ValueError(
            "exclude_self=True needs the same codes, in the same order, as query_codes and database_codes."
        )
    if exclude_self and len(database) == 1:
        raise ValueError("exclude_self=True leaves nothing to rank: the database has only one row.")
    return queries, database, bits


def _pack(codes, bits, name):
    """Pack one side, naming it in errors."""
    try:
        packed, bits = as_packed(codes, bits)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error
    if len(packed) == 0:
        raise ValueError(f"{name} has no rows; at least one code is needed.")
    return packed, bits


def _sum_precisions(queries, labels, database, database_labels, multilabel, own, bits, R, ties):
    """Sums of precisions, (expected) hits within the top R and relevant items in all, for a batch of queries."""
    distance = np.empty(database.shape[1], dtype=np.min_scalar_type(bits + 1))
    known = queries, labels, database, database_labels, multilabel, own, bits
    if ties in ("stable", "random"):
        return stable_sums(*known, R, distance)
    counts, relevant = histograms(*known, distance)
    return *tied_sums(counts, relevant, R, ties), relevant.sum(axis=1)
