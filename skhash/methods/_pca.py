"""PCA hashing: the signs of the leading principal components."""

from __future__ import annotations

from skhash.methods._covariance import RunningCovariance
from skhash.methods._streamed import LinearHasher, Summary


class PrincipalHasher(LinearHasher):
    """Base class of linear hashers with one principal axis per bit.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    def _check_size(self, n_samples: int, n_features: int) -> None:
        if n_features < self.bits:
            raise ValueError(
                f"bits={self.bits} needs at least as many features, got n_features={n_features}: use fewer bits, "
                "SpectralHasher or LSHHasher."
            )
        if n_samples < max(self.bits, 2):
            raise ValueError(
                f"bits={self.bits} needs at least {max(self.bits, 2)} training samples, got n_samples={n_samples}: "
                "use fewer bits, SpectralHasher or LSHHasher."
            )


class PCAHasher(PrincipalHasher):
    """Hashing by the signs of principal components.

    Each bit is the sign of the projection on one direction of large variance. Simple and often better than random
    projections at few bits, but later components carry less and less information, so more bits can make the ranking
    worse.

    Parameters
    ----------
    bits : int, default=64
        Code length; at most the number of features and of training samples.

    Attributes
    ----------
    components_ : ndarray of shape (bits, n_features)
        Principal axes, by decreasing variance; zero where training samples do not vary, so that such a bit is always 1.
    mean_ : ndarray of shape (n_features,)
        Training mean.
    n_samples_seen_ : int
        Number of training samples, over all calls of `partial_fit`.
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
    ITQHasher : Rotates the components, so that all bits carry similar information.
    SpectralHasher : Assigns several bits to components of large variance.

    Notes
    -----
    The components are those of the covariance matrix, which is summed block by block in double precision: in addition
    to the data, `fit` needs memory for a few matrices of shape (n_features, n_features), or (n_samples, n_features) if
    there are fewer samples. One of them is kept for `partial_fit`; it is pickled with the hasher only if `partial_fit`
    was called.

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

    In chunks:

    >>> hasher = PCAHasher(bits=16)
    >>> for start in range(0, len(X), 500):
    ...     hasher = hasher.partial_fit(X[start : start + 500])
    >>> hasher.n_samples_seen_
    1797
    """

    def __init__(self, bits: int = 64) -> None:
        self.bits = bits

    def _start(self, n_features: int) -> Summary:
        return Summary(RunningCovariance.empty(n_features))

    def _learn(self, summary: Summary) -> None:
        self.components_ = summary.covariance.principal_axes(self.bits)
        self.mean_ = summary.moments.mean
