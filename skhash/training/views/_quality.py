"""Loss of details of images: blur, lower resolution, noise, and the quantization of JPEG."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from skhash.training.views._gaussian_blur import blur
from skhash.training.views._image_operation import uniform

_BLOCK = 8
_MIDDLE = 50  # the quality whose steps are those of the table
# Steps of the luminance in the recommendation of the standard (ITU-T T.81, annex K), as shares of 255.
_STEPS = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]


def lose_quality(images: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Blur, pixelate, quantize or add noise to some images with pixels from 0 to 1.

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
    kinds = torch.randint(4, (len(images),), generator=generator)
    kinds[torch.rand(len(images), generator=generator) >= p] = -1
    for kind, change in enumerate((_blur, _pixelate, _add_noise, _quantize)):
        rows = torch.nonzero(kinds == kind)[:, 0].to(images.device)
        if len(rows):
            views[rows] = change(images[rows], generator).clamp_(0, 1)
    return views


def quantize(images: Tensor, quality: Tensor) -> Tensor:
    """Round the cosine transform of blocks of 8 x 8 pixels, as JPEG does at a quality from 1 to 100.

    Parameters
    ----------
    images : Tensor of shape (n, channels, height, width)
        Pixels from 0 to 1; every channel is treated as luminance.
    quality : Tensor of shape (n, 1, 1, 1)
        Quality of each image.

    Returns
    -------
    views : Tensor of the same shape
        The images after compression.
    """
    n, channels, height, width = images.shape
    padded = F.pad(images, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    transform = _cosines().to(images)
    rows, columns = padded.shape[2] // _BLOCK, padded.shape[3] // _BLOCK
    blocks = padded.view(n, channels, rows, _BLOCK, columns, _BLOCK).transpose(3, 4)
    percent = torch.where(quality < _MIDDLE, 100 * _MIDDLE / quality, 200 - 2 * quality)[..., None, None]
    steps = (torch.tensor(_STEPS, dtype=images.dtype, device=images.device) * percent / 100).clamp(1, 255) / 255
    coefficients = transform @ (blocks - 0.5) @ transform.T
    blocks = transform.T @ ((coefficients / steps).round() * steps) @ transform + 0.5
    return blocks.transpose(3, 4).reshape(padded.shape)[:, :, :height, :width]


def _cosines() -> Tensor:
    """Return the matrix of the orthonormal cosine transform of 8 numbers."""
    k, x = torch.arange(_BLOCK, dtype=torch.float64)[:, None], torch.arange(_BLOCK, dtype=torch.float64)
    matrix = (math.pi * (2 * x + 1) * k / (2 * _BLOCK)).cos() * (2 / _BLOCK) ** 0.5
    matrix[0] /= 2**0.5
    return matrix


def _blur(images: Tensor, generator: torch.Generator) -> Tensor:
    largest = max(min(images.shape[2:]) / 24, 0.5)
    reach = min(math.ceil(2 * largest), min(images.shape[2:]))
    return blur(images, uniform(images, 0.3, largest, generator), 2 * reach + 1)


def _pixelate(images: Tensor, generator: torch.Generator) -> Tensor:
    share = 0.2 + 0.6 * torch.rand((), generator=generator).item()
    size = [max(round(share * side), 1) for side in images.shape[2:]]
    small = F.interpolate(images, size, mode="area")
    smooth = torch.rand((), generator=generator).item() < 0.5
    return F.interpolate(small, images.shape[2:], mode="bilinear" if smooth else "nearest")


def _add_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    noise = torch.randn(images.shape, generator=generator).to(images)
    return images + noise * uniform(images, 0.0, 0.12, generator)


def _quantize(images: Tensor, generator: torch.Generator) -> Tensor:
    return quantize(images, uniform(images, 5, 60, generator))
