"""Training history: distances of codes and centers over the epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skhash.metrics.displays._base import GUIDE, BaseDisplay, merge_style, name_of, plot_curve, show_legend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D
    from numpy.typing import NDArray

_LABELS = {
    "center_distance": "Code to its center",
    "class_distance": "Within a class",
    "center_movement": "Movement of the centers",
}


class TrainingHistoryDisplay(BaseDisplay):
    """Mean Hamming distances over the epochs between the codes and centers of `OneBitDeepHasher`.

    Use `from_estimator` to create one. Three curves show the two stages of one-bit deep hashing: the distance of codes
    from the centers of their own classes, their distance from each other within a class, and the distance that a center
    moved in an epoch.

    Parameters
    ----------
    epochs : ndarray of int of shape (n_epochs,)
        Numbers of the epochs, from 1.
    curves : dict of str to ndarray of float of shape (n_epochs,)
        Distances in bits, by their keys in `history_`.
    transition : int or sequence of int, default=None
        Last epochs before a second stage, several if training was continued by another `fit`; None draws no line.
    name : str, default=None
        Prefix of each label in the legend; None or "" means no prefix.

    Attributes
    ----------
    lines_ : list of matplotlib Line2D
        One line for each curve.
    transition_ : matplotlib LineCollection or None
        Lines where second stages begin.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    References
    ----------
    .. [1] L. He et al. "One-bit deep hashing: towards resource-efficient hashing model with binary neural network".
       ACM MM 2024.

    Examples
    --------
    >>> from skhash.metrics import TrainingHistoryDisplay
    >>> display = TrainingHistoryDisplay([1, 2, 3], {"center_distance": [20.0, 9.0, 5.0]}, transition=1).plot()
    >>> display.lines_[0].get_label()
    'Code to its center'
    """

    lines_: list[Line2D]
    transition_: LineCollection | None

    def __init__(
        self,
        epochs: NDArray[np.int64],
        curves: Mapping[str, NDArray[np.float64]],
        *,
        transition: int | Sequence[int] | None = None,
        name: str | None = None,
    ) -> None:
        self.epochs = epochs
        self.curves = curves
        self.transition = transition
        self.name = name

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        name : str, default=None
            Name in the legend; None uses the Display's own.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.plot`, for every curve.

        Returns
        -------
        display : TrainingHistoryDisplay
            This Display.
        """
        name = self._prepare(ax, name)
        from matplotlib.collections import LineCollection

        before = f"{name}: " if name else ""
        self.lines_ = [
            plot_curve(self.ax_, self.epochs, curve, before + _LABELS.get(key, key), kwargs)
            for key, curve in self.curves.items()
        ]
        self.transition_ = None
        if self.transition is not None:
            height = {"transform": self.ax_.get_xaxis_transform()}
            style = merge_style({**GUIDE, **height}, {}, LineCollection)
            self.transition_ = self.ax_.vlines(np.asarray(self.transition) + 0.5, 0, 1, **style)
        self.ax_.set(xlabel="Epoch", ylabel="Mean Hamming distance (bits)")
        self.ax_.set_ylim(bottom=0, auto=None)  # curves that share the axis may still raise the top
        self.ax_.xaxis.get_major_locator().set_params(integer=True)  # pyright: ignore[reportCallIssue]  a MaxNLocator
        show_legend(self.ax_)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        curves: Sequence[str] = tuple(_LABELS),
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the history of a fitted hasher.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher with `history_`.
        curves : sequence of str, default=("center_distance", "class_distance", "center_movement")
            Curves to draw, keys of the rows of `history_`.
        name : str, default=None
            Name in the legend; None uses the name of the estimator's class, "" leaves it out.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The Display, already drawn.

        Raises
        ------
        ValueError
            If no epoch of the history has one of the curves.
        """
        cls._check_matplotlib("from_estimator")
        check_is_fitted(estimator)
        history = getattr(estimator, "history_", [])
        found = {key: np.array([row.get(key, np.nan) for row in history], dtype=float) for key in curves}
        for key, curve in found.items():
            if np.isnan(curve).all():
                known = sorted({name for row in history for name in row} - {"epoch", "stage"})
                raise ValueError(
                    f"curves must be in the history of {type(estimator).__name__}, one of {known}, got {key!r}."
                )
        stages = [row.get("stage") for row in history]
        transition = [i for i in range(1, len(stages)) if (stages[i - 1], stages[i]) == (1, 2)]
        epochs = np.arange(1, len(history) + 1)
        return cls(epochs, found, transition=transition or None, name=name_of(estimator, name)).plot(ax, **kwargs)
