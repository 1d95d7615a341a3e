from ._activations import RPReLU as RPReLU
from ._activations import RSign as RSign
from ._activations import Sign as Sign
from ._bilinear import BilinearRule as BilinearRule
from ._export import export_network as export_network
from ._large_images import bireal18 as bireal18
from ._large_images import irnet18 as irnet18
from ._large_images import reactnet18 as reactnet18
from ._large_images import recu34 as recu34
from ._large_images import xnor_resnet18 as xnor_resnet18
from ._large_images import xnor_resnet50 as xnor_resnet50
from ._layers import BinaryConv2d as BinaryConv2d
from ._layers import BinaryLinear as BinaryLinear
from ._mlp import BinaryMLP as BinaryMLP
from ._mlp import binary_mlp as binary_mlp
from ._quantizers import binary_sign as binary_sign
from ._registry import BINARY_BACKBONES as BINARY_BACKBONES
from ._registry import BinaryBackbone as BinaryBackbone
from ._resnet import BinaryResNet as BinaryResNet
from ._rules import RULES as RULES
from ._rules import Rule as Rule
from ._small_images import bireal18_32 as bireal18_32
from ._small_images import bireal_small as bireal_small
from ._small_images import bireal_tiny as bireal_tiny
from ._standardized_rules import IRNetRule as IRNetRule
from ._standardized_rules import ReCURule as ReCURule
from ._stem import Int8Stem as Int8Stem
from ._training import binarize_weights_ as binarize_weights_
from ._training import clip_latent_weights_ as clip_latent_weights_
from ._training import set_progress_ as set_progress_
from ._vgg import BinaryVGG as BinaryVGG
from ._vgg import vgg_small as vgg_small
from ._weight_rules import BiRealRule as BiRealRule
from ._weight_rules import WeightRule as WeightRule
from ._weight_rules import XNORRule as XNORRule

__all__ = [
    "BINARY_BACKBONES",
    "BiRealRule",
    "BilinearRule",
    "BinaryBackbone",
    "BinaryConv2d",
    "BinaryLinear",
    "BinaryMLP",
    "BinaryResNet",
    "BinaryVGG",
    "IRNetRule",
    "Int8Stem",
    "RPReLU",
    "RSign",
    "RULES",
    "ReCURule",
    "Rule",
    "Sign",
    "WeightRule",
    "XNORRule",
    "binarize_weights_",
    "binary_mlp",
    "binary_sign",
    "bireal18",
    "bireal18_32",
    "bireal_small",
    "bireal_tiny",
    "clip_latent_weights_",
    "export_network",
    "irnet18",
    "reactnet18",
    "recu34",
    "set_progress_",
    "vgg_small",
    "xnor_resnet18",
    "xnor_resnet50",
]
