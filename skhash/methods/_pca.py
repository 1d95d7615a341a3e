"""PCA hashing: the signs of the leading principal components."""

import numpy as np
from sklearn.decomposition import PCA

from skhash.methods._linear import LinearHasher
from skhash.utils import local_random_state


def principal_components(X, bits, random_state):
    """Fit a PCA with one component per bit, and say in the hasher's words when the data do not allow it."""
    n_samples, n_features = X.shape
    if n_features < bits:
        raise ValueError(
            f"bits={bits} needs at least as many features, got n_features={n_features}: use fewer bits or LSHHasher."
        )
    if n_samples < max(bits, 2):
        raise ValueError(
            f"bits={bits} needs at least {max(bits, 2)} training samples, got n_samples={n_samples}: "
            "use fewer bits or LSHHasher."
        )
    with np.errstate(invalid="ignore"):  # shares of no variance at all, in constant data
        return PCA(bits, random_state=local_random_state(random_state)).fit(X)


class PCAHasher(LinearHasher):
    """Hashing by the signs of principal components.

    The directions of largest variance, one bit each. Simple and often better than random projections at few bits, but
    later components carry less and less information, so that more bits can make the ranking worse.

    Parameters
    ----------
    bits : int, default=64
        Code length; at most the number of features and of training samples.
    random_state : int, RandomState instance or None, default=None
        Used by the randomised solver that scikit-learn chooses for large data.

    Attributes
    ----------
    components_ : ndarray of shape (bits, n_features)
        Principal axes, by decreasing variance.
    mean_ : ndarray of shape (n_features,)
        Training mean.
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
    ITQHasher : Rotates the components so that all bits carry alike.

    References
    ----------
    .. [1] J. Wang, S. Kumar, S.-F. Chang. "Semi-supervised hashing for scalable image retrieval". CVPR 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import PCAHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> PCAHasher(bits=16).fit_transform(X).shape
    (1797, 16)
    """

    _parameter_constraints: dict = {**LinearHasher._parameter_constraints, "random_state": ["random_state"]}

    def __init__(self, bits=64, *, random_state=None):
        self.bits = bits
        self.random_state = random_state

    def _fit_projection(self, X):
        pca = principal_components(X, self.bits, self.random_state)
        self.components_, self.mean_ = pca.components_, pca.mean_
