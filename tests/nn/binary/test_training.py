import pytest
import torch
from torch import nn

from skhash.nn.binary import (
    RULES,
    BinaryConv2d,
    BinaryLinear,
    bireal_tiny,
    clip_latent_weights_,
    set_progress_,
)


@pytest.mark.parametrize("rule", RULES)
def test_latent_weights_return_where_they_have_no_gradient_outside(rule):
    binary, real = BinaryConv2d(2, 3, 3, weight_rule=rule), nn.Linear(2, 2)
    for layer in (binary, real):
        layer.weight.data.fill_(0.5).view(-1)[:2] = torch.tensor([3.0, -2.0])
    network = nn.Sequential(binary, real)
    assert clip_latent_weights_(network) is network
    assert real.weight.max() == 3
    first = binary.weight.view(-1)[:3].tolist()
    assert first == ([1, -1, 0.5] if rule in ("bnn", "xnor", "bireal", "reactnet") else [3, -2, 0.5])


def test_linear_layers_are_clipped_too():
    layer = BinaryLinear(2, 1)
    layer.weight.data = torch.tensor([[5.0, -0.5]])
    assert clip_latent_weights_(layer).weight.tolist() == [[1, -0.5]]


@pytest.mark.parametrize("rule", ["irnet", "recu"])
def test_progress_reaches_every_part(rule):
    network = bireal_tiny(width=4, rule=rule)
    assert set_progress_(network, 1.0) is network
    layers = [layer for layer in network.modules() if isinstance(layer, BinaryConv2d)]
    if rule == "irnet":
        assert [layer.rule.t for layer in layers] == pytest.approx([10.0] * 6)
        assert [block.body[0].t for block in network.blocks] == pytest.approx([10.0] * 6)
    else:
        assert [layer.rule.tau for layer in layers] == pytest.approx([0.99] * 6)


@pytest.mark.parametrize("fraction", [-0.1, 1.5])
def test_progress_is_a_fraction(fraction):
    with pytest.raises(ValueError, match=rf"fraction must be in \[0, 1\], got {fraction}"):
        set_progress_(nn.Identity(), fraction)
