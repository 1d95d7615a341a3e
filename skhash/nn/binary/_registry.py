"""Binary networks by name, for the parameter `backbone`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from torch import nn

from skhash.nn.binary._large_images import bireal18, irnet18, reactnet18, recu34, xnor_resnet18, xnor_resnet50
from skhash.nn.binary._mlp import binary_mlp
from skhash.nn.binary._small_images import bireal18_32, bireal_small, bireal_tiny
from skhash.nn.binary._vgg import vgg_small


class BinaryBackbone(NamedTuple):
    """Factory of a network and the kind of its inputs.

    Parameters
    ----------
    factory : callable
        Makes the network.
    takes : {"images", "sized images", "features"}, default="images"
        Facts about the inputs that the factory needs: the channels; those and (height, width); or the number of
        features.
    """

    factory: Callable[..., nn.Module]
    takes: Literal["images", "sized images", "features"] = "images"

    @property
    def takes_images(self) -> bool:
        """Whether the network takes images."""
        return self.takes != "features"

    def __call__(self, input_shape: tuple[int, ...], integer_pixels: bool = True, **options: Any) -> nn.Module:
        """Make the network.

        Parameters
        ----------
        input_shape : tuple of int
            (n_features,) or (channels, height, width).
        integer_pixels : bool, default=True
            Whether pixels are multiples of 1/255 in [0, 1]; if not, the first layer is an ordinary one.
        **options
            Arguments of the factory.

        Returns
        -------
        network : nn.Module
            The network.
        """
        if self.takes_images and not integer_pixels:
            options = {"stem": "float", **options}
        if self.takes == "sized images":
            options = {"image_size": input_shape[1:], **options}
        return self.factory(input_shape[0], **options)


BINARY_BACKBONES: dict[str, BinaryBackbone] = {
    "bireal_tiny": BinaryBackbone(bireal_tiny),
    "bireal_small": BinaryBackbone(bireal_small),
    "bireal18_32": BinaryBackbone(bireal18_32),
    "vgg_small": BinaryBackbone(vgg_small, "sized images"),
    "bireal18": BinaryBackbone(bireal18),
    "reactnet18": BinaryBackbone(reactnet18),
    "xnor_resnet18": BinaryBackbone(xnor_resnet18),
    "xnor_resnet50": BinaryBackbone(xnor_resnet50),
    "irnet18": BinaryBackbone(irnet18),
    "recu34": BinaryBackbone(recu34),
    "binary_mlp": BinaryBackbone(binary_mlp, "features"),
}
