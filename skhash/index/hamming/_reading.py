"""Codes in any form, read for an estimator whose features are their bits."""

import numpy as np
from bitarray import bitarray
from sklearn.utils.validation import validate_data

from skhash.codes import as_packed, binarize, from_bitarray

__all__ = ["read_codes"]


def read_codes(estimator, X, *, reset):
    """Bring codes in any form to packed words.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters `bits` and `binarize`.
    X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
        Codes.
    reset : bool
        Whether to take their length and names for `bits_`, `n_features_in_` and `feature_names_in_` of the estimator,
        or to check them against these.

    Returns
    -------
    words : ndarray of uint64 of shape (n_samples, ceil(bits_ / 64))
        Packed codes; `X` itself where it has this form.
    """
    if isinstance(X, bitarray) or (isinstance(X, (list, tuple)) and X and isinstance(X[0], bitarray)):
        X = from_bitarray(X)
    elif isinstance(X, (list, tuple)):
        X = np.asarray(X)
    elif hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    bits = estimator.bits if reset else estimator.bits_
    packed = _is_packed(X, bits)
    # scikit-learn's checks are not for packed codes, whose features are bits, and would double the time of one query.
    codes = X if packed else validate_data(estimator, X, reset=reset)
    if len(codes) == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={codes.shape}) while a minimum of 1 is required.")
    if codes.dtype == np.uint64 and not packed:
        raise ValueError(f"Packed words (uint64) must be an array, got {type(X).__name__}.")
    if estimator.binarize is not None and codes.dtype.kind in "if":
        codes = binarize(codes, estimator.binarize)
    words, bits = as_packed(codes, bits)
    if packed and reset:
        validate_data(estimator, codes, skip_check_array=True)  # forgets the names of an earlier fit
    if reset:
        estimator.bits_ = estimator.n_features_in_ = bits
    return words


def _is_packed(X, bits):
    """Whether X is an array of packed words or, by the rule of `as_packed`, of packed bytes."""
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "u":
        return False
    width = X.shape[1]
    return X.itemsize == 8 or (X.itemsize == 1 and bits is not None and width != bits and width == -(-bits // 8))
