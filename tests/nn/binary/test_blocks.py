import pytest
import torch
from torch import nn

from skhash.nn import sign
from skhash.nn.binary import BinaryConv2d
from skhash.nn.binary._blocks import AveragePool, Duplicate, ResidualBlock, binary_layer, make_shortcut
from skhash.nn.binary._rules import make_rule

RULE = make_rule("bireal")


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_layer_is_sign_convolution_normalization():
    layer = binary_layer(RULE, 4, 6, 3, 2, pad="minus").eval()
    x = draw(2, 4, 7, 7)
    convolution = layer[1]
    assert (convolution.stride, convolution.padding, convolution.pad_mode) == (2, 1, "minus")
    assert torch.equal(layer(x), layer[2](convolution(sign(x))))


def test_activations_may_stay_real():
    layer = binary_layer(RULE, 4, 6, binarize_activations=False)
    x = draw(2, 4, 7, 7)
    assert torch.equal(layer[:2](x), layer[1](x))
    assert layer[1](x).shape == (2, 6, 7, 7)


def test_odd_sizes_are_rounded_up_and_what_is_left_is_averaged():
    x = torch.arange(9.0).view(1, 1, 3, 3)
    assert AveragePool()(x).tolist() == [[[[2.0, 3.5], [6.5, 8.0]]]]


def test_channels_are_repeated_one_after_the_other():
    assert Duplicate(3)(torch.tensor([[1.0, 2.0]])[:, :, None, None]).flatten().tolist() == [1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize("kind", ["dup", "binary", "real"])
@pytest.mark.parametrize("stride", [1, 2])
def test_shortcuts_fit_the_block(kind, stride):
    shortcut = make_shortcut(kind, RULE, 4, 8, stride)
    body = binary_layer(RULE, 4, 8, 3, stride)
    x = draw(2, 4, 9, 7)
    assert shortcut(x).shape == body(x).shape
    convolutions = [type(m) for m in shortcut.modules() if isinstance(m, (nn.Conv2d, BinaryConv2d))]
    assert convolutions == {"dup": [], "binary": [BinaryConv2d], "real": [nn.Conv2d]}[kind]


@pytest.mark.parametrize("kind", ["dup", "binary", "real"])
def test_no_detour_where_no_shape_changes(kind):
    x = draw(2, 4, 5, 5)
    assert make_shortcut(kind, RULE, 4, 4, 1)(x) is x


def test_a_block_adds_and_leaves_its_inputs_alone():
    block = ResidualBlock(binary_layer(RULE, 4, 4), nn.Identity(), nn.ReLU()).eval()
    x = draw(2, 4, 5, 5)
    before = x.clone()
    assert torch.equal(block(x), (block.body(x) + x).relu())
    assert torch.equal(x, before)


def test_shortcuts_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"shortcut='dup' .* must be a multiple of in_channels = 4, got 6; use 'binary'"
    ):
        make_shortcut("dup", RULE, 4, 6, 1)
    with pytest.raises(ValueError, match=r"shortcut must be one of .* got 'conv'"):
        make_shortcut("conv", RULE, 4, 8, 1)
