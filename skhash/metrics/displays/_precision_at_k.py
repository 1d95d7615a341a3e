"""Precision of the first K results, for every K."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from sklearn.utils import check_scalar

from skhash.metrics.displays._base import (
    BaseDisplay,
    encode_both_sides,
    name_of,
    plot_chance,
    plot_curve,
    show_legend,
)
from skhash.metrics.ranking._curves import precision_recall_by_rank

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.metrics.ranking._protocols import Ties
    from skhash.utils import CodesLike, RandomStateLike, SamplesLike


class PrecisionAtKDisplay(BaseDisplay):
    """Precision@K of a retrieval, the mean over the queries, for every K.

    Use `from_estimator` or `from_predictions` to create one. Several can be drawn on one Axes; each takes the next
    color and line style.

    Parameters
    ----------
    k : ndarray of int of shape (max_k,)
        Numbers of results, from 1 on.
    precision : ndarray of float of shape (max_k,)
        Mean share of relevant items among the first `k`.
    prevalence : float, default=None
        Mean share of relevant items in the whole database: the precision of a random ranking.
    name : str, default=None
        Name in the legend; None means no entry.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    chance_level_ : matplotlib LineCollection or None
        The chance level, if it was requested.
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    precision_at_k : Precision for one K.
    RetrievalPrecisionRecallDisplay : Precision over recall.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import PrecisionAtKDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=32, random_state=0).fit(X[200:])
    >>> display = PrecisionAtKDisplay.from_estimator(hasher, X[:200], y[:200], X[200:], y[200:], max_k=100)
    >>> display.ax_.get_xlabel()
    'K (rank)'
    >>> bool(display.precision[0] > display.precision[99])
    True
    """

    line_: Line2D
    chance_level_: LineCollection | None

    def __init__(
        self,
        k: NDArray[np.int64],
        precision: NDArray[np.float64],
        *,
        prevalence: float | None = None,
        name: str | None = None,
    ) -> None:
        self.k = k
        self.precision = precision
        self.prevalence = prevalence
        self.name = name

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
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
        plot_chance_level : bool, default=False
            Whether to draw the precision of a random ranking.
        chance_level_kw : dict, default=None
            Keyword arguments of `matplotlib.axes.Axes.hlines` for the chance level.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot` for the curve.

        Returns
        -------
        display : PrecisionAtKDisplay
            This Display.

        Raises
        ------
        ValueError
            If the chance level is requested without `prevalence`.
        """
        name = self._prepare(ax, name)
        self.line_ = plot_curve(self.ax_, self.k, self.precision, name, kwargs)
        self.chance_level_ = None
        if plot_chance_level:
            self.chance_level_ = plot_chance(self.ax_, self.prevalence, (self.k[0], self.k[-1]), chance_level_kw)
        self.ax_.set(xlabel="K (rank)", ylabel="Precision@K", ylim=(-0.01, 1.01))
        show_legend(self.ax_)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: ArrayLike,
        X_database: SamplesLike | None = None,
        y_database: ArrayLike | None = None,
        *,
        max_k: int = 1000,
        ties: Ties = "stable",
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
        max_k : int, default=1000
            Largest K; the whole database if that is smaller.
        ties, random_state : str, and int, RandomState instance or None
            As in `precision_at_k`.
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
        display : PrecisionAtKDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        retrieval, sides = encode_both_sides(estimator, X, y, X_database, y_database, cls.__name__)
        options = {"max_k": max_k, "ties": ties, "random_state": random_state, "n_jobs": n_jobs}
        return cls.from_predictions(*retrieval, **sides, **options, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        query_codes: CodesLike,
        database_codes: CodesLike,
        query_labels: ArrayLike,
        database_labels: ArrayLike,
        *,
        max_k: int = 1000,
        ties: Ties = "stable",
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
        max_k : int, default=1000
            Largest K; the whole database if that is smaller.
        ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
            As in `precision_at_k`.
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
        display : PrecisionAtKDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_predictions")
        check_scalar(max_k, "max_k", Integral, min_val=1)
        curve = precision_recall_by_rank(
            *(query_codes, database_codes, query_labels, database_labels),
            ties=ties,
            exclude_self=exclude_self,
            bits=bits,
            bitorder=bitorder,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        # The precision of the whole ranking is the share of relevant items in the database.
        prevalence = float(curve.precision[-1])
        return cls(curve.thresholds[:max_k], curve.precision[:max_k], prevalence=prevalence, name=name).plot(
            ax, **kwargs
        )
