"""PCA hashing: the signs of the leading principal components."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.methods._streamed import LinearHasher, Summary
from skhash.summaries import PrincipalCovariance
from skhash.utils import random_orthonormal_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED = 0


class PrincipalHasher(LinearHasher):
    """Base class of linear hashers that start from principal axes.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _min_samples = 2

    def _principal_axes(self, summary: Summary) -> NDArray[np.float64]:
        """Compute one axis for each bit, or as many as there are features and samples."""
        n_axes = min(self.bits, len(summary.moments.mean), summary.moments.n_samples)
        return summary.covariance.principal_axes(n_axes)


class PCAHasher(PrincipalHasher):
    """Hashing by the signs of principal components.

    Each bit is the sign of the projection on one direction of large variance. Simple and often better than random
    projections at few bits, but later components carry less and less information, so more bits can make the ranking
    worse.

    Parameters
    ----------
    bits : int, default=64
        Code length. If there are fewer features or training samples, there are only that many principal axes. The bits
        beyond are signs along rotated axes, see Notes.

    Attributes
    ----------
    components_ : ndarray of shape (bits, n_features)
        Principal axes, by decreasing variance; zero where training samples do not vary, so that such a bit is always 1.
        Then the rotated axes, if any.
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
    The components are those of the covariance matrix, which is summed block by block: in addition to the data, `fit`
    needs memory for a few matrices of shape (n_features, n_features), or (n_samples, n_features) if there are fewer
    samples. Two of them, and less than a block of samples, are kept for `partial_fit`; they are pickled with the hasher
    only if `partial_fit` was called.

    Sums are in double precision, with one exception. Where there are thousands of samples of 256 to 2,048 features, of
    a type that single precision holds, the samples of a block, less the mean so far, are multiplied in single precision
    if the first block says that the variance along the last axis is at least a thousandth of the largest. Few bits of a
    million differ.

    Where there are fewer principal axes than bits, the axes are rotated: the next bits, as many as there are axes, are
    signs of the projections after a rotation, those that follow after another one. The rotations are random, but the
    same in every fit. `ITQHasher` learns such bits and makes better use of them.

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
        return Summary(PrincipalCovariance.empty(n_features, self.bits))

    def _learn(self, summary: Summary) -> None:
        axes = self._principal_axes(summary)
        n_more = self.bits - len(axes)
        rotated = random_orthonormal_rows(n_more, len(axes), np.random.RandomState(_SEED)) @ axes
        self.components_ = np.concatenate([axes, rotated])
        self.mean_ = summary.moments.mean
