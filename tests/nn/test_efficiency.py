import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from skhash import CSQHasher, ITQHasher, LowerBoundHasher, OrthoHasher
from skhash.nn import MLP, HashHead, efficiency_report
from skhash.nn.binary import BinaryResNet, bireal18, xnor_resnet18, xnor_resnet50

# What the papers print: ODH's ratios for XNOR-Net against ResNet-50; Bi-Real Net's costs of its 18-layer network.
ODH_MEMORY, ODH_COMPUTE = 25.7, 19.7
BIREAL_FLOAT_MBIT, BIREAL_MBIT, BIREAL_FLOPS = 374.1, 33.6, 1.63e8


@pytest.fixture(scope="module")
def backbones():
    torch.manual_seed(0)
    layout = {"stem_kernel": 7, "stem_stride": 2, "stem_pool": True, "shortcut": "real", "stem": "float"}
    widths = (64, 128, 256, 512)
    return {
        "xnor_resnet50": xnor_resnet50(),
        "xnor_resnet34": BinaryResNet(3, widths, (3, 4, 6, 3), rule="xnor", block="basic", **layout),
        "xnor_resnet18": xnor_resnet18(shortcut="real"),
        "bireal18": bireal18(shortcut="real"),
    }


def report_of(backbone, bits, reference="resnet50", bias=True, **options):
    network = nn.Sequential(backbone, HashHead(backbone.out_features, bits, bias=bias))
    return efficiency_report(network, reference, **options)


def test_golden_default_convention():
    report = efficiency_report("xnor_resnet50", "resnet50", bits=64)
    assert report.network.real_parameters == 193_664
    assert report.network.binary_parameters == 23_445_504
    assert report.network.memory_bits / 1e6 == pytest.approx(29.643, abs=5e-4)
    assert report.network.flops / 1e6 == pytest.approx(202.39, abs=5e-3)
    assert report.reference.memory_bits / 1e6 == pytest.approx(756.45, abs=5e-3)
    assert report.reference.flops / 1e6 == pytest.approx(4109.5, abs=0.05)
    assert report.memory_ratio == pytest.approx(25.52, abs=0.01)
    assert report.compute_ratio == pytest.approx(20.30, abs=0.01)
    assert report.memory_ratio == pytest.approx(ODH_MEMORY, rel=0.04)
    assert report.compute_ratio == pytest.approx(ODH_COMPUTE, rel=0.04)
    # The network's twin is a ResNet-50.
    assert report.twin.memory_bits == report.reference.memory_bits
    assert report.twin.flops == report.reference.flops


# Methods specification, section 10.3.
@pytest.mark.parametrize(
    ("name", "bits", "options", "memory", "compute"),
    [
        ("xnor_resnet50", 64, {}, 25.52, 20.30),
        ("xnor_resnet50", 64, {"count_alpha": True}, 24.81, 19.32),
        ("xnor_resnet50", 48, {"count_alpha": True}, 25.66, 19.32),
        ("xnor_resnet50", 48, {}, 26.42, 20.31),
        ("xnor_resnet50", 64, {"real_head": False}, 29.57, 20.32),
        ("xnor_resnet50", 64, {"real_head": False, "count_alpha": True, "bn_params": 4}, 26.95, 19.33),
        ("xnor_resnet50", 64, {"bn_params": 0, "bn_mults": 0}, 27.01, 22.69),
        ("xnor_resnet34", 64, {}, 26.55, 20.56),
        ("xnor_resnet18", 64, {}, 41.7, 24.4),
        ("xnor_resnet18", 64, {"real_downsample": False}, 59.0, 27.5),
    ],
)
def test_golden_table_of_conventions(backbones, name, bits, options, memory, compute):
    report = report_of(backbones[name], bits, **options)
    tolerance = 0.01 if name != "xnor_resnet18" else 0.05
    assert report.memory_ratio == pytest.approx(memory, abs=tolerance)
    assert report.compute_ratio == pytest.approx(compute, abs=tolerance)


def test_golden_with_scales(backbones):
    report = report_of(backbones["xnor_resnet50"], 64, count_alpha=True)
    assert report.network.memory_bits / 1e6 == pytest.approx(30.491, abs=5e-4)
    assert report.network.flops / 1e6 == pytest.approx(212.70, abs=5e-3)


def test_golden_real_downsample_and_head_save_little_memory(backbones):
    # Section 10.3: about 6.5 times for the released variant with both real.
    report = report_of(backbones["xnor_resnet50"], 64, real_downsample=True, real_head=True)
    assert report.memory_ratio == pytest.approx(6.5, abs=0.1)


def test_golden_with_a_classifier_of_1000_classes(backbones):
    report = report_of(backbones["xnor_resnet18"], 1000)
    assert report.memory_ratio == pytest.approx(24.5, abs=0.5)
    assert report.compute_ratio == pytest.approx(24, abs=0.5)


def test_golden_costs_of_the_bireal_paper(backbones):
    report = report_of(backbones["bireal18"], 1000, "resnet18")
    assert report.reference.memory_bits / 1e6 == pytest.approx(374.06, abs=5e-3)
    assert report.reference.memory_bits / 1e6 == pytest.approx(BIREAL_FLOAT_MBIT, rel=0.001)
    assert report.network.memory_bits / 1e6 == pytest.approx(BIREAL_MBIT, rel=0.04)
    assert report.network.flops == pytest.approx(BIREAL_FLOPS, rel=0.04)
    # The specification's own anchor leaves out batch normalization and the classifier's bias.
    bare = report_of(backbones["bireal18"], 1000, "resnet18", bias=False, bn_params=0, bn_mults=0)
    assert bare.network.memory_bits / 1e6 == pytest.approx(33.18, abs=0.01)
    assert bare.network.flops == pytest.approx(1.64e8, abs=5e5)


def test_binary_weights_on_real_inputs_multiply_reals():
    network = xnor_resnet18(3, binarize_activations=False)
    cost = report_of(network, 8, "twin", input_size=32).network
    assert cost.binary_parameters == 11_157_504
    assert cost.binary_macs == 0


def test_an_8_bit_stem_is_real_memory_and_small_in_a_file(backbones):
    small, large = (report_of(bireal18(stem=stem), 64, input_size=64).network for stem in ("int8", "float"))
    assert small.memory_bits == large.memory_bits
    assert large.file_bytes - small.file_bytes == 3 * 9_408
    assert large.file_bytes * 8 == large.memory_bits


@pytest.fixture(scope="module")
def fitted(digits):
    hasher = OrthoHasher(bits=16, backbone="binary_mlp", max_epochs=1, random_state=0)
    return hasher.fit(digits.X[:100], digits.y[:100])


def test_a_hasher_on_features(fitted):
    report = efficiency_report(fitted)
    assert report.reference == report.twin
    assert report.network.name == "OrthoHasher"
    assert (report.network.bits, report.network.input_shape) == (16, (64,))
    # Stem, two binary layers of 512 units, head.
    assert report.network.binary_parameters == report.network.binary_macs == 2 * 512**2
    norms = sum(layer.norm_channels for layer in report.network.layers)
    learned = sum(p.numel() for name, p in fitted.module_.encoder.named_parameters() if "rule" not in name)
    assert report.network.real_parameters + report.network.binary_parameters == learned
    assert report.network.not_counted == []
    assert norms >= 3 * 512
    with pytest.raises(ValueError, match=r"reference='resnet50' takes images, got inputs of shape \(64,\); use 'twin'"):
        efficiency_report(fitted, "resnet50")


def test_a_hasher_in_another_and_as_reference(fitted, digits):
    wrapped = LowerBoundHasher(CSQHasher(bits=16, backbone=lambda: MLP(64, 32), max_epochs=1, random_state=0))
    report = efficiency_report(fitted, wrapped.fit(digits.X[:100], digits.y[:100]))
    assert report.reference.name == "CSQHasher"
    assert 0 < report.memory_ratio < 1


def test_a_network_with_its_loss_costs_as_without(fitted):
    assert (
        efficiency_report(fitted.module_, input_size=(64,)).network.layers == efficiency_report(fitted).network.layers
    )


def test_inputs_of_networks_by_name():
    report = efficiency_report("bireal_tiny", input_size=(1, 28, 28), bits=12)
    assert report.reference.name == "resnet50"
    assert report.reference.input_shape == (1, 28, 28)
    assert report.reference.bits == 12
    assert report.reference.layers[0].real_parameters == 64 * 49
    assert efficiency_report("resnet18", "resnet34", input_size=64).network.input_shape == (3, 64, 64)


def test_rows_tables_and_frames():
    report = efficiency_report("bireal_tiny", "resnet18_32", input_size=32)
    names = ["bireal_tiny", "bireal_tiny in 32 bits", "resnet18_32"]
    assert [row["name"] for row in report.rows] == names
    frame = report.to_frame()
    assert list(frame.index) == names
    assert frame.loc["resnet18_32", "memory_ratio"] == report.memory_ratio
    assert frame.loc["bireal_tiny", "compute_ratio"] == 1
    text = str(report)
    assert f"{report.memory_ratio:.2f}" in text
    assert f"{report.network.real_parameters:,}" in text
    assert "Scales of binary filters do not count." in text
    assert [row["name"] for row in efficiency_report("resnet18_32", "resnet34_32", input_size=32).rows] == [
        "resnet18_32",
        "resnet34_32",
    ]


def test_what_was_not_counted_is_named():
    network = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    report = efficiency_report(network, input_size=(4,))
    assert report.network.not_counted == ["1"]
    assert "Sequential: multiplications of 1 are not counted." in str(report)


def test_bad_input(digits):
    with pytest.raises(ValueError, match=r"'bn_params' parameter of efficiency_report must be a int among {0, 2, 4}"):
        efficiency_report("resnet18", bn_params=3)
    with pytest.raises(ValueError, match=r"network must be one of .*'resnet50'.*'xnor_resnet50'.*, got 'vgg16'"):
        efficiency_report("vgg16")
    with pytest.raises(ValueError, match=r"reference must be one of .*, got 'float'"):
        efficiency_report("resnet18_32", "float", input_size=32)
    with pytest.raises(TypeError, match=r"network must be a deep hasher, an nn.Module or a name, got ITQHasher"):
        efficiency_report(ITQHasher(bits=8, random_state=0).fit(digits.X))
    with pytest.raises(TypeError, match=r"network must be a deep hasher, an nn.Module or a name, got dict"):
        efficiency_report({})
    with pytest.raises(NotFittedError):
        efficiency_report(OrthoHasher())
