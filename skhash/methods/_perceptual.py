"""Perceptual hashes as an estimator: codes of images that need no training by the user.

Zauner, "Implementation and benchmarking of perceptual image hash functions", thesis, 2010.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skhash.base import BaseHasher, was_given_labels
from skhash.perceptual import DRAFT_SIDE, KINDS, ImageItems, check_bits, perceptual_scores, read_items
from skhash.utils import (
    StrOptions,
    are_labels,
    available_if,
    fit_context,
    map_threads,
    read_color,
    read_labels,
    unwrap_features,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import SamplesLike

_BLOCK = 256  # images


class PerceptualHasher(BaseHasher):
    """Perceptual hashing: codes of images that need no training.

    Two versions of a picture (another size, format or compression) have codes that differ in few bits. The codes do
    not know what a picture shows: for similar contents, use a hasher that is trained.

    Parameters
    ----------
    kind : {"dhash", "phash", "whash", "average", "block", "phash+dhash", "copynet"}, default="dhash"
        What the bits compare; see the notes.
    bits : int, default=64
        Code length; at most 64 for "copynet".
    background : str or tuple of int, default="white"
        Color, as Pillow names it, on which transparent images are composited.
    draft : bool, default=False
        Whether large JPEG files are decoded at a half, a quarter or an eighth of their size, with at least 512 pixels
        on each side. That takes a third of the time for photos of a megapixel or more, and changes 0.3 of 64 bits on
        average.
    n_jobs : int, default=None
        Number of threads that decode and hash images. None means 1 unless in a `joblib.parallel_config` context; -1
        means all cores.

    Attributes
    ----------
    label_index_ : HammingIndex or None
        Training codes with their labels, if `fit` was given labels.
    classes_ : ndarray of shape (n_classes,)
        Class labels, if `fit` was given labels.
    n_features_in_ : int
        Number of features seen during `fit`, if it was given numbers of shape (n_samples, n_features).
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`, if they were all strings.

    See Also
    --------
    find_duplicates : Groups of pictures whose codes are nearly equal.
    PCAHasher : Learns from the pixels of the user's own images.

    Notes
    -----
    `fit` learns nothing: `transform` works without it. With labels, `fit` keeps the codes for `predict`.

    The gray values of an image are resized (Lanczos) to a grid of as many cells as bits, 8 x 8 for 64, and

    - "dhash": a bit is 1 where a cell is brighter than its left neighbor; the grid has one more column for this. [1]_
    - "average": where a cell is brighter than the mean of the cells. [1]_
    - "phash": where a coefficient of the cosine transform of a grid of 4 times the height and width is above the
      median. The coefficients are those of the lowest frequencies, mean included. [2]_
    - "whash": where a low-pass coefficient of the Haar transform is above the median. The image is resized to a square
      whose side is the largest power of 2 that is not above its own, and its mean is removed. [3]_
    - "block": where a block of the image in its own size is brighter than the median of the blocks in its quarter of
      the rows. The value of a pixel is the sum of its channels; equal blocks are 1 in bright quarters. [4]_
    - "phash+dhash": the first half of the bits is "phash", the second "dhash". They fail on different pictures:
      together they find more copies with fewer errors than either with as many bits.
    - "copynet": by turns, a bit of a small convolutional network that was trained to know changed copies (cropped,
      framed, mirrored, rotated, written on), and one of "dhash" for every second of its 8 x 8 cells. The network comes
      with the package, sees 40 x 40 gray values and takes a millisecond; :doc:`/user_guide/copynet` says what it was
      trained on. [5]_

    Ties are bit 0. "average", "phash", "dhash" and "whash" are bit for bit those of ImageHash 4.3 with `hash_size`
    8 for 64 bits, 16 for 256 and so on, of images that are opaque and have 8 bits per channel; this library composites
    transparent images, scales 16 bits and turns images upright first. "block" is that of blockhash.io.

    The kinds of others are defined for squares. Other lengths are a choice of this library. "dhash", "average" and
    "block" take the most nearly square grid, 8 rows of 16 cells for 128 bits; where it would be more than twice as wide
    as high, the next larger square without the cells farthest from its center. "whash" does so for powers of two, 8
    rows of 16 for 128, and takes the next power of four otherwise. "phash" takes the lowest frequencies of the next
    larger square, ordered by the sum of row and column. Bits are in the order of the cells, row by row. "copynet" takes
    the first of its 64.

    Images may be a folder, a list of paths, PIL images or arrays, an array (n, height, width), (n, height, width,
    channels) or (n, channels, height, width), or a Dataset. Floats from 0 to 1 are rounded to 8 bits, so that k / 255
    has the code of k; other floats are compared as they are. A row of numbers is an image, too: square if their number
    is a square, such as 784 for 28 x 28, otherwise one pixel high.

    References
    ----------
    .. [1] N. Krawetz. "Looks like it" and "Kind of like that". The Hacker Factor Blog, 2011 and 2013.
    .. [2] C. Zauner. "Implementation and benchmarking of perceptual image hash functions". Thesis, Hagenberg, 2010.
    .. [3] D. Petrov. "Wavelet image hash in Python". 2016. The kind of ImageHash.
    .. [4] B. Yang, F. Gu, X. Niu. "Block mean value based image perceptual hashing". IIH-MSP 2006.
    .. [5] E. Pizzi, S. D. Roy, S. N. Ravindra, P. Goyal, M. Douze. "A self-supervised descriptor for image copy
       detection". CVPR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from skhash import PerceptualHasher
    >>> images = load_sample_images().images
    >>> codes = PerceptualHasher("phash").fit_transform(images)
    >>> smaller = PerceptualHasher("phash").transform([image[::2, ::2] for image in images])
    >>> (codes != smaller).sum(axis=1)
    array([0, 0])
    """

    _parameter_constraints: dict[str, Any] = {
        **BaseHasher._parameter_constraints,
        "kind": [StrOptions(set(KINDS))],
        "background": [str, tuple, list],
        "draft": ["boolean"],
        "n_jobs": [int, None],
    }

    def __init__(
        self,
        kind: str = "dhash",
        *,
        bits: int = 64,
        background: str | tuple[int, int, int] = "white",
        draft: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.kind = kind
        self.bits = bits
        self.background = background
        self.draft = draft
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Check the parameters, and keep the codes of images with labels for `predict`. Nothing is learned.

        Parameters
        ----------
        X : images, or array-like of shape (n_samples, n_features)
            Images in any form; see the notes of the class. They are decoded only if `y` is labels.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix: kept with the codes for `predict`.

        Returns
        -------
        self : object
            The hasher.
        """
        items = self._validate(X, reset=True)
        if y is not None:
            check_consistent_length(items, y)
        if y is not None and are_labels(y):
            read_labels(y)  # raises before anything is decoded
        self._remember_labels(items, y)
        return self

    @available_if(was_given_labels)
    def predict(self, X: SamplesLike) -> NDArray[Any]:
        """Predict class labels by a vote of the nearest training codes.

        Parameters
        ----------
        X : images, or array-like of shape (n_samples, n_features)
            Images in any form.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One label per sample, or a multi-hot matrix if `fit` was given one. See `HammingIndex.predict`.
        """
        check_is_fitted(self, "label_index_")
        return super().predict(X)

    def _validate_params(self) -> None:
        super()._validate_params()
        check_bits(self.kind, self.bits)

    def _check_fitted(self) -> None:
        """Check the parameters, because there may have been no `fit`."""
        self._validate_params()

    def _validate(self, X: Any, reset: bool = False) -> ImageItems:
        read_color(self.background)
        items = read_items(X)
        if items is None:
            return ImageItems(validate_data(self, unwrap_features(X), reset=reset), rows=True)
        if reset:
            vars(self).pop("n_features_in_", None)
            vars(self).pop("feature_names_in_", None)
        return items

    def _project(self, samples: ImageItems) -> Iterator[NDArray[np.float64]]:
        n_jobs = effective_n_jobs(self.n_jobs)  # pyright: ignore[reportArgumentType]  # None is documented
        at_least = DRAFT_SIDE if self.draft else None

        def scores(number: int) -> NDArray[np.float64]:
            return perceptual_scores(samples.read(number, self.background, at_least), self.kind, self.bits)

        for start in range(0, len(samples), _BLOCK):
            yield np.stack(map_threads(scores, range(start, min(start + _BLOCK, len(samples))), n_jobs))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
