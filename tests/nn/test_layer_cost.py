import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from skhash.nn import RESNETS, LayerCost, count_layers
from skhash.nn.binary import BinaryConv2d, BinaryLinear, Int8Stem, RPReLU, RSign, Sign

# Methods specification, section 10.2: ResNet-50, -34 and -18 at 224 pixels, without the head.
GOLDEN = {
    "resnet50": {
        "parameters": (9_408, 20_676_608, 2_768_896),
        "macs": (118_013_952, 3_609_460_736, 359_661_568),
        "norms": (26_560, 11_113_984),
    },
    "resnet34": {
        "parameters": (9_408, 21_086_208, 172_032),
        "macs": (118_013_952, 3_525_967_872, 19_267_584),
        "norms": (8_512, 3_738_112),
    },
    "resnet18": {
        "parameters": (9_408, 10_985_472, 172_032),
        "macs": (118_013_952, 1_676_279_808, 19_267_584),
        "norms": (4_800, 2_483_712),
    },
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_counts_of_residual_networks(name):
    with torch.device("meta"):
        layers = count_layers(RESNETS[name](3), (3, 224, 224))
    stem = [layer for layer in layers if layer.name == "conv1"]
    downsample = [layer for layer in layers if "downsample" in layer.name]
    main = [layer for layer in layers if layer not in stem + downsample]

    def totals(field):
        return tuple(sum(getattr(layer, field) for layer in part) for part in (stem, main, downsample))

    assert totals("real_parameters") == GOLDEN[name]["parameters"]
    assert totals("real_macs") == GOLDEN[name]["macs"]
    assert (sum(totals("norm_channels")), sum(totals("norm_elements"))) == GOLDEN[name]["norms"]
    assert totals("binary_parameters") == totals("binary_macs") == (0, 0, 0)
    assert all(layer.counted for layer in layers)


@settings(deadline=None, max_examples=30)
@given(
    groups=st.sampled_from([1, 2]),
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    size=st.integers(5, 9),
)
def test_convolutions_cost_what_torch_counts(groups, channels, filters, kernel, stride, dilation, size):
    layer = nn.Conv2d(channels * groups, filters * groups, kernel, stride, padding=1, dilation=dilation, groups=groups)
    with FlopCounterMode(display=False) as counter:
        layer(torch.zeros(1, channels * groups, size, size))
    (cost,) = count_layers(nn.Sequential(layer, nn.Flatten()), (channels * groups, size, size))[:1]
    assert 2 * cost.real_macs == counter.get_total_flops()
    assert cost.real_parameters == sum(p.numel() for p in layer.parameters())


class Everything(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Int8Stem(1, 4)
        self.norm = nn.BatchNorm2d(4)
        self.threshold = RSign(4)
        self.conv = BinaryConv2d(4, 6, 3, stride=2, padding=1)
        self.bend = RPReLU(6)
        self.prelu = nn.PReLU()
        self.sign = Sign()
        self.linear = BinaryLinear(96, 5, weight_rule="bnn")
        self.mixed = BinaryLinear(5, 7, weight_rule="recu")
        self.layer_norm = nn.LayerNorm(7)
        self.unused = nn.Linear(2, 3)
        self.head = nn.Linear(7, 2)

    def forward(self, x):
        x = self.bend(self.conv(self.threshold(self.norm(self.stem(x)))))
        x = self.linear(self.sign(self.prelu(x)).flatten(1))
        return self.head(self.layer_norm(self.mixed(x)))


def test_every_kind_of_layer():
    costs = {layer.name: layer for layer in count_layers(Everything(), (1, 8, 8))}
    expected = [
        LayerCost("stem", "Int8Stem", 36, real_macs=64 * 36, int8_parameters=36),
        LayerCost("norm", "BatchNorm2d", norm_channels=4, norm_elements=256),
        LayerCost("threshold", "RSign", 4),
        LayerCost("conv", "BinaryConv2d", 0, 216, 0, 16 * 216, scales=6, scaled_elements=96),
        LayerCost("bend", "RPReLU", 18, real_macs=96),
        LayerCost("prelu", "PReLU", 1, real_macs=96),
        # Signs alone have no scales.
        LayerCost("linear", "BinaryLinear", 0, 480, 0, 480),
        # Its inputs are integers, not signs; its learned scales are scales.
        LayerCost("mixed", "BinaryLinear", 0, 35, 35, 0, scales=7, scaled_elements=7),
        LayerCost("layer_norm", "LayerNorm", 14, counted=False),
        LayerCost("unused", "Linear", 9, counted=False),
        LayerCost("head", "Linear", 16, real_macs=14),
    ]
    assert list(costs.values()) == expected


def test_full_precision_leaves_nothing_binary():
    twin = LayerCost("a", "B", 1, 20, 300, 4000, 5, 6, 7, 8, int8_parameters=1, counted=False).in_full_precision()
    assert twin == LayerCost("a", "B", 21, 0, 4300, 0, 5, 6, counted=False)


def test_shared_weights_count_once_and_repeated_calls_each_time():
    first, second, norm = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4)
    second.weight = first.weight
    costs = count_layers(nn.Sequential(first, norm, second, norm, first), (4,))
    assert [(c.real_parameters, c.real_macs, c.norm_channels, c.norm_elements) for c in costs] == [
        (16, 32, 0, 0),
        (0, 0, 4, 8),
        (0, 16, 0, 0),
    ]


def test_shortcuts_and_head_may_count_as_what_they_are_not():
    network = nn.Sequential()
    network.add_module("shortcut", nn.Linear(8, 6))
    network.add_module("sign", Sign())
    network.add_module("head", BinaryLinear(6, 4))
    as_it_is = count_layers(network, (8,))
    shortcut, head = count_layers(network, (8,), real_downsample=False, real_head=True)
    assert shortcut == LayerCost("shortcut", "Linear", 6, 48, 0, 48, scales=6, scaled_elements=6)
    assert head == LayerCost("head", "BinaryLinear", 24, real_macs=24)
    assert count_layers(network, (8,), real_downsample=True, real_head=False) == as_it_is
    assert as_it_is != [shortcut, head]


def test_the_head_is_the_layer_called_last():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.body = nn.Linear(3, 2), nn.Linear(3, 3)

        def forward(self, x):
            return self.head(self.body(x))

    costs = count_layers(Backwards(), (3,), real_head=False)
    assert [(c.name, c.binary_parameters) for c in costs] == [("head", 6), ("body", 0)]


def test_counting_changes_nothing():
    network = Everything()
    network.norm.eval()
    modes = [module.training for module in network.modules()]
    state = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    count_layers(network, (1, 8, 8))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_bad_input():
    linear = nn.Linear(3, 2)
    with pytest.raises(ValueError, match=r"does not take inputs of shape \(4,\): "):
        count_layers(linear, (4,))
    assert not linear._forward_hooks
    with pytest.raises(
        ValueError, match=r"one vector per sample, of shape \(n, d\), got shape \(1, 5, 2\) for one sample"
    ):
        count_layers(linear, (5, 3))
    with pytest.raises(
        ValueError, match=r"real_downsample must be None .* 'downsample' or 'shortcut' in their name, got True"
    ):
        count_layers(linear, (3,), real_downsample=True)
    with pytest.raises(
        ValueError, match=r"real_head must be None .* without convolutions and linear layers, got False"
    ):
        count_layers(nn.ReLU(), (3,), real_head=False)


class CalledTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = BinaryLinear(4, 4)
        self.sign = Sign()

    def forward(self, x):
        return self.layer(self.sign(self.layer(x)))


def test_multiplications_are_binary_only_if_the_inputs_of_all_calls_are():
    (cost,) = count_layers(CalledTwice(), (4,))
    assert (cost.real_macs, cost.binary_macs, cost.binary_parameters) == (32, 0, 16)
