"""What all Displays share: matplotlib on first use, axes, styles, and the codes of both sides of a retrieval."""

from sklearn.utils.validation import check_is_fitted

from skhash.metrics.scoring._estimator_codes import encode, hasher_and_index
from skhash.utils import import_optional

# Ten colours that colour-blind people can tell apart: Paul Tol's "muted" ones, and black.
COLORS = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#999933", "#AA4499"),
    "#000000",
)
MARKERS = "osD^v<>Pp*h"  # filled ones; their number and that of the colours share no factor
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))  # as many lines are told apart without any colour
GUIDE = {"color": "0.35", "linestyle": "--", "linewidth": 1}


class BaseDisplay:
    """Base class of the Displays: arrays that can be drawn, more than once if need be.

    A subclass stores what its constructor is given, unchanged, and `name`. What `plot` sets ends with an underscore and
    is left out of pickles: a Display is its arrays.
    """

    def __getstate__(self):
        return {key: value for key, value in vars(self).items() if not key.endswith("_")}

    @classmethod
    def _check_matplotlib(cls, method):
        """Fail before anything is computed where the picture could not be drawn."""
        import_optional("matplotlib", extra="plot", purpose=f"{cls.__name__}.{method}")

    def _prepare(self, ax, name, **figure):
        """Set `ax_` and `figure_`, to those of a new figure if `ax` is None, and say which name to show."""
        self._check_matplotlib("plot")
        if ax is None:
            pyplot = import_optional("matplotlib.pyplot", extra="plot", purpose=f"{type(self).__name__}.plot")
            _, ax = pyplot.subplots(layout="constrained", **figure)
        self.ax_, self.figure_ = ax, ax.figure
        return self.name if name is None else name


def merge_style(default, given, artist):
    """Let a user's keywords for an artist replace the default ones, whichever of matplotlib's aliases they use."""
    from matplotlib.cbook import normalize_kwargs

    return {**default, **normalize_kwargs(given or {}, artist)}


def plot_curve(ax, x, y, label, given, **default):
    """Draw a curve in the colour and line style that the axes have not had yet."""
    from matplotlib.lines import Line2D

    number = len(ax.lines)
    style = {"color": COLORS[number % len(COLORS)], "linestyle": LINES[number % len(LINES)], "label": label, **default}
    (line,) = ax.plot(x, y, **merge_style(style, given, Line2D))
    return line


def scatter_style(number, label, given, **default):
    """Style the points of group `number` in a colour and marker of their own."""
    from matplotlib.collections import PathCollection

    style = {"marker": MARKERS[number % len(MARKERS)], "label": label, **default}
    if not {"c", "color", "facecolor", "facecolors", "fc"} & set(given):
        style["color"] = COLORS[number % len(COLORS)]
    return merge_style(style, given, PathCollection)


def plot_chance(ax, precision, x, given):
    """Draw the precision of a random ranking from `x[0]` to `x[1]`; no `Line2D`, which `plot_curve` would count."""
    from matplotlib.collections import LineCollection

    if precision is None:
        raise ValueError("plot_chance_level=True needs a Display with prevalence, which from_predictions computes.")
    style = {**GUIDE, "label": f"Chance level (precision = {precision:.2f})"}
    return ax.hlines(precision, *x, **merge_style(style, given, LineCollection))


def show_legend(ax, **options):
    """Draw the legend if anything is to be named."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend(**options)


def name_of(estimator, name):
    """Choose what to call an estimator."""
    return type(estimator).__name__ if name is None else name


def encode_one_side(estimator, X, purpose):
    """Compute codes with a fitted estimator; give the code length as well, where it is known."""
    check_is_fitted(estimator)
    return encode(estimator, X, purpose)


def encode_both_sides(estimator, X, y, X_database, y_database, purpose):
    """Compute what is searched for and what is searched with a fitted estimator.

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
            raise ValueError(f"{purpose} needs y and y_database together, or neither; one of them is None.")
        database, _ = encode(estimator, X_database, purpose)
        return (codes, database, y, y_database), {"bits": bits, "exclude_self": False}
    if y_database is not None:
        raise ValueError(f"{purpose} was given y_database without X_database.")
    _, index = hasher_and_index(estimator, purpose)
    if index is None:
        return (codes, codes, y, y), {"bits": bits, "exclude_self": True}
    if y is not None and index.labels_ is None:
        raise ValueError(f"{purpose} needs the labels of the database: fit the index with y.")
    database_labels = None if y is None else index.labels_.decode()
    return (codes, index.codes_, y, database_labels), {"bits": index.bits_, "exclude_self": False}
