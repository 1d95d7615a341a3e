"""Recognition by retrieval: does the vote of the nearest codes name the right class?"""

from numbers import Integral

import numpy as np

from skhash.index import HammingIndex
from skhash.metrics._score import Score
from skhash.metrics.ranking._relevance import read_both_labels
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS, check_same_sides, read_both_codes
from skhash.utils import Interval, validate_params


@validate_params(
    {**RETRIEVAL_CONSTRAINTS, "n_neighbors": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def knn_accuracy(
    query_codes,
    database_codes,
    query_labels,
    database_labels,
    *,
    n_neighbors=100,
    exclude_self=False,
    bits=None,
    n_jobs=None,
):
    """Share of queries whose class wins the vote of the nearest database items.

    Parameters
    ----------
    query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
        Codes that are searched for, and codes that are searched.
    query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
        Class labels of either; for multi-hot labels a query is right if all its labels are, as in scikit-learn's
        `accuracy_score`.
    n_neighbors : int, default=100
        Number of voters (of all, if there are fewer). 100 is that of LBHash.
    exclude_self : bool, default=False
        Let no query vote for itself: query `i` is database item `i`.
    bits : int, default=None
        Code length, needed for packed bytes and for packed words with padding.
    n_jobs : int, default=None
        Number of threads.

    Returns
    -------
    accuracy : Score
        From 0 to 1.

    Raises
    ------
    ValueError
        If codes or labels are malformed or do not fit each other.

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
    queries, database, bits = read_both_codes(query_codes, database_codes, bits)
    query, items = read_both_labels(query_labels, database_labels, len(queries), len(database))
    if exclude_self:
        check_same_sides(queries, database, np.array_equal(query.decode(), items.decode()))
    index = HammingIndex(n_neighbors=n_neighbors, bits=bits, n_jobs=n_jobs).fit(database, database_labels)
    right = np.asarray(index.predict(None if exclude_self else queries)) == query.decode()
    right = right.all(axis=1) if right.ndim == 2 else right
    definition = f"accuracy of the vote of the {n_neighbors} nearest; equal votes go to the class that is nearest"
    return Score(right.mean(), definition, right.astype(float))
