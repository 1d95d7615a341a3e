"""Decode image files, find the channel axis, scale pixels."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skhash.utils import import_optional

if TYPE_CHECKING:
    import os

    from PIL.Image import Image

_CHANNELS = (1, 3, 4)
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


def is_pil(item: Any) -> bool:
    """Check whether an object is a PIL image, without importing PIL."""
    return hasattr(item, "convert") and hasattr(item, "resize")


def open_image(item: str | os.PathLike[str] | Image, background: str | tuple[int, int, int] = "white") -> Image:
    """Return an upright, decoded PIL image in mode "L" or "RGB"; errors name the file.

    Parameters
    ----------
    item : str, Path or PIL.Image.Image
        The image. Gray values of more than 8 bits are integers from 0 to 65,535, of which the upper 8 bits are kept;
        gray floating-point values are from 0 to 255.
    background : str or tuple of int, default="white"
        Color, as Pillow names it, on which transparent images are composited.

    Returns
    -------
    image : PIL.Image.Image
        The pixels, 8 bits per channel.

    Raises
    ------
    ValueError
        If the file is not an image, is damaged or too large, or has values outside of the range.
    """
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    name = f"a PIL image of mode {getattr(item, 'mode', None)!r}" if is_pil(item) else repr(str(item))
    try:
        with warnings.catch_warnings():
            # As an error, Pillow's warning about a very large image can name the file.
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            if is_pil(item):
                return _decode(item, name, background)
            with image_module.open(item) as image:
                return _decode(image, name, background)
    except image_module.UnidentifiedImageError as error:
        raise ValueError(f"X: {name} is not an image file that Pillow can read.") from error
    except FileNotFoundError:
        raise
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise ValueError(
            f"X: {name} is larger than Pillow's limit ({error}). If you trust it, raise PIL.Image.MAX_IMAGE_PIXELS."
        ) from error
    except (OSError, SyntaxError, struct.error) as error:
        raise ValueError(f"X: {name} is damaged: {error}.") from error


def _decode(image: Any, name: str, background: str | tuple[int, int, int]) -> Image:
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading images")
    orientation = _read_orientation(image)
    if orientation in _TURNS:
        image = image.transpose(getattr(image_module.Transpose, _TURNS[orientation]))
    mode = image.mode
    if mode == "I" or mode.startswith(
        "I;16"
    ):  # PIL's own conversion to 8 bits clips the values instead of scaling them
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(
                f"X: {name} has gray values from {values.min()} to {values.max()}; expected integers from 0 to 65535."
            )
        return image_module.fromarray((values >> 8).astype(np.uint8))
    if mode == "F":
        values = np.asarray(image)
        if not (values.min() >= 0 and values.max() <= 255):
            raise ValueError(
                f"X: {name} has floating-point gray values from {values.min()} to {values.max()}; expected 0 to 255."
            )
        return image.convert("L")
    if mode in ("1", "L") and "transparency" not in image.info:
        return image.convert("L")
    if mode not in ("LA", "La", "RGBA", "RGBa", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    base = image_module.new("RGBA", image.size, background)
    return image_module.alpha_composite(base, image).convert("L" if mode in ("1", "L") else "RGB")


def _read_orientation(image: Any) -> Any:
    """Return the orientation of EXIF, or None if there is none that can be read."""
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged metadata can raise any exception; the pixels are not affected
        return None


def channels_are_last(shape: Sequence[int], *, is_tensor: bool) -> bool | None:
    """Check whether an image of a 3-D shape has its channels last; None if neither end has 1, 3 or 4 entries.

    If both ends could be the channels, images of numpy have them last and tensors have them first.
    """
    for last in (False, True) if is_tensor else (True, False):
        if shape[-1 if last else 0] in _CHANNELS:
            return last
    return None


def is_integer(values: torch.Tensor) -> bool:
    """Check whether the values of a tensor are integers; booleans are not."""
    return not values.dtype.is_floating_point and values.dtype != torch.bool


def scale_pixels(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Map integer pixels of a batch of images to [0, 1]; keep floating-point values, booleans and features."""
    return values.to(dtype) / 255 if values.ndim == 4 and is_integer(values) else values.to(dtype)
