"""Precision over recall of a retrieval, by rank or by Hamming radius."""

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

_BY = ("rank", "radius")


class RetrievalPrecisionRecallDisplay(BaseDisplay):
    """Precision and recall of a retrieval, means over the queries, for every rank or for every Hamming radius.

    Use `from_estimator` or `from_predictions` to make one. Several can be drawn on one Axes; each takes the next colour
    and line style.

    Parameters
    ----------
    thresholds : ndarray of int of shape (n_thresholds,)
        Ranks from 1 on, or Hamming radii from 0 on.
    precision : ndarray of float of shape (n_thresholds,)
        Mean share of relevant items among what is found up to each threshold.
    recall : ndarray of float of shape (n_thresholds,)
        Mean share of the relevant items that is found up to each threshold.
    by : {"rank", "radius"}, default="rank"
        What the thresholds are.
    prevalence : float, default=None
        Mean share of relevant items in the whole database: the precision of a random ranking.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib LineCollection or None
        The chance level, if it was asked for.
    marks_ : list of matplotlib Annotation
        The thresholds written beside the curve.
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

    def __init__(self, thresholds, precision, recall, *, by="rank", prevalence=None, name=None):
        self.thresholds = thresholds
        self.precision = precision
        self.recall = recall
        self.by = by
        self.prevalence = prevalence
        self.name = name

    def plot(self, ax=None, *, name=None, marks=None, plot_chance_level=False, chance_level_kw=None, **kwargs):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        name : str, default=None
            Name in the legend; None is the Display's.
        marks : array-like of int, default=None
            Thresholds to mark and write beside the curve, such as `[2]` for radius 2.
        plot_chance_level : bool, default=False
            Whether to draw the precision of a random ranking.
        chance_level_kw : dict, default=None
            Keyword arguments of `matplotlib.axes.Axes.hlines` for it.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            This Display.

        Raises
        ------
        ValueError
            If `by` is unknown, a mark is none of the thresholds, or the chance level is asked for without `prevalence`.
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

    def _mark(self, threshold):
        """Write a threshold beside its point of the curve."""
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
        estimator,
        X,
        y,
        X_database=None,
        y_database=None,
        *,
        by="rank",
        ties="stable",
        empty_ball="zero",
        random_state=None,
        n_jobs=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Encode with a fitted estimator, search, and draw.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n_queries, ...)
            Queries, whatever the estimator takes.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Their class labels or multi-hot labels.
        X_database, y_database : array-like, default=None
            What is searched, and its labels. None searches what the index at the estimator's end holds, if there is
            one, else `X` itself, each query left out of its own ranking.
        by : {"rank", "radius"}, default="rank"
            What precision and recall are computed up to.
        ties, random_state
            As in `precision_recall_by_rank`; without effect by radius.
        empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
            As in `precision_recall_by_radius`; without effect by rank.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Name in the legend; None is the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            The Display, drawn.
        """
        cls._check_matplotlib("from_estimator")
        retrieval, sides = encode_both_sides(estimator, X, y, X_database, y_database, cls.__name__)
        options = {"by": by, "ties": ties, "empty_ball": empty_ball, "random_state": random_state, "n_jobs": n_jobs}
        return cls.from_predictions(*retrieval, **sides, **options, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        query_codes,
        database_codes,
        query_labels,
        database_labels,
        *,
        by="rank",
        ties="stable",
        empty_ball="zero",
        exclude_self=False,
        bits=None,
        random_state=None,
        n_jobs=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Search codes, and draw.

        Parameters
        ----------
        query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Codes that are searched for, and codes that are searched.
        query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
            Class labels or multi-hot labels of either; an item is relevant if it shares a label.
        by : {"rank", "radius"}, default="rank"
            What precision and recall are computed up to.
        ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
            As in `precision_recall_by_rank`; without effect by radius.
        empty_ball : {"zero", "skip", "skip_no_hit"}, default="zero"
            As in `precision_recall_by_radius`; without effect by rank.
        exclude_self : bool, default=False
            Leave each query out of its own ranking: query `i` is database item `i`.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        random_state : int, RandomState instance or None, default=None
            Used by `ties="random"` only.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievalPrecisionRecallDisplay
            The Display, drawn.
        """
        cls._check_matplotlib("from_predictions")
        check_option("by", by, _BY)
        sides = query_codes, database_codes, query_labels, database_labels
        options = {"exclude_self": exclude_self, "bits": bits, "n_jobs": n_jobs}
        if by == "rank":
            curve = precision_recall_by_rank(*sides, ties=ties, random_state=random_state, **options)
        else:
            curve = precision_recall_by_radius(*sides, empty_ball=empty_ball, **options)
        # Up to the last rank and within the largest radius, all is found.
        prevalence = float(curve.precision[-1])
        display = cls(curve.thresholds, curve.precision, curve.recall, by=by, prevalence=prevalence, name=name)
        return display.plot(ax, **kwargs)
