import pytest
import torch
from torch import nn

from skhash.nn import HashNetwork, dropout


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("share", [1 / 256, 0.0256, 0.1, 0.5, 0.9, 0.999])
def test_a_share_to_the_nearest_256th_is_dropped_and_the_rest_scaled_exactly(share):
    limit = min(max(round(256 * share), 0), 255)
    out = dropout(torch.ones(400_000), share, generator())
    assert out.unique().tolist() == pytest.approx([0.0, 256 / (256 - limit)])
    # Four standard deviations of the share.
    p = limit / 256
    assert (out == 0).double().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / 400_000) ** 0.5)
    assert abs(out.mean().item() - 1) < 4 * (p / (1 - p) / 400_000) ** 0.5


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (8,), (9,), (3, 5), (2, 3, 5, 7)])
def test_any_shape_takes_one_byte_of_the_draws_for_each_value(shape):
    x = torch.ones(shape)
    out = dropout(x, 0.5, generator(3))
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator(3))
    octets = [byte for word in words.tolist() for byte in (word % 2**64).to_bytes(8, "little")]
    assert out.shape == shape
    assert out.flatten().tolist() == [2.0 * (byte >= 128) for byte in octets[: x.numel()]]


def test_bytes_are_uniform_and_do_not_depend_on_their_place_in_a_word():
    kept = dropout(torch.ones(50_000, 8), 0.25, generator()) > 0
    assert kept.double().mean(dim=0).sub(0.75).abs().max() < 0.01
    correlation = torch.corrcoef(kept.T.double()).fill_diagonal_(0)
    assert correlation.abs().max() < 0.02


def test_the_gradient_is_dropped_with_the_value():
    x = torch.randn(1000, generator=generator()).requires_grad_()
    out = dropout(x, 0.25, generator(1))
    out.sum().backward()
    torch.testing.assert_close(x.grad, torch.where(out == 0, 0.0, 4 / 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_kind_of_number_stays(dtype):
    assert dropout(torch.ones(9, dtype=dtype), 0.5, generator()).dtype == dtype


def test_nothing_is_dropped_or_drawn_without_a_share_or_a_generator():
    x, g = torch.ones(5), generator()
    before = g.get_state()
    assert dropout(x, 0.001, g) is x  # rounds to no 256th
    assert dropout(x, 0.5, None) is x
    assert torch.equal(g.get_state(), before)


class Noting(nn.Linear):
    """A backbone that notes what it is given."""

    def forward(self, x):
        self.seen = x
        return super().forward(x)


def make(backbone, **options):
    torch.manual_seed(0)
    return HashNetwork(backbone, nn.Identity(), nn.Identity(), dropout=0.5, **options)


def test_a_network_drops_features_before_its_backbone_and_before_its_head():
    network = make(Noting(1000, 1000))
    out = network(torch.ones(4, 1000), generator())
    for values in (network.backbone.seen, out):
        assert (values == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    network.eval()(torch.ones(4, 1000), generator())
    assert (network.backbone.seen == 1).all()


def test_features_without_a_backbone_are_dropped_once_and_images_only_before_the_head():
    assert make(nn.Identity())(torch.ones(4, 1000), generator()).unique().tolist() == [0.0, 2.0]
    backbone = nn.Sequential(nn.Flatten(), Noting(16, 1000))
    out = make(backbone)(torch.ones(4, 1, 4, 4), generator())
    assert (backbone[1].seen == 1).all()
    assert (out == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
