"""Random views (augmentations) that do to images what happens to copies: crops, borders, overlays, compression."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.training.views._color_jitter import ColorJitter, pixel_range
from skhash.training.views._image_operation import PROBABILITY, check_images, check_range, check_strength, uniform
from skhash.training.views._overlays import draw_overlays
from skhash.training.views._quality import lose_quality
from skhash.training.views._random_grayscale import RandomGrayscale
from skhash.utils import Interval, check_values

_PROBABILITIES = ("crop", "flip", "rotate", "border", "overlay", "tone", "jitter", "grayscale", "quality")


@dataclass(frozen=True)
class CopyViews:
    """Change images as copies of them are changed on the way: a hash of copies must not notice it.

    Mirroring, crops, borders and rotations are one affine map, so that an image is interpolated once. Text, stickers
    and bars are drawn over the result. Then brightness and colors change, and blur, lower resolution, noise and JPEG's
    quantization take away details.

    Parameters
    ----------
    crop : float, default=0.5
        Probability of an image to be cropped. This and the other probabilities are in [0, 1].
    flip : float, default=0.3
        Probability to be mirrored left and right.
    rotate : float, default=0.3
        Probability to be rotated.
    border : float, default=0.25
        Probability of an image that is not cropped to get a border of one color.
    overlay : float, default=0.4
        Probability of each image to be overlaid by lines like those of text, by a sticker, or by a bar at an edge.
    tone : float, default=0.6
        Probability to get another brightness, contrast and gamma.
    jitter : float, default=0.3
        Probability to get another saturation and hue (`ColorJitter`).
    grayscale : float, default=0.1
        Probability to become gray (`RandomGrayscale`).
    quality : float, default=0.5
        Probability to lose details.
    crop_scale : tuple of (float, float), default=(0.4, 1.0)
        Smallest and largest area of a crop as a share of the image's.
    border_width : float, default=0.25
        Largest mean width of a border on each side, as a share of the image's side, in [0, 1].
    angle : float, default=18.0
        Largest angle of a rotation in degrees.

    See Also
    --------
    ImageViews : Views of images of one kind, not of one image.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import CopyViews
    >>> images = torch.rand((4, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    >>> views = CopyViews()(images, torch.Generator().manual_seed(0))
    >>> views.shape, bool((views >= 0).all() and (views <= 1).all())
    (torch.Size([4, 3, 32, 32]), True)
    """

    crop: float = 0.5
    flip: float = 0.3
    rotate: float = 0.3
    border: float = 0.25
    overlay: float = 0.4
    tone: float = 0.6
    jitter: float = 0.3
    grayscale: float = 0.1
    quality: float = 0.5
    crop_scale: tuple[float, float] = (0.4, 1.0)
    border_width: float = 0.25
    angle: float = 18.0

    def __post_init__(self) -> None:
        constraints: dict[str, list[Interval]] = dict.fromkeys(_PROBABILITIES, PROBABILITY)
        constraints["border_width"] = PROBABILITY
        constraints["angle"] = [Interval(Real, 0, 180, closed="both")]
        check_values(type(self).__name__, {name: getattr(self, name) for name in constraints}, constraints)
        check_range(type(self).__name__, "crop_scale", self.crop_scale, Interval(Real, 0, 1, closed="right"))

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Draw a random view of every image.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            Floats, on any device.
        generator : torch.Generator
            Generator on the CPU.

        Returns
        -------
        views : Tensor of the same shape
            New tensor.

        Raises
        ------
        ValueError
            If the batch does not consist of images of floats.
        """
        check_images(self, images)
        if not len(images):
            return images.clone()
        black, white = pixel_range(images)
        span = max(white - black, torch.finfo(images.dtype).tiny)
        views = (images - black) / span
        views = self._move(views, generator)
        views = draw_overlays(views, self.overlay, generator)
        views = self._change_tone(views, generator)
        views = ColorJitter(0.0, 0.0, 0.6, 0.15, p=self.jitter)(views, generator)
        views = RandomGrayscale(self.grayscale)(views, generator)
        views = lose_quality(views, self.quality, generator)
        return views * span + black

    def weaker(self, factor: float = 0.5) -> CopyViews:
        """Make the same views with lower probabilities.

        Parameters
        ----------
        factor : float, default=0.5
            Factor by which the probabilities are multiplied, in [0, 1].

        Returns
        -------
        views : CopyViews
            New views.
        """
        check_strength(factor)
        return replace(self, **{name: factor * getattr(self, name) for name in _PROBABILITIES})

    def _move(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mirror, crop, rotate and surround images; what is outside of the image gets one color."""
        n, channels, height, width = images.shape
        scale, shift = self._draw_windows(n, generator)
        turned = torch.rand(n, generator=generator) < self.rotate
        angle = (torch.rand(n, generator=generator) * 2 - 1).mul_(self.angle * torch.pi / 180) * turned
        mirrored = torch.rand(n, generator=generator) < self.flip
        cos, sin = angle.cos(), angle.sin()
        sign = 1 - 2 * mirrored.float()
        aspect = width / height  # a rotation is one of pixels, not of coordinates from -1 to 1
        theta = torch.stack(
            [
                torch.stack([sign * cos * scale[0], -sin / aspect * scale[1], shift[0]], 1),
                torch.stack([sign * sin * aspect * scale[0], cos * scale[1], shift[1]], 1),
            ],
            1,
        ).to(images)
        grid = F.affine_grid(theta, [n, channels, height, width], align_corners=False)
        moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
        # A pixel at the edge is inside by the share of it that is.
        reach = (1 - grid.abs()) * torch.tensor([width / 2, height / 2]).to(images) + 0.5
        inside = reach.clamp(0, 1).prod(3)[:, None]
        return torch.lerp(_draw_colors(images, generator), moved, inside)

    def _draw_windows(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the half sides and the center of the part of the plane that a view shows, (2, n) each.

        The image reaches from -1 to 1.
        """
        kind = torch.rand(n, generator=generator)
        cropped, free = kind < self.crop, kind >= self.crop
        surrounded = free & (torch.rand(n, generator=generator) < self.border)
        low, high = self.crop_scale
        area = low + (high - low) * torch.rand(n, generator=generator)
        ratio = ((torch.rand(n, generator=generator) * 2 - 1) * 0.3).exp()
        sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()]).clamp(max=1)
        # The image's share of the view; equal borders on all sides, or other ones for the two directions.
        border = torch.rand((2, n), generator=generator) * self.border_width
        border = torch.where(torch.rand(n, generator=generator) < 0.6, border[:1], border)
        outer = 1 / (1 - 2 * border).clamp(min=0.05)
        scale = torch.where(cropped, sides, torch.where(surrounded, outer, torch.ones(2, n)))
        place = torch.rand((2, n), generator=generator) * 2 - 1
        slack = (1 - scale).abs()
        centered = torch.rand(n, generator=generator) < 0.5
        shift = place * slack * torch.where(surrounded & centered, 0.0, 1.0)
        return scale, shift

    def _change_tone(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change gamma, contrast and brightness of some images."""
        chosen = (torch.rand(len(images), generator=generator) < self.tone).to(images)[:, None, None, None]
        gamma = (uniform(images, -0.6, 0.6, generator) * chosen).exp()
        contrast = (uniform(images, -0.6, 0.4, generator) * chosen).exp()
        brightness = uniform(images, -0.25, 0.25, generator) * chosen
        middle = images.mean((1, 2, 3), keepdim=True)
        toned = torch.lerp(middle, images.clamp(min=0).pow(gamma), contrast) + brightness
        return torch.where(chosen > 0, toned, images).clamp_(0, 1)


def _draw_colors(images: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a color for each image: black, white or any."""
    n, channels = images.shape[:2]
    color = torch.rand((n, channels, 1, 1), generator=generator)
    kind = torch.rand((n, 1, 1, 1), generator=generator)
    color = torch.where(kind < 0.35, 0.0, torch.where(kind < 0.7, 1.0, color))
    return color.to(images)
