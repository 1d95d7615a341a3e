import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.nn import HashHead, ResNet, SmallCNN, Standardize, build, encode
from skhash.nn._packed_convolution import PackedConv2d, _is_supported, pack_convolutions
from skhash.nn.binary import bireal_tiny

pytestmark = pytest.mark.skipif(not _is_supported(), reason="packs convolutions on x86 with oneDNN only")


def images_of(*shape):
    return torch.rand((8, *shape), generator=torch.Generator().manual_seed(1))


def make_network(make):
    """Build a network with the same weights every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return with_random_norms(make())


def with_random_norms(network):
    """Give norms statistics and scales that a wrong fold would not survive."""
    generator = torch.Generator().manual_seed(2)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None:
            layer.running_mean.uniform_(-0.2, 0.2, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(layer.weight, 0.5, 1.5, generator=generator)
            nn.init.uniform_(layer.bias, -0.5, 0.5, generator=generator)
    return network.eval()


class Plain(nn.Module):
    """A network of a user, whose `forward` is unknown to the library."""

    def __init__(self, view=False):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = nn.Conv2d(8, 12, 3, padding=2, dilation=2, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.view = view

    def forward(self, x):
        x = self.norm(self.grouped(self.first(x).relu()))
        return x.view(len(x), -1)[:, :40] if self.view else x.mean(dim=(2, 3))


class TwoScales(nn.Module):
    """Calls one convolution with maps of two sizes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x):
        return (self.conv(x).mean(dim=(2, 3)) + self.conv(x[:, :, ::2, ::2]).amax(dim=(2, 3))).tanh()


CASES = {
    "gray": (lambda: SmallCNN(1), (1, 28, 28)),
    "color": (lambda: nn.Sequential(Standardize((3, 17, 23)), SmallCNN(3)), (3, 17, 23)),
    "resnet": (lambda: ResNet(18, width=8), (3, 40, 40)),
    "bottlenecks": (lambda: ResNet(50, channels=1, width=4, small_images=True), (1, 12, 12)),
    "plain": (Plain, (3, 20, 20)),
    "two scales": (TwoScales, (1, 10, 10)),
    "same": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, padding="same"), nn.Flatten()),
        (1, 9, 9),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_packed_network_computes_the_same(case):
    make, shape = CASES[case]
    network, images = make_network(make), images_of(*shape)
    packed = pack_convolutions(network, images)
    assert any(isinstance(layer, PackedConv2d) for layer in packed.modules())
    assert not any(isinstance(layer, PackedConv2d) for layer in network.modules())
    with torch.inference_mode():
        expected, got = network(images), packed(images)
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)
        assert torch.equal(packed(images), got)
        torch.testing.assert_close(packed(images[:3]), expected[:3], atol=1e-5, rtol=1e-4)  # packed for eight
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(packed(images).float(), expected, atol=0.1, rtol=0.1)


def test_norms_and_relus_are_included_in_the_librarys_networks():
    network = make_network(lambda: SmallCNN(1))
    packed = pack_convolutions(network, images_of(1, 8, 8))
    kinds = {type(layer) for layer in packed.modules()}
    assert not kinds & {nn.Conv2d, nn.BatchNorm2d, nn.ReLU}
    assert {layer.activation for layer in packed.modules() if isinstance(layer, PackedConv2d)} == {"relu"}
    names = [type(layer).__name__ for layer in packed]
    assert names == ["PackedConv2d", "PackedConv2d", "MaxPool2d"] * 3 + ["AdaptiveAvgPool2d", "Flatten"]


def test_layers_of_others_keep_their_norms():
    packed = pack_convolutions(Plain(), images_of(3, 20, 20))
    assert isinstance(packed.norm, nn.BatchNorm2d)
    assert not packed.training


def sequence(*layers):
    return nn.Sequential(nn.Conv2d(1, 4, 3), *layers, nn.Flatten())


def test_hooks_shared_layers_and_norms_without_statistics_are_not_included():
    hooked = sequence(nn.BatchNorm2d(4))
    seen = []
    hooked[1].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    repeated = nn.BatchNorm2d(4)
    images = images_of(1, 6, 6)
    for network in (hooked, sequence(repeated, repeated), sequence(nn.BatchNorm2d(4, track_running_stats=False))):
        with_random_norms(network)
        packed = pack_convolutions(network, images)
        assert isinstance(packed[1], nn.BatchNorm2d)
        seen.clear()
        with torch.inference_mode():
            torch.testing.assert_close(packed(images), network(images), atol=1e-5, rtol=1e-4)
        assert len(seen) == 2 * (network is hooked)


class Uncopyable(Plain):
    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), (1, 3, 3)),
        (Plain(view=True), (3, 20, 20)),
        (Uncopyable(), (3, 20, 20)),
        (sequence().double(), (1, 6, 6)),
        (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.Flatten()), (1, 6, 6)),
        (bireal_tiny(random_state=0), (1, 28, 28)),
    ],
    ids=["no convolution", "view", "no copy", "double", "reflect", "binary"],
)
def test_networks_that_stay_as_they_are(network, shape):
    assert pack_convolutions(network, images_of(*shape)) is None


@pytest.mark.parametrize("case", ["color", "resnet", "plain", "two scales"])
def test_codes_of_packed_networks_do_not_depend_on_company_or_threads(case):
    make, shape = CASES[case]
    network = make_network(make)
    with torch.inference_mode():
        width = network(images_of(*shape)).shape[1]
    module = nn.Sequential(network, build(HashHead, width, 16, generator=torch.Generator().manual_seed(3))).eval()
    X = np.random.default_rng(0).integers(0, 256, (21, *shape), dtype=np.uint8)

    def run(X):
        return np.concatenate(list(encode(module, Samples(X))))

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        together = run(X)
        np.testing.assert_array_equal(np.concatenate([run(X[i : i + 1]) for i in range(21)]), together)
        np.testing.assert_array_equal(np.concatenate([run(X[i : i + 5]) for i in range(0, 21, 5)]), together)
        for n_threads in (2, 3, 4):
            torch.set_num_threads(n_threads)
            np.testing.assert_array_equal(run(X), together)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("channels", [1, 3])
def test_small_cnn_has_channels_last_in_gray_images_too(channels):
    network, strides = SmallCNN(channels), []
    network[0].register_forward_hook(lambda layer, inputs, output: strides.append(output.stride()))
    network(images_of(channels, 12, 12))
    assert strides == [(6 * 6 * 16, 1, 6 * 16, 16)]
