from ._backbones import BACKBONES as BACKBONES
from ._backbones import MLP as MLP
from ._backbones import SmallCNN as SmallCNN
from ._backbones import make_backbone as make_backbone
from ._backbones import takes_any_size as takes_any_size
from ._bihalf import BiHalf as BiHalf
from ._digest import digest_network as digest_network
from ._digest import digest_object as digest_object
from ._dropout import dropout as dropout
from ._efficiency import EfficiencyReport as EfficiencyReport
from ._efficiency import efficiency_report as efficiency_report
from ._float_twin import float_twin as float_twin
from ._float_twin import fold_batch_norm as fold_batch_norm
from ._heads import DeepHead as DeepHead
from ._heads import HashHead as HashHead
from ._heads import HiddenHead as HiddenHead
from ._inference import Inference as Inference
from ._inference import encode as encode
from ._inference import prepare_inference as prepare_inference
from ._init import build as build
from ._init import initialize as initialize
from ._layer_cost import LayerCost as LayerCost
from ._layer_cost import count_layers as count_layers
from ._layout_cnn import LayoutCNN as LayoutCNN
from ._measured_time import MeasuredTime as MeasuredTime
from ._network import HashNetwork as HashNetwork
from ._network import Standardize as Standardize
from ._network_cost import NetworkCost as NetworkCost
from ._pretrained import OnnxBackbone as OnnxBackbone
from ._pretrained import PretrainedBackbone as PretrainedBackbone
from ._pretrained import is_pretrained_name as is_pretrained_name
from ._pretrained import load_pretrained as load_pretrained
from ._resnet import RESNETS as RESNETS
from ._resnet import ResNet as ResNet
from ._reversal import reverse_gradient as reverse_gradient
from ._sign import sign as sign
from ._sign import sign_ste as sign_ste

__all__ = [
    "BACKBONES",
    "BiHalf",
    "DeepHead",
    "EfficiencyReport",
    "HashHead",
    "HashNetwork",
    "HiddenHead",
    "Inference",
    "LayerCost",
    "LayoutCNN",
    "MLP",
    "MeasuredTime",
    "NetworkCost",
    "OnnxBackbone",
    "PretrainedBackbone",
    "RESNETS",
    "ResNet",
    "SmallCNN",
    "Standardize",
    "build",
    "count_layers",
    "digest_network",
    "digest_object",
    "dropout",
    "efficiency_report",
    "encode",
    "float_twin",
    "fold_batch_norm",
    "initialize",
    "is_pretrained_name",
    "load_pretrained",
    "make_backbone",
    "prepare_inference",
    "reverse_gradient",
    "sign",
    "sign_ste",
    "takes_any_size",
]
