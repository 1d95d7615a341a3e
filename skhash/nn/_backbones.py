"""Backbones that train on a CPU, and the resolution of a `backbone` parameter, which accepts any other."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from skhash.nn._init import build
from skhash.nn._layout_cnn import LayoutCNN
from skhash.nn._pretrained import PRETRAINED, is_pretrained_name, load_pretrained
from skhash.nn.binary import BINARY_BACKBONES, BinaryResNet
from skhash.utils import check_option


class SmallCNN(nn.Sequential):
    """Convolutional network for small images (28 to 64 pixels): three stages of two convolutions, then the mean.

    Parameters
    ----------
    channels : int
        Channels of the images.
    width : int, default=16
        Channels of the first stage; the others have twice and four times as many.

    Attributes
    ----------
    out_features : int
        Length of the feature vectors.
    """

    out_features: int

    def __init__(self, channels: int, width: int = 16) -> None:
        stages = [
            nn.Sequential(_conv(a, b), _conv(b, b), nn.MaxPool2d(2, ceil_mode=True))
            for a, b in ((channels, width), (width, 2 * width), (2 * width, 4 * width))
        ]
        super().__init__(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out_features = 4 * width

    def forward(self, images: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  only a name
        """Turn images (n, channels, height, width) into features (n, out_features)."""
        # Channels last takes a quarter less time on a CPU than channels first. The strides of gray images fit both, so
        # that `contiguous` would leave them and convolutions would take them for channels first: only a copy helps.
        copy = images.clone if images.shape[1] == 1 else images.contiguous
        return super().forward(copy(memory_format=torch.channels_last))


def _conv(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


class MLP(nn.Sequential):
    """Network of two hidden layers for feature vectors.

    Parameters
    ----------
    in_features : int
        Length of the feature vectors.
    width : int, default=512
        Units of each layer.

    Attributes
    ----------
    out_features : int
        Length of the outputs, which is `width`.
    """

    out_features: int

    def __init__(self, in_features: int, width: int = 512) -> None:
        super().__init__(*_dense(in_features, width), *_dense(width, width))
        self.out_features = width


def _dense(in_features: int, out_features: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return nn.Linear(in_features, out_features, bias=False), nn.BatchNorm1d(out_features), nn.ReLU()


# Maps the name to whether the backbone takes images.
BACKBONES: dict[str, bool] = {
    "mlp": False,
    "small_cnn": True,
    "layout_cnn": True,
    **{name: backbone.takes_images for name, backbone in BINARY_BACKBONES.items()},
}


def make_backbone(
    backbone: str | nn.Module | Callable[[], nn.Module] | None,
    input_shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    integer_pixels: bool = True,
    name: str = "backbone",
) -> tuple[nn.Module, int]:
    """Resolve a `backbone` parameter.

    Parameters
    ----------
    backbone : {"auto", "mlp", "small_cnn", "layout_cnn"}, a name in `BINARY_BACKBONES` or of `load_pretrained`, \
            nn.Module, callable or None
        "auto": `SmallCNN` for images, the identity for features. A module is used as it is (copy it first); a callable
        without arguments, such as a class, makes one. None: the identity, for features only.
    input_shape : tuple of int
        (n_features,) or (channels, height, width).
    generator : torch.Generator
        Draws the weights of the library's own backbones.
    integer_pixels : bool, default=True
        Whether pixels are multiples of 1/255 in [0, 1], as the first layer of a binary network expects; if not, that
        layer is an ordinary one. A backbone whose attribute `takes_pixels` is true expects images as they are, not
        standardized.
    name : str, default="backbone"
        Name of the parameter in error messages.

    Returns
    -------
    module : nn.Module
        The backbone.
    out_features : int
        Length of its feature vectors.

    Raises
    ------
    ValueError
        If there is no backbone of this name, if it does not take such inputs, or if its outputs are not vectors.
    """
    images = len(input_shape) == 3
    if backbone == "auto":
        backbone = "small_cnn" if images else None
    if backbone is None:
        if images:
            raise ValueError(
                f"{name}=None takes features of shape (n_samples, n_features), got images of shape {input_shape}; use "
                "'auto'."
            )
        return nn.Identity(), input_shape[0]
    if isinstance(backbone, str) and is_pretrained_name(backbone):
        if not images:
            raise ValueError(f"{name}={backbone!r} takes images, got inputs of shape {input_shape}; use 'auto'.")
        module = load_pretrained(backbone)
        return module, _probe(module, input_shape, name)
    if isinstance(backbone, str):
        check_option(name, backbone, ("auto", *BACKBONES, *PRETRAINED))
        if BACKBONES[backbone] != images:
            takes = "images" if BACKBONES[backbone] else "features of shape (n_samples, n_features)"
            raise ValueError(f"{name}={backbone!r} takes {takes}, got inputs of shape {input_shape}; use 'auto'.")
        if backbone in BINARY_BACKBONES:
            module = build(BINARY_BACKBONES[backbone], input_shape, integer_pixels, generator=generator)
        else:
            factory = {"mlp": MLP, "small_cnn": SmallCNN, "layout_cnn": LayoutCNN}[backbone]
            sizes = input_shape if backbone == "layout_cnn" else input_shape[:1]
            module = build(factory, *sizes, generator=generator)
        return module, cast(int, module.out_features)
    module = backbone if isinstance(backbone, nn.Module) else backbone()
    return module, _probe(module, input_shape, name)


def takes_any_size(backbone: nn.Module) -> bool:
    """Return whether a backbone is one of the library's that average over the positions of images of any size.

    Parameters
    ----------
    backbone : nn.Module
        Any backbone.

    Returns
    -------
    takes : bool
        True for `SmallCNN` and for the binary residual networks.
    """
    return isinstance(backbone, SmallCNN | BinaryResNet)


def _probe(module: nn.Module, input_shape: tuple[int, ...], name: str) -> int:
    """Return the length of a user's backbone's outputs, by calling it with two zero inputs."""
    was_training = module.training
    parameter = next(module.parameters(), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    try:
        with torch.inference_mode():
            out = module.eval()(torch.zeros((2, *input_shape), device=device))
    except Exception as error:
        raise ValueError(f"{name} does not take inputs of shape {input_shape}: {error}") from error
    finally:
        module.train(was_training)
    if not isinstance(out, torch.Tensor) or out.ndim != 2 or len(out) != 2:
        got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        raise ValueError(f"{name} must return one vector per sample, of shape (n, d), got {got} for n = 2 samples.")
    return out.shape[1]
