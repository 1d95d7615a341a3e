"""Random changes of color: brightness, contrast, saturation and hue."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor

from skhash.training.views._image_operation import ImageOperation, uniform
from skhash.training.views._random_grayscale import to_gray
from skhash.utils import Interval

_STRENGTH = [Interval(Real, 0, None, closed="left")]


@dataclass(frozen=True)
class ColorJitter(ImageOperation):
    """Change brightness, contrast, saturation and hue, in a random order that all images of a batch share.

    Black is 0 and white is 1 if all pixels are in between; otherwise they are the smallest and the largest pixel.
    Results are clipped to this range. Saturation and hue change only images with three channels: red, green and blue.

    Parameters
    ----------
    brightness : float, default=0.4
        Images are multiplied by a number that is uniform in [1 - brightness, 1 + brightness], at least 0.
    contrast : float, default=0.4
        Differences to the image's mean brightness are multiplied by such a number, drawn for contrast.
    saturation : float, default=0.4
        Differences to the gray image are multiplied by such a number, drawn for saturation.
    hue : float, default=0.1
        The hue turns by a share of the full circle that is uniform in [-hue, hue], at most 0.5.
    p : float, default=0.7
        Probability of an image to be changed, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import ColorJitter
    >>> gray = torch.full((2, 3, 1, 1), 0.5)
    >>> views = ColorJitter(brightness=0.2, p=1)(gray, torch.Generator().manual_seed(0))
    >>> bool(((views >= 0.4) & (views <= 0.6)).all())
    True
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    p: float = 0.7

    _constraints = {
        **ImageOperation._constraints,
        "brightness": _STRENGTH,
        "contrast": _STRENGTH,
        "saturation": _STRENGTH,
        "hue": [Interval(Real, 0, 0.5, closed="both")],
    }

    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        black, white = pixel_range(images)
        names = ("brightness", "contrast", "saturation", "hue") if images.shape[1] == 3 else ("brightness", "contrast")
        names = [name for name in names if getattr(self, name) > 0]
        for k in torch.randperm(len(names), generator=generator):
            images = self._change(names[k], images, black, generator).clamp_(black, white)
        return images

    def _change(self, name: str, images: Tensor, black: float, generator: torch.Generator) -> Tensor:
        strength = getattr(self, name)
        if name == "hue":
            return turn_hue(images, uniform(images, -strength, strength, generator))
        factor = uniform(images, max(0, 1 - strength), 1 + strength, generator)
        if name == "brightness":
            return torch.lerp(images.new_tensor(black), images, factor)
        gray = to_gray(images)
        return torch.lerp(gray if name == "saturation" else gray.mean((2, 3), keepdim=True), images, factor)


def pixel_range(images: Tensor) -> tuple[float, float]:
    """Return the values of black and white, which are 0 and 1 unless there are pixels outside of this range."""
    low, high = (value.item() for value in torch.aminmax(images))
    rounding = 1e-3  # for example of the interpolation of a crop
    return (0.0, 1.0) if -rounding <= low and high <= 1 + rounding else (low, high)


def turn_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Rotate hues by a share of the full circle in [-0.5, 0.5], (n, 1, 1, 1); value and chroma stay the same."""
    red, green, blue = images.split(1, 1)
    high = torch.maximum(torch.maximum(red, green), blue)
    chroma = high - torch.minimum(torch.minimum(red, green), blue)
    divisor = chroma.clamp(min=torch.finfo(images.dtype).tiny)
    # In sixths of the circle, red is 0, green 2 and blue 4. Weights of 0 and 1 are much faster than torch.where.
    hue = 4 + (red - green) / divisor
    hue = torch.lerp(hue, 2 + (blue - red) / divisor, (high == green).to(images.dtype))
    hue = torch.lerp(hue, (green - blue) / divisor, (high == red).to(images.dtype))
    channel = torch.tensor([0.0, 2.0, 4.0]).to(images)[:, None, None]
    way = (hue + 6 * turn - channel).abs_()  # up to 8, to each channel; a full circle is 6
    distance = torch.minimum(way, (6 - way).abs_())
    # A channel is at its maximum within 1 of its own hue and at its minimum from 2 on, with a linear slope between.
    return high - distance.sub_(1).clamp_(0, 1).mul_(chroma)
