"""Features in any form, and one sentence for what is refused before scikit-learn reads it and prints the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from skhash.utils._to_numpy import to_numpy, unwrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURES = "features of shape (n_samples, n_features)"
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_FEW_VALUES = 2**16  # beyond which scikit-learn's checks cost little
_NUMBERS = ("int", "uint", "float", "double", "bool", "decimal")  # how the types of numeric columns begin


def is_array_like(value: object) -> bool:
    """Check whether a value is an array of any library, a data frame or a sequence: not a generator, dict or number.

    Parameters
    ----------
    value : object
        What the user passed.

    Returns
    -------
    array_like : bool
        True for what numpy and scikit-learn read as an array; its shape and contents are not looked at.

    Examples
    --------
    >>> from skhash.utils import is_array_like
    >>> is_array_like([[0.5]]), is_array_like({"a": [0.5]}), is_array_like("photos")
    (True, False, False)
    """
    if isinstance(value, (str, bytes, bytearray, np.generic)):
        return False
    return hasattr(value, "shape") or hasattr(value, "__array__") or isinstance(value, Sequence)


def unwrap_features(X: Any) -> Any:
    """Convert features in a tensor or a list to numpy, and refuse what is not a matrix of real numbers.

    Names of features, and values, are left to scikit-learn, which reads the result.

    Parameters
    ----------
    X : object
        What the user passed.

    Returns
    -------
    X : object
        An array in place of a tensor, list or masked array; anything else as it is.

    Raises
    ------
    TypeError
        If `X` is not array-like, or a sparse tensor.
    ValueError
        If `X` contains strings, dates, complex numbers or masked values, or has fewer than two axes.

    Examples
    --------
    >>> from skhash.utils import unwrap_features
    >>> unwrap_features([["0.5", "2"]])
    Traceback (most recent call last):
    ...
    ValueError: X contains strings such as '0.5'; expected features of shape (n_samples, n_features), ...
    """
    if not is_array_like(X):
        raise TypeError(f"X has type {type(X).__name__}; expected {_FEATURES}.")
    X = to_numpy(X, "X") if isinstance(X, Sequence) else unwrap(X, "X")
    values = _values(X)
    if values is None:
        return X
    kind = values.dtype.kind
    texts = (item for item in values.ravel() if isinstance(item, (str, bytes))) if kind in "OUS" else iter(())
    text = next(texts, None)
    if text is not None:
        raise ValueError(
            f"X contains strings such as {text[:100]!r}; expected {_FEATURES}, which are numbers. Convert them, for "
            "instance with X.astype(float). Image files are read by deep hashers only, such as OrthoHasher, as a list "
            "of paths."
        )
    if kind == "c":
        raise ValueError(f"Complex data not supported: X has dtype {values.dtype}; expected real numbers.")
    if kind in "mMV":
        raise ValueError(f"X has dtype {values.dtype}; expected {_FEATURES}, which are numbers.")
    if values.ndim < 2:
        items = f", of {type(values.ravel()[0]).__name__}" if kind == "O" and values.size else ""
        raise ValueError(
            f"X has shape {values.shape}{items}; expected {_FEATURES}. Reshape your data: X.reshape(1, -1) is one "
            "sample, X.reshape(-1, 1) is one feature."
        )
    return X


def _values(X: Any) -> NDArray[Any] | None:
    """Return the values to look at, None for a frame of numbers and for types that scikit-learn refuses."""
    if isinstance(X, np.ndarray):
        return X
    if type(X).__module__.partition(".")[0] not in ("pandas", "polars", "pyarrow"):
        return None
    types = getattr(X, "dtypes", None)  # of a frame; a copy of all values is needed only for other types than numbers
    if len(X.shape) == 2 and types is not None and all(str(each).lower().startswith(_NUMBERS) for each in types):
        return None
    return to_numpy(X, "X")


def is_plain(X: Any, estimator: Any, *, finite: bool = True) -> TypeGuard[NDArray[Any]]:
    """Check whether a fitted estimator can take features as they are: scikit-learn's own checks take far longer.

    Parameters
    ----------
    X : object
        What the user passed.
    estimator : estimator
        Fitted.
    finite : bool, default=True
        Whether to look at the values, which is done for few of them only. With False, the caller must refuse values
        that are not finite.

    Returns
    -------
    plain : bool
        True for a C-contiguous matrix of floats, of the width seen in `fit`, if the estimator knows no names of
        features. False means that scikit-learn should look at it.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash import LSHHasher
    >>> from skhash.utils import is_plain
    >>> hasher = LSHHasher(8).fit(np.eye(4))
    >>> is_plain(np.eye(4), hasher), is_plain(np.eye(5), hasher), is_plain([[0.0] * 4], hasher)
    (True, False, False)
    """
    state = vars(estimator)
    return (
        type(X) is np.ndarray
        and X.dtype in _FLOATS
        and X.ndim == 2
        and X.size > 0
        and X.shape[1] == state.get("n_features_in_")
        and "feature_names_in_" not in state
        and X.flags.c_contiguous
        and (not finite or (X.size <= _FEW_VALUES and bool(np.isfinite(X).all())))
    )
