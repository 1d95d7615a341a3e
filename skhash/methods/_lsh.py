"""LSH: the signs of random projections.

Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.methods._covariance import RunningMean
from skhash.methods._streamed import LinearHasher, Summary
from skhash.utils import local_random_state

if TYPE_CHECKING:
    from skhash.utils import RandomStateLike


class LSHHasher(LinearHasher):
    """Locality-sensitive hashing by random hyperplanes.

    Nothing is learned: every bit is the side of a random hyperplane on which a sample lies, so the expected Hamming
    distance of two codes is proportional to the angle between the samples. The standard baseline.

    Parameters
    ----------
    bits : int, default=64
        Code length.
    center : bool, default=False
        Whether the hyperplanes pass through the training mean instead of the origin. The default is that of the
        published baseline; True is recommended. It helps markedly for non-negative features (after a ReLU, or raw
        pixels), because such samples all lie within 90 degrees of each other.
    random_state : int, RandomState instance or None, default=None
        Seeds the hyperplanes.

    Attributes
    ----------
    components_ : ndarray of shape (bits, n_features)
        Normal vectors of the hyperplanes, with N(0, 1) entries.
    mean_ : ndarray of shape (n_features,)
        Training mean; zeros without `center`.
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
    ITQHasher : Learns the hyperplanes from data without labels.

    References
    ----------
    .. [1] M. S. Charikar. "Similarity estimation techniques from rounding algorithms". STOC 2002.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import LSHHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> LSHHasher(bits=16, center=True, random_state=0).fit_transform(X).shape
    (1797, 16)
    """

    _parameter_constraints: dict[str, Any] = {
        **LinearHasher._parameter_constraints,
        "center": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(self, bits: int = 64, *, center: bool = False, random_state: RandomStateLike = None) -> None:
        self.bits = bits
        self.center = center
        self.random_state = random_state

    def _start(self, n_features: int) -> Summary:
        normals = local_random_state(self.random_state).standard_normal((self.bits, n_features))
        return Summary(RunningMean.empty(n_features), drawn=normals)

    def _learn(self, summary: Summary) -> None:
        self.components_ = summary.drawn_first
        self.mean_ = summary.moments.mean if self.center else np.zeros_like(summary.moments.mean)
