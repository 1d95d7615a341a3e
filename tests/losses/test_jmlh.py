import math

import pytest
import torch
import torch.nn.functional as F

from skhash.losses import JMLHLoss, bernoulli_codes, jmlh_loss, soft_cross_entropy
from skhash.nn import build

WEIGHTS = torch.linspace(-1, 1, 24, dtype=torch.float64).view(3, 8)


def linear(codes):
    """A classifier that sees every bit differently."""
    return codes @ WEIGHTS.T


def test_golden_value_of_the_divergence(golden):
    with_kl = jmlh_loss(golden.U, golden.y, linear, kl_weight=1.0)
    without = jmlh_loss(golden.U, golden.y, linear, kl_weight=0.0)
    assert (with_kl - without).item() == pytest.approx(0.938971, abs=1e-5)


def test_equals_an_explicit_loop(golden):
    thresholds = torch.rand(4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes, divergence = torch.zeros(4, 8, dtype=torch.float64), 0.0
    for i in range(4):
        for k in range(8):
            p = 1 / (1 + math.exp(-golden.U[i, k].item()))
            codes[i, k] = 1.0 if p > thresholds[i, k] else 0.0
            divergence += p * math.log(p / 0.5) + (1 - p) * math.log((1 - p) / 0.5)
    expected = soft_cross_entropy(linear(codes), golden.multi_hot).item() + 0.3 * divergence / 4
    loss = jmlh_loss(golden.U, golden.multi_hot, linear, thresholds, kl_weight=0.3)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_several_labels_by_binary_cross_entropy(golden):
    loss = jmlh_loss(golden.U, golden.multi_hot, linear, kl_weight=0.0, multilabel_loss="sigmoid")
    codes = (golden.U >= 0).double()
    expected = F.binary_cross_entropy(torch.sigmoid(linear(codes)), golden.multi_hot.double())
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)


def test_the_gradient_is_the_distributional_one(golden):
    # dL/dv = p (1 - p) (g_b + g_p), with g_b of the code and g_p of the divergence.
    z = golden.U.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(jmlh_loss(z, golden.y, linear, 0.4, kl_weight=0.3), z)
    p = torch.sigmoid(golden.U)
    codes = (p >= 0.4).double().requires_grad_()
    (g_code,) = torch.autograd.grad(soft_cross_entropy(linear(codes), golden.y), codes)
    g_p = 0.3 / 4 * (p / (1 - p)).log()
    torch.testing.assert_close(gradient, p * (1 - p) * (g_code + g_p))


def test_codes_are_bernoulli_variables():
    p = torch.tensor([0.1, 0.5, 0.8]).expand(20_000, 3)
    codes = bernoulli_codes(p, torch.rand(p.shape, generator=torch.Generator().manual_seed(0)))
    assert set(codes.flatten().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(codes.mean(dim=0), p[0], atol=0.015, rtol=0)


def test_the_most_probable_code_is_the_sign():
    z = torch.tensor([[-1.0, 0.0, 1.0]])
    assert bernoulli_codes(torch.sigmoid(z)).tolist() == (z >= 0).float().tolist()


def test_certain_bits_cost_log_2_each_and_have_a_finite_gradient():
    z = torch.full((1, 8), 200.0, requires_grad=True)
    loss = jmlh_loss(z, torch.tensor([0]), lambda codes: 0 * codes, kl_weight=1.0)
    assert loss.item() == pytest.approx(math.log(8) + 8 * math.log(2), abs=1e-4)
    loss.backward()
    assert torch.isfinite(z.grad).all()


def test_the_module_draws_from_the_generator_alone(golden):
    module = build(JMLHLoss, 8, 3, generator=torch.Generator().manual_seed(0)).double()
    state = torch.random.get_rng_state()
    first, again, other = (
        module(golden.U, golden.y, generator=torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)
    thresholds = torch.rand(4, 8, generator=torch.Generator().manual_seed(1)).double()
    assert first == jmlh_loss(golden.U, golden.y, module.classifier, thresholds).item()


def test_the_module_without_chance(golden):
    module = JMLHLoss(8, 3, random=False, kl_weight=0.2).double()
    assert module(golden.U, golden.y).item() == jmlh_loss(golden.U, golden.y, module.classifier, kl_weight=0.2).item()
    codes = (golden.U >= 0).double()
    torch.testing.assert_close(module.class_scores(golden.U), module.classifier(codes))


def test_unknown_options_are_refused(golden):
    with pytest.raises(ValueError, match=r"multilabel_loss must be one of \['softmax', 'sigmoid'\], got 'first'"):
        jmlh_loss(golden.U, golden.y, linear, multilabel_loss="first")
