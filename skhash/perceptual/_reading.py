"""Images in any form, one at a time: files, PIL images, arrays, Datasets and rows of numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.perceptual._files import list_pictures, open_picture
from skhash.utils import import_optional, is_array_like, is_pil, read_pixels, to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_CHANNELS = (1, 3, 4)
_GRAY = np.array([0.299, 0.587, 0.114])  # the weights of Pillow's mode "L"
_HIGHEST = 1e30  # sums of larger values could leave single precision
_EXPECTED = (
    "a list of paths, PIL images or arrays, a folder, an array of shape (n, height, width), (n, height, width, "
    "channels) or (n, channels, height, width), a Dataset, or numbers of shape (n_samples, n_features)"
)


@dataclass(frozen=True, eq=False)
class ImageItems:
    """Images that are decoded one at a time.

    Parameters
    ----------
    items : sequence
        Paths, PIL images, arrays of (height, width) or (height, width, channels), or rows of numbers.
    first : bool, default=False
        Whether arrays are (channels, height, width).
    of_dataset : bool, default=False
        Whether an item may be a tuple that begins with the image.
    rows : bool, default=False
        Whether items are rows of numbers.
    """

    items: Any
    first: bool = False
    of_dataset: bool = False
    rows: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def read(self, number: int, background: str | tuple[int, int, int] = "white", at_least: int | None = None) -> Image:
        """Decode an image.

        Parameters
        ----------
        number : int
            Its position.
        background : str or tuple of int, default="white"
            Color on which transparent images are composited.
        at_least : int, default=None
            Length that neither side of a JPEG file gets shorter than when it is decoded at a smaller size; None decodes
            all pixels.

        Returns
        -------
        image : PIL.Image.Image
            Image of mode "L", "RGB" or, for floating-point values that are not from 0 to 1, "F".
        """
        item = self.items[number]
        if self.rows:
            return _from_row(item)
        if self.of_dataset and isinstance(item, (tuple, list)):
            item = item[0]
        return read_image(item, background, name=f"X[{number}]", first=self.first, at_least=at_least)


def read_items(X: Any) -> ImageItems | None:
    """Recognize images in any form.

    Parameters
    ----------
    X : object
        What the user passed.

    Returns
    -------
    items : ImageItems or None
        None if `X` looks like a matrix of numbers, which scikit-learn's validation checks.

    Raises
    ------
    ValueError
        If there are no images, or the shape of an array is none of images.
    TypeError
        If `X` is none of the accepted types.
    """
    if isinstance(X, (str, os.PathLike)):
        if os.path.isfile(X):
            raise TypeError(f"X is the single path {str(X)!r}; expected a list, for instance [{str(X)!r}].")
        return ImageItems(list_pictures(X))
    if not is_array_like(X):
        if hasattr(X, "__getitem__") and hasattr(X, "__len__") and not isinstance(X, (Mapping, bytes, bytearray)):
            return _not_empty(ImageItems(X, of_dataset=True))
        raise TypeError(f"X has type {type(X).__name__}; expected {_EXPECTED}.")
    if isinstance(X, (list, tuple)) and X and (is_pil(X[0]) or getattr(X[0], "ndim", 0) > 1):
        return ImageItems(X)
    n_dims = len(getattr(X, "shape", (0,)))
    if n_dims > 2:
        return _of_array(to_numpy(X, "X"), is_tensor=hasattr(X, "detach"))
    column = _as_column(X, n_dims)
    if column is not None and len(column) and (isinstance(column[0], (str, os.PathLike)) or is_pil(column[0])):
        for number, item in enumerate(column):
            if not (isinstance(item, (str, os.PathLike)) or is_pil(item)):
                raise ValueError(f"X[{number}] is {type(item).__name__}; expected a path or a PIL image, as in X[0].")
        return ImageItems(column)
    return None


def read_image(
    item: Any, background: Any = "white", *, name: str = "X", first: bool = False, at_least: int | None = None
) -> Image:
    """Decode one image of any form except a row of numbers.

    Parameters
    ----------
    item : str, Path, PIL.Image.Image or array
        The image.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    name : str, default="X"
        What error messages call an array.
    first : bool, default=False
        Whether an array is (channels, height, width). A tensor whose two ends could be the channels is, too.
    at_least : int, default=None
        Length that neither side of a JPEG file gets shorter than when it is decoded at a smaller size; None decodes all
        pixels.

    Returns
    -------
    image : PIL.Image.Image
        Image of mode "L", "RGB" or "F".
    """
    if isinstance(item, (str, os.PathLike)) or is_pil(item) or hasattr(item, "read"):
        return open_picture(item, background, None, at_least)
    is_tensor = hasattr(item, "detach")
    values = to_numpy(item, name)
    if values.ndim == 3:
        last = not first and _channels_are_last(values.shape, is_tensor=is_tensor)
        if last is None or values.shape[2 if last else 0] not in _CHANNELS:
            raise ValueError(f"{name} has shape {values.shape}; expected an image with 1, 3 or 4 channels.")
        values = values.transpose(2, 0, 1) if last else values
    elif values.ndim == 2:
        values = values[None]
    else:
        raise ValueError(f"{name} has shape {values.shape}; expected (height, width) or (height, width, channels).")
    if values.size == 0:
        raise ValueError(f"{name} has shape {values.shape}; expected an image of at least 1 x 1 pixels.")
    pixels = read_pixels(values[None], background, name=name)[0]
    return _from_floats(pixels[:3]) if pixels.dtype.kind == "f" else _from_bytes(pixels)


def _not_empty(items: ImageItems) -> ImageItems:
    if len(items) == 0:
        raise ValueError("X: found 0 sample(s) while a minimum of 1 is required.")
    return items


def _of_array(X: NDArray[Any], *, is_tensor: bool) -> ImageItems:
    if X.ndim == 3:
        return _not_empty(ImageItems(X))
    last = _channels_are_last(X.shape[1:], is_tensor=is_tensor) if X.ndim == 4 else None
    if last is None:
        raise ValueError(f"X has shape {X.shape}; expected {_EXPECTED}.")
    return _not_empty(ImageItems(X, first=True) if not last else ImageItems(X))


def _channels_are_last(shape: tuple[int, ...], *, is_tensor: bool) -> bool | None:
    """Check which end of a shape are the channels: those of numpy are last if both could be, those of tensors first."""
    for last in (False, True) if is_tensor else (True, False):
        if shape[-1 if last else 0] in _CHANNELS:
            return last
    return None


def _as_column(X: Any, n_dims: int) -> Any:
    """Return a list, a column or a frame of one column as a sequence; None for a matrix."""
    if isinstance(X, (list, tuple)):
        if X and isinstance(X[0], (list, tuple, np.ndarray)) and len(X[0]) == 1:
            return [row[0] if len(row) else None for row in X]
        return X
    if n_dims == 2 and X.shape[1] != 1:
        return None
    if not hasattr(X, "to_numpy") and getattr(getattr(X, "dtype", None), "kind", "O") not in "OUT":
        return None
    values = to_numpy(X, "X")
    return values.ravel().tolist() if values.dtype.kind in "OUT" else None


def _from_bytes(pixels: NDArray[np.uint8]) -> Image:
    """Return a PIL image of pixels (channels, height, width)."""
    fromarray = import_optional("PIL.Image", extra="vision", purpose="Perceptual hashing").fromarray
    return fromarray(np.ascontiguousarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)))


def _from_floats(values: NDArray[Any]) -> Image:
    """Return a PIL image of floats (channels, height, width): 8 bits if they are from 0 to 1, else single precision."""
    values = np.asarray(values, np.float64)
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        return _from_bytes(np.rint(values * 255).astype(np.uint8))
    gray = values[0] if len(values) == 1 else np.tensordot(_GRAY, values, 1)
    return _single_precision(gray * 255 if max(-low, high) < _HIGHEST else gray / max(-low, high))


def _from_row(row: NDArray[Any]) -> Image:
    """Return a row of numbers as an image: square if their number is a square, else one pixel high."""
    side = isqrt(len(row))
    values = row.reshape((side, side) if side * side == len(row) else (1, len(row)))
    if values.dtype.kind == "f":
        return _from_floats(values[None])
    if values.min() >= 0 and values.max() <= 255:
        return _from_bytes(values[None].astype(np.uint8) * np.uint8(255 if values.dtype.kind == "b" else 1))
    return _single_precision(values)


def _single_precision(gray: NDArray[Any]) -> Image:
    fromarray = import_optional("PIL.Image", extra="vision", purpose="Perceptual hashing").fromarray
    return fromarray(np.ascontiguousarray(gray, np.float32))
