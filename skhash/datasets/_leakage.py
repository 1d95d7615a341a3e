"""The leakage guard: no query may be in the database, neither by its index nor as an identical copy."""

import warnings
from hashlib import blake2b

import numpy as np

__all__ = ["LeakageWarning", "check_leakage"]

_BLOCK_BYTES = 1 << 24


class LeakageWarning(UserWarning):
    """Queries have identical copies among the samples that are trained on or searched."""


def check_leakage(X, split):
    """Look for queries that are also trained on or searched.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The samples that were split: an array, DataFrame or tensor. Two rows are identical if all their bytes are. Of an
        array of file names the names are compared. Other collections (lists, data sets, sparse matrices) are only
        checked by index.
    split : RetrievalSplit
        Row numbers of the parts.

    Returns
    -------
    copies : ndarray of int64 of shape (n_copies, 2)
        One line for each row of the training set, the validation set or the database that is identical to a query:
        the first such query, and the row. Sorted by the second column.

    Raises
    ------
    ValueError
        If a query's own row number is in another part.

    Warns
    -----
    LeakageWarning
        If there are identical copies. Real data sets hold a few, so this is no error.

    Notes
    -----
    Rows are compared by 128-bit BLAKE2 digests, of which only those of the queries are kept in memory.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.datasets import RetrievalSplit, check_leakage
    >>> X = np.arange(12).reshape(6, 2)
    >>> check_leakage(X, RetrievalSplit(query=[0, 1], train=[2], database=[2, 3, 4, 5]))
    array([], shape=(0, 2), dtype=int64)
    >>> check_leakage(X, RetrievalSplit(query=[0, 1], train=[2], database=[1, 2, 3]))
    Traceback (most recent call last):
    ...
    ValueError: 1 of 2 queries are also in the training set, the validation set or the database, for example row 1.
    """
    shared = np.intersect1d(split.query, _other_rows(split))
    if shared.size:
        raise ValueError(
            f"{len(shared):,} of {len(split.query):,} queries are also in the training set, the validation set or the "
            f"database, for example row {shared[0]}."
        )
    copies = find_copies(X, split)
    if len(copies):
        remedy = "retrieval_split(..., duplicates='drop') leaves them out"
        warnings.warn(describe_copies(copies, split, X, remedy), LeakageWarning, stacklevel=2)
    return copies


def find_copies(X, split):
    """Pairs (query, row) as `check_leakage` returns them."""
    X = _as_array(X)
    if X is None:
        return np.empty((0, 2), dtype=np.int64)
    first_query = {}
    for row, digest in _digests(X, np.sort(split.query)):
        first_query.setdefault(digest, row)
    pairs = [(first_query[d], row) for row, d in _digests(X, _other_rows(split)) if d in first_query]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def describe_copies(copies, split, X, remedy):
    """Say how many copies there are, and which (by name, if the samples are names), and what to do."""
    X = _as_array(X)
    names = X if X is not None and X.dtype.kind == "U" and X.ndim == 1 else None
    examples = [
        f"row {row} = query {query}" + ("" if names is None else f" ({str(names[row])!r})") for query, row in copies[:3]
    ]
    return (
        f"{len(copies):,} rows of the training set, the validation set or the database are identical to a query "
        f"({len(np.unique(copies[:, 0])):,} distinct of {len(split.query):,} queries): {', '.join(examples)}"
        f"{', ...' if len(copies) > 3 else ''}. Finding them says nothing about the codes; {remedy}."
    )


def _other_rows(split):
    """Row numbers that are in any part but the queries, ascending."""
    return np.unique(np.concatenate([split.train, split.validation, split.database]).astype(np.int64))


def _as_array(X):
    """The samples as an array whose rows have bytes, or None if they are no such thing."""
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    elif hasattr(X, "to_numpy"):
        X = X.to_numpy()
    return X if isinstance(X, np.ndarray) and not X.dtype.hasobject else None


def _digests(X, rows):
    """Yield (row number, digest of the row's bytes), copying only a block of rows at a time."""
    width = X.dtype.itemsize * int(np.prod(X.shape[1:]))
    step = max(1, _BLOCK_BYTES // max(width, 1))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        data = memoryview(X[block].tobytes())
        for position, row in enumerate(block.tolist()):
            yield row, blake2b(data[position * width : (position + 1) * width], digest_size=16).digest()
