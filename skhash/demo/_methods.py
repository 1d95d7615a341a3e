"""Methods that turn pictures into codes: perceptual hashes, hashers that learn from a data set, one of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.duplicates import duplicate_distance, encode_pictures, make_hasher
from skhash.methods import PerceptualHasher
from skhash.perceptual import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from skhash.demo._pictures import Pictures

_NOTES = {
    "dhash": "Bits say where the picture gets brighter from left to right.",
    "phash": "Bits are signs of the low frequencies.",
    "whash": "Bits are coefficients of the Haar transform above their median.",
    "average": "Bits say which cells of a small grid are brighter than the mean.",
    "block": "Bits say which blocks are brighter than the median of their quarter.",
    "phash+dhash": "The first half of the bits is phash, the second dhash.",
    "copynet": "A small network that was trained to know changed copies, and dhash by turns.",
}
_FINDS_COPIES = " Finds copies of a picture; it does not know what the picture shows."
_N_COMPONENTS = 64


@dataclass(frozen=True)
class Method:
    """A way to compute codes, with the code lengths to choose from.

    Parameters
    ----------
    name : str
        Name in addresses.
    title : str
        Name on the page.
    note : str
        A sentence on what the bits are.
    bits : tuple of int
        Code lengths.
    default_bits : int
        The code length that the page begins with.
    make : callable
        Returns the coder of a code length. It may learn for minutes.
    learns : bool, default=False
        Whether `make` learns from pictures.
    any_length : bool, default=False
        Whether other code lengths are possible, too.
    """

    name: str
    title: str
    note: str
    bits: tuple[int, ...]
    default_bits: int
    make: Callable[[int], PictureCoder | PixelCoder]
    learns: bool = False
    any_length: bool = False


class PictureCoder:
    """Codes of pictures in any form, by a hasher that reads pictures.

    Parameters
    ----------
    hasher : estimator
        A fitted hasher of images.
    for_copies : bool
        Whether its distances between copies are known, and mean something for these pictures.
    """

    def __init__(self, hasher: Any, *, for_copies: bool) -> None:
        self.hasher = hasher
        # Networks keep state while they compute, and several people may upload at a time.
        self._alone = nullcontext() if isinstance(hasher, PerceptualHasher) else Lock()
        self.copy_distance = duplicate_distance(hasher) if for_copies else None
        self.draft = bool(getattr(hasher, "draft", False))

    def encode(
        self, pictures: Pictures, rows: Sequence[int], n_jobs: int | None
    ) -> tuple[list[int], NDArray[np.uint8]]:
        """Compute codes of those that can be read.

        Parameters
        ----------
        pictures : Pictures
            The pictures.
        rows : sequence of int
            Positions of those to encode.
        n_jobs : int or None
            Number of threads.

        Returns
        -------
        rows : list of int
            Positions of those that could be read.
        codes : ndarray of uint8 of shape (n, bits)
            Their codes.
        """
        encoded = encode_pictures(pictures.items, pictures.names, rows, self.hasher, n_jobs=n_jobs)
        return encoded.rows, encoded.codes

    def encode_image(self, image: Image) -> NDArray[np.uint8]:
        """Compute the code of an upload.

        Parameters
        ----------
        image : PIL.Image.Image
            The picture.

        Returns
        -------
        code : ndarray of uint8 of shape (1, bits)
            Its code.
        """
        with self._alone:
            return self.hasher.transform([image])


class PixelCoder:
    """Codes of images of one size, by a hasher of their pixels.

    Parameters
    ----------
    hasher : estimator
        Fitted on rows of pixels from 0 to 1.
    shape : tuple of int
        (height, width) or (height, width, channels).
    """

    copy_distance = None
    draft = False

    def __init__(self, hasher: Any, shape: tuple[int, ...]) -> None:
        self.hasher, self.shape = hasher, shape

    def encode(
        self, pictures: Pictures, rows: Sequence[int], n_jobs: int | None
    ) -> tuple[list[int], NDArray[np.uint8]]:
        """Compute codes.

        Parameters
        ----------
        pictures : Pictures
            The pictures, an array.
        rows : sequence of int
            Positions of those to encode.
        n_jobs : int or None
            Ignored.

        Returns
        -------
        rows : list of int
            The same.
        codes : ndarray of uint8 of shape (n, bits)
            Their codes.
        """
        return list(rows), self.hasher.transform(to_rows(pictures.items.items[rows]))

    def encode_image(self, image: Image) -> NDArray[np.uint8]:
        """Compute the code of an upload, which gets the size and the colors of the others.

        Parameters
        ----------
        image : PIL.Image.Image
            The picture.

        Returns
        -------
        code : ndarray of uint8 of shape (1, bits)
            Its code.
        """
        height, width = self.shape[:2]
        resized = image.convert("RGB" if len(self.shape) == 3 else "L").resize((width, height))
        return self.hasher.transform(to_rows(np.asarray(resized, np.uint8)[None]))


def to_rows(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return images as rows of pixels from 0 to 1.

    Parameters
    ----------
    images : ndarray of uint8 of shape (n, height, width) or (n, height, width, channels)
        The images.

    Returns
    -------
    rows : ndarray of shape (n, n_pixels)
        The rows.
    """
    return images.reshape(len(images), -1) / 255.0


def list_methods(pictures: Pictures, model: Any = None) -> dict[str, Method]:
    """Return the methods that suit some pictures.

    Parameters
    ----------
    pictures : Pictures
        The pictures. If there are others to learn from, hashers of pixels are among the methods.
    model : estimator, default=None
        A fitted hasher of images, or a pipeline that ends in one; the first method then.

    Returns
    -------
    methods : dict of Method
        The methods by name.

    Raises
    ------
    ValueError
        If `model` is no hasher.
    """
    found = [] if model is None else [_of_model(model)]
    found += [_perceptual(kind, pictures) for kind in KINDS]
    if pictures.training is not None:
        found += _learned(pictures)
    return {method.name: method for method in found}


def _of_model(model: Any) -> Method:
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    name = type(last).__name__
    if not hasattr(last, "bits"):
        raise ValueError(f"model must be a hasher of images, or a pipeline that ends in one, got {name}.")
    bits = int(last.bits)
    return Method(
        "model", f"your {name}", f"A saved {name}.", (bits,), bits, lambda _: PictureCoder(model, for_copies=False)
    )


def _perceptual(kind: str, pictures: Pictures) -> Method:
    def make(bits: int) -> PictureCoder:
        return PictureCoder(make_hasher(kind).set_params(bits=bits), for_copies=pictures.in_folders)

    bits = (16, 32, 64) if kind == "copynet" else (16, 32, 64, 128, 256)
    return Method(kind, kind, _NOTES[kind] + _FINDS_COPIES, bits, 128 if "+" in kind else 64, make, any_length=True)


def _learned(pictures: Pictures) -> list[Method]:
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline

    from skhash.methods import ITQHasher, PosteriorHasher

    def make(hasher: Callable[[int], Any]) -> Callable[[int], PixelCoder]:
        def fit(bits: int) -> PixelCoder:
            assert pictures.training is not None
            images, target = pictures.training()
            n_components = min(_N_COMPONENTS, images[0].size // 2)
            pipeline = make_pipeline(PCA(n_components, svd_solver="covariance_eigh"), hasher(bits))
            return PixelCoder(pipeline.fit(to_rows(images), target), images.shape[1:])

        return fit

    bits = tuple(bits for bits in (16, 32, 64) if bits <= pictures.items.items[0].size // 2)
    learned = " It learned from pictures that are not shown here, and compares pixels: no network looks at them."
    return [
        Method(
            "posterior",
            "PosteriorHasher (labels)",
            "Codes of the probabilities that a linear classifier gives to the labels." + learned,
            (16, 32, 64),
            64,
            make(lambda bits: PosteriorHasher(bits=bits, C=1.0, max_iter=100, random_state=0)),
            learns=True,
        ),
        Method(
            "itq",
            "ITQHasher (no labels)",
            "Signs of rotated principal components." + learned,
            bits,
            bits[-1],
            make(lambda bits: ITQHasher(bits=bits, random_state=0)),
            learns=True,
        ),
    ]
