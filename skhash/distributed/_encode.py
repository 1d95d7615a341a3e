"""Codes of Dask arrays, bags and data frames, computed lazily by the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skhash.distributed._model import Model
from skhash.utils import check_option, import_optional, is_dask

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["encode"]

_METHODS = ("transform", "decision_function", "predict")


def encode(hasher: Any, X: Any, method: Literal["transform", "decision_function", "predict"] = "transform") -> Any:
    """Compute the codes of a Dask collection, lazily and block by block.

    `hasher.transform`, `hasher.decision_function` and `hasher.predict` call this for a Dask collection. The fitted
    hasher is one node of the graph: it is sent to each worker once, and loaded there once.

    Parameters
    ----------
    hasher : estimator
        A fitted hasher, a packed hasher, or any other estimator with the method, such as a pipeline.
    X : dask.array.Array, dask.bag.Bag or dask.dataframe.DataFrame
        An array of samples along the first axis (features, or images), a bag with a sample in each item (vector, image
        or path), or a data frame of features. Blocks may be split along the other axes too.
    method : {"transform", "decision_function", "predict"}, default="transform"
        What to compute.

    Returns
    -------
    codes : dask.array.Array or dask.bag.Bag
        For an array or a data frame an array with the same blocks of rows; for a bag a bag with an array for each item.
        The values are those of the method for data in memory.

    Raises
    ------
    NotFittedError
        If the hasher is not fitted; at once, not when the graph is computed.
    ValueError
        If the samples of an array have another shape than those of `fit`; at once.
    TypeError
        If `X` is no such collection.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skhash import LSHHasher
    >>> X = np.random.default_rng(0).normal(size=(100, 8))
    >>> hasher = LSHHasher(bits=16, random_state=0).fit(X)
    >>> codes = hasher.transform(da.from_array(X, chunks=(30, 4)))
    >>> codes.chunks
    ((30, 30, 30, 10), (16,))
    >>> bool((codes.compute() == hasher.transform(X)).all())
    True
    """
    check_option("method", method, _METHODS)
    kind = type(X).__name__
    if not is_dask(X) or kind not in ("Array", "Bag", "DataFrame"):
        raise TypeError(f"X must be a Dask array, bag or data frame, got {type(X).__module__}.{kind}.")
    if isinstance(hasher, BaseEstimator):
        check_is_fitted(hasher)
    function = getattr(hasher, method)  # raises AttributeError here, not in a worker
    if kind == "Bag":
        return X.map_partitions(_encode_items, Model(hasher).delayed(), method)
    if kind == "DataFrame":
        return _encode_frame(hasher, X, method)
    if X.ndim == 0 or (X.ndim > 1 and X.dtype.kind not in "biuf"):
        raise ValueError(f"X must be an array of samples along the first axis, got {X.ndim} axes of type {X.dtype}.")
    if X.ndim > 1:
        if np.isnan(X.shape[1:]).any():
            raise ValueError(f"The shape of the samples of X must be known, got {X.shape}: call compute_chunk_sizes().")
        X = X.rechunk(dict.fromkeys(range(1, X.ndim), -1))
        sample = function(np.zeros((1, *X.shape[1:]), X.dtype))  # refuses what would be refused in a worker
    else:
        sample = _guess(hasher, method)
    return _map_blocks(hasher, X, method, sample)


def _map_blocks(hasher: Any, X: Any, method: str, sample: NDArray[Any]) -> Any:
    """Return the lazy result for an array whose samples are not split; `sample` is the result of one row."""
    trailing = sample.shape[1:]
    meta = np.empty((0, *trailing), sample.dtype)
    dropped = list(range(max(1, sample.ndim), X.ndim))
    added = list(range(X.ndim, sample.ndim))
    return X.map_blocks(
        _encode_block,
        Model(hasher).delayed(),
        method,
        meta,
        dtype=sample.dtype,
        chunks=(X.chunks[0], *((n,) for n in trailing)),
        drop_axis=dropped,
        new_axis=added or None,
        meta=meta,
    )


def _guess(hasher: Any, method: str) -> NDArray[Any]:
    """Return an array like the result for one path, which cannot be read before the graph is computed."""
    if method == "predict":
        classes = hasher.classes_
        label_index = getattr(hasher, "label_index_", None)
        multilabel = label_index is not None and label_index.labels_.multilabel
        return np.zeros((1, len(classes)), np.int64) if multilabel else np.zeros(1, np.asarray(classes).dtype)
    return np.zeros((1, hasher.bits), np.uint8 if method == "transform" else np.float64)


def _encode_frame(hasher: Any, X: Any, method: str) -> Any:
    """Return the lazy result for a data frame; the hasher sees data frames, and so their column names."""
    sample = getattr(hasher, method)(X._meta_nonempty.iloc[:1])
    meta = np.empty((0, *sample.shape[1:]), sample.dtype)
    array = import_optional("dask.array", extra="dask", purpose="Encoding Dask data frames")
    delayed = import_optional("dask", extra="dask", purpose="Encoding Dask data frames").delayed
    model = Model(hasher).delayed()
    blocks = [delayed(_encode_block)(part, model, method, meta) for part in X.to_delayed()]
    shape = (np.nan, *sample.shape[1:])
    return array.concatenate([array.from_delayed(block, shape, meta=meta) for block in blocks])


def _encode_block(block: Any, model: Model, method: str, empty: NDArray[Any]) -> NDArray[Any]:
    """Compute the codes of a block; one without rows, which a filter may leave, has none."""
    if block.shape[0] == 0:
        return empty
    if block.ndim == 1:
        return getattr(model.load(), method)(block.tolist()).astype(empty.dtype, copy=False)  # of paths
    return getattr(model.load(), method)(block)


def _encode_items(items: Any, model: Model, method: str) -> list[NDArray[Any]]:
    """Compute the codes of the items of a partition."""
    items = list(items)
    if not items:
        return []
    if all(isinstance(item, np.ndarray) and item.shape == items[0].shape for item in items):
        items = np.stack(items)
    return list(getattr(model.load(), method)(items))
