"""Decode image files, find the channel axis, scale pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skhash.utils import import_optional

if TYPE_CHECKING:
    import os

    from PIL.Image import Image

_CHANNELS = (1, 3, 4)


def is_pil(item: Any) -> bool:
    """Check whether an object is a PIL image, without importing PIL."""
    return hasattr(item, "convert") and hasattr(item, "resize")


def open_image(item: str | os.PathLike[str] | Image) -> Image:
    """Return an upright, decoded PIL image with 8 bits per channel; errors name the file."""
    if is_pil(item):
        return _decode(item)
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    try:
        with image_module.open(item) as image:
            return _decode(image)
    except image_module.UnidentifiedImageError as error:
        raise ValueError(f"X: {str(item)!r} is not an image file that Pillow can read.") from error
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise ValueError(f"X: {str(item)!r} is damaged: {error}.") from error


def _decode(image: Any) -> Image:
    image_module = import_optional("PIL.Image", extra="vision", purpose="Reading images")
    image_ops = import_optional("PIL.ImageOps", extra="vision", purpose="Reading images")
    image = image_ops.exif_transpose(image)  # returns a copy even if the orientation is already right
    if image.mode.startswith("I;16"):  # PIL's own conversion to 8 bits clips the values instead of scaling them
        image = image_module.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image


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
