"""Find the channel axis of images, scale pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_CHANNELS = (1, 3, 4)


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
    if values.ndim == 4:
        # Convolutions round differently in different layouts: one layout gives all forms of an image the same code.
        values = values.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
        return values.to(dtype) / 255 if is_integer(values) else values.to(dtype)
    return values.to(dtype)
