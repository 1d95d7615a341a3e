"""The kinds of perceptual hashes.

Each function of the table `_SCORES` returns the continuous codes of one image: bit `k` is 1 where value `k` is
positive. An image is a PIL image of mode "L", "RGB" or "F" (floating-point gray values on the scale of the others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.perceptual._copy_network import BITS, SIDE, copy_scores
from skhash.perceptual._grid import binary_grid, central_grid, frequency_grid
from skhash.perceptual._haar import low_pass
from skhash.perceptual._reading import read_image
from skhash.utils import import_optional

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray
    from PIL.Image import Image

_BELOW_ZERO = -np.finfo(np.float64).tiny
_REDUCTION = 4  # side of the image that phash transforms, per side of the square of frequencies
_BANDS = 4


def dhash(
    image: str | os.PathLike[str] | Image | ArrayLike, bits: int = 64, *, background: Any = "white"
) -> NDArray[np.uint8]:
    """Compute the difference hash of an image.

    The image is reduced to a grid with one more column than the code has. A bit is 1 where a cell is brighter than its
    left neighbor.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or ndarray
        The image; an array is (height, width) or (height, width, channels).
    bits : int, default=64
        Code length.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.

    Returns
    -------
    code : ndarray of uint8 of shape (bits,)
        The bits, row by row: those of `imagehash.dhash(image, 8)` for 64 bits.

    See Also
    --------
    skhash.PerceptualHasher : The same for many images, as an estimator; its documentation defines the kinds.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.perceptual import dhash
    >>> dhash(np.tile(np.arange(0, 240, 5, dtype=np.uint8), (32, 1)), bits=4)
    array([1, 1, 1, 1], dtype=uint8)
    """
    return _code(image, "dhash", bits, background)


def phash(
    image: str | os.PathLike[str] | Image | ArrayLike, bits: int = 64, *, background: Any = "white"
) -> NDArray[np.uint8]:
    """Compute the hash of the low frequencies of an image.

    The image is reduced to a square of four times the side of the code. A bit is 1 where a coefficient of its cosine
    transform is above the median of those in the code.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or ndarray
        The image; an array is (height, width) or (height, width, channels).
    bits : int, default=64
        Code length.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.

    Returns
    -------
    code : ndarray of uint8 of shape (bits,)
        The bits: those of `imagehash.phash(image, 8)` for 64 bits.

    See Also
    --------
    skhash.PerceptualHasher : The same for many images, as an estimator; its documentation defines the kinds.
    """
    return _code(image, "phash", bits, background)


def whash(
    image: str | os.PathLike[str] | Image | ArrayLike, bits: int = 64, *, background: Any = "white"
) -> NDArray[np.uint8]:
    """Compute the hash of the Haar wavelet transform of an image.

    The image is resized to a square whose side is the largest power of two that is not above its own. A bit is 1 where
    a coefficient of the low-pass part is above the median.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or ndarray
        The image; an array is (height, width) or (height, width, channels).
    bits : int, default=64
        Code length.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.

    Returns
    -------
    code : ndarray of uint8 of shape (bits,)
        The bits: those of `imagehash.whash(image, 8)` for 64 bits.

    See Also
    --------
    skhash.PerceptualHasher : The same for many images, as an estimator; its documentation defines the kinds.
    """
    return _code(image, "whash", bits, background)


def average_hash(
    image: str | os.PathLike[str] | Image | ArrayLike, bits: int = 64, *, background: Any = "white"
) -> NDArray[np.uint8]:
    """Compute the average hash of an image.

    The image is reduced to a grid. A bit is 1 where a cell is brighter than the mean of the cells.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or ndarray
        The image; an array is (height, width) or (height, width, channels).
    bits : int, default=64
        Code length.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.

    Returns
    -------
    code : ndarray of uint8 of shape (bits,)
        The bits, row by row: those of `imagehash.average_hash(image, 8)` for 64 bits.

    See Also
    --------
    skhash.PerceptualHasher : The same for many images, as an estimator; its documentation defines the kinds.
    """
    return _code(image, "average", bits, background)


def block_hash(
    image: str | os.PathLike[str] | Image | ArrayLike, bits: int = 64, *, background: Any = "white"
) -> NDArray[np.uint8]:
    """Compute the block mean hash of an image.

    The image is divided into blocks, without resizing. A bit is 1 where a block is brighter than the median of its
    quarter of the blocks.

    Parameters
    ----------
    image : str, Path, PIL.Image.Image or ndarray
        The image; an array is (height, width) or (height, width, channels).
    bits : int, default=64
        Code length.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.

    Returns
    -------
    code : ndarray of uint8 of shape (bits,)
        The bits, row by row: those of blockhash.io for 256 bits and an opaque image.

    See Also
    --------
    skhash.PerceptualHasher : The same for many images, as an estimator; its documentation defines the kinds.
    """
    return _code(image, "block", bits, background)


def check_bits(kind: str, bits: int) -> None:
    """Check that a kind has codes of a length.

    Parameters
    ----------
    kind : {"dhash", "phash", "whash", "average", "block", "phash+dhash", "copynet"}
        The kind of hash.
    bits : int
        Code length.

    Raises
    ------
    ValueError
        If the code is longer than those of "copynet".
    """
    if kind == "copynet" and bits > BITS:
        raise ValueError(
            f'bits must be at most {BITS} for kind="copynet", got {bits}. For longer codes take kind="phash+dhash", or '
            "train CopyHasher on the pictures."
        )


def perceptual_scores(image: Image, kind: str, bits: int) -> NDArray[np.float64]:
    """Compute the continuous code of one decoded image.

    Parameters
    ----------
    image : PIL.Image.Image
        Image of mode "L", "RGB" or "F"; gray values of mode "F" are from 0 to 255, as those of "L".
    kind : {"dhash", "phash", "whash", "average", "block", "phash+dhash", "copynet"}
        The kind of hash.
    bits : int
        Code length.

    Returns
    -------
    z : ndarray of float64 of shape (bits,)
        Bit `k` of the code is 1 where `z[k] >= 0`. No value is zero: ties are bit 0, and slightly negative.
    """
    z = _SCORES[kind](image, bits)
    return np.where(z == 0, _BELOW_ZERO, z)


def _code(image: Any, kind: str, bits: int, background: Any) -> NDArray[np.uint8]:
    if not isinstance(bits, (int, np.integer)) or isinstance(bits, bool) or bits < 1:
        raise ValueError(f"bits must be an integer of at least 1, got {bits!r}.")
    return (perceptual_scores(read_image(image, background, name="image"), kind, int(bits)) >= 0).view(np.uint8)


def _reduce(image: Image, width: int, height: int, resampling: str = "LANCZOS") -> NDArray[np.float64]:
    """Return the gray values of the image in another size."""
    filters = import_optional("PIL.Image", extra="vision", purpose="Perceptual hashing").Resampling
    gray = image if image.mode in ("L", "F") else image.convert("L")
    return np.asarray(gray.resize((width, height), filters[resampling])).astype(np.float64)


def _difference_scores(image: Image, bits: int) -> NDArray[np.float64]:
    grid = central_grid(bits)
    pixels = _reduce(image, grid.columns + 1, grid.rows)
    return grid.take(pixels[:, 1:] - pixels[:, :-1])


def _average_scores(image: Image, bits: int) -> NDArray[np.float64]:
    grid = central_grid(bits)
    pixels = grid.take(_reduce(image, grid.columns, grid.rows))
    return pixels - pixels.mean()


def _frequency_scores(image: Image, bits: int) -> NDArray[np.float64]:
    from scipy.fftpack import dct  # scipy.fft scales by another rounding: ties would be other bits than ImageHash's

    grid = frequency_grid(bits)
    pixels = _reduce(image, _REDUCTION * grid.columns, _REDUCTION * grid.rows)
    coefficients = np.asarray(dct(dct(pixels, axis=0), axis=1), np.float64)
    low = grid.take(coefficients[: grid.rows, : grid.columns])
    return low - np.median(low)


def _frequency_and_difference_scores(image: Image, bits: int) -> NDArray[np.float64]:
    """Concatenate a code of frequencies and one of differences, which fail on different pictures."""
    gray = image if image.mode in ("L", "F") else image.convert("L")
    n_first = (bits + 1) // 2
    parts = [_frequency_scores(gray, n_first)]
    if bits > n_first:
        parts.append(_difference_scores(gray, bits - n_first))
    return np.concatenate(parts)


def _network_scores(image: Image, bits: int) -> NDArray[np.float64]:
    check_bits("copynet", bits)
    is_small = min(image.size) < SIDE
    pixels = _reduce(image, SIDE, SIDE, "LANCZOS" if is_small else "BILINEAR")
    if image.mode == "F":  # of any range
        low, high = pixels.min(), pixels.max()
        pixels = np.rint((pixels - low) * (255 / (high - low))) if high > low else np.zeros_like(pixels)
    return copy_scores(pixels)[:bits]


def _wavelet_scores(image: Image, bits: int) -> NDArray[np.float64]:
    """Compare sums of blocks, which are integers; where some are equal, with ImageHash's rounding."""
    grid = binary_grid(bits)
    side = max(1 << (min(image.size).bit_length() - 1), grid.rows, grid.columns)
    pixels = _reduce(image, side, side)
    height, width = side // grid.rows, side // grid.columns
    sums = grid.take(pixels.reshape(grid.rows, height, grid.columns, width).sum(axis=(1, 3)))
    z = (sums - np.median(sums)) / (255 * height * width)
    n_ties = np.count_nonzero(z == 0)
    if n_ties > len(z) % 2 and grid.rows == grid.columns and image.mode != "F":
        low = grid.take(low_pass(pixels / 255.0, height.bit_length() - 1))
        z = (low - np.median(low)) / height
    return z


def _block_scores(image: Image, bits: int) -> NDArray[np.float64]:
    """Compare sums of blocks; pixels on a border count for each side by their area."""
    grid = central_grid(bits)
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    # In units of 1 / (rows * columns) pixels, every area is an integer and every block has `height * width` of them.
    # Sums of integers below 2 ** 53 are exact in any order.
    bands = _sum_bands(pixels.reshape(height, -1), grid.rows).reshape(grid.rows, width, -1)
    values = bands.sum(axis=2) * (3 / bands.shape[2])
    sums = grid.take(values @ _areas(width, grid.columns).T)
    unit = grid.rows * grid.columns
    largest = 3 * 256 * height * width
    z = np.empty(bits)
    for band in np.array_split(np.arange(bits), min(_BANDS, bits)):
        median = np.median(sums[band])
        z[band] = sums[band] - median
        if median > largest / 2:  # an image that is mostly white is not all zeros
            equal = np.abs(z[band]) < unit
            z[band[equal]] = unit
    return z / largest


def _sum_bands(pixels: NDArray[Any], rows: int) -> NDArray[np.float64]:
    """Return the product of `_areas` and the pixels: few rows are cut, the others of a band are added as integers."""
    sums = np.empty((rows, pixels.shape[1]))
    for band, areas in zip(sums, _areas(len(pixels), rows), strict=True):
        within = np.flatnonzero(areas)
        first, last = within[0], within[-1]
        np.multiply(areas[first], pixels[first], out=band)
        if last > first:
            band += areas[last] * pixels[last]
        if last > first + 1:
            kind = np.uint32 if pixels.dtype == np.uint8 else np.float64
            band += float(rows) * pixels[first + 1 : last].sum(axis=0, dtype=kind)
    return sums


def _areas(size: int, blocks: int) -> NDArray[np.float64]:
    """Return how much of every pixel is in every block, in units of 1 / `blocks`, as a matrix (blocks, size)."""
    pixel, block = np.arange(size) * blocks, np.arange(blocks)[:, None] * size
    return np.clip(np.minimum(pixel + blocks, block + size) - np.maximum(pixel, block), 0, None).astype(np.float64)


_SCORES: dict[str, Callable[[Image, int], NDArray[np.float64]]] = {
    "dhash": _difference_scores,
    "phash": _frequency_scores,
    "whash": _wavelet_scores,
    "average": _average_scores,
    "block": _block_scores,
    "phash+dhash": _frequency_and_difference_scores,
    "copynet": _network_scores,
}

#: Pixels on each side that a JPEG file keeps when it is decoded at a smaller size. With 512, the code of 150 photos and
#: renderings changed by 0.3 bits on average and 6 at most (phash); with 128, by 0.4 and 20, for a sixth less time.
DRAFT_SIDE = 512

#: Names of the kinds of perceptual hashes.
KINDS = tuple(_SCORES)
