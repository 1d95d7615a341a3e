"""Map of codes in the plane, by t-SNE of their Hamming distances."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.manifold import TSNE
from sklearn.utils import check_scalar

from skhash.codes import unpack_codes
from skhash.metrics.codes._code_reading import read_codes
from skhash.metrics.displays._base import BaseDisplay, encode_one_side, name_of, scatter_style, show_legend
from skhash.utils import local_random_state, read_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from numpy.typing import ArrayLike, NDArray

    from skhash.codes import BitOrder
    from skhash.utils import CodesLike, RandomStateLike, SamplesLike

_MAX_CODES = 5000


class CodeEmbeddingDisplay(BaseDisplay):
    """Codes as points in the plane, close together where their Hamming distance is small, as far as t-SNE achieves it.

    Use `from_estimator` or `from_predictions` to create one. Each class has its own color and marker. t-SNE preserves
    neighborhoods: the sizes of groups and the distances between them mean little.

    Parameters
    ----------
    embedding : ndarray of float of shape (n, 2)
        Position of each code.
    labels : ndarray of shape (n,), default=None
        Class labels; None draws all codes in the same style.
    name : str, default=None
        Title of the legend; without labels its only entry.

    Attributes
    ----------
    points_ : list of matplotlib PathCollection
        The points, class by class in the order of the sorted labels.
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure or SubFigure
        Figure that contains `ax_`.

    See Also
    --------
    DistanceHistogramDisplay : The exact distances.

    References
    ----------
    .. [1] L. van der Maaten, G. Hinton. "Visualizing data using t-SNE". JMLR 9, 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import ITQHasher
    >>> from skhash.metrics import CodeEmbeddingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> hasher = ITQHasher(bits=32, random_state=0).fit(X)
    >>> display = CodeEmbeddingDisplay.from_estimator(hasher, X, y, n_max=100, random_state=0)
    >>> display.embedding.shape, len(display.points_)
    ((100, 2), 10)
    """

    points_: list[PathCollection]

    def __init__(
        self, embedding: NDArray[np.floating[Any]], labels: NDArray[Any] | None = None, *, name: str | None = None
    ) -> None:
        self.embedding = embedding
        self.labels = labels
        self.name = name

    def plot(self, ax: Axes | None = None, *, name: str | None = None, **kwargs: Any) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure. The legend is outside, to the right.
        name : str, default=None
            Title of the legend; None uses the Display's own.
        **kwargs : dict
            Keyword arguments of `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : CodeEmbeddingDisplay
            This Display.
        """
        name = self._prepare(ax, name)
        if self.labels is None:
            groups = [(name, slice(None))]
        else:
            groups = [(str(label), np.asarray(self.labels) == label) for label in np.unique(self.labels)]
        points = np.asarray(self.embedding)
        self.points_ = [
            self.ax_.scatter(*points[rows].T, **scatter_style(number, label, kwargs, s=14, linewidth=0))
            for number, (label, rows) in enumerate(groups)
        ]
        self.ax_.set(xticks=[], yticks=[], xlabel="t-SNE of Hamming distances (no unit)")
        beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "ncols": -(-len(groups) // 20), "markerscale": 1.5}
        show_legend(self.ax_, title=None if self.labels is None else name, **beside)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: SamplesLike,
        y: ArrayLike | None = None,
        *,
        perplexity: float = 30.0,
        n_max: int | None = None,
        random_state: RandomStateLike | None = None,
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Encode with a fitted estimator, embed the codes, and draw them.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n, ...)
            Samples, in any form that the estimator accepts.
        y : array-like of shape (n,), default=None
            Class labels.
        perplexity, n_max, random_state, n_jobs : float, int, RandomState instance or None
            As in `from_predictions`.
        name : str, default=None
            Title of the legend; None uses the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : CodeEmbeddingDisplay
            The Display, already drawn.
        """
        cls._check_matplotlib("from_estimator")
        codes, bits = encode_one_side(estimator, X, cls.__name__)
        options = {"perplexity": perplexity, "n_max": n_max, "random_state": random_state, "n_jobs": n_jobs}
        return cls.from_predictions(codes, y, bits=bits, **options, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        codes: CodesLike,
        y: ArrayLike | None = None,
        *,
        perplexity: float = 30.0,
        n_max: int | None = None,
        random_state: RandomStateLike | None = None,
        bits: int | None = None,
        bitorder: BitOrder = "little",
        n_jobs: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **kwargs: Any,
    ) -> Self:
        """Embed codes, and draw them.

        Parameters
        ----------
        codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Hash codes. All pairs are compared, so 5,000 codes are allowed at most, unless `n_max` selects fewer.
        y : array-like of shape (n,), default=None
            Class labels. A multi-hot matrix is not accepted, because a point has one color.
        perplexity : float, default=30.0
            Effective number of neighbors of each code that t-SNE considers, less than the number of drawn codes.
        n_max : int, default=None
            Size of a random subset to draw if there are more codes, from 2 to 5,000. None draws all codes.
        random_state : int, RandomState instance or None, default=None
            Seed of the subset and of t-SNE.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        bitorder : {"little", "big"}, default="little"
            Order of the bits in packed bytes, "big" for those of `np.packbits`; see `skhash.codes.as_packed`.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the legend; without labels its only entry.
        ax : matplotlib Axes, default=None
            Axes to draw on; None creates a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : CodeEmbeddingDisplay
            The Display, already drawn.

        Raises
        ------
        ValueError
            If there are too many codes, or too few for the perplexity, or if `y` does not match them.
        """
        cls._check_matplotlib("from_predictions")
        packed, bits = read_codes(codes, bits, bitorder, at_least=2)
        labels = None if y is None else _read_classes(y, len(packed))
        random_state = local_random_state(random_state)
        if n_max is not None:
            check_scalar(n_max, "n_max", Integral, min_val=2, max_val=_MAX_CODES)
            if n_max < len(packed):
                rows = np.sort(random_state.choice(len(packed), n_max, replace=False))
                packed, labels = packed[rows], None if labels is None else labels[rows]
        if len(packed) > _MAX_CODES:
            raise ValueError(
                f"codes must have at most {_MAX_CODES} rows for t-SNE, got {len(packed)}; n_max selects a subset."
            )
        signs = 2 * unpack_codes(packed, bits).astype(np.float32) - 1
        distances = (bits - signs @ signs.T) / 2
        tsne = TSNE(
            metric="precomputed", init="random", perplexity=perplexity, random_state=random_state, n_jobs=n_jobs
        )
        return cls(tsne.fit_transform(distances), labels, name=name).plot(ax, **kwargs)


def _read_classes(y: ArrayLike, n_codes: int) -> NDArray[Any]:
    """Read one class label per code."""
    labels = read_labels(y)
    if labels.multilabel:
        raise ValueError("y must be one class label per code or None, got a multi-hot matrix.")
    if len(labels) != n_codes:
        raise ValueError(f"y must have one row per code, {n_codes}, got {len(labels)}.")
    return labels.decode()
