import pytest
import torch

from skhash.nn import RESNETS, ResNet, build


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("depth", "features"), [(18, 64), (34, 64), (50, 256)])
def test_shapes_and_the_parts_of_torchvision(depth, features):
    network = build(ResNet, depth, 1, width=8, generator=generator())
    assert network.out_features == features
    assert network(torch.rand(2, 1, 64, 64)).shape == (2, features)
    names = set(network.state_dict())
    assert {"conv1.weight", "bn1.running_var", "layer1.0.conv2.weight", "layer4.0.downsample.0.weight"} <= names
    assert ("layer1.0.downsample.1.bias" in names) == ("layer1.0.bn3.bias" in names) == (depth == 50)


def test_strides():
    sizes = {}
    with torch.device("meta"):
        for name, make in RESNETS.items():
            network = make(3)
            network.layer1.register_forward_hook(
                lambda *call, name=name: sizes.setdefault(name, []).append(call[2].shape[2])
            )
            network.layer4.register_forward_hook(
                lambda *call, name=name: sizes.setdefault(name, []).append(call[2].shape[2])
            )
            network(torch.zeros(1, 3, 64, 64))
    assert sizes == {name: [64, 8] if name.endswith("_32") else [16, 2] for name in RESNETS}


def test_a_block_adds_its_shortcut():
    block = build(ResNet, 18, width=4, small_images=True, generator=generator()).layer1[0].eval()
    for norm in (block.bn1, block.bn2):
        norm.weight.data.zero_()
    x = torch.randn(2, 4, 5, 5, generator=generator())
    torch.testing.assert_close(block(x), x.relu())


def test_an_unknown_depth():
    with pytest.raises(ValueError, match=r"depth must be one of \[18, 34, 50\], got 20"):
        ResNet(20)
