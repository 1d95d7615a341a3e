import pytest

from skhash.nn import LayerCost, NetworkCost

LAYERS = (
    LayerCost("stem", "Int8Stem", 30, real_macs=3000, int8_parameters=20),
    LayerCost("conv", "BinaryConv2d", 0, 1001, 0, 64_000, scales=7, scaled_elements=70),
    LayerCost("norm", "BatchNorm2d", norm_channels=7, norm_elements=70),
    LayerCost("odd", "Odd", 5, counted=False),
)


@pytest.mark.parametrize("bn_params", [0, 2, 4])
@pytest.mark.parametrize("bn_mults", [0, 1, 2])
@pytest.mark.parametrize("count_alpha", [False, True])
def test_conventions(bn_params, bn_mults, count_alpha):
    cost = NetworkCost("a", (3,), 8, LAYERS, bn_params=bn_params, bn_mults=bn_mults, count_alpha=count_alpha)
    assert cost.real_parameters == 35 + 7 * bn_params + 7 * count_alpha
    assert cost.binary_parameters == 1001
    assert cost.real_macs == 3000 + 70 * bn_mults + 70 * count_alpha
    assert cost.binary_macs == 64_000
    assert cost.memory_bits == 32 * cost.real_parameters + 1001
    assert cost.flops == cost.real_macs + 1000
    assert cost.file_bytes == 4 * (cost.real_parameters - 20) + 20 + 126
    assert cost.not_counted == ["odd"]


def test_the_twin_keeps_the_convention():
    twin = NetworkCost("a", (3,), 8, LAYERS, bn_params=4, bn_mults=1, count_alpha=True).in_full_precision()
    assert twin.name == "a in 32 bits"
    assert twin.memory_bits == 32 * (35 + 1001 + 28)
    assert twin.file_bytes * 8 == twin.memory_bits
    assert twin.flops == twin.real_macs == 3000 + 64_000 + 70


def test_figures():
    figures = NetworkCost("a", (3,), 8, LAYERS).to_dict()
    assert figures["name"] == "a"
    assert figures["flops"] == 3140 + 1000
    assert set(figures) == {
        *("name", "real_parameters", "binary_parameters", "real_macs", "binary_macs"),
        *("memory_bits", "file_bytes", "flops"),
    }
