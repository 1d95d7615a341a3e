"""Vectors of candidates, found by id: rows of an array alone do not say whose they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from skhash.index.collection._ids import IdLookup, check_unique, name_some, read_ids
from skhash.utils import to_numpy

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._collection import Collection
    from skhash.index.collection._ids import IdsLike

    VectorsLike: TypeAlias = "ArrayLike | Mapping[Any, ArrayLike] | Callable[[NDArray[Any]], ArrayLike]"

__all__ = ["find_vectors"]


def find_vectors(
    vectors: VectorsLike,
    vector_ids: IdsLike | None,
    candidates: NDArray[Any],
    n_dims: int,
    collection: Collection,
) -> Callable[[int], NDArray[np.float64]]:
    """Check vectors in any form, and return a function from the number of a query to those of its candidates.

    Parameters
    ----------
    vectors, vector_ids : array-like, mapping or callable
        As in `HammingIndex.rerank`.
    candidates : ndarray of int64 or of object of shape (n_queries, n_candidates)
        Ids.
    n_dims : int
        Number of dimensions of the queries.
    collection : Collection
        The indexed codes, which contain all candidates.

    Returns
    -------
    find : callable
        `find(q)` returns an array of float64 of shape (n_candidates, n_dims).
    """
    by_id = callable(vectors) or isinstance(vectors, Mapping)
    array = None if by_id else to_numpy(vectors, "vectors")
    if vector_ids is not None and (array is None or array.ndim != 2):
        raise ValueError("vector_ids are the ids of the rows of a matrix: vectors must have shape (n_vectors, n_dims).")
    if array is None:
        return _find_by_call(vectors if callable(vectors) else _look_up(cast("Mapping", vectors)), candidates, n_dims)
    if array.ndim == 3:
        _check_shape(array, (*candidates.shape, n_dims))
        return lambda q: _as_floats(array[q])
    rows = _rows(array, vector_ids, candidates, n_dims, collection)
    return lambda q: _as_floats(array[rows[q]])


def _rows(
    array: NDArray[Any],
    vector_ids: IdsLike | None,
    candidates: NDArray[Any],
    n_dims: int,
    collection: Collection,
) -> NDArray[np.int64]:
    """Return the rows of a matrix in which the vectors of candidates are."""
    if vector_ids is not None:
        _check_shape(array, (len(array), n_dims))
        known = read_ids(vector_ids, name="vector_ids")
        if len(known) != len(array):
            raise ValueError(
                f"vector_ids must hold one id per row of vectors: vectors has {len(array)}, vector_ids has "
                f"{len(known)}."
            )
        check_unique(known, "vector_ids")
        wanted = read_ids(candidates.ravel())
        rows = IdLookup().find(known, wanted) if len(known) else np.full(len(wanted), -1)
        if (rows < 0).any():
            raise ValueError(f"vector_ids must contain all candidates, but {name_some(wanted[rows < 0])} not in them.")
        return rows.reshape(candidates.shape)
    if collection.next_id is None:
        raise ValueError(
            "vectors is a matrix, whose rows alone do not say to which user-defined ids they belong: pass vector_ids, "
            "the ids of its rows (such as ids_ of the index), or as vectors a mapping or a callable from ids."
        )
    n, n_counted = len(collection), collection.next_id
    if array.ndim == 2 and array.shape[1] == n_dims and n < n_counted and len(array) == n:
        raise ValueError(
            f"vectors must have a row for each of the {n_counted} ids that the index ever counted, got {n} rows; after "
            "a removal, pass vector_ids=index.ids_ with the vectors of the codes that are left."
        )
    _check_shape(array, (n_counted, n_dims), (*candidates.shape, n_dims))
    return candidates.astype(np.int64)


def _check_shape(array: NDArray[Any], *accepted: tuple[int, ...]) -> None:
    """Raise ValueError for vectors of another shape."""
    if array.shape not in accepted:
        shapes = " or ".join(map(str, accepted))
        raise ValueError(f"vectors must have shape {shapes}, got {array.shape}.")


def _find_by_call(
    function: Callable[[NDArray[Any]], Any], candidates: NDArray[Any], n_dims: int
) -> Callable[[int], NDArray[np.float64]]:
    """Return a function that asks another one for the vectors of the ids of each query."""

    def find(q: int) -> NDArray[np.float64]:
        found = to_numpy(function(candidates[q].copy()), "vectors")  # the function may change what it gets
        if found.shape != (candidates.shape[1], n_dims):
            raise ValueError(
                f"vectors(ids) must have shape {(candidates.shape[1], n_dims)}, a row for each id, got {found.shape}."
            )
        return _as_floats(found)

    return find


def _as_floats(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Convert the vectors of some candidates to float64."""
    if vectors.dtype.kind not in "buifO":
        raise TypeError(f"vectors must contain real numbers, got values of type {vectors.dtype}.")
    return np.ascontiguousarray(vectors, np.float64)


def _look_up(mapping: Mapping[Any, Any]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return a function from ids to the vectors in a mapping."""

    def find(ids: NDArray[Any]) -> NDArray[Any]:
        lacking = [label for label in ids.tolist() if label not in mapping]
        if lacking:
            raise ValueError(f"vectors must contain all candidates, but {name_some(lacking)} not in the mapping.")
        return to_numpy([to_numpy(mapping[label], "vectors") for label in ids.tolist()], "vectors")

    return find
