"""Comparison of two rankings of settings: by lower-bound ratio and by mean average precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from scipy.stats import spearmanr

from skhash.metrics.codes._lower_bound_ratio import lower_bound_ratio
from skhash.metrics.displays._base import BaseDisplay, encode_both_sides, scatter_style, show_legend
from skhash.metrics.ranking._mean_average_precision import mean_average_precision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.text import Annotation
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics._score import Score
    from skhash.metrics.ranking._protocols import Ties
    from skhash.utils import CodesLike, SamplesLike


class MapAgainstLowerBoundDisplay(BaseDisplay):
    """Mean average precision over the lower-bound ratio, one point per setting, with their rank correlation.

    Use `from_estimator` or `from_predictions` to create one. Settings may be methods, code lengths, weights of a loss,
    epochs or anything else that changes the codes of the same samples. If the rank correlation is near 1, the cheap
    ratio can choose among such settings.

    Parameters
    ----------
    lower_bound_ratio : ndarray of float of shape (n_settings,)
        Lower-bound ratios; infinite ones are drawn as arrows at the right border.
    mean_average_precision : ndarray of float of shape (n_settings,)
        Mean average precisions.
    settings : ndarray of str of shape (n_settings,), default=None
        Names of the settings.
    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    points_ : matplotlib PathCollection
        The settings with finite ratios.
    infinite_ : matplotlib PathCollection
        The settings with infinite ratios.
    texts_ : list of matplotlib Annotation
        Names of the settings.
    rank_correlation_ : float
        Spearman's rank correlation of all settings; NaN for fewer than three, or if one of the two scores is the same
        for all.
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    lower_bound_ratio : The score on the x-axis.
    mean_average_precision : The score on the y-axis.
    make_code_scorer : The ratio as a `scoring=` of scikit-learn.

    References
    ----------
    .. [1] X. Zhu, J. Song, Y. Lei, L. Gao, H. T. Shen. "A lower bound of hash codes' performance" (LBHash). NeurIPS
       2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import MapAgainstLowerBoundDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> hashers = {f"{bits} bits": ITQHasher(bits=bits, random_state=0).fit(X) for bits in (8, 16, 32)}
    >>> display = MapAgainstLowerBoundDisplay.from_estimator(hashers, X, y, percentile=90)
    >>> display.settings
    array(['8 bits', '16 bits', '32 bits'], dtype='<U7')
    >>> display.ax_.get_ylabel()
    'mAP'
    """

    points_: PathCollection
    infinite_: PathCollection
    texts_: list[Annotation]
    rank_correlation_: float

    def __init__(
        self,
        lower_bound_ratio: NDArray[np.float64],
        mean_average_precision: NDArray[np.float64],
        *,
        settings: NDArray[np.str_] | None = None,
        name: str | None = None,
    ) -> None:
        self.lower_bound_ratio = lower_bound_ratio
        self.mean_average_precision = mean_average_precision
        self.settings = settings
        self.name = name

    def plot(
        self, ax: Axes | None = None, *, name: str | None = None, plot_settings: bool = True, **kwargs: Any
    ) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        name : str, default=None
            Name in the legend; None uses the Display's own.
        plot_settings : bool, default=True
            Whether to write the names of the settings next to the points.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : MapAgainstLowerBoundDisplay
            This Display.
        """
        name = self._prepare(ax, name)
        ratio, quality = np.asarray(self.lower_bound_ratio, float), np.asarray(self.mean_average_precision, float)
        self.rank_correlation_ = _rank_correlation(ratio, quality)
        correlation = f"rank correlation {self.rank_correlation_:.2f}, n = {len(ratio)}"
        label = correlation if name is None else f"{name} ({correlation})"
        finite, border = np.isfinite(ratio), self.ax_.get_yaxis_transform()  # x from 0 to 1, y in data units
        style = scatter_style(len(self.ax_.collections) // 2, label, kwargs)  # each Display adds two collections
        self.points_ = self.ax_.scatter(ratio[finite], quality[finite], **style)
        style |= {"marker": ">", "label": None, "transform": border, "clip_on": False}
        self.infinite_ = self.ax_.scatter(np.ones(np.sum(~finite)), quality[~finite], **style)
        self.texts_ = []
        if plot_settings and self.settings is not None:
            for setting, x, y in zip(self.settings, ratio, quality, strict=True):
                place = {"xy": (x, y), "xytext": (5, 4)}
                if not np.isfinite(x):
                    place = {"xy": (1, y), "xycoords": border, "xytext": (-8, 4), "ha": "right"}
                self.texts_.append(self.ax_.annotate(setting, textcoords="offset points", fontsize=8, **place))
        self.ax_.margins(0.15, 0.12)  # room for names
        self.ax_.set(xlabel="Lower-bound ratio", ylabel="mAP")
        show_legend(self.ax_, loc="upper left")  # empty if the rank correlation is high
        return self

    @classmethod
    def from_estimator(
        cls,
        estimators: Mapping[str, Any] | Sequence[Any],
        X: SamplesLike,
        y: ArrayLike,
        X_database: SamplesLike | None = None,
        y_database: ArrayLike | None = None,
        *,
        percentile: float = 99.9,
        R: int | None = None,
        ties: Ties = "stable",
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with several fitted estimators, compute both scores of each, and draw them.

        Parameters
        ----------
        estimators : dict of str to estimator instance, or list of estimator instance
            One fitted estimator per setting: hashers, or `Pipeline`s that end in a hasher or in a `HammingIndex`. The
            keys of a dict are the names of the settings.
        X : array-like of shape (n_queries, ...)
            Queries, in any form that the estimators accept.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Their class labels or multi-hot labels.
        X_database, y_database : array-like, default=None
            The database and its labels. None searches the codes of the index at the end of an estimator, if there is
            one, else `X` itself, with each query excluded from its own ranking.
        percentile, R, ties : float, int and str
            As in `from_predictions`.
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
        display : MapAgainstLowerBoundDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        settings, fitted = _names_and_values(estimators, "estimators")
        scores = []
        for estimator in fitted:
            retrieval, sides = encode_both_sides(estimator, X, y, X_database, y_database, cls.__name__)
            scores.append(_measure(*retrieval, **sides, percentile=percentile, R=R, ties=ties, n_jobs=n_jobs))
        return cls(*np.transpose(scores), settings=settings, name=name).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        query_codes: Mapping[str, CodesLike] | Sequence[CodesLike],
        database_codes: Mapping[str, CodesLike] | Sequence[CodesLike],
        query_labels: ArrayLike,
        database_labels: ArrayLike,
        *,
        percentile: float = 99.9,
        R: int | None = None,
        ties: Ties = "stable",
        exclude_self: bool = False,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Compute both scores of several sets of codes, and draw them.

        Parameters
        ----------
        query_codes : dict of str to array-like, or list of array-like
            Codes of the queries for each setting. The keys of a dict are the names of the settings.
        database_codes : dict of str to array-like, or list of array-like
            Codes of the database for each setting; the lower-bound ratio is that of these codes.
        query_labels, database_labels : array-like of shape (n,) or (n, n_classes)
            Class labels or multi-hot labels of both sides, the same in all settings.
        percentile : float, default=99.9
            As in `lower_bound_ratio`.
        R : int, default=None
            Number of ranks that count in mean average precision; None means the whole database.
        ties : {"stable", "expected", "optimistic", "pessimistic"}, default="stable"
            As in `mean_average_precision`.
        exclude_self : bool, default=False
            Exclude each query from its own ranking: query `i` is database item `i`.
        bits : int, default=None
            Code length of all settings, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
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
        display : MapAgainstLowerBoundDisplay
            The Display, already drawn.

        Raises
        ------
        ValueError
            If the two sides have different settings, or if codes or labels are malformed or inconsistent.
        """
        cls._check_matplotlib("from_predictions")
        settings, queries = _names_and_values(query_codes, "query_codes")
        others, databases = _names_and_values(database_codes, "database_codes")
        if len(queries) != len(databases) or not np.array_equal(cast("Any", settings), cast("Any", others)):
            raise ValueError(
                "query_codes and database_codes must have the same settings in the same order, "
                f"got {len(queries) if settings is None else list(settings)} "
                f"and {len(databases) if others is None else list(others)}."
            )
        options = {"percentile": percentile, "R": R, "ties": ties, "exclude_self": exclude_self, "n_jobs": n_jobs}
        scores = [
            _measure(*codes, query_labels, database_labels, bits=bits, bitorder=bitorder, **options)
            for codes in zip(queries, databases, strict=True)
        ]
        return cls(*np.transpose(scores), settings=settings, name=name).plot(ax, **kwargs)


def _names_and_values(
    settings: Mapping[str, Any] | Sequence[Any], argument: str
) -> tuple[NDArray[np.str_] | None, list[Any]]:
    """Split a dict of settings into names and values; a list has no names."""
    named = isinstance(settings, dict)
    if not (named or isinstance(settings, (list, tuple))) or not len(settings):
        raise ValueError(
            f"{argument} must be a dict or a list with at least one setting, got {type(settings).__name__}."
        )
    return np.array([str(name) for name in settings]) if named else None, list(settings.values() if named else settings)


def _measure(
    queries: CodesLike,
    database: CodesLike,
    query_labels: ArrayLike,
    database_labels: ArrayLike,
    *,
    percentile: float,
    R: int | None,
    ties: Ties,
    exclude_self: bool,
    bits: int | None,
    bitorder: BitOrder = "little",
    n_jobs: int | None,
) -> tuple[Score, Score]:
    """Compute the lower-bound ratio of the database, and mean average precision."""
    return (
        lower_bound_ratio(database, database_labels, percentile=percentile, bits=bits, bitorder=bitorder),
        mean_average_precision(
            *(queries, database, query_labels, database_labels),
            R=R,
            ties=ties,
            exclude_self=exclude_self,
            bits=bits,
            bitorder=bitorder,
            n_jobs=n_jobs,
        ),
    )


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Compute Spearman's rank correlation, NaN where it is not defined."""
    if len(a) < 3 or len(set(a)) == 1 or len(set(b)) == 1:
        return float("nan")
    return float(cast("Any", spearmanr(a, b)).statistic)
