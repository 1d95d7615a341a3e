"""Precision over recall of a retrieval, by rank or by Hamming radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from skhash.metrics.displays._base import (
    BaseDisplay,
    encode_both_sides,
    name_of,
    plot_chance,
    plot_curve,
    show_legend,
)
from skhash.metrics.ranking._curves import precision_recall_by_radius, precision_recall_by_rank
from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import Ties
    from skhash.metrics.ranking._radius import EmptyBall
    from skhash.utils import CodesLike, RandomStateLike, SamplesLike

_BY = ("rank", "radius")


class RetrievalPrecisionRecallDisplay(BaseDisplay):
    """Precision and recall of a retrieval, means over the queries, for every rank or for every Hamming radius.

    Use `from_estimator` or `from_predictions` to create one. Several can be drawn on one Axes; each takes the next
    color and line style.

    Parameters
    ----------
    thresholds : ndarray of int of shape (n_thresholds,)
        Ranks from 1 on, or Hamming radii from 0 on.
    precision : ndarray of float of shape (n_thresholds,)
        Mean share of relevant items among those up to each threshold.
    recall : ndarray of float of shape (n_thresholds,)
        Mean share of all relevant items that is up to each threshold.
    by : {"rank", "radius"}, default="rank"
        Whether the thresholds are ranks or radii.
    prevalence : float, default=None
        Mean share of relevant items in the whole database: the precision of a random ranking.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib LineCollection or None
        The chance level, if it was requested.
    marks_ : list of matplotlib Annotation
        The thresholds written next to the curve.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    precision_recall_by_rank : Compute the curve by rank.
    precision_recall_by_radius : Compute the curve by Hamming radius.
    PrecisionAtKDisplay : Precision over the rank.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import RetrievalPrecisionRecallDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=32, random_state=0).fit(X[200:])
    >>> display = RetrievalPrecisionRecallDisplay.from_estimator(hasher, X[:200], y[:200], X[200:], y[200:])
    >>> display.line_.get_label()
    'ITQHasher (by rank)'
    """

    line_: Line2D
    chance_level_: LineCollection | None
    marks_: list[Annotation]

    def __init__(
        self,
        thresholds: NDArray[np.int64],
        precision: NDArray[np.float64],
        recall: NDArray[np.float64],
        *,
        by: Literal["rank", "radius"] = "rank",
        prevalence: float | None = None,
        name: str | None = None,
    ) -> None:
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.by = by
        self.prevalence = prevalence
        self.name = name

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        marks: Sequence[int] | NDArray[np.int64] | None = None,
        plot_chance_level: bool = False,
        chance_level_kw: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        name : str, default=None
            Name in the legend; None uses the Display's own.
        marks : array-like of int, default=None
            Thresholds to mark and write next to the curve, such as `[2]` for radius 2.
        plot_chance_level : bool, default=False
            Whether to draw the precision of a random ranking.
        chance_level_kw : dict, default=None
            Keyword arguments of `matplotlib.axes.Axes.hlines` for the chance level.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            This Display.

        Raises
        ------
        ValueError
            If `by` is unknown, if a mark is not a threshold, or if the chance level is requested without `prevalence`.
        """
        check_option("by", self.by, _BY)
        name = self._prepare(ax, name)
        label = f"by {self.by}" if name is None else f"{name} (by {self.by})"
        points = {"marker": "o", "markersize": 3} if self.by == "radius" else {}
        self.line_ = plot_curve(self.ax_, self.recall, self.precision, label, kwargs, **points)
        self.marks_ = [self._mark(threshold) for threshold in ([] if marks is None else marks)]
        self.chance_level_ = None
        if plot_chance_level:
            self.chance_level_ = plot_chance(self.ax_, self.prevalence, (0, 1), chance_level_kw)
        self.ax_.set(xlabel="Recall", ylabel="Precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
        show_legend(self.ax_)
        return self

    def _mark(self, threshold: int) -> Annotation:
        """Write a threshold next to its point of the curve."""
        (found,) = np.nonzero(np.asarray(self.thresholds) == threshold)
        if not len(found):
            first, last = self.thresholds[0], self.thresholds[-1]
            raise ValueError(f"marks must be thresholds of the curve, {first} to {last}, got {threshold!r}.")
        at, color = (self.recall[found[0]], self.precision[found[0]]), self.line_.get_color()
        style = {"color": color, "fontsize": 8, "arrowprops": {"arrowstyle": "->", "color": color}}
        return self.ax_.annotate(f"{self.by} {threshold}", at, (15, 12), textcoords="offset points", **style)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: ArrayLike,
        X_database: SamplesLike | None = None,
        y_database: ArrayLike | None = None,
        *,
        by: Literal["rank", "radius"] = "rank",
        ties: Ties = "stable",
        empty_ball: EmptyBall = "zero",
        random_state: RandomStateLike | None = None,
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with a fitted estimator, search, and draw the curve.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n_queries, ...)
            Queries, in any form that the estimator accepts.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Their class labels or multi-hot labels.
        X_database, y_database : array-like, default=None
            The database and its labels. None searches the codes of the index at the end of the estimator, if there is
            one, else `X` itself, with each query excluded from its own ranking.
        by : {"rank", "radius"}, default="rank"
            Which thresholds precision and recall are computed for.
        ties : str, default="stable"
            Order of equal distances, as in `precision_recall_by_rank`; without effect by radius.
        empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
            As in `precision_recall_by_radius`; without effect by rank.
        random_state : None, int or generator, default=None
            As in `precision_recall_by_rank`; without effect by radius.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Name in the legend; None uses the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        retrieval, sides = encode_both_sides(estimator, X, y, X_database, y_database, cls.__name__)
        options = {"by": by, "ties": ties, "empty_ball": empty_ball, "random_state": random_state, "n_jobs": n_jobs}
        return cls.from_predictions(*retrieval, **sides, **options, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        query_codes: CodesLike,
        database_codes: CodesLike,
        query_labels: ArrayLike,
        database_labels: ArrayLike,
        *,
        by: Literal["rank", "radius"] = "rank",
        ties: Ties = "stable",
        empty_ball: EmptyBall = "zero",
        exclude_self: bool = False,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        random_state: RandomStateLike | None = None,
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Search codes, and draw the curve.

        Parameters
        ----------
        query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Codes of the queries and codes of the database.
        query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
            Class labels or multi-hot labels of both sides; an item is relevant if it shares a label with the query.
        by : {"rank", "radius"}, default="rank"
            Which thresholds precision and recall are computed for.
        ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
            As in `precision_recall_by_rank`; without effect by radius.
        empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
            As in `precision_recall_by_radius`; without effect by rank.
        exclude_self : bool, default=False
            Exclude each query from its own ranking: query `i` is database item `i`.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
        random_state : int, RandomState instance or None, default=None
            Used by `ties="random"` only.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_predictions")
        check_option("by", by, _BY)
        sides = query_codes, database_codes, query_labels, database_labels
        options = {"exclude_self": exclude_self, "bits": bits, "bitorder": bitorder, "n_jobs": n_jobs}
        if by == "rank":
            curve = precision_recall_by_rank(*sides, ties=ties, random_state=random_state, **options)
        else:
            curve = precision_recall_by_radius(*sides, empty_ball=empty_ball, **options)
        # Up to the last rank or the largest radius every item counts, so precision is the share of relevant items.
        prevalence = float(curve.precision[-1])
        display = cls(curve.thresholds, curve.precision, curve.recall, by=by, prevalence=prevalence, name=name)
        return display.plot(ax, **kwargs)
