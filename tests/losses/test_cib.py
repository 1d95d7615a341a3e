import math

import pytest
import torch

from skhash.losses import CIBLoss, bernoulli_divergence, cib_loss, nt_xent_loss
from skhash.nn import sign


def test_golden_values(golden):
    z, others = golden.U8.split(4)
    assert bernoulli_divergence(z, others).item() == pytest.approx(3.905285, abs=1e-5)
    assert cib_loss(z, others, kl_weight=0.0).item() == pytest.approx(5.518046, abs=1e-5)
    assert cib_loss(z, others, kl_weight=0.1).item() == pytest.approx(5.518046 + 0.3905285, abs=1e-5)


def test_the_divergence_equals_an_explicit_loop(golden):
    z, others = golden.U8.split(4)
    total = 0.0
    for v, w in zip(z.flatten().tolist(), others.flatten().tolist(), strict=True):
        p, q = 1 / (1 + math.exp(-v)), 1 / (1 + math.exp(-w))
        total += p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
        total += q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
    assert bernoulli_divergence(z, others).item() == pytest.approx(0.5 * total / 4, abs=1e-12)


def test_the_divergence_leaves_the_other_view_where_it_is(golden):
    """The gradient is that of half a divergence from where the other view is now, by finite differences."""
    first, second = golden.U8.split(4)
    z, others = first.clone().requires_grad_(), second.clone().requires_grad_()
    gradients = torch.autograd.grad(bernoulli_divergence(z, others), (z, others))
    step = 1e-6 * torch.eye(8, dtype=torch.float64)
    for gradient, moving, fixed in [(gradients[0], first, second), (gradients[1], second, first)]:
        p = torch.sigmoid(fixed)
        for k in range(8):
            q = torch.sigmoid(torch.stack([moving + step[k], moving - step[k]]))
            ahead, behind = 0.5 / 4 * (q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()).sum(dim=2)
            torch.testing.assert_close(gradient[:, k], (ahead - behind) / 2e-6, atol=1e-7, rtol=0)


def test_the_sign_hands_its_gradient_to_the_probability(golden):
    z, others = (half.clone().requires_grad_() for half in golden.U8.split(4))
    gradients = torch.autograd.grad(cib_loss(z, others, kl_weight=0.0, temperature=0.5), (z, others))
    codes = [sign(half).requires_grad_() for half in golden.U8.split(4)]
    code_gradients = torch.autograd.grad(nt_xent_loss(*codes, temperature=0.5), codes)
    for v, gradient, code_gradient in zip((z, others), gradients, code_gradients, strict=True):
        p = torch.sigmoid(v.detach())
        torch.testing.assert_close(gradient, p * (1 - p) * code_gradient)


def test_thresholds_decide(golden):
    z, others = golden.U8.split(4)
    thresholds = torch.rand(2, 4, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes = [sign(torch.sigmoid(v) - t) for v, t in zip((z, others), thresholds, strict=True)]
    expected = nt_xent_loss(*codes) + 0.001 * bernoulli_divergence(z, others)
    assert cib_loss(z, others, thresholds).item() == pytest.approx(expected.item(), abs=1e-12)


def test_permuting_and_flipping_bits_changes_nothing(golden):
    z, others = golden.U8.split(4)
    loss = cib_loss(z, others, kl_weight=0.3).item()
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    flip = torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1], dtype=torch.float64)
    assert cib_loss(z[:, order], others[:, order], kl_weight=0.3).item() == pytest.approx(loss, abs=1e-9)
    assert cib_loss(z * flip, others * flip, kl_weight=0.3).item() == pytest.approx(loss, abs=1e-9)


def test_certain_bits_are_finite():
    z, others = torch.full((2, 8), 500.0, requires_grad=True), torch.full((2, 8), -500.0)
    loss = cib_loss(z, others)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(z.grad).all()
    assert bernoulli_divergence(z, others).item() == pytest.approx(8 * 500)


def test_the_module(golden):
    z, others = golden.U8.split(4)
    plain = CIBLoss(kl_weight=0.2, temperature=0.7)(z, others).item()
    assert plain == cib_loss(z, others, kl_weight=0.2, temperature=0.7).item()


def test_the_module_draws_from_the_generator_alone(golden):
    z, others = golden.U8.split(4)
    module, state = CIBLoss(random=True), torch.random.get_rng_state()
    first, again, other = (
        module(z, others, generator=torch.Generator().manual_seed(seed)).item() for seed in (1, 1, 2)
    )
    assert first == again != other
    assert torch.equal(torch.random.get_rng_state(), state)
    thresholds = torch.rand(2, 4, 8, generator=torch.Generator().manual_seed(1)).double()
    assert first == cib_loss(z, others, thresholds).item()
