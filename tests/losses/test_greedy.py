import pytest
import torch

from skhash.losses import (
    GreedyHashLoss,
    GreedySimilarityLoss,
    greedy_hash_loss,
    greedy_penalty,
    greedy_similarity_loss,
    similarity_loss,
    soft_cross_entropy,
)
from skhash.nn import build, sign


def test_golden_value_of_the_penalty(golden):
    assert greedy_penalty(golden.U).item() == pytest.approx(0.161522, abs=1e-5)


def test_penalty_equals_an_explicit_loop(golden):
    entries = [abs(abs(z) - 1) ** 2.5 for z in golden.U.flatten().tolist()]
    assert greedy_penalty(golden.U, p=2.5).item() == pytest.approx(sum(entries) / len(entries), abs=1e-12)


def test_penalty_gradient_by_finite_differences(golden):
    assert torch.autograd.gradcheck(greedy_penalty, (golden.U.clone().requires_grad_(),))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("which", ["y", "multi_hot"])
def test_classifies_signs(golden, bias, which):
    module = build(GreedyHashLoss, 8, 3, bias=bias, generator=torch.Generator().manual_seed(0)).double()
    targets = getattr(golden, which)
    logits = sign(golden.U) @ module.classifier.weight.T + (module.classifier.bias if bias else 0)
    torch.testing.assert_close(module.class_scores(golden.U), logits)
    expected = soft_cross_entropy(logits, targets) + 0.1 * greedy_penalty(golden.U)
    assert module(golden.U, targets).item() == pytest.approx(expected.item(), abs=1e-12)


def test_the_gradient_of_the_sign_is_handed_through(golden):
    weights = torch.linspace(-1, 1, 24, dtype=torch.float64).view(3, 8)
    z = golden.U.clone().requires_grad_()
    loss = greedy_hash_loss(z, golden.y, lambda codes: codes @ weights.T, penalty_weight=0.0)
    codes = sign(golden.U).requires_grad_()
    (expected,) = torch.autograd.grad(soft_cross_entropy(codes @ weights.T, golden.y), codes)
    torch.testing.assert_close(torch.autograd.grad(loss, z)[0], expected)


def test_a_frozen_classifier_still_teaches_the_codes(golden):
    module = GreedyHashLoss(8, 3, train_classifier=False, penalty_weight=0.0)
    z = golden.U.float().requires_grad_()
    module(z, golden.y).backward()
    assert z.grad.any()
    assert module.classifier.weight.grad is None
    assert not module.classifier.weight.requires_grad


def test_frozen_stays_frozen_when_built_from_a_generator():
    generator = torch.Generator().manual_seed(0)
    module = build(GreedyHashLoss, 8, 3, train_classifier=False, generator=generator)
    assert not module.classifier.weight.requires_grad


def test_golden_value_without_labels(golden):
    assert greedy_similarity_loss(golden.U8, golden.X8, penalty_weight=0.0).item() == pytest.approx(1.659508, abs=1e-5)
    penalty = (golden.U8.abs() - 1).abs().square().mean().item()
    loss = GreedySimilarityLoss(penalty_weight=0.5, p=2.0)(golden.U8, golden.X8).item()
    assert loss == pytest.approx(1.659508 + 0.5 * penalty, abs=1e-5)


def test_the_gradient_of_the_sign_is_handed_through_without_labels(golden):
    z = golden.U8.clone().requires_grad_()
    codes = sign(golden.U8).requires_grad_()
    (expected,) = torch.autograd.grad(similarity_loss(codes, golden.X8), codes)
    loss = greedy_similarity_loss(z, golden.X8, penalty_weight=0.0)
    torch.testing.assert_close(torch.autograd.grad(loss, z)[0], expected)


def test_the_penalty_keeps_the_odd_row_that_has_no_partner(golden):
    difference = greedy_similarity_loss(golden.U8[:7], golden.X8[:7]) - 0.1 * greedy_penalty(golden.U8[:7])
    torch.testing.assert_close(difference, similarity_loss(sign(golden.U8[:6]), golden.X8[:6]))
