"""The rule for the pixels of every type of image: files, PIL images and arrays become 8-bit gray or color."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skhash.utils._optional import import_optional

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray
    from PIL.Image import Image

    Color: TypeAlias = "str | tuple[int, int, int]"

_ORIENTATION = 0x0112  # tag of EXIF
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_COLORS = {"white": (255, 255, 255), "black": (0, 0, 0)}
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


def is_pil(item: Any) -> bool:
    """Check whether an object is a PIL image, without importing PIL.

    Parameters
    ----------
    item : object
        Any object.

    Returns
    -------
    is_image : bool
        Whether it has the methods of a PIL image.
    """
    return hasattr(item, "convert") and hasattr(item, "resize")


def open_image(
    item: str | os.PathLike[str] | BinaryIO | Image, background: Color = "white", *, name: str | None = None
) -> Image:
    """Return an upright, decoded PIL image in mode "L" or "RGB"; errors name the file.

    Parameters
    ----------
    item : str, Path, binary file or PIL.Image.Image
        The image; the first frame of an animated one. Gray values of more than 8 bits are integers from 0 to 65,535,
        of which the upper 8 bits are kept; gray floating-point values are from 0 to 255.
    background : str or tuple of int, default="white"
        Color, as Pillow names it, on which transparent images are composited.
    name : str, default=None
        What error messages call the image; None takes the path or the mode.

    Returns
    -------
    image : PIL.Image.Image
        The pixels, 8 bits per channel.

    Raises
    ------
    ValueError
        If the file is not an image, is damaged or too large, or has values outside of the range or a color space that
        Pillow cannot convert.
    """
    color = read_color(background)
    with _opened(item, name) as (image, name):
        return _decode(image, name, color)


def measure_image(item: str | os.PathLike[str] | BinaryIO | Image, *, name: str | None = None) -> tuple[int, int]:
    """Return height and width of an upright image; a file is not decoded for this if its header tells.

    Parameters
    ----------
    item : str, Path, binary file or PIL.Image.Image
        The image.
    name : str, default=None
        What error messages call the image; None takes the path or the mode.

    Returns
    -------
    size : (int, int)
        Height and width.

    Raises
    ------
    ValueError
        If the file is not an image, is too large, or its header is damaged.
    """
    with _opened(item, name) as (image, _):
        width, height = image.size
        # To look for EXIF data at the end of a PNG file, Pillow decodes the file.
        turned = width != height and _read_orientation(image) in (5, 6, 7, 8)
        return (width, height) if turned else (height, width)


def read_pixels(images: NDArray[Any], background: Color = "white", *, name: str = "X") -> NDArray[Any]:
    """Convert the pixels of an array of images to 8-bit integers; keep floating-point values.

    Parameters
    ----------
    images : ndarray of shape (n, channels, height, width)
        Pixels. Those of uint16 are from 0 to 65,535: their upper 8 bits are kept. Other integers are from 0 to 255.
        False and True are black and white. Integers with 4 channels are red, green, blue and alpha.
    background : str or tuple of int, default="white"
        Color on which images with alpha are composited.
    name : str, default="X"
        Name of the argument in error messages.

    Returns
    -------
    images : ndarray of uint8 or float of shape (n, channels, height, width)
        The pixels; integers have 1 or 3 channels. An array that needs no change is returned as it is.

    Raises
    ------
    ValueError
        If integers are not in their range, or floats are not finite in single precision.
    TypeError
        If the values are neither integers, booleans nor real floats.
    """
    kind = images.dtype.kind
    if kind not in "buif":
        raise TypeError(f"{name} has dtype {images.dtype}; expected pixels that are integers, booleans or floats.")
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if kind == "f":
        if not (low >= -_LARGEST_FLOAT and high <= _LARGEST_FLOAT):
            raise ValueError(f"{name} contains NaN, infinity or a value too large for dtype('float32').")
        return images.astype(np.float64) if images.dtype.itemsize > 8 else images  # torch has no longer floats
    if kind == "b":
        images = images * np.uint8(255)
    elif images.dtype.kind == "u" and images.dtype.itemsize == 2:
        _warn_if_narrow(name, high)
        wide, images = images, np.empty(images.shape, np.uint8)
        for source, target in zip(wide, images, strict=True):  # one at a time: `wide` may be a memory map
            np.right_shift(source, 8, out=target, casting="unsafe")
    elif low < 0 or high > 255:
        raise ValueError(
            f"{name} has integer pixels from {low} to {high}; expected 0 to 255, or 0 to 65535 of type uint16, "
            f"got {images.dtype}. Convert them, or pass floats, which are used as they are."
        )
    images = images.astype(np.uint8, copy=False)
    if images.shape[1] != 4:
        return images
    return _composite(images.transpose(0, 2, 3, 1), read_color(background)).transpose(0, 3, 1, 2)


def read_color(background: Color) -> tuple[int, int, int]:
    """Return the parameter `background` as red, green and blue.

    Parameters
    ----------
    background : str or tuple of int
        Name or notation that Pillow knows, such as "white" or "#ffffff"; or three integers from 0 to 255.

    Returns
    -------
    color : (int, int, int)
        From 0 to 255 each.

    Raises
    ------
    ValueError
        If it is not an opaque color.
    """
    color: Any = background
    if isinstance(background, str) and background in _COLORS:
        return _COLORS[background]
    if isinstance(background, str):
        try:
            color = import_optional("PIL.ImageColor", extra="vision", purpose="Reading colors").getrgb(background)
        except ValueError:
            color = None
    if (
        not isinstance(color, (tuple, list))
        or len(color) != 3
        or not all(isinstance(value, (int, np.integer)) and 0 <= value <= 255 for value in color)
    ):
        raise ValueError(
            f"background must be an opaque color that Pillow knows, or three integers from 0 to 255; got "
            f"{background!r}."
        )
    return int(color[0]), int(color[1]), int(color[2])


@contextmanager
def _opened(item: Any, name: str | None) -> Iterator[tuple[Any, str]]:
    """Open an image, and let the errors of reading it name it."""
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    if name is None:
        name = f"X: a PIL image of mode {item.mode!r}" if is_pil(item) else f"X: {str(item)!r}"
    try:
        if is_pil(item):
            yield item, name
        else:
            # Pillow warns of large images without naming the file, and a filter of warnings is not for threads alone.
            with image_module.open(item) as image:
                most = image_module.MAX_IMAGE_PIXELS
                if most is not None and image.width * image.height > most:
                    raise image_module.DecompressionBombError(f"{image.width} x {image.height} pixels")
                yield image, name
    except image_module.UnidentifiedImageError as error:
        raise ValueError(f"{name} is not an image file that Pillow can read.") from error
    except FileNotFoundError as error:
        place = "" if os.path.isabs(item) else f" in the current folder, {os.getcwd()!r}"
        raise FileNotFoundError(f"{name} does not exist{place}; expected an image file.") from error
    except IsADirectoryError as error:
        raise ValueError(f"{name} is a folder; expected an image file.") from error
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise ValueError(
            f"{name} is larger than Pillow's limit ({str(error).rstrip('.')}). If you trust it, raise "
            "PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except (OSError, SyntaxError, struct.error) as error:
        if getattr(error, "errno", None) is not None:  # of the system, not of the decoder
            raise
        raise ValueError(f"{name} is damaged: {error}.") from error


def _decode(image: Any, name: str, background: tuple[int, int, int]) -> Image:
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading images")
    orientation = _read_orientation(image)
    if orientation in _TURNS:
        image = image.transpose(getattr(image_module.Transpose, _TURNS[orientation]))
    if image.mode == "I" or image.mode.startswith("I;16"):
        rgba = _read_wide(image, name)  # PIL's own conversion clips the values instead of scaling them
        if image.info.get("transparency") is None:
            return image_module.fromarray(np.ascontiguousarray(rgba[..., 0]))
        return image_module.fromarray(_composite(rgba, background))
    if image.mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 255):
            raise ValueError(
                f"{name} has floating-point gray values from {values.min()} to {values.max()}; expected 0 to 255."
            )
    try:
        if image.has_transparency_data:
            if image.mode != "RGBA":
                image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
            shown = image_module.new("RGB", image.size, background)
            shown.paste(image, (0, 0), image)  # the integers of `_composite` in a fifteenth of its time
            return shown
        return image.convert("L" if image.mode in ("1", "L", "F") else "RGB")
    except ValueError as error:
        raise ValueError(f"{name} cannot be converted to RGB: {error}.") from error


def _warn_if_narrow(name: str, high: Any) -> None:
    """Warn of 16-bit pixels that may be 8-bit ones."""
    if 0 < high < 256:
        warnings.warn(
            f"{name} has pixels of 16 bits of which none is more than {high}: on the scale "
            "of 0 to 65,535 they are black. Convert pixels from 0 to 255 to uint8, or to mode 'L'.",
            UserWarning,
            stacklevel=4,
        )


def _read_wide(image: Any, name: str) -> NDArray[np.uint8]:
    """Return gray values of more than 8 bits as red, green, blue and alpha of 8 bits."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"{name} has gray values from {values.min()} to {values.max()}; expected integers from 0 to 65535."
        )
    _warn_if_narrow(name, values.max())
    gray = (values >> 8).astype(np.uint8)
    alpha = np.where(values == image.info.get("transparency"), 0, 255).astype(np.uint8)
    return np.stack([gray, gray, gray, alpha], axis=-1)


def _composite(rgba: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Lay images with alpha on a background; the integers are those of Pillow's `alpha_composite`."""
    alpha = rgba[..., 3:].astype(np.uint32)
    mixed = rgba[..., :3] * alpha + np.array(background, np.uint32) * (255 - alpha) + 128
    return ((mixed + (mixed >> 8)) >> 8).astype(np.uint8)


def _read_orientation(image: Any) -> Any:
    """Return the orientation of EXIF, or None if there is none that can be read."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata can raise any exception; the pixels are not affected
        return None
