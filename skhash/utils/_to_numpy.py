"""Convert arrays of other libraries to numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_numpy(value: Any, name: str) -> NDArray[Any]:
    """Convert an array, tensor, series, data frame or nested list to a numpy array.

    Parameters
    ----------
    value : array-like
        An array of numpy; a dense tensor of any device, with or without gradient (bfloat16 and floats of 8 bits become
        float32); a series, data frame or extension array of pandas, polars or Arrow; or a nested list. Numbers with
        missing entries become floats with NaN. A list that mixes strings with other types becomes an array of objects.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    array : ndarray
        The values. An array of numpy is returned as it is.

    Raises
    ------
    ValueError
        If a masked array has masked values, or a list is ragged.
    TypeError
        If `value` is a sparse matrix, or a sparse or quantized tensor.

    Examples
    --------
    >>> import torch
    >>> from skhash.utils import to_numpy
    >>> to_numpy(torch.ones(2, dtype=torch.bfloat16, requires_grad=True), "X")
    array([1., 1.], dtype=float32)
    """
    if type(value).__module__.startswith("scipy.sparse"):  # the runtime works without scipy
        raise TypeError(f"{name} is a sparse matrix; expected a dense array, which its method toarray returns.")
    if isinstance(value, np.ma.MaskedArray):
        _refuse_masked(value, name)
        return np.asarray(value.data)
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):
        return _tensor_to_numpy(value, name)
    if type(value).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        return _narrow(_frame_to_numpy(value))
    if hasattr(value, "to_numpy"):
        return np.asarray(value.to_numpy())
    return _list_to_numpy(value, name) if isinstance(value, (list, tuple)) else np.asarray(value)


def unwrap(value: Any, name: str) -> Any:
    """Convert a tensor to numpy and refuse masked values; return any other value as it is.

    For arguments that scikit-learn reads itself, such as data frames with names of features.

    Parameters
    ----------
    value : object
        What the user passed.
    name : str
        Name of the argument in error messages.

    Returns
    -------
    value : object
        An array in place of a tensor or a masked array.

    Raises
    ------
    ValueError
        If a masked array has masked values.
    """
    return to_numpy(value, name) if hasattr(value, "detach") or isinstance(value, np.ma.MaskedArray) else value


def is_missing(item: object) -> bool:
    """Check whether a value is None, NaN, or the missing value of pandas."""
    return (
        item is None
        or type(item).__name__ in ("NAType", "NaTType")
        or (isinstance(item, (float, np.floating)) and bool(item != item))
    )


def _refuse_masked(value: Any, name: str) -> None:
    n_masked = int(np.ma.count_masked(value))
    if n_masked:
        raise ValueError(
            f"{name} is a masked array with {n_masked} masked values; expected an array without masked values. "
            "Remove or fill them first."
        )


def _tensor_to_numpy(tensor: Any, name: str) -> NDArray[Any]:
    # Compare by name: torch must not be imported for this.
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided" or getattr(tensor, "is_quantized", False):
        raise TypeError(
            f"{name} is a sparse or quantized tensor; expected a dense one, as to_dense or dequantize returns."
        )
    tensor = tensor.detach().cpu()
    small = tensor.is_floating_point() and str(tensor.dtype) not in ("torch.float16", "torch.float32", "torch.float64")
    return (tensor.float() if small else tensor).resolve_conj().resolve_neg().numpy()


def _frame_to_numpy(value: Any) -> NDArray[Any]:
    if type(value).__module__.startswith("pyarrow"):
        if hasattr(value, "combine_chunks") and hasattr(value, "column_names"):
            value = value.to_pandas()
        elif hasattr(value, "combine_chunks"):
            return np.asarray(value.to_numpy())
        else:
            return np.asarray(value.to_numpy(zero_copy_only=False))
    return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Convert objects that are all numbers or all booleans, as extension types give them, to their own type."""
    if array.dtype != object:
        return array
    items = array.ravel().tolist()
    present = [item for item in items if not is_missing(item)]
    booleans = {isinstance(item, (bool, np.bool_)) for item in present}
    if booleans != {True} and not (
        booleans == {False} and all(isinstance(i, (int, float, np.number)) for i in present)
    ):
        return array
    return np.asarray([np.nan if is_missing(item) else item for item in items]).reshape(array.shape)


def _list_to_numpy(items: list[Any] | tuple[Any, ...], name: str) -> NDArray[Any]:
    kinds = set(map(type, items))
    if any(hasattr(kind, "detach") or issubclass(kind, np.ma.MaskedArray) for kind in kinds):
        items = [to_numpy(item, name) for item in items]
    try:
        array = np.asarray(items)
    except ValueError as error:
        raise ValueError(f"{name} is a nested list without a regular shape; expected rows of one length.") from error
    texts = all(issubclass(kind, str) for kind in kinds) or all(issubclass(kind, bytes) for kind in kinds)
    if array.ndim == 1 and array.dtype.kind in "US" and not texts:
        return np.array(items, dtype=object)  # numpy would turn None, numbers and bytes into strings
    return array
