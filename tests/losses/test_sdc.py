import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from skhash.losses import SDCLoss, cosine_quantization_loss, nt_xent_loss, sdc_loss, sdc_targets


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def pairs_of(z, x):
    half = len(z) // 2
    return [(cosine(x[p], x[half + p]), cosine(z[p], z[half + p])) for p in range(half)]


def loop_loss(pairs, loss, clip):
    """The equation, one pair at a time."""
    differences = []
    for p, (_, similarity) in enumerate(sorted(pairs, key=lambda pair: pair[0])):
        target = 2 * stats.beta(5, 5).ppf((2 * p + 1) / (2 * len(pairs))) - 1
        difference = similarity - (max(target, 0) if clip else target)
        differences.append({"l1": abs(difference), "l2": difference**2, "one_sided": max(difference, 0)}[loss])
    return sum(differences) / len(pairs)


def test_golden_values(golden):
    targets = torch.tensor([-0.360262, -0.103032, 0.103032, 0.360262], dtype=torch.float64)
    torch.testing.assert_close(sdc_targets(4), targets, atol=1e-6, rtol=0)
    assert sdc_loss(golden.U8, golden.X8).item() == pytest.approx(0.943557, abs=1e-5)
    assert SDCLoss()(golden.U8, golden.X8).item() == pytest.approx(0.943557 + 0.094785, abs=1e-5)


def test_targets_are_quantiles_of_the_density():
    density = lambda x: stats.beta(5, 5).pdf((x + 1) / 2) / 2  # noqa: E731
    for p, target in enumerate(sdc_targets(5, "beta").tolist()):
        assert quad(density, -1, target)[0] == pytest.approx((2 * p + 1) / 10, abs=1e-9)
    mass = quad(stats.norm(scale=0.3).pdf, -1, 1)[0]
    for p, target in enumerate(sdc_targets(5, "gaussian").tolist()):
        assert quad(stats.norm(scale=0.3).pdf, -1, target)[0] / mass == pytest.approx((2 * p + 1) / 10, abs=1e-9)


@pytest.mark.parametrize(
    "distribution",
    ["beta", "gaussian", stats.beta(0.2, 3), stats.triang(0.5, loc=7, scale=2), stats.cauchy(), stats.expon()],
)
@pytest.mark.parametrize("n", [1, 2, 33, 1000])
def test_targets_ascend_within_minus_one_and_one(distribution, n):
    targets = sdc_targets(n, distribution)
    assert targets.shape == (n,)
    assert -1 <= targets[0] <= targets[-1] <= 1
    assert (targets.diff() > 0).all()


@given(st.integers(1, 200), st.floats(0.2, 20))
def test_targets_of_a_symmetric_distribution_are_symmetric(n, shape):
    targets = sdc_targets(n, alpha=shape, beta=shape)
    torch.testing.assert_close(targets, -targets.flip(0), atol=1e-6, rtol=0)  # as near as quantiles are


def test_targets_are_stretched_from_their_interval():
    torch.testing.assert_close(sdc_targets(9, stats.beta(2, 3, loc=-40, scale=5)), sdc_targets(9, alpha=2, beta=3))


def test_targets_that_were_given_away_may_be_changed():
    sdc_targets(3).zero_()
    assert sdc_targets(3)[0] < 0


@pytest.mark.parametrize("loss", ["l1", "l2", "one_sided"])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("n", [2, 12, 13])
def test_equals_an_explicit_loop(loss, clip, n):
    rng = np.random.default_rng(n)
    z, x = rng.normal(size=(n, 6)), rng.normal(size=(n, 9))
    value = sdc_loss(torch.tensor(z), torch.tensor(x), loss=loss, clip_targets=clip)
    assert value.item() == pytest.approx(loop_loss(pairs_of(z, x), loss, clip), abs=1e-9)


def test_two_views_are_ranked_together():
    rng = np.random.default_rng(0)
    (z, other), (x, other_x) = rng.normal(size=(2, 10, 6)), rng.normal(size=(2, 10, 9))
    value = sdc_loss(*(torch.tensor(a) for a in (z, x, other, other_x)))
    expected = loop_loss(pairs_of(z, x) + pairs_of(other, other_x), "l1", False)
    assert value.item() == pytest.approx(expected, abs=1e-9)


def test_only_the_order_of_the_features_similarities_counts(golden):
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 6)))
    # The pairs' cosines .486, .467, .462 and .466 are in the order of these angles.
    angles = torch.tensor([0.1, 0.2, 1.5, 0.3], dtype=torch.float64)
    x = torch.cat([torch.tensor([[1.0, 0.0]] * 4), torch.stack([angles.cos(), angles.sin()], dim=1)])
    loss = sdc_loss(z, golden.X8, loss="l2")
    torch.testing.assert_close(sdc_loss(z, x, loss="l2"), loss)
    assert sdc_loss(z, x[[0, 1, 2, 3, 5, 4, 6, 7]], loss="l2").item() != pytest.approx(loss.item(), abs=1e-2)


def test_equal_similarities_are_legal_and_told_apart_by_position(golden):
    value = sdc_loss(golden.U8, torch.ones(8, 3))
    similarity = torch.tensor([s for _, s in pairs_of(golden.U8, golden.X8)])
    torch.testing.assert_close(value, (similarity - sdc_targets(4)).abs().mean())


def test_scaling_codes_changes_nothing(golden):
    loss = SDCLoss(contrastive_weight=1.0)
    views = golden.X8, golden.U8.flip(0), golden.X8
    torch.testing.assert_close(loss(7.5 * golden.U8, *views), loss(golden.U8, *views))


def test_the_module_adds_up(golden):
    other, other_x = golden.U8.flip(1), golden.X8.flip(0)
    loss = SDCLoss(quantization_weight=0.3, contrastive_weight=0.7, temperature=0.5, clip_targets=True, alpha=2.0)
    expected = sdc_loss(golden.U8, golden.X8, other, other_x, clip_targets=True, alpha=2.0)
    expected += 0.3 * (cosine_quantization_loss(golden.U8) + cosine_quantization_loss(other)) / 2
    expected += 0.7 * nt_xent_loss(golden.U8, other, temperature=0.5)
    torch.testing.assert_close(loss(golden.U8, golden.X8, other, other_x), expected)


@pytest.mark.parametrize("loss", ["l1", "l2", "one_sided"])
def test_gradient_by_finite_differences(golden, loss):
    views = golden.U8.clone().requires_grad_(), golden.U8.flip(1).requires_grad_()
    module = SDCLoss(contrastive_weight=1.0, loss=loss)
    assert torch.autograd.gradcheck(lambda z, other: module(z, golden.X8, other, golden.X8), views)


def test_the_features_learn_nothing(golden):
    z, reference = golden.U8.clone().requires_grad_(), golden.X8.clone().requires_grad_()
    sdc_loss(z, reference).backward()
    assert z.grad.any()
    assert reference.grad is None


def test_codes_and_features_of_nothing_are_finite():
    z = torch.zeros(4, 8, requires_grad=True)
    loss = SDCLoss()(z, torch.zeros(4, 3))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()


def test_single_precision_in_single_precision_out(golden):
    value = SDCLoss()(golden.U8.float(), golden.X8.float())
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(SDCLoss()(golden.U8, golden.X8).item(), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"distribution": "uniform"}, ValueError, "distribution must be one of .'beta', 'gaussian'., got 'uniform'"),
        ({"distribution": stats.beta}, TypeError, "a frozen scipy.stats distribution"),
        ({"distribution": stats.norm(loc=99)}, ValueError, r"some probability within \[-1, 1\], got norm"),
        ({"alpha": 0.0}, ValueError, "alpha must be positive, got 0.0"),
        ({"beta": -1.0}, ValueError, "beta must be positive, got -1.0"),
        ({"loss": "l3"}, ValueError, "loss must be one of .*, got 'l3'"),
    ],
)
def test_unusable_options_are_refused(golden, options, error, message):
    with pytest.raises(error, match=message):
        sdc_loss(golden.U8, golden.X8, **options)


def test_other_errors(golden):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        sdc_targets(0)
    with pytest.raises(ValueError, match="reference must have one row per code, got 6 rows for 8 codes"):
        sdc_loss(golden.U8, golden.X8[:6])
    with pytest.raises(ValueError, match=r"contrastive_weight=0\.5 needs another view"):
        SDCLoss(contrastive_weight=0.5)(golden.U8, golden.X8)
