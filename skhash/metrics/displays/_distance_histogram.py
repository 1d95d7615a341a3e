"""Histograms of the Hamming distances within classes and between classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skhash.metrics.codes._distance_histograms import distance_histograms
from skhash.metrics.displays._base import COLORS, BaseDisplay, encode_one_side, merge_style, name_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import StepPatch
    from matplotlib.text import Annotation
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike, SamplesLike


class DistanceHistogramDisplay(BaseDisplay):
    """Hamming distances of pairs that share a label, and of pairs that do not; the arrow is the separability.

    Use `from_estimator` or `from_predictions` to create one. The less the two overlap, the better a radius separates
    the classes.

    Parameters
    ----------
    intra : ndarray of int of shape (bits + 1,)
        Numbers of pairs of samples that share a label, at each Hamming distance.
    inter : ndarray of int of shape (bits + 1,)
        Numbers of pairs of samples that share no label, at each Hamming distance.
    name : str, default=None
        Title of the legend.

    Attributes
    ----------
    intra_ : matplotlib StepPatch
        Histogram of the pairs that share a label.
    inter_ : matplotlib StepPatch
        Histogram of the pairs that share no label, hatched.
    arrow_ : matplotlib Annotation or None
        Arrow from the mean of the pairs that share a label to the mean of the others.
    separability_ : float
        Mean distance of pairs that share no label, minus that of pairs that share one, in bits.
    ax_ : matplotlib Axes
        Axes with the histograms.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    distance_histograms : Count the pairs.
    separability : Compute the length of the arrow.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import DistanceHistogramDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=32, random_state=0).fit(X)
    >>> display = DistanceHistogramDisplay.from_estimator(hasher, X, y)
    >>> display.ax_.get_xlabel()
    'Hamming distance (bits)'
    >>> 3 < display.separability_ < 8
    True
    """

    intra_: StepPatch
    inter_: StepPatch
    arrow_: Annotation | None
    separability_: float

    def __init__(self, intra: NDArray[np.int64], inter: NDArray[np.int64], *, name: str | None = None) -> None:
        self.intra = intra
        self.inter = inter
        self.name = name

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        plot_separability: bool = True,
        intra_kw: dict[str, Any] | None = None,
        inter_kw: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw both histograms, each scaled to the share of its own pairs.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        name : str, default=None
            Title of the legend; None uses the Display's own.
        plot_separability : bool, default=True
            Whether to draw the arrow.
        intra_kw, inter_kw : dict, default=None
            Keyword arguments of `matplotlib.axes.Axes.stairs` for one histogram only.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.stairs` for both.

        Returns
        -------
        display : DistanceHistogramDisplay
            This Display.

        Raises
        ------
        ValueError
            If there is no pair that shares a label, or none that shares no label.
        """
        name = self._prepare(ax, name)
        from matplotlib.patches import StepPatch

        edges = np.arange(len(self.intra) + 1) - 0.5
        shared, other = _share(self.intra, "intra"), _share(self.inter, "inter")
        style = merge_style({"fill": True, "alpha": 0.6}, kwargs, StepPatch)
        intra_style = {"color": COLORS[0], "label": "pairs that share a label", **style}
        inter_style = {
            "facecolor": COLORS[1],
            "edgecolor": "black",
            "hatch": "///",
            "linewidth": 0.5,
            "label": "pairs that share none",
            **style,
        }
        self.intra_ = self.ax_.stairs(shared, edges, **merge_style(intra_style, intra_kw, StepPatch))
        self.inter_ = self.ax_.stairs(other, edges, **merge_style(inter_style, inter_kw, StepPatch))
        top = max(shared.max(), other.max())
        distances = np.arange(len(self.intra))
        means = float(shared @ distances), float(other @ distances)
        self.separability_ = means[1] - means[0]
        self.arrow_ = self._draw_arrow(*means, 1.1 * top) if plot_separability else None
        self.ax_.set(xlabel="Hamming distance (bits)", ylabel="Share of the pairs", xlim=edges[[0, -1]])
        self.ax_.set_ylim(0, (1.6 if plot_separability else 1.3) * top)
        self.ax_.legend(title=name, loc="upper right")
        return self

    def _draw_arrow(self, start: float, stop: float, height: float) -> Annotation:
        """Draw an arrow from one mean to the other, its length as a text, and a line at each mean."""
        self.ax_.vlines([start, stop], 0, height, colors="black", linestyles=":", linewidth=1)
        arrow = {"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.5}
        text = f"separability {self.separability_:.2f} bits"
        self.ax_.annotate(text, ((start + stop) / 2, height), (0, 4), textcoords="offset points", ha="center")
        return self.ax_.annotate("", (stop, height), (start, height), arrowprops=arrow)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: ArrayLike,
        *,
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with a fitted estimator, compare all pairs, and draw the histograms.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n, ...)
            Samples, in any form that the estimator accepts.
        y : array-like of shape (n,) or (n, n_classes)
            Their class labels or multi-hot labels.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the legend; None uses the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : DistanceHistogramDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        codes, bits = encode_one_side(estimator, X, cls.__name__)
        return cls.from_predictions(codes, y, bits=bits, n_jobs=n_jobs, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        codes: CodesLike,
        y: ArrayLike,
        *,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Compare all pairs of codes, and draw the histograms.

        Parameters
        ----------
        codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Hash codes.
        y : array-like of shape (n,) or (n, n_classes)
            Their class labels or multi-hot labels.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : DistanceHistogramDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_predictions")
        counts = distance_histograms(codes, y, bits=bits, bitorder=bitorder, n_jobs=n_jobs)
        return cls(counts.intra, counts.inter, name=name).plot(ax, **kwargs)


def _share(counts: NDArray[np.int64], kind: str) -> NDArray[np.float64]:
    """Scale counts to a sum of one."""
    total = np.sum(counts)
    if not total:
        raise ValueError(
            f"{kind} must count at least one pair, got none. Pairs with and without a shared label are required."
        )
    return np.asarray(counts) / total
