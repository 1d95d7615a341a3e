import pytest
import torch
from torch import nn

from skhash.nn import HashHead, ResNet, efficiency_report, float_twin, fold_batch_norm
from skhash.nn.binary import binary_mlp, bireal_small, bireal_tiny, vgg_small


def randomized(network):
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor in (module.weight.data, module.bias.data, module.running_mean, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    return network.eval()


@pytest.mark.parametrize(
    ("backbone", "shape"),
    [
        (bireal_tiny(rule="bireal"), (1, 12, 12)),
        (bireal_small(shortcut="binary", rule="bnn"), (3, 12, 12)),
        (vgg_small(image_size=8, width=16), (3, 8, 8)),
        (binary_mlp(20, width=32, rule="irnet"), (20,)),
    ],
)
def test_a_twin_has_the_same_products_all_of_them_real(backbone, shape):
    network = nn.Sequential(backbone, HashHead(backbone.out_features, 8))
    twin = float_twin(network)
    cost = efficiency_report(network, "twin", input_size=shape, bn_params=0, bn_mults=0)
    found = efficiency_report(twin, "twin", input_size=shape, bn_params=0, bn_mults=0).network
    assert found.binary_parameters == found.binary_macs == 0
    assert found.real_macs == cost.network.binary_macs + cost.network.real_macs
    # The network itself is still what it was.
    assert any("Binary" in type(module).__name__ for module in network.modules())


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (ResNet(18, width=4), (3, 40, 40)),
        (ResNet(50, width=4, small_images=True), (3, 9, 9)),
        (float_twin(bireal_tiny()), (1, 12, 12)),
        (float_twin(binary_mlp(20, width=32)), (20,)),
    ],
)
def test_folding_changes_no_result_and_leaves_no_norm(network, shape):
    network = randomized(network)
    x = torch.rand(2, *shape)
    folded = fold_batch_norm(network)
    with torch.inference_mode():
        torch.testing.assert_close(folded(x), network(x), rtol=1e-3, atol=1e-4)
    assert any(isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in network.modules())
    assert not any(isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)) for module in folded.modules())


def test_norms_that_follow_on_something_else_stay():
    network = randomized(nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.BatchNorm2d(4), nn.Flatten()))
    assert isinstance(fold_batch_norm(network)[2], nn.BatchNorm2d)


class NormFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Conv2d(2, 2, 1)
        self.input_norm = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.project(self.input_norm(x))


def test_only_names_say_which_layers_of_other_modules_follow_each_other():
    network = randomized(NormFirst())
    x = torch.rand(2, 2, 4, 4)
    folded = fold_batch_norm(network)
    assert isinstance(folded.input_norm, nn.BatchNorm2d)
    assert torch.equal(folded(x), network(x))
