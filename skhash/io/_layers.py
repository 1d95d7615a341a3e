"""The closed table of layers that a file may name.

torch's layers are made by their constructors, without memory for weights; the table names the arguments. The library's
layers get attributes, tensors and children as they are stored, since their constructors draw weights and centers.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from torch import nn

__all__ = ["TORCH_LAYERS", "find_layer", "layer_name"]

_CONVOLUTION = (
    "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias", "padding_mode"
)  # fmt: skip
_NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
_POOL = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")

# Names of constructor arguments, which are attributes, too, except that `bias` says whether there is one.
TORCH_LAYERS: dict[str, tuple[str, ...]] = {
    "AdaptiveAvgPool1d": ("output_size",),
    "AdaptiveAvgPool2d": ("output_size",),
    "AdaptiveMaxPool2d": ("output_size",),
    "AvgPool2d": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
    "BatchNorm1d": _NORM,
    "BatchNorm2d": _NORM,
    "Conv1d": _CONVOLUTION,
    "Conv2d": _CONVOLUTION,
    "Dropout": ("p", "inplace"),
    "Dropout2d": ("p", "inplace"),
    "ELU": ("alpha", "inplace"),
    "Flatten": ("start_dim", "end_dim"),
    "GELU": ("approximate",),
    "GroupNorm": ("num_groups", "num_channels", "eps", "affine"),
    "Hardsigmoid": ("inplace",),
    "Hardswish": ("inplace",),
    "Hardtanh": ("min_val", "max_val", "inplace"),
    "Identity": (),
    "LayerNorm": ("normalized_shape", "eps", "elementwise_affine", "bias"),
    "LeakyReLU": ("negative_slope", "inplace"),
    "Linear": ("in_features", "out_features", "bias"),
    "MaxPool1d": _POOL,
    "MaxPool2d": _POOL,
    "ModuleList": (),
    "PReLU": ("num_parameters",),
    "ReLU": ("inplace",),
    "ReLU6": ("inplace",),
    "Sequential": (),
    "SiLU": ("inplace",),
    "Sigmoid": (),
    "Softmax": ("dim",),
    "Tanh": (),
}

# Names in files, by the module in which the class is today.
_LIBRARY = {
    "skhash.features._backbone": {"BackboneFunction": "BackboneFunction"},
    "skhash.losses._ce": {"CELoss": "CELoss"},
    "skhash.losses._cib": {"CIBLoss": "CIBLoss"},
    "skhash.losses._copy": {"CopyLoss": "CopyLoss"},
    "skhash.losses._csq": {"CSQLoss": "CSQLoss"},
    "skhash.losses._dbdh": {"DBDHLoss": "DBDHLoss"},
    "skhash.losses._dch": {"DCHLoss": "DCHLoss"},
    "skhash.losses._dpn": {"DPNLoss": "DPNLoss"},
    "skhash.losses._dsdh": {"DSDHLoss": "DSDHLoss"},
    "skhash.losses._dtsh": {"DTSHLoss": "DTSHLoss"},
    "skhash.losses._greedy": {
        "GreedyHashLoss": "GreedyHashLoss",
        "GreedySimilarityLoss": "GreedySimilarityLoss",
    },
    "skhash.losses._hashnet": {"HashNetLoss": "HashNetLoss"},
    "skhash.losses._jmlh": {"JMLHLoss": "JMLHLoss"},
    "skhash.losses._one_bit": {"ClassEmbeddings": "ClassEmbeddings", "OneBitLoss": "OneBitLoss"},
    "skhash.losses._ortho": {"OrthoLoss": "OrthoLoss"},
    "skhash.losses._sdc": {"SDCLoss": "SDCLoss"},
    "skhash.losses._sdhc": {"SDHCLoss": "SDHCLoss"},
    "skhash.losses._semantic_centers": {"SemanticCenters": "SemanticCenters"},
    "skhash.losses._similarity": {"SimilarityLoss": "SimilarityLoss"},
    "skhash.losses._ssdh": {"SSDHLoss": "SSDHLoss"},
    "skhash.losses._surrogate": {"PosteriorSurrogate": "PosteriorSurrogate", "PosteriorSurrogateBlock": "_Block"},
    "skhash.losses._tbh": {"TBHLoss": "TBHLoss"},
    "skhash.methods._lower_bound": {"LowerBoundLoss": "_LowerBoundLoss"},
    "skhash.methods._tbh": {"TBHHead": "_Head"},
    "skhash.methods._warm_up": {"CrossEntropy": "_CrossEntropy"},
    "skhash.nn._backbones": {"MLP": "MLP", "SmallCNN": "SmallCNN"},
    "skhash.nn._bihalf": {"BiHalf": "BiHalf"},
    "skhash.nn._heads": {"DeepHead": "DeepHead", "HashHead": "HashHead", "HiddenHead": "HiddenHead"},
    "skhash.nn._layout_cnn": {"LayoutCNN": "LayoutCNN"},
    "skhash.nn._network": {"HashNetwork": "HashNetwork", "Standardize": "Standardize"},
    "skhash.nn._pretrained": {"PretrainedBackbone": "PretrainedBackbone"},
    "skhash.nn._resnet": {
        "ResNet": "ResNet",
        "ResNetBasicBlock": "_BasicBlock",
        "ResNetBottleneck": "_Bottleneck",
    },
    "skhash.nn.binary._activations": {"RPReLU": "RPReLU", "RSign": "RSign", "Sign": "Sign"},
    "skhash.nn.binary._bilinear": {"BilinearRule": "BilinearRule"},
    "skhash.nn.binary._blocks": {
        "AveragePool": "AveragePool",
        "Duplicate": "Duplicate",
        "ResidualBlock": "ResidualBlock",
    },
    "skhash.nn.binary._layers": {"BinaryConv2d": "BinaryConv2d", "BinaryLinear": "BinaryLinear"},
    "skhash.nn.binary._mlp": {"BinaryMLP": "BinaryMLP"},
    "skhash.nn.binary._resnet": {"BinaryResNet": "BinaryResNet"},
    "skhash.nn.binary._standardized_rules": {"IRNetRule": "IRNetRule", "ReCURule": "ReCURule"},
    "skhash.nn.binary._stem": {"Int8Stem": "Int8Stem"},
    "skhash.nn.binary._vgg": {"BinaryVGG": "BinaryVGG"},
    "skhash.nn.binary._weight_rules": {"BiRealRule": "BiRealRule", "WeightRule": "WeightRule", "XNORRule": "XNORRule"},
}
_PLACES = {name: (module, own) for module, names in _LIBRARY.items() for name, own in names.items()}


@cache
def find_layer(name: str) -> type[nn.Module] | None:
    """Return the class of layers that has a name in files, None if there is none."""
    package, _, own = name.partition(".")
    if package == "torch" and own in TORCH_LAYERS:
        return getattr(nn, own)
    if package == "skhash" and own in _PLACES:
        module, attribute = _PLACES[own]
        return getattr(import_module(module), attribute)
    return None


def layer_name(module: Any) -> str | None:
    """Return the name of a layer's class in files, None if the table does not have this very class."""
    cls = type(module)
    if cls.__module__.startswith("torch."):
        name = f"torch.{cls.__name__}"
        return name if cls.__name__ in TORCH_LAYERS and find_layer(name) is cls else None
    for name, own in _LIBRARY.get(cls.__module__, {}).items():
        if own == cls.__name__:
            return f"skhash.{name}"
    return None
