"""Views of arrays for kernels."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that memory-mapped and ordinary arrays run the same machine code.

    numba compiles a kernel once more for every combination of writable and read-only arguments.

    Parameters
    ----------
    array : ndarray
        Any array, including those of a subclass such as `numpy.memmap`.

    Returns
    -------
    view : ndarray
        The same memory as a plain, read-only `numpy.ndarray`; the array itself if it is one.
    """
    if type(array) is np.ndarray and not array.flags.writeable:
        return array
    view = array.view(np.ndarray)
    view.setflags(write=False)
    return view


def is_dask(X: object) -> bool:
    """Check whether an object is a Dask collection, without importing Dask.

    Parameters
    ----------
    X : object
        Any object.

    Returns
    -------
    lazy : bool
        True for Dask's arrays, bags, data frames and delayed objects.
    """
    return type(X).__module__.startswith("dask.")


def encode_dask(estimator: Any, X: Any, method: Any) -> Any:
    """Compute a method of an estimator for a Dask collection, lazily.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    X : dask.array.Array, dask.bag.Bag or dask.dataframe.DataFrame
        Samples.
    method : str
        Name of the method.

    Returns
    -------
    result : dask.array.Array or dask.bag.Bag
        See `skhash.distributed.encode`.
    """
    from skhash.distributed import encode  # which this package knows nothing else of

    return encode(estimator, X, method)


def is_mapped(array: NDArray[Any]) -> bool:
    """Check whether an array is a view of a memory-mapped file.

    Parameters
    ----------
    array : ndarray
        Any array.

    Returns
    -------
    mapped : bool
        True if the memory belongs to an `mmap`.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
        base = base.obj if isinstance(base, memoryview) else base
    return isinstance(base, mmap.mmap)
