"""Things that are drawn over images: lines like those of text, stickers and bars."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_KINDS = 3


def draw_overlays(images: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Draw text, a sticker or a bar over some images with pixels from 0 to 1.

    Parameters
    ----------
    images : Tensor of shape (n, channels, height, width)
        Images.
    p : float
        Probability of an image to be changed.
    generator : torch.Generator
        Generator on the CPU.

    Returns
    -------
    views : Tensor of the same shape
        New tensor.
    """
    views = images.clone()
    chosen = torch.nonzero(torch.rand(len(images), generator=generator) < p)[:, 0].tolist()
    kinds = torch.randint(_KINDS, (len(chosen),), generator=generator).tolist()
    for row, kind in zip(chosen, kinds, strict=True):
        _DRAW[kind](views[row], generator)
    return views


def draw_text(image: Tensor, generator: torch.Generator) -> None:
    """Draw lines of random glyphs, each of 5 x 3 dots, in one color."""
    height, width = image.shape[1:]
    u = torch.rand(5, generator=generator).tolist()
    line = max(round(height * (0.07 + 0.15 * u[0])), 2)
    n_lines = 1 + int(u[1] * 3)
    n_glyphs = max(round((0.4 + 0.6 * u[2]) * width / (0.6 * line)), 1)
    dots = torch.rand((n_lines, 5, n_glyphs, 3), generator=generator) < 0.55
    dots = F.pad(dots, (0, 1, 0, 0, 0, 2))  # gaps between glyphs and lines
    dots = dots.reshape(1, 1, n_lines * 7, n_glyphs * 4).float()
    size = min(n_lines * line, height), min(round(0.6 * line * n_glyphs), width)
    mask = F.interpolate(dots, size, mode="area" if size[0] < dots.shape[2] else "bilinear")[0].to(image)
    top, left = round(u[3] * (height - size[0])), round(u[4] * (width - size[1]))
    region = image[:, top : top + size[0], left : left + size[1]]
    region.lerp_(_color(image, generator), mask.expand_as(region))


def draw_sticker(image: Tensor, generator: torch.Generator) -> None:
    """Draw a filled ellipse or box with a smaller one of another color in it."""
    height, width = image.shape[1:]
    u = torch.rand(5, generator=generator).tolist()
    radius = 0.08 + 0.17 * u[0]
    center_y, center_x = radius + u[1] * (1 - 2 * radius), radius + u[2] * (1 - 2 * radius)
    y = ((torch.arange(height) + 0.5) / height - center_y)[:, None] / radius
    x = ((torch.arange(width) + 0.5) / width - center_x)[None] / radius
    boxed = u[3] < 0.3
    for reach in (1.0, 0.3 + 0.5 * u[4]):
        away = torch.maximum(y.abs(), x.abs()) if boxed else (y**2 + x**2).sqrt()
        mask = ((reach - away) * radius * min(height, width) + 0.5).clamp_(0, 1).to(image)
        image.lerp_(_color(image, generator), mask.expand_as(image))


def draw_bar(image: Tensor, generator: torch.Generator) -> None:
    """Draw a bar of one color along an edge, or two along opposite ones."""
    u = torch.rand(4, generator=generator).tolist()
    turned = image if u[0] < 0.6 else image.transpose(1, 2)
    size = turned.shape[1]
    bar = max(round(size * (0.05 + 0.25 * u[1])), 1)
    color = _color(image, generator)
    sides = ([0], [size - bar]) if u[2] < 0.6 else ([0, size - bar],)
    for top in sides[int(u[3] * len(sides))]:
        turned[:, top : top + bar] = color


_DRAW = (draw_text, draw_sticker, draw_bar)


def _color(image: Tensor, generator: torch.Generator) -> Tensor:
    """Draw black, white or another color, (channels, 1, 1)."""
    color = torch.rand((len(image), 1, 1), generator=generator)
    kind = torch.rand((), generator=generator).item()
    if kind < 0.6:
        color = torch.full_like(color, float(kind < 0.3))
    return color.to(image)
