"""A map of codes in the plane, by t-SNE of their Hamming distances."""

from numbers import Integral

import numpy as np
from sklearn.manifold import TSNE
from sklearn.utils import check_scalar

from skhash.codes import unpack_codes
from skhash.metrics.codes._code_reading import read_codes
from skhash.metrics.displays._base import BaseDisplay, encode_one_side, name_of, scatter_style, show_legend
from skhash.utils import local_random_state, read_labels

_MOST = 5000


class CodeEmbeddingDisplay(BaseDisplay):
    """Codes as points in the plane, close together where their Hamming distance is small, as far as t-SNE can do that.

    Use `from_estimator` or `from_predictions` to make one. Each class has a colour and a marker of its own. t-SNE keeps
    neighbourhoods: the sizes of groups and the distances between them mean little.

    Parameters
    ----------
    embedding : ndarray of float of shape (n, 2)
        Where each code is drawn.
    labels : ndarray of shape (n,), default=None
        Class labels; None draws all codes alike.
    name : str, default=None
        Title of the legend; without labels the one name in it.

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
    DistanceHistogramDisplay : The same distances, exactly.

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

    def __init__(self, embedding, labels=None, *, name=None):
        self.embedding = embedding
        self.labels = labels
        self.name = name

    def plot(self, ax=None, *, name=None, **kwargs):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure. The legend is at its right, outside.
        name : str, default=None
            Title of the legend; None is the Display's.
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
        estimator,
        X,
        y=None,
        *,
        perplexity=30.0,
        n_max=None,
        random_state=None,
        n_jobs=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Encode with a fitted estimator, embed, and draw.

        Parameters
        ----------
        estimator : estimator instance
            Fitted hasher, or `Pipeline` that ends in a hasher or in a `HammingIndex`.
        X : array-like of shape (n, ...)
            Samples, whatever the estimator takes.
        y : array-like of shape (n,), default=None
            Class labels.
        perplexity, n_max, random_state, n_jobs
            As in `from_predictions`.
        name : str, default=None
            Title of the legend; None is the name of the estimator's class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : CodeEmbeddingDisplay
            The Display, drawn.
        """
        cls._check_matplotlib("from_estimator")
        codes, bits = encode_one_side(estimator, X, cls.__name__)
        options = {"perplexity": perplexity, "n_max": n_max, "random_state": random_state, "n_jobs": n_jobs}
        return cls.from_predictions(codes, y, bits=bits, **options, name=name_of(estimator, name), ax=ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        codes,
        y=None,
        *,
        perplexity=30.0,
        n_max=None,
        random_state=None,
        bits=None,
        n_jobs=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Embed codes, and draw.

        Parameters
        ----------
        codes : array-like of shape (n, bits) or in another form of `skhash.codes`
            Hash codes. All pairs are compared, so there may be 5,000 at most, unless `n_max` draws fewer.
        y : array-like of shape (n,), default=None
            Class labels. A multi-hot matrix is refused: a point has one colour.
        perplexity : float, default=30.0
            About how many neighbours of each code t-SNE minds, below the number of codes drawn.
        n_max : int, default=None
            Draw a random subset of so many codes where there are more, 5,000 at most. None draws all of them.
        random_state : int, RandomState instance or None, default=None
            Seeds the subset and t-SNE.
        bits : int, default=None
            Code length, needed for packed bytes and for packed words with padding.
        n_jobs : int, default=None
            Number of threads.
        name : str, default=None
            Title of the legend; without labels the one name in it.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **kwargs : dict
            Keyword arguments of `plot`.

        Returns
        -------
        display : CodeEmbeddingDisplay
            The Display, drawn.

        Raises
        ------
        ValueError
            If there are too many codes, or too few for the perplexity, or `y` does not fit them.
        """
        cls._check_matplotlib("from_predictions")
        packed, bits = read_codes(codes, bits, at_least=2)
        labels = None if y is None else _read_classes(y, len(packed))
        random_state = local_random_state(random_state)
        if n_max is not None:
            check_scalar(n_max, "n_max", Integral, min_val=2, max_val=_MOST)
            if n_max < len(packed):
                rows = np.sort(random_state.choice(len(packed), n_max, replace=False))
                packed, labels = packed[rows], None if labels is None else labels[rows]
        if len(packed) > _MOST:
            raise ValueError(f"t-SNE of {len(packed)} codes takes too long: at most {_MOST}; n_max= draws a subset.")
        signs = 2 * unpack_codes(packed, bits).astype(np.float32) - 1
        distances = (bits - signs @ signs.T) / 2
        tsne = TSNE(
            metric="precomputed", init="random", perplexity=perplexity, random_state=random_state, n_jobs=n_jobs
        )
        return cls(tsne.fit_transform(distances), labels, name=name).plot(ax, **kwargs)


def _read_classes(y, n_codes):
    """Read one class label per code."""
    labels = read_labels(y)
    if labels.multilabel:
        raise ValueError("y is a multi-hot matrix, but a point has one colour: give one class label per code, or None.")
    if len(labels) != n_codes:
        raise ValueError(f"codes have {n_codes} rows, but y has {len(labels)}.")
    return labels.decode()
