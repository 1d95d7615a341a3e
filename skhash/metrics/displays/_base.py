"""Base class and helpers of the Displays: matplotlib on first use, axes, styles, and codes of both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from skhash.metrics.scoring._estimator_codes import encode, hasher_and_index
from skhash.utils import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure, SubFigure
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike

    from skhash.utils import SamplesLike

# Ten colors that color-blind people can distinguish: Paul Tol's "muted" ones, and black.
COLORS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499"),
    "#000000",
)
MARKERS = "osD^v<>Pp*h"  # filled; 11 of them, so that marker and color repeat together only after 110 groups
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))  # this many lines can be distinguished without color
GUIDE = {"color": "0.35", "linestyle": "--", "linewidth": 1}


class BaseDisplay:
    """Base class of the Displays: arrays that can be drawn any number of times.

    A subclass stores the arguments of its constructor unchanged, `name` among them. Attributes that `plot` sets end
    with an underscore and are left out of pickles: the state of a Display is its arrays.
    """

    name: str | None
    ax_: Axes
    figure_: Figure | SubFigure

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if not key.endswith("_")}

    @classmethod
    def _check_matplotlib(cls, method: str) -> None:
        """Raise an error before anything is computed if matplotlib is missing."""
        import_optional("matplotlib", extra="plot", purpose=f"{cls.__name__}.{method}")

    def _prepare(self, ax: Axes | None, name: str | None, **figure: Any) -> str | None:
        """Set `ax_` and `figure_`, to those of a new figure if `ax` is None, and return the name to show."""
        self._check_matplotlib("plot")
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose=f"{type(self).__name__}.plot")
            _, axes = pyplot.subplots(layout="constrained", **figure)
        else:
            axes = ax
        self.ax_, self.figure_ = axes, axes.figure
        return self.name if name is None else name


def merge_style(default: dict[str, Any], given: dict[str, Any] | None, artist: type) -> dict[str, Any]:
    """Merge keywords for an artist: those of the user, in any of matplotlib's aliases, replace the default ones."""
    from matplotlib.cbook import normalize_kwargs

    return {**default, **normalize_kwargs(given or {}, artist)}


def plot_curve(
    ax: Axes, x: ArrayLike, y: ArrayLike, label: str | None, given: dict[str, Any] | None, **default: Any
) -> Line2D:
    """Draw a curve in the next color and line style of the axes."""
    from matplotlib.lines import Line2D

    number = len(ax.lines)
    style = {"color": COLORS[number % len(COLORS)], "linestyle": LINES[number % len(LINES)], "label": label, **default}
    (line,) = ax.plot(x, y, **merge_style(style, given, Line2D))
    return line


def scatter_style(number: int, label: str | None, given: dict[str, Any], **default: Any) -> dict[str, Any]:
    """Style the points of group `number` in a color and marker of their own."""
    from matplotlib.collections import PathCollection

    style = {"marker": MARKERS[number % len(MARKERS)], "label": label, **default}
    if not {"c", "color", "facecolor", "facecolors", "fc"} & set(given):
        style["color"] = COLORS[number % len(COLORS)]
    return merge_style(style, given, PathCollection)


def plot_chance(
    ax: Axes, precision: float | None, x: tuple[float, float], given: dict[str, Any] | None
) -> LineCollection:
    """Draw the precision of a random ranking from `x[0]` to `x[1]`; not as a `Line2D`, which `plot_curve` counts."""
    from matplotlib.collections import LineCollection

    if precision is None:
        raise ValueError("plot_chance_level=True requires prevalence, which from_predictions computes, got None.")
    style = {**GUIDE, "label": f"Chance level (precision = {precision:.2f})"}
    return ax.hlines(precision, *x, **merge_style(style, given, LineCollection))


def show_legend(ax: Axes, **options: Any) -> None:
    """Draw the legend if it has an entry."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(**options)


def name_of(estimator: Any, name: str | None) -> str:
    """Return `name`, or the name of the estimator's class if it is None."""
    return type(estimator).__name__ if name is None else name


def encode_one_side(estimator: Any, X: SamplesLike, purpose: str) -> tuple[Any, int | None]:
    """Compute codes with a fitted estimator; return them and the code length, None if it is not known."""
    check_is_fitted(estimator)
    return encode(estimator, X, purpose)


def encode_both_sides(
    estimator: Any,
    X: SamplesLike,
    y: ArrayLike | None,
    X_database: SamplesLike | None,
    y_database: ArrayLike | None,
    purpose: str,
) -> tuple[tuple[Any, Any, Any, Any], dict[str, Any]]:
    """Compute the codes of queries and database with a fitted estimator.

    Returns
    -------
    retrieval : tuple
        `query_codes, database_codes, query_labels, database_labels`.
    options : dict
        `bits` and `exclude_self` for the functions that take a retrieval.
    """
    codes, bits = encode_one_side(estimator, X, purpose)
    if X_database is not None:
        if (y is None) != (y_database is None):
            raise ValueError(f"{purpose} requires both y and y_database or neither, got None for one of them.")
        database, _ = encode(estimator, X_database, purpose)
        return (codes, database, y, y_database), {"bits": bits, "exclude_self": False}
    if y_database is not None:
        raise ValueError(f"{purpose} requires X_database with y_database, got y_database only.")
    _, index = hasher_and_index(estimator, purpose)
    if index is None:
        return (codes, codes, y, y), {"bits": bits, "exclude_self": True}
    if y is not None and index.labels_ is None:
        raise ValueError(f"{purpose} requires an index with labels: fit the index with y.")
    database_labels = None if y is None or index.labels_ is None else index.labels_.decode()
    return (codes, index.codes_, y, database_labels), {"bits": bits, "exclude_self": False}
