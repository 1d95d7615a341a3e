"""Random crops of images, resized to the size of the image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.training.views._image_operation import ImageOperation, check_range, uniform
from skhash.utils import Interval


@dataclass(frozen=True)
class RandomResizedCrop(ImageOperation):
    """Crop a random rectangle of every image and enlarge it to the size of the image.

    Rectangles may begin between pixels and are read by bilinear interpolation.

    Parameters
    ----------
    scale : tuple of (float, float), default=(0.5, 1.0)
        Smallest and largest area as a share of the image's, in (0, 1]; the area is uniform in between.
    ratio : tuple of (float, float), default=(3/4, 4/3)
        Smallest and largest ratio of width to height, positive; its logarithm is uniform in between. A rectangle that
        would not fit into the image gets the nearest ratio that fits.
    p : float, default=1.0
        Probability of an image to be cropped, in [0, 1].

    Examples
    --------
    >>> import torch
    >>> from skhash.training import RandomResizedCrop
    >>> images = torch.arange(8.0).expand(1, 1, 8, 8)
    >>> view = RandomResizedCrop(scale=(0.25, 0.25), ratio=(1, 1))(images, torch.Generator().manual_seed(0))
    >>> view.shape, round((view[0, 0, 0, 5] - view[0, 0, 0, 4]).item(), 6)
    (torch.Size([1, 1, 8, 8]), 0.5)
    """

    scale: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    p: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(type(self).__name__, "scale", self.scale, Interval(Real, 0, 1, closed="right"))
        check_range(type(self).__name__, "ratio", self.ratio, Interval(Real, 0, None, closed="neither"))

    def _apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        return crop_and_resize(images, *self._draw(images, generator))

    def _draw(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw left, top, width and height of a rectangle for every image, as shares of the image's."""
        image_height, image_width = images.shape[2:]
        area = uniform(images, *self.scale, generator)
        log_ratio = uniform(images, math.log(self.ratio[0]), math.log(self.ratio[1]), generator)
        # As shares of the image's sides, width^2 = area * ratio and height^2 = area / ratio; both fit, at most 1, where
        # the ratio is in [area, 1 / area].
        ratio = torch.minimum(torch.maximum(log_ratio.exp() * (image_height / image_width), area), 1 / area)
        width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
        left = uniform(images, 0, 1, generator) * (1 - width)
        top = uniform(images, 0, 1, generator) * (1 - height)
        return left, top, width, height


def crop_and_resize(images: Tensor, left: Tensor, top: Tensor, width: Tensor, height: Tensor) -> Tensor:
    """Resize a rectangle of every image to the size of the images; rectangles are in shares of the image's sides."""
    columns = _pixel_centers(left, width, images.shape[3])
    rows = _pixel_centers(top, height, images.shape[2])
    grid = torch.stack(
        [columns[:, None, :].expand(-1, images.shape[2], -1), rows[:, :, None].expand(-1, -1, images.shape[3])], dim=3
    )
    return F.grid_sample(images, grid, mode="bilinear", align_corners=False)


def _pixel_centers(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the positions at which a rectangle's pixels are read, with -1 and 1 at the edges of the image."""
    centers = (torch.arange(size, dtype=start.dtype, device=start.device) + 0.5) / size
    positions = start.flatten()[:, None] + length.flatten()[:, None] * centers
    # Beyond the centers of the outermost pixels, these pixels are repeated; grid_sample would blend them with zeros.
    return 2 * positions.clamp(0.5 / size, 1 - 0.5 / size) - 1
