"""ITQ: PCA, then the rotation that makes the projections most like their signs.

Gong, Lazebnik, Gordo, Perronnin, "Iterative quantization: a Procrustean approach to learning binary codes", TPAMI 2013.
"""

from numbers import Integral

import numpy as np
from scipy.linalg import orthogonal_procrustes

from skhash.codes import binarize
from skhash.methods._linear import LinearHasher
from skhash.methods._pca import principal_components
from skhash.utils import Interval, local_random_state


class ITQHasher(LinearHasher):
    r"""Iterative quantisation.

    PCA reduces the data to one dimension per bit; an orthogonal rotation, found by alternating between codes and
    rotation, then spreads the variance over the bits so that little is lost in the signs.

    Parameters
    ----------
    bits : int, default=64
        Code length; at most the number of features and of training samples.
    max_iter : int, default=50
        Rounds of alternation. They end early once the codes of the training data no longer change.
    random_state : int, RandomState instance or None, default=None
        Seeds the initial rotation.

    Attributes
    ----------
    components_ : ndarray of shape (bits, n_features)
        Rotated principal axes.
    mean_ : ndarray of shape (n_features,)
        Training mean.
    quantization_errors_ : ndarray of shape (`n_iter_` + 1,)
        Mean squared distance of a training sample's projection to its code, before and after every round; it never
        rises.
    n_iter_ : int
        Rounds that were run.
    label_index_ : HammingIndex or None
        Training codes with their labels, if `fit` was given labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if `fit` was given labels.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    PCAHasher : The same without the rotation.

    Notes
    -----
    With centered projections :math:`V = (X - \mu) P`, each round solves
    :math:`\min_{B, R} \lVert B - V R \rVert_F^2` for :math:`B = \operatorname{sgn}(V R)` and then for the orthogonal
    :math:`R` (a Procrustes problem). Much public code transposes that rotation once too often and does not descend;
    results published from it are those of an arbitrary rotation.

    References
    ----------
    .. [1] Y. Gong, S. Lazebnik, A. Gordo, F. Perronnin. "Iterative quantization: a Procrustean approach to learning
       binary codes for large-scale image retrieval". TPAMI 35(12), 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=16, random_state=0).fit(X, y)
    >>> hasher.transform(X).shape
    (1797, 16)
    """

    _parameter_constraints: dict = {
        **LinearHasher._parameter_constraints,
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, bits=64, *, max_iter=50, random_state=None):
        self.bits = bits
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit_projection(self, X):
        random_state = local_random_state(self.random_state)
        pca = principal_components(X, self.bits, random_state)
        V = (X - pca.mean_) @ pca.components_.T.astype(np.float64)
        rotation, upper = np.linalg.qr(random_state.standard_normal((self.bits, self.bits)))
        rotation *= np.where(np.diag(upper) < 0, -1.0, 1.0)  # uniform over rotations
        projected = V @ rotation
        codes = _signs(projected)
        errors = [_quantization_error(codes, projected)]
        for _ in range(self.max_iter):
            rotation, _ = orthogonal_procrustes(V, codes)
            projected = V @ rotation
            previous, codes = codes, _signs(projected)
            errors.append(_quantization_error(codes, projected))
            if np.array_equal(codes, previous):
                break
        self.quantization_errors_ = np.array(errors)
        self.n_iter_ = len(errors) - 1
        self.components_ = rotation.T @ pca.components_
        self.mean_ = pca.mean_


def _signs(projected):
    return 2.0 * binarize(projected) - 1.0


def _quantization_error(codes, projected):
    return float(np.mean(np.sum((codes - projected) ** 2, axis=1)))
