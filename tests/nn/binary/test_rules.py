import pytest
import torch
from torch import nn

from skhash.nn.binary import RULES, BiRealRule, Rule, Sign, bireal_tiny
from skhash.nn.binary._rules import make_rule


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3, 3)])
@pytest.mark.parametrize("name", RULES)
def test_parts_are_what_the_weights_are_made_of(name, shape):
    rule = RULES[name].weights(7).double()
    weight = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    signs, scale = rule.parts(weight)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert scale.shape == (7,)
    torch.testing.assert_close(rule(weight), signs * scale.view(-1, *(1,) * (len(shape) - 1)))
    assert not signs.requires_grad
    assert not scale.requires_grad


@pytest.mark.parametrize("name", RULES)
def test_every_rule_gives_signs_before_and_the_same_shape_behind(name):
    x = torch.randn(4, 6, 5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(RULES[name].sign(6)(x), torch.where(x >= 0, 1.0, -1.0))
    assert RULES[name].activation(6)(x).shape == x.shape


def test_a_rule_of_ones_own():
    rule = Rule(BiRealRule, lambda channels: Sign("identity"), lambda channels: nn.ReLU())
    assert make_rule(rule) is rule
    network = bireal_tiny(rule=rule)
    assert isinstance(network.blocks[0].activation, nn.ReLU)
    assert network.blocks[0].body[0].gradient == "identity"


def test_unknown_rule():
    with pytest.raises(ValueError, match=r"rule must be one of .* got 'dorefa'"):
        make_rule("dorefa")
