"""SH: signs of the eigenfunctions of a Laplacian, taken along principal axes.

Weiss, Torralba, Fergus, "Spectral hashing", NIPS 2008.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from skhash.methods._covariance import RunningCovariance
from skhash.methods._sample import Sample
from skhash.methods._streamed import StreamedHasher, Summary, project
from skhash.utils import Interval, local_random_state

if TYPE_CHECKING:
    from skhash.utils import RandomStateLike

_EPS = np.finfo(np.float64).eps


class SpectralHasher(StreamedHasher):
    r"""Spectral hashing.

    Were the data uniform over a box along the principal axes, the best balanced and uncorrelated bits would be signs of
    sine waves along these axes, slow ones first. So a wide axis gets several bits, which cut it into ever more stripes,
    where `PCAHasher` turns to the next axis; and there may be more bits than features.

    Parameters
    ----------
    bits : int, default=64
        Code length, of any size.
    max_samples : int or None, default=20_000
        Number of training samples, drawn uniformly, on which the extent of the data along the axes is measured; None
        takes all. The principal axes are always those of all samples.
    random_state : int, RandomState instance or None, default=None
        Seeds the drawing of samples, if there are more than `max_samples`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Principal axes by decreasing variance, as many as bits or features, whichever are fewer.
    mean_ : ndarray of shape (n_features,)
        Training mean.
    lower_ : ndarray of shape (n_components,)
        Where the data begin on each axis.
    axes_ : ndarray of int of shape (bits,)
        The axis of each bit, a row of `components_`.
    frequencies_ : ndarray of shape (bits,)
        Angular frequency of each bit's wave, which never falls.
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
    PCAHasher : One bit for each axis.
    ITQHasher : One bit for each axis of a rotated set, usually better.

    Notes
    -----
    Let the projections :math:`z_d` of the training samples extend from :math:`l_d` over a range :math:`R_d`. The waves
    of axis d have frequencies :math:`\omega = j \pi / R_d` with
    :math:`1 \le j < \lceil (K + 1) R_d / \max_e R_e \rceil`; the K slowest of all axes are the bits,

    .. math:: b = [\sin(\omega (z_d - l_d) + \pi / 2) \ge 0].

    Samples beyond the range go on with the same wave. Memory does not grow with the number of samples: `fit` needs what
    `PCAHasher` does, and `max_samples` samples. They are kept for `partial_fit`, and pickled with the hasher only if
    that was called.

    References
    ----------
    .. [1] Y. Weiss, A. Torralba, R. Fergus. "Spectral hashing". NIPS 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import SpectralHasher
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = SpectralHasher(bits=16).fit(X)
    >>> hasher.transform(X).shape
    (1797, 16)
    >>> hasher.axes_
    array([ 3,  0,  2,  1,  4,  6,  7, 10,  5,  9,  8, 11, 12,  3, 13,  0])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **StreamedHasher._parameter_constraints,
        "max_samples": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self, bits: int = 64, *, max_samples: int | None = 20_000, random_state: RandomStateLike = None
    ) -> None:
        self.bits = bits
        self.max_samples = max_samples
        self.random_state = random_state

    def _check_size(self, n_samples, n_features):
        if n_samples < 2:
            raise ValueError(f"SpectralHasher needs at least 2 training samples, got n_samples={n_samples}.")

    def _start(self, n_features):
        sample = Sample.empty(self.max_samples, local_random_state(self.random_state))
        return Summary(RunningCovariance.empty(n_features), sample)

    def _learn(self, summary):
        self.mean_ = summary.moments.mean
        self.components_ = summary.moments.principal_axes(min(self.bits, len(self.mean_)))
        self.lower_, extent = self._measure(summary.sample.rows)
        modes = np.ceil((self.bits + 1) * (extent / extent.max())).astype(int) - 1
        axes = np.repeat(np.arange(len(modes)), modes)
        frequencies = np.concatenate([np.arange(1, n + 1) * np.pi / r for n, r in zip(modes, extent, strict=True)])
        slowest = np.argsort(frequencies, kind="stable")[: self.bits]  # of equal ones, that of the earlier axis
        self.axes_, self.frequencies_ = axes[slowest], frequencies[slowest]

    def _measure(self, X):
        """Find where projections of samples begin on each axis, and how far they extend: never zero."""
        extremes = [(z.min(axis=0), z.max(axis=0)) for z, _ in project(X, self.mean_, self.components_)]
        lower, upper = np.min(extremes, axis=(0, 1)), np.max(extremes, axis=(0, 1))
        lower -= _EPS * np.maximum(np.abs(lower), 1)
        upper += _EPS * np.maximum(np.abs(upper), 1)
        return lower, upper - lower

    def _project(self, X):
        for z, noise in project(X, self.mean_, self.components_):
            phase = self.frequencies_ * (z - self.lower_)[:, self.axes_] + np.pi / 2
            wave = np.sin(phase)
            rounding = self.frequencies_ * noise[:, self.axes_] + 4 * _EPS * np.abs(phase)
            wave[np.abs(wave) <= rounding] = 0.0
            yield wave
