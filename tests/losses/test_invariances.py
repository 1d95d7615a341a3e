"""What holds for all losses of continuous codes and targets alike."""

import math

import pytest
import torch

from skhash import losses


def linear(z):
    """A classifier that sees every bit differently."""
    weights = torch.linspace(-1, 1, 3 * z.shape[1], dtype=z.dtype).view(3, -1)
    return z @ weights.T


def dsdh(z, targets, centers, **options):
    multi_hot = losses.to_multi_hot(targets, 3)
    codes = torch.where(z.detach() >= 0, 1.0, -1.0).to(z.dtype)
    return losses.dsdh_loss(z, targets, codes, losses.dsdh_classifier(codes, multi_hot, 1.0))


def surrogate(z, targets, centers):
    generator = torch.Generator().manual_seed(0)
    model = losses.PosteriorSurrogate(z.shape[1], block_bits=3, dropout=0.0).double()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, generator=generator)
    return model.center_loss(z, targets, centers)


# Every supervised loss as f(z, targets, centers).
LOSSES = {
    "ce": lambda z, y, c: losses.soft_cross_entropy(linear(z), y),
    "csq": losses.csq_loss,
    "dbdh": lambda z, y, c: losses.dbdh_loss(z, y),
    "dbdh_bit": lambda z, y, c: losses.dbdh_loss(z, y, balance_axis="bit", p=3.0),
    "dbdh_ste": lambda z, y, c: losses.dbdh_loss(z, y, relax="ste"),
    "dch": lambda z, y, c: losses.dch_loss(z, y),
    "dch_official": lambda z, y, c: losses.dch_loss(
        z.tanh(), y, distance="euclidean", class_weight="similar", self_pairs=False, quantization="squared"
    ),
    "dpn_sum": losses.dpn_loss,
    "dpn_merge": lambda z, y, c: losses.dpn_loss(z, y, c, multilabel="merge", reduction="mean", norm_weight=0.1),
    "dpsh": lambda z, y, c: losses.dpsh_loss(z, y),
    "dsdh": dsdh,
    "dtsh": lambda z, y, c: losses.dtsh_loss(z, y),
    "dtsh_paper": lambda z, y, c: losses.dtsh_loss(z, y, scale=0.5, margin="bits/2", self_positives=False),
    "greedy": lambda z, y, c: losses.greedy_hash_loss(z, y, linear),
    "hashnet": lambda z, y, c: losses.hashnet_loss(z, y, beta=1.5),
    "hashnet_official": lambda z, y, c: losses.hashnet_loss(z[:2], y[:2], z[2:], y[2:], class_weight=5.0),
    "jmlh": lambda z, y, c: losses.jmlh_loss(z, y, linear, thresholds=0.3),
    "odh": losses.hash_center_loss,
    "odh_inner": lambda z, y, c: losses.hash_center_loss(z, y, c, similarity="inner"),
    "ortho": losses.ortho_loss,
    "sdhc": lambda z, y, c: losses.sdhc_loss(z, y, linear, projection=linear(torch.eye(8, dtype=z.dtype)).T),
    "surrogate": surrogate,
}
PAIRWISE = ["dbdh", "dbdh_bit", "dbdh_ste", "dch", "dch_official", "dpsh", "dtsh", "dtsh_paper", "hashnet"]
OF_CENTERS = ["csq", "dpn_sum", "dpn_merge", "odh", "odh_inner", "ortho"]
# Their gradient is one by decree and not that of the value.
STRAIGHT_THROUGH = {"dbdh_ste", "greedy", "jmlh"}
every_loss = pytest.mark.parametrize("name", LOSSES)


@every_loss
def test_one_hot_rows_equal_class_indices(golden, name):
    one_hot = torch.nn.functional.one_hot(golden.y, 3)
    single = LOSSES[name](golden.U, golden.y, golden.centers)
    assert LOSSES[name](golden.U, one_hot, golden.centers).item() == pytest.approx(single.item(), abs=1e-12)


@every_loss
def test_multi_hot_targets_may_be_of_any_dtype(golden, name):
    values = [
        LOSSES[name](golden.U, golden.multi_hot.to(dtype), golden.centers).item()
        for dtype in (torch.int64, torch.uint8, torch.float32)
    ]
    assert values == pytest.approx([values[0]] * 3, abs=1e-12)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - STRAIGHT_THROUGH))
@pytest.mark.parametrize("which", ["y", "multi_hot"])
def test_gradient_by_finite_differences(golden, name, which):
    z = golden.U.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, getattr(golden, which), golden.centers), (z,))


@every_loss
@pytest.mark.parametrize("targets", [torch.zeros(4, dtype=torch.int64), torch.arange(4) % 3, torch.eye(4, 3)])
def test_one_sided_batches_and_zero_rows_are_finite(golden, name, targets):
    # One class only; hardly any similar pair; a last row without labels.
    for z in (golden.U, torch.zeros_like(golden.U), golden.U * torch.tensor([[1.0], [0.0], [1.0], [1.0]])):
        z = z.clone().requires_grad_()
        loss = LOSSES[name](z, targets, golden.centers)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(z.grad).all()


@every_loss
def test_large_codes_overflow_nothing(golden, name):
    z = (1e4 * golden.U).float().requires_grad_()
    if name == "surrogate":
        z = z.double()  # as its weights are
    loss = LOSSES[name](z, golden.y, golden.centers.to(z.dtype))
    (gradient,) = torch.autograd.grad(loss, z)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"surrogate"}))  # which has weights of its own
def test_single_precision_in_single_precision_out(golden, name):
    single = LOSSES[name](golden.U.float(), golden.multi_hot, golden.centers.float())
    assert single.dtype == torch.float32
    double = LOSSES[name](golden.U, golden.multi_hot, golden.centers)
    assert single.item() == pytest.approx(double.item(), abs=1e-5)


@pytest.mark.parametrize("which", ["y", "multi_hot"])
@pytest.mark.parametrize("name", PAIRWISE + OF_CENTERS)
def test_permuting_bits_changes_nothing(golden, name, which):
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    targets = getattr(golden, which)
    loss = LOSSES[name](golden.U, targets, golden.centers).item()
    assert LOSSES[name](golden.U[:, order], targets, golden.centers[:, order]).item() == pytest.approx(loss, abs=1e-9)


# DBDH's penalty per sample counts the +1 of a code as they are.
@pytest.mark.parametrize("name", sorted({*PAIRWISE, *OF_CENTERS} - {"dbdh", "dbdh_ste"}))
def test_flipping_bits_changes_nothing(golden, name):
    flip = torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1], dtype=torch.float64)
    loss = LOSSES[name](golden.U, golden.y, golden.centers).item()
    flipped = LOSSES[name](golden.U * flip, golden.y, golden.centers * flip).item()
    assert flipped == pytest.approx(loss, abs=1e-9)


def test_scaling_codes_leaves_the_distance_of_dch(golden):
    options = {"quantization_weight": 0.3}
    loss = losses.dch_loss(golden.U, golden.y, **options).item()
    assert losses.dch_loss(7.5 * golden.U, golden.y, **options).item() == pytest.approx(loss, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dpsh", math.log(2)),
        ("dbdh", math.log(2)),
        ("hashnet", 2 * math.log(2)),
        ("csq", math.log(2) + 1e-4),
        ("dpn_sum", 8.0),
        ("dpn_merge", 1.0),
        ("dtsh", 5.0067 + 1.0),
        ("dtsh_paper", 4.0181 + 1.0),
        ("ce", math.log(3)),
        ("odh", math.log(3)),
        ("odh_inner", math.log(3)),
        ("sdhc", math.log(3) + 0.001),
        ("greedy", math.log(3) + 0.1),
        ("jmlh", math.log(3)),
    ],
)
def test_magnitude_at_a_fresh_head(golden, monkeypatch, name, expected):
    # The table of the methods specification, section 7.11; a fresh classifier gives logits near 0.
    monkeypatch.setitem(globals(), "linear", lambda z: 0 * z[:, :3])
    z = torch.zeros(4, 8, dtype=torch.float64)
    # SDH-C's last term is about the weights of the hash layer.
    value = losses.sdhc_loss(z, golden.y, linear) if name == "sdhc" else LOSSES[name](z, golden.y, golden.centers)
    assert value.item() == pytest.approx(expected, abs=1e-4)
