"""Recognition by retrieval: accuracy of the vote of the nearest codes."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from skhash.index import HammingIndex
from skhash.metrics._score import Score
from skhash.metrics.ranking._relevance import read_both_labels
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS, check_same_sides, read_both_codes
from skhash.utils import Interval, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike


@validate_params(
    {**RETRIEVAL_CONSTRAINTS, "n_neighbors": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def knn_accuracy(
    query_codes: CodesLike,
    database_codes: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    n_neighbors: int = 100,
    exclude_self: bool = False,
    bits: int | None = None,
    bitorder: BitOrder = "little",
    n_jobs: int | None = None,
) -> Score:
    """Compute the share of queries whose class wins the vote of the nearest database items.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes of the queries and codes of the database.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels or multi-hot labels of both sides. A query with multi-hot labels is right if all its labels are, as
        in scikit-learn's `accuracy_score`.
    n_neighbors : int, default=100
        Number of voters; the whole database if it is smaller. 100 is the value of LBHash.
    exclude_self : bool, default=False
        Exclude each query from its own vote: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    accuracy : Score
        From 0 to 1.

    Raises
    ------
    ValueError
        If codes or labels are malformed or inconsistent.

    See Also
    --------
    skhash.HammingIndex.predict : The vote.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance" (LBHash). NeurIPS
       2022, on recognition performance.

    Examples
    --------
    >>> from skhash.metrics import knn_accuracy
    >>> database = [[0, 0, 0, 0], [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    >>> knn_accuracy([[0, 0, 0, 0], [0, 1, 1, 1]], database, [0, 0], [0, 0, 1, 1], n_neighbors=3)
    0.5
    """
    queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
    query, items = read_both_labels(query_labels, database_labels, len(queries), len(database))
    if exclude_self:
        check_same_sides(queries, database, np.array_equal(query.decode(), items.decode()))
    index = HammingIndex(n_neighbors=n_neighbors, bits=bits, n_jobs=n_jobs).fit(database, database_labels)
    right = np.asarray(index.predict(None if exclude_self else queries)) == query.decode()
    right = right.all(axis=1) if right.ndim == 2 else right
    definition = f"accuracy of the vote of the {n_neighbors} nearest; equal votes go to the class that is nearest"
    return Score(right.mean(), definition, right.astype(float))
