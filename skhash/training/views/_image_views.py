"""Random views (augmentations) of images: crop, flip, colors and blur one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from skhash.training.views._color_jitter import ColorJitter
from skhash.training.views._gaussian_blur import GaussianBlur
from skhash.training.views._image_operation import PROBABILITY, ImageOperation, check_images, check_strength
from skhash.training.views._random_flip import RandomFlip
from skhash.training.views._random_grayscale import RandomGrayscale
from skhash.training.views._random_resized_crop import RandomResizedCrop
from skhash.utils import check_values

_PROBABILITIES = ("crop", "flip", "jitter", "grayscale", "blur")


@dataclass(frozen=True)
class ImageViews:
    """Crop, mirror, recolor and blur images at random.

    The defaults are those of [1]_, for photographs. Mirroring changes digits and letters: use ``ImageViews(flip=0)``
    for them.

    Parameters
    ----------
    crop : float, default=1.0
        Probability of an image to be cropped (`RandomResizedCrop`). This and the other probabilities are in [0, 1].
    flip : float, default=0.5
        Probability to be mirrored (`RandomFlip`).
    jitter : float, default=0.7
        Probability to get other colors (`ColorJitter`).
    grayscale : float, default=0.2
        Probability to become gray (`RandomGrayscale`).
    blur : float, default=0.5
        Probability to be blurred (`GaussianBlur`).
    crop_scale : tuple of (float, float), default=(0.5, 1.0)
        Smallest and largest area of a crop as a share of the image's.
    jitter_strength : tuple of four floats, default=(0.4, 0.4, 0.4, 0.1)
        Largest change of brightness, contrast, saturation and hue.
    blur_kernel : int, default=3
        Number of pixels that are averaged in each direction, odd.
    blur_sigma : tuple of (float, float), default=(0.1, 2.0)
        Smallest and largest standard deviation of the blur in pixels.

    Notes
    -----
    ODH's views [2]_ of images of 256 x 256 pixels are ``ImageViews(jitter=0.8, jitter_strength=(0.4, 0.8, 0.8, 0.2),
    crop_scale=(0.08, 1.0), blur_kernel=25)``, a kernel of a tenth of the image; its weak views are these with half of
    every probability, ``.weaker()``.

    References
    ----------
    .. [1] Qiu, Su, Ou, Yu and Chen, "Unsupervised Hashing with Contrastive Information Bottleneck", IJCAI 2021; the
       values are in the authors' code.
    .. [2] The code of ODH, whose views are those of Jang, Gu, Ko and Cho, "Deep Hash Distillation for Image Retrieval",
       ECCV 2022.

    Examples
    --------
    >>> import torch
    >>> from skhash.training import ImageViews
    >>> views = ImageViews(flip=0)
    >>> views(torch.zeros(64, 3, 32, 32), torch.Generator().manual_seed(0)).shape
    torch.Size([64, 3, 32, 32])
    >>> weak = views.weaker()
    >>> weak.crop, weak.jitter, weak.grayscale, weak.blur
    (0.5, 0.35, 0.1, 0.25)
    """

    crop: float = 1.0
    flip: float = 0.5
    jitter: float = 0.7
    grayscale: float = 0.2
    blur: float = 0.5
    crop_scale: tuple[float, float] = (0.5, 1.0)
    jitter_strength: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    blur_kernel: int = 3
    blur_sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        probabilities = {name: getattr(self, name) for name in _PROBABILITIES}
        check_values(type(self).__name__, probabilities, dict.fromkeys(_PROBABILITIES, PROBABILITY))
        if not isinstance(self.jitter_strength, tuple | list) or len(self.jitter_strength) != 4:
            raise ValueError(
                "jitter_strength of ImageViews must be a tuple (brightness, contrast, saturation, hue), got "
                f"{self.jitter_strength!r}."
            )
        self._operations()  # the operations check the other values

    def _operations(self) -> list[ImageOperation]:
        return [
            RandomResizedCrop(self.crop_scale, p=self.crop),
            RandomFlip(self.flip),
            ColorJitter(*self.jitter_strength, p=self.jitter),
            RandomGrayscale(self.grayscale),
            GaussianBlur(self.blur_kernel, self.blur_sigma, p=self.blur),
        ]

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
        for operation in self._operations():
            images = operation(images, generator)
        return images

    def weaker(self, factor: float = 0.5) -> ImageViews:
        """Make the same views with lower probabilities.

        Parameters
        ----------
        factor : float, default=0.5
            Factor by which the probabilities are multiplied, in [0, 1].

        Returns
        -------
        views : ImageViews
            New views.
        """
        check_strength(factor)
        return replace(self, **{name: factor * getattr(self, name) for name in _PROBABILITIES})
