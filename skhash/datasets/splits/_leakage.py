"""The leakage guard: no query may be in the database, neither by its row number nor as an identical copy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.datasets.splits._split import RetrievalSplit

__all__ = ["LeakageWarning", "check_leakage"]

_BLOCK_BYTES = 1 << 24


class LeakageWarning(UserWarning):
    """Warning about queries that have identical copies in the training set, the validation set or the database."""


def check_leakage(X: Any, split: RetrievalSplit) -> NDArray[np.int64]:
    """Find queries that are also in the training set, the validation set or the database.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The samples that were split: an array, DataFrame or tensor. Two rows are identical if all their bytes are equal.
        If `X` is an array of file names, the names are compared. Other collections (lists, data sets, sparse matrices)
        are only checked by row number.
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
        If there are identical copies. This is not an error, because real data sets contain a few.

    Notes
    -----
    Rows are compared by 128-bit BLAKE2 digests. Only the digests of the queries are kept in memory.

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
        remedy = "use retrieval_split(..., duplicates='drop') to leave them out"
        warnings.warn(describe_copies(copies, split, X, remedy), LeakageWarning, stacklevel=2)
    return copies


def find_copies(X: Any, split: RetrievalSplit) -> NDArray[np.int64]:
    """Return pairs (query, row) as `check_leakage` does."""
    array = _as_array(X)
    if array is None:
        return np.empty((0, 2), dtype=np.int64)
    first_query: dict[bytes, int] = {}
    for row, digest in _digests(array, np.sort(split.query)):
        first_query.setdefault(digest, row)
    pairs = [(first_query[d], row) for row, d in _digests(array, _other_rows(split)) if d in first_query]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def describe_copies(copies: NDArray[np.int64], split: RetrievalSplit, X: Any, remedy: str) -> str:
    """Compose the warning: how many copies there are, examples (with names, if samples are names), and the remedy."""
    array = _as_array(X)
    names = array if array is not None and array.dtype.kind == "U" and array.ndim == 1 else None
    examples = [
        f"row {row} = query {query}" + ("" if names is None else f" ({str(names[row])!r})") for query, row in copies[:3]
    ]
    return (
        f"{len(copies):,} rows of the training set, the validation set or the database are identical to a query "
        f"({len(np.unique(copies[:, 0])):,} distinct of {len(split.query):,} queries): {', '.join(examples)}"
        f"{', ...' if len(copies) > 3 else ''}. Retrieving a copy does not measure the codes; {remedy}."
    )


def _other_rows(split: RetrievalSplit) -> NDArray[np.int64]:
    """Return the row numbers of all parts except the queries, ascending."""
    return np.unique(np.concatenate([split.train, split.validation, split.database]).astype(np.int64))


def _as_array(X: Any) -> NDArray[Any] | None:
    """Return the samples as an array of plain bytes, or None if they cannot be compared by their bytes."""
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    elif hasattr(X, "to_numpy"):
        X = X.to_numpy()
    return X if isinstance(X, np.ndarray) and not X.dtype.hasobject else None


def _digests(X: NDArray[Any], rows: NDArray[np.int64]) -> Iterator[tuple[int, bytes]]:
    """Yield (row number, digest of the row's bytes), copying only a block of rows at a time."""
    width = X.dtype.itemsize * int(np.prod(X.shape[1:]))
    step = max(1, _BLOCK_BYTES // max(width, 1))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        data = memoryview(X[block].tobytes())
        for position, row in enumerate(block.tolist()):
            yield row, blake2b(data[position * width : (position + 1) * width], digest_size=16).digest()
