"""Images of queries and of their nearest items, with correct and wrong results marked."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_scalar

from skhash.index import HammingIndex
from skhash.metrics.displays._base import BaseDisplay, encode_both_sides, name_of
from skhash.metrics.ranking._relevance import read_both_labels
from skhash.metrics.ranking._retrieval import read_both_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike, SamplesLike

_RIGHT = {"color": "#009E73", "linewidth": 2.5}
_WRONG = {"color": "#D55E00", "linewidth": 2.5, "linestyle": (0, (2, 1)), "capstyle": "butt"}
_TICK, _CROSS = "\N{CHECK MARK}", "\N{BALLOT X}"
_CHANNELS = (1, 3, 4)


class RetrievedImagesDisplay(BaseDisplay):
    """Queries at the left, each with its nearest images, nearest first, and their Hamming distances in bits.

    Use `from_estimator` or `from_predictions` to create one. An image that shares a label with the query has a solid
    green frame and a tick, any other a dashed red frame and a cross.

    Parameters
    ----------
    query_images : ndarray of shape (n_queries, height, width) or (n_queries, height, width, channels)
        Gray images, or RGB or RGBA images with the channels last. uint8 from 0 to 255, float from 0 to 1; other values
        are scaled, all images in the same way.
    neighbor_images : ndarray of shape (n_queries, n_neighbors, height, width) or with channels last
        Images of the results, of the same kind.
    distances : ndarray of int of shape (n_queries, n_neighbors)
        Hamming distances of the results.
    correct : ndarray of bool of shape (n_queries, n_neighbors), default=None
        Whether the results share a label with the query; None draws no frames.
    query_titles : ndarray of str of shape (n_queries,), default=None
        Titles above the queries.
    name : str, default=None
        Title of the grid.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_queries, 1 + n_neighbors)
        The small Axes, one per image, the queries in the first column.
    images_ : ndarray of matplotlib AxesImage of shape (n_queries, 1 + n_neighbors)
        The images.
    ax_ : matplotlib Axes
        The Axes that contains the small ones; it shows only the title and a note.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    skhash.HammingIndex : The search.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import RetrievedImagesDisplay
    >>> digits = load_digits()
    >>> hasher = ITQHasher(bits=32, random_state=0).fit(digits.data)
    >>> display = RetrievedImagesDisplay.from_estimator(
    ...     hasher, digits.data, digits.target, images=digits.images, rows=[0, 1], n_neighbors=5
    ... )
    >>> display.axes_.shape
    (2, 6)
    """

    axes_: NDArray[Any]
    images_: NDArray[Any]

    def __init__(
        self,
        query_images: NDArray[Any],
        neighbor_images: NDArray[Any],
        distances: NDArray[np.int64],
        correct: NDArray[np.bool_] | None = None,
        *,
        query_titles: NDArray[np.str_] | None = None,
        name: str | None = None,
    ) -> None:
        self.query_images = query_images
        self.neighbor_images = neighbor_images
        self.distances = distances
        self.correct = correct
        self.query_titles = query_titles
        self.name = name

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to divide into a grid of small Axes; None creates a new figure of a suitable size. For a subfigure,
            pass `subfigure.subplots()`.
        name : str, default=None
            Title of the grid; None uses the Display's own.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        display : RetrievedImagesDisplay
            This Display.
        """
        n_rows, n_found = np.shape(self.distances)
        name = self._prepare(ax, name, figsize=(1 + 0.9 * (n_found + 1), 0.6 + 1.1 * n_rows))
        self.ax_.set_axis_off()
        self.ax_.set_title("" if name is None else name)
        explained = "Hamming distance (bits)"
        if self.correct is not None:
            explained += f"\n{_TICK} shares a label, {_CROSS} shares none"
        self.ax_.text(1, -0.02, explained, ha="right", va="top", fontsize=8, transform=self.ax_.transAxes)
        images = np.concatenate([np.asarray(self.query_images)[:, None], self.neighbor_images], axis=1)
        images, style = _scale(images)
        shape = n_rows, n_found + 1
        self.axes_, self.images_ = np.empty(shape, object), np.empty(shape, object)
        for row, column in np.ndindex(shape):
            # A fifth of the height is for the title above; the query is separated by a gap.
            left = column + (0.25 if column else 0)
            place = left / (shape[1] + 0.25), 1 - (row + 1) / n_rows, 0.9 / (shape[1] + 0.25), 0.8 / n_rows
            small = self.axes_[row, column] = self.ax_.inset_axes(place, xticks=[], yticks=[])
            self.images_[row, column] = small.imshow(images[row, column], **(style | kwargs))
            if column:
                self._annotate_result(small, row, column - 1)
            elif self.query_titles is not None:
                small.set_title(str(self.query_titles[row]), fontsize=9, pad=3, fontweight="bold")
        return self

    def _annotate_result(self, ax: Axes, row: int, place: int) -> None:
        """Write the distance above a result, and frame it."""
        text = f"{self.distances[row][place]}"
        if self.correct is not None:
            right = self.correct[row][place]
            text += f" {_TICK if right else _CROSS}"
            for side in ax.spines.values():
                side.set(**(_RIGHT if right else _WRONG))
        ax.set_title(text, fontsize=9, pad=3)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: ArrayLike | None = None,
        X_database: SamplesLike | None = None,
        y_database: ArrayLike | None = None,
        *,
        images: ArrayLike | None = None,
        database_images: ArrayLike | None = None,
        rows: ArrayLike | None = None,
        n_neighbors: int = 10,
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with a fitted estimator, search, and draw the images.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n_queries, ...)
            Queries, in any form that the estimator accepts.
        y : array-like of shape (n_queries,) or (n_queries, n_classes), default=None
            Their class labels or multi-hot labels; None draws no frames.
        X_database, y_database : array-like, default=None
            The database and its labels. None searches the codes of the index at the end of the estimator, if there is
            one, else `X` itself, with each query excluded from its own results.
        images : array-like of shape (n_queries, height, width[, channels]), default=None
            Images of the queries; None uses `X`.
        database_images : array-like of shape (n_items, height, width[, channels]), default=None
            Images of the database; None uses `X_database`, or `images` if `X` itself is searched. Required if the
            codes of an index are searched.
        rows : array-like of int, default=None
            Rows of the queries to draw; None means the first five.
        n_neighbors : int, default=10
            Number of results to draw for each query.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the grid; None uses the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to divide; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievedImagesDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        retrieval, sides = encode_both_sides(estimator, X, y, X_database, y_database, cls.__name__)
        shown: Any = X if images is None else images
        searched: Any = database_images
        if searched is None:
            searched = shown if sides["exclude_self"] else X_database
        if searched is None:
            raise ValueError("database_images is required: the index stores codes, not images.")
        return cls.from_predictions(
            *retrieval,
            query_images=shown,
            database_images=searched,
            rows=rows,
            n_neighbors=n_neighbors,
            **sides,
            n_jobs=n_jobs,
            name=name_of(estimator, name),
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        query_codes: CodesLike,
        database_codes: CodesLike,
        query_labels: ArrayLike | None = None,
        database_labels: ArrayLike | None = None,
        *,
        query_images: ArrayLike,
        database_images: ArrayLike,
        rows: ArrayLike | None = None,
        n_neighbors: int = 10,
        exclude_self: bool = False,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Search codes, and draw the images of the results.

        Parameters
        ----------
        query_codes, database_codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Codes of the queries and codes of the database.
        query_labels, database_labels : array-like of shape (n,) or (n, n_classes), default=None
            Class labels or multi-hot labels of both sides, or None for both, which draws no frames. Class labels are
            written above the queries.
        query_images, database_images : array-like of shape (n, height, width) or (n, height, width, channels)
            Images of both sides, all of the same size, with 1, 3 or 4 channels; these may also come before the height.
        rows : array-like of int, default=None
            Rows of the queries to draw; None means the first five.
        n_neighbors : int, default=10
            Number of results to draw for each query; fewer if the database is smaller.
        exclude_self : bool, default=False
            Exclude each query from its own results: query `i` is database item `i`.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the grid.
        ax : matplotlib Axes, default=None
            Axes to divide; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : RetrievedImagesDisplay
            The Display, already drawn.

        Raises
        ------
        ValueError
            If codes, labels or images are malformed or inconsistent, or if `rows` is empty or has unknown rows.
        """
        cls._check_matplotlib("from_predictions")
        check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1)
        queries, database, bits = read_both_codes(query_codes, database_codes, bits, bitorder)
        if exclude_self and not np.array_equal(queries, database):
            raise ValueError("exclude_self=True requires query_codes and database_codes to be equal, row by row.")
        shown = _read_images(query_images, "query_images", len(queries))
        searched = _read_images(database_images, "database_images", len(database))
        if shown.shape[1:] != searched.shape[1:]:
            raise ValueError(
                "query_images and database_images must have the same shape except for the first axis, "
                f"got {shown.shape[1:]} and {searched.shape[1:]}."
            )
        rows = _read_rows(rows, len(queries))
        own = rows if exclude_self else np.full(len(rows), -1)
        distances, found = _search(queries[rows], database, own, n_neighbors, bits, n_jobs)
        correct = titles = None
        if (query_labels is None) != (database_labels is None):
            raise ValueError("query_labels and database_labels must both be passed or both be None.")
        if query_labels is not None:
            query, items = read_both_labels(query_labels, database_labels, len(queries), len(database))
            wanted, got = query[rows].decode()[:, None], items.decode()[found]
            correct = np.asarray((wanted & got).any(axis=-1) if query.multilabel else wanted == got)
            titles = None if query.multilabel else query[rows].decode().astype(str)
        return cls(shown[rows], searched[found], distances, correct, query_titles=titles, name=name).plot(ax, **kwargs)


def _search(
    queries: NDArray[np.uint64],
    database: NDArray[np.uint64],
    own: NDArray[np.int64],
    n_neighbors: int,
    bits: int,
    n_jobs: int | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find the nearest items, without `own` rows where these are not negative."""
    spare = int(own[0] >= 0)
    n_found = min(n_neighbors, len(database) - spare)
    if n_found < 1:
        raise ValueError("exclude_self=True requires a database of at least two rows, got 1.")
    index = HammingIndex(n_neighbors=n_found + spare, bits=bits, n_jobs=n_jobs).fit(database)
    distances, found = index.kneighbors(queries)
    # A query's own row may be missing from its results, if enough equal codes have lower rows: then drop the last one.
    keep = found != own[:, None]
    keep[keep.all(axis=1), n_found:] = False
    return distances[keep].reshape(-1, n_found), found[keep].reshape(-1, n_found)


def _read_rows(rows: ArrayLike | None, n_queries: int) -> NDArray[np.int64]:
    """Check the rows of the queries to draw."""
    rows = np.arange(min(5, n_queries)) if rows is None else np.asarray(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or not len(rows) or rows.min() < 0 or rows.max() >= n_queries:
        raise ValueError(f"rows must be a non-empty list of integers from 0 to {n_queries - 1}, got {rows.tolist()}.")
    return rows


def _read_images(images: Any, name: str, n_images: int) -> NDArray[Any]:
    """Convert images to shape (n, height, width) or (n, height, width, channels)."""
    # An ambiguous axis is resolved by the type: numpy's images have their channels last, torch's have them first.
    likelier, other = (1, -1) if hasattr(images, "detach") else (-1, 1)
    images = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    shape = images.shape
    if images.ndim == 4:
        images = np.moveaxis(images, likelier if images.shape[likelier] in _CHANNELS else other, -1)
    if images.ndim not in (3, 4) or images.dtype.kind not in "buif" or images.shape[3:] not in [(), *zip(_CHANNELS)]:
        raise ValueError(
            f"{name} must be numbers of shape (n, height, width), (n, height, width, channels) or "
            f"(n, channels, height, width), 1, 3 or 4 channels; got shape {shape} and dtype {images.dtype}."
        )
    if len(images) != n_images:
        raise ValueError(f"{name} has {len(images)} images, but there are {n_images} codes.")
    return images[..., 0] if images.shape[3:] == (1,) else images


def _scale(images: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """Scale images to the range of `imshow`; return them and keyword arguments for the colors."""
    gray = images.ndim == 4  # (rows, columns, height, width), without channels
    low, high = (0, 255) if images.dtype == np.uint8 else (0, 1)
    if images.min() < low or images.max() > high:
        low, high = images.min(), images.max()
    style = {"cmap": "gray", "vmin": low, "vmax": high} if gray else {}
    if not gray and images.dtype != np.uint8:
        images = (images - low) / (high - low or 1)
    return images, style
