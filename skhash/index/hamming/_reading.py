"""Codes in any form, as the methods of the index take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.utils.validation import validate_data

from skhash.bitops import pack_plain
from skhash.codes import as_packed, binarize, explain_form, explain_width, from_bitarray, is_bitarray
from skhash.utils import to_numpy, unwrap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.utils import CodesLike

__all__ = ["read_codes", "read_continuous"]

_PLAIN = np.ndarray, np.memmap
_ORDERS = "little", "big"
_CONTINUOUS = " Pass what decision_function of the hasher returns; kneighbors takes codes."


def read_codes(estimator: Any, X: CodesLike, *, reset: bool) -> NDArray[np.uint64]:
    """Read codes in any form as packed words.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters `bits`, `bitorder` and `binarize`.
    X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
        Codes.
    reset : bool
        Whether to set `bits_`, `n_features_in_` and `feature_names_in_` of the estimator from them, or to check them
        against these.

    Returns
    -------
    words : ndarray of uint64 of shape (n_samples, ceil(bits_ / 64))
        Packed codes; `X` itself where it has this form.
    """
    words = _read_plain(estimator, X, reset)
    if words is not None:
        return words
    array: Any = X
    if is_bitarray(X) or (isinstance(X, (list, tuple)) and X and is_bitarray(X[0])):
        array = from_bitarray(array)
    elif isinstance(X, (list, tuple)):
        array = to_numpy(X, "X")
    else:
        array = unwrap(X, "X")
    if isinstance(array, np.ndarray):
        explain_form(array)
    bits = estimator.bits if reset else estimator.bits_
    packed = _is_packed(array, bits)
    # scikit-learn's checks are not for packed codes, whose features are bits, and would double the time of one query.
    codes: Any = array if packed else _validate(estimator, array, bits, reset)
    if len(codes) == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={codes.shape}) while a minimum of 1 is required.")
    if codes.dtype == np.uint64 and not packed:
        raise ValueError(f"Packed words (uint64) must be an array, got {type(array).__name__}.")
    if estimator.binarize is not None and codes.dtype.kind in "if":
        # Before the values become uint8, whose columns could be taken for packed bytes.
        if bits is not None and codes.shape[1] != bits:
            raise ValueError(
                f"X has {codes.shape[1]} columns of numbers to binarize, but bits={bits} needs {bits} columns, one for "
                "each bit."
            )
        _check_threshold(codes, estimator.binarize, reset)
        codes = binarize(codes, estimator.binarize)
    words, bits = as_packed(codes, bits, bitorder=estimator.bitorder)
    if packed and reset:
        validate_data(estimator, codes, skip_check_array=True)  # forgets the names of an earlier fit
    if reset:
        estimator.bits_ = estimator.n_features_in_ = bits
    return words


def read_continuous(estimator: Any, X: Any, purpose: str = "") -> NDArray[np.float64]:
    """Read continuous codes, whose signs are bits; from a fitted estimator's own threshold on, if it has one.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameter `binarize`, fitted.
    X : array-like of float of shape (n_samples, bits)
        Continuous codes.
    purpose : str, default=""
        What they are for, as part of an error's text.

    Returns
    -------
    z : ndarray of float64 of shape (n_samples, bits)
        Continuous codes with the threshold zero.
    """
    if type(X) in _PLAIN and X.ndim == 2 and X.dtype.kind == "f" and "feature_names_in_" not in vars(estimator):
        # Checked in a tenth of the time of scikit-learn's checks, which a search of one query would wait for.
        with np.errstate(over="ignore", invalid="ignore"):
            z = X.astype(np.float64)
            is_finite = np.isfinite(z.sum())
        if len(z) and z.shape[1] == estimator.bits_ and is_finite:
            return z - (estimator.binarize or 0.0)
    lists_of_bits = is_bitarray(X) or (isinstance(X, (list, tuple)) and X and is_bitarray(X[0]))
    if lists_of_bits:
        raise ValueError(f"X must be continuous codes (floats){purpose}, got bitarrays.{_CONTINUOUS}")
    array = unwrap(X, "X")
    dtype = getattr(array, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.kind in "buiUS":  # before the width of packed codes is found wrong
        raise ValueError(f"X must be continuous codes (floats){purpose}, got dtype {dtype}.{_CONTINUOUS}")
    checked: Any = validate_data(estimator, array, reset=False)
    if checked.dtype.kind != "f":
        raise ValueError(f"X must be continuous codes (floats){purpose}, got dtype {checked.dtype}.{_CONTINUOUS}")
    return checked.astype(np.float64) - (estimator.binarize or 0.0)


def _validate(estimator: Any, array: Any, bits: int | None, reset: bool) -> NDArray[Any]:
    """Check codes by scikit-learn's rules; its error about the width knows no packed codes of another type."""
    try:
        return cast("NDArray[Any]", validate_data(estimator, cast("Any", array), reset=reset))
    except ValueError as error:
        if reset or bits is None or not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "i":
            raise
        raise ValueError(f"{error}{explain_width(array, bits)}") from error


def _read_plain(estimator: Any, X: Any, reset: bool) -> NDArray[np.uint64] | None:
    """Read plain arrays that are plainly right; return None for all others, and where there is something to report.

    One query takes a tenth of the time that scikit-learn's checks take, and many codes are read once.
    """
    order = estimator.bitorder
    if type(X) not in _PLAIN or X.ndim != 2 or not (isinstance(order, str) and order in _ORDERS) or not len(X):
        return None
    bits, n_columns = estimator.bits if reset else estimator.bits_, X.shape[1]
    if X.dtype == np.uint64:
        plain = not reset and n_columns == -(-bits // 64) and X.flags.c_contiguous
        spare = bits % 64 if plain else 0
        if not plain or (spare and (X[:, -1] >> np.uint64(spare)).any()):
            return None
        return X if type(X) is np.ndarray else X.view(np.ndarray)
    named = not reset and "feature_names_in_" in vars(estimator)
    binarized = estimator.binarize is not None and X.dtype.kind in "if"
    if not (bits is None or (type(bits) is int and bits == n_columns)) or named or binarized:
        return None
    words = pack_plain(X)
    if words is not None and reset:
        validate_data(estimator, X, skip_check_array=True)  # forgets the names of an earlier fit
        estimator.bits_ = estimator.n_features_in_ = n_columns
    return words


def _check_threshold(values: NDArray[Any], threshold: float, reset: bool) -> None:
    """Check that numbers to binarize are not codes already, both of whose symbols the threshold makes the same bit.

    A few small counts as queries, below a threshold for counts, are no codes; codes at a threshold of 0 are.
    """
    if not (-1 <= values[0, 0] <= 1 and values[0, 0] == np.rint(values[0, 0])):
        return  # quickly, for queries that come one by one
    low, high = values.min(), values.max()
    are_codes = (low, high) in ((0, 1), (-1, 1)) and bool(((values == low) | (values == high)).all())
    if are_codes and (threshold <= low or (threshold > high and reset)):
        raise ValueError(
            f"X contains only {low:g} and {high:g}, which are codes already, and binarize={threshold:g} would make "
            f"every bit {int(threshold <= low)}; use binarize=None."
        )


def _is_packed(X: Any, bits: int | None) -> bool:
    """Check whether X is an array of packed words or, by the rule of `as_packed`, of packed bytes."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "u":
        return False
    width = X.shape[1]
    return X.itemsize == 8 or (X.itemsize == 1 and bits is not None and width != bits and width == -(-bits // 8))
