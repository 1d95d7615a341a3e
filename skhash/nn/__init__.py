"""Building blocks of hashing networks, and how to run them so that a code never depends on its company."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._backbones": ["BACKBONES", "MLP", "SmallCNN", "make_backbone"],
        "._bihalf": ["BiHalf"],
        "._dropout": ["dropout"],
        "._efficiency": ["EfficiencyReport", "efficiency_report"],
        "._float_twin": ["float_twin", "fold_batch_norm"],
        "._heads": ["DeepHead", "HashHead"],
        "._hidden_head": ["HiddenHead"],
        "._inference": ["encode"],
        "._init": ["build", "initialize"],
        "._layer_cost": ["LayerCost", "count_layers"],
        "._measured_time": ["MeasuredTime"],
        "._network": ["HashNetwork", "Standardize"],
        "._network_cost": ["NetworkCost"],
        "._resnet": ["RESNETS", "ResNet"],
        "._reversal": ["reverse_gradient"],
        "._sign": ["sign", "sign_ste"],
    },
)
