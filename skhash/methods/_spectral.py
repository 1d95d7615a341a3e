"""SH: signs of the eigenfunctions of a Laplacian, taken along principal axes.

Weiss, Torralba, Fergus, "Spectral hashing", NIPS 2008.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.methods._streamed import StreamedHasher, Summary, project
from skhash.summaries import PrincipalCovariance, Sample
from skhash.utils import Interval, local_random_state

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_EPS = np.finfo(np.float64).eps


class SpectralHasher(StreamedHasher):
    r"""Spectral hashing.

    For data that are uniform over a box along the principal axes, the best balanced and uncorrelated bits are signs of
    sine waves along these axes, those of low frequency first. So a wide axis gets several bits, which divide it into
    more and more stripes, whereas `PCAHasher` uses the next axis; and there may be more bits than features.

    Parameters
    ----------
    bits : int, default=64
        Code length; it may exceed the number of features.
    max_samples : int or None, default=20_000
        Number of training samples, drawn uniformly, from which the range of the data along the axes is computed; None
        uses all samples. The principal axes are always those of all samples.
    random_state : int, RandomState instance or None, default=None
        Seeds the draw of samples, if there are more than `max_samples`.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Principal axes by decreasing variance; `n_components` is the smaller of `bits` and `n_features`.
    mean_ : ndarray of shape (n_features,)
        Training mean.
    lower_ : ndarray of shape (n_components,)
        Smallest value of the data on each axis.
    axes_ : ndarray of int of shape (bits,)
        The axis of each bit, a row of `components_`.
    frequencies_ : ndarray of shape (bits,)
        Angular frequency of each bit's wave, in increasing order.
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
    PCAHasher : Uses one bit for each axis.
    ITQHasher : Uses one bit for each axis of a rotated set; usually better.

    Notes
    -----
    Let the projections :math:`z_d` of the training samples extend from :math:`l_d` over a range :math:`R_d`. The waves
    of axis d have frequencies :math:`\omega = j \pi / R_d` with
    :math:`1 \le j < \lceil (K + 1) R_d / \max_e R_e \rceil`; the bits are the K waves of lowest
    frequency over all axes,

    .. math:: b = [\sin(\omega (z_d - l_d) + \pi / 2) \ge 0].

    For samples beyond the range the wave continues. Memory does not grow with the number of samples: `fit` needs the
    memory of `PCAHasher` and that of `max_samples` samples. They are kept for `partial_fit`, and pickled with the
    hasher only if `partial_fit` was called.

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

    lower_: NDArray[np.float64]
    axes_: NDArray[np.int64]
    frequencies_: NDArray[np.float64]

    _min_samples = 2
    _parameter_constraints: dict[str, Any] = {
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

    def _start(self, n_features: int) -> Summary:
        sample = Sample.empty(self.max_samples, local_random_state(self.random_state))
        return Summary(PrincipalCovariance.empty(n_features, self.bits), sample)

    def _learn(self, summary: Summary) -> None:
        self.mean_ = summary.moments.mean
        self.components_ = summary.covariance.principal_axes(min(self.bits, len(self.mean_)))
        self.lower_, extent = self._measure(summary.sampled_rows)
        modes = np.ceil((self.bits + 1) * (extent / extent.max())).astype(int) - 1
        axes = np.repeat(np.arange(len(modes)), modes)
        frequencies = np.concatenate([np.arange(1, n + 1) * np.pi / r for n, r in zip(modes, extent, strict=True)])
        slowest = np.argsort(frequencies, kind="stable")[
            : self.bits
        ]  # stable: of equal frequencies, the earlier axis first
        self.axes_, self.frequencies_ = axes[slowest], frequencies[slowest]

    def _measure(self, X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest projection of the samples on each axis, and the range of projections, never zero."""
        extremes = [(z.min(axis=0), z.max(axis=0)) for z, _ in project(X, self.mean_, self.components_)]
        lower, upper = np.min(extremes, axis=(0, 1)), np.max(extremes, axis=(0, 1))
        lower -= _EPS * np.maximum(np.abs(lower), 1)
        upper += _EPS * np.maximum(np.abs(upper), 1)
        return lower, upper - lower

    def _project(self, samples: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
        for z, noise in project(samples, self.mean_, self.components_):
            phase = self.frequencies_ * (z - self.lower_)[:, self.axes_] + np.pi / 2
            wave = np.sin(phase)
            rounding = self.frequencies_ * noise[:, self.axes_] + 4 * _EPS * np.abs(phase)
            wave[np.abs(wave) <= rounding] = 0.0
            yield wave
