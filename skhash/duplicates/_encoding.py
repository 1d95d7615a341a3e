"""Codes of pictures and what is known of their files, in one pass over them; damaged ones are skipped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from joblib import effective_n_jobs
from tqdm.auto import tqdm

from skhash.methods import PerceptualHasher
from skhash.perceptual import DRAFT_SIDE, KINDS, draft_side, may_be_reduced, perceptual_scores
from skhash.utils import check_option, map_threads, measure_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from skhash.perceptual import ImageItems

    ErrorRule: TypeAlias = "str | Callable[[str | int, Exception], object]"

_PIXELS = 2**25  # that wait in memory for a hasher which takes many images at once: 100 MB of color


@dataclass(frozen=True)
class Picture:
    """Name and size of a picture, and of its file.

    Parameters
    ----------
    name : str or int
        Path of the file, or position of an image that is not a file.
    width, height : int
        Size in pixels.
    n_bytes : int or None
        Size of the file.
    modified : float or None
        When the file was last changed, in seconds since 1970.
    """

    name: str | int
    width: int
    height: int
    n_bytes: int | None = None
    modified: float | None = None

    @property
    def n_pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, eq=False)
class Encoded:
    """Pictures with their codes.

    Parameters
    ----------
    pictures : list of Picture
        The pictures that could be read, in order.
    rows : list of int
        Their positions in the input.
    codes : ndarray of uint8 of shape (n_pictures, bits)
        Their codes.
    skipped : list of (str or int, str)
        Names of the others, and why they were skipped.
    """

    pictures: list[Picture]
    rows: list[int]
    codes: NDArray[np.uint8]
    skipped: list[tuple[str | int, str]]


def make_hasher(hasher: Any) -> Any:
    """Return the hasher that a parameter `hasher` means.

    Parameters
    ----------
    hasher : str or estimator
        A kind of `PerceptualHasher`, of 64 bits or, for "phash+dhash", 128, which decodes JPEG files at a smaller size
        (`draft`); or a fitted hasher of images.

    Returns
    -------
    hasher : estimator
        The hasher.

    Raises
    ------
    ValueError
        If the kind is unknown.
    TypeError
        If it is neither.
    """
    if isinstance(hasher, str):
        check_option("hasher", hasher, KINDS)
        return PerceptualHasher(hasher, bits=128 if "+" in hasher else 64, draft=True)
    if isinstance(hasher, type) or not hasattr(hasher, "transform"):
        raise TypeError(f"hasher must be one of {list(KINDS)} or a fitted hasher of images, got {hasher!r}.")
    return hasher


def _choose_reading(hasher: Any) -> tuple[Any, int | None]:
    """Return background and length for `ImageItems.read`, so that codes are those of `transform`."""
    while hasattr(hasher, "steps"):  # the first step of a pipeline reads the pictures
        hasher = hasher.steps[0][1]
    background = getattr(hasher, "background", "white")
    if not getattr(hasher, "draft", False):
        return background, None
    return background, DRAFT_SIDE if isinstance(hasher, PerceptualHasher) else draft_side(hasher.input_shape_[1:])


def encode_pictures(
    items: ImageItems,
    names: Sequence[str | int],
    rows: Sequence[int],
    hasher: Any,
    *,
    errors: ErrorRule = "skip",
    n_jobs: int | None = None,
    progress: bool = False,
) -> Encoded:
    """Compute the codes of pictures.

    Parameters
    ----------
    items : ImageItems
        The pictures.
    names : sequence of str or int
        A name for each of them.
    rows : sequence of int
        Positions of those to read.
    hasher : estimator
        A fitted hasher of images. A `PerceptualHasher` codes each picture when it is decoded; others get lists of PIL
        images of together some 30 million pixels.
    errors : {"raise", "skip"} or callable, default="skip"
        What happens to a picture that cannot be read. A callable gets its name and the exception; the picture is
        skipped if it returns.
    n_jobs : int, default=None
        Number of threads that decode.
    progress : bool, default=False
        Whether to show a progress bar on the standard error stream.

    Returns
    -------
    encoded : Encoded
        Pictures and codes.

    Raises
    ------
    ValueError
        If a picture cannot be read and `errors` is "raise".
    """
    if not callable(errors):
        check_option("errors", errors, ("raise", "skip"))
    n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
    coder = _ScoreCoder(hasher) if isinstance(hasher, PerceptualHasher) else _ListCoder(hasher)
    background, at_least = _choose_reading(hasher)

    def read(row: int) -> tuple[Picture, Any] | Exception:
        try:
            image = items.read(row, background, at_least)
            item = items.items[row]
            width, height = image.size
            if at_least and may_be_reduced(item):
                height, width = measure_image(item)
            return _describe(item, names[row], width, height), coder.prepare(image)
        except Exception as error:  # Pillow's plugins raise anything on damaged files
            return error

    pictures, kept, skipped = [], [], []
    step = coder.step * n_threads
    with tqdm(total=len(rows), unit="picture", disable=not progress, file=sys.stderr) as bar:
        for start in range(0, len(rows), step):
            chunk = rows[start : start + step]
            for row, result in zip(chunk, map_threads(read, chunk, n_threads), strict=True):
                if not isinstance(result, Exception):
                    pictures.append(result[0])
                    kept.append(row)
                    coder.add(result[1])
                elif errors == "raise":
                    raise result
                else:
                    if callable(errors):
                        errors(names[row], result)
                    skipped.append((names[row], _explain(result)))
            bar.update(len(chunk))
    return Encoded(pictures, kept, coder.codes(), skipped)


def _explain(error: Exception) -> str:
    """Return why a picture was skipped; errors of this library begin with the name of an argument."""
    if isinstance(error, ValueError) or str(error).startswith("X: "):
        return str(error).removeprefix("X: ")
    return f"{type(error).__name__}: {error}"


class _ScoreCoder:
    """Codes of a `PerceptualHasher`, computed in the thread that decodes."""

    step = 16  # pictures per thread between two updates of the progress bar

    def __init__(self, hasher: PerceptualHasher) -> None:
        hasher._validate_params()
        self._kind, self._bits = hasher.kind, hasher.bits
        self._codes: list[NDArray[np.uint8]] = []

    def prepare(self, image: Image) -> NDArray[np.uint8]:
        return (perceptual_scores(image, self._kind, self._bits) >= 0).view(np.uint8)

    def add(self, code: NDArray[np.uint8]) -> None:
        self._codes.append(code)

    def codes(self) -> NDArray[np.uint8]:
        return np.array(self._codes, np.uint8).reshape(-1, self._bits)


class _ListCoder:
    """Codes of any other hasher, which takes lists of images."""

    step = 1

    def __init__(self, hasher: Any) -> None:
        self._hasher = hasher
        self._images: list[Any] = []
        self._n_pixels = 0
        self._blocks: list[NDArray[np.uint8]] = []

    def prepare(self, image: Image) -> Image:
        return image

    def add(self, image: Image) -> None:
        self._images.append(image)
        self._n_pixels += image.width * image.height
        if self._n_pixels >= _PIXELS:
            self._encode()

    def _encode(self) -> None:
        if self._images:
            self._blocks.append(np.asarray(self._hasher.transform(self._images), np.uint8))
            self._images, self._n_pixels = [], 0

    def codes(self) -> NDArray[np.uint8]:
        self._encode()
        return (
            np.concatenate(self._blocks) if self._blocks else np.empty((0, getattr(self._hasher, "bits", 1)), np.uint8)
        )


def name_items(items: ImageItems) -> list[str | int]:
    """Return the path of every file, and the position of every other image."""
    return [
        os.fspath(item) if isinstance(item, (str, os.PathLike)) else number for number, item in enumerate(items.items)
    ]


def _describe(item: Any, name: str | int, width: int, height: int) -> Picture:
    """Return what is known of a picture."""
    if not isinstance(item, (str, os.PathLike)):
        return Picture(name, width, height)
    status = os.stat(item)
    return Picture(name, width, height, status.st_size, status.st_mtime_ns / 1e9)
