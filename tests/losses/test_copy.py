import math

import pytest
import torch

from skhash.losses import CopyLoss, copy_loss, koleo_loss, nt_xent_loss
from skhash.nn import sign


def unit(row):
    length = math.sqrt(sum(value**2 for value in row))
    return [value / length for value in row]


def koleo_by_loops(z):
    rows = [unit(row) for row in z.tolist()]
    total = 0.0
    for i, row in enumerate(rows):
        distances = [math.dist(row, other) for j, other in enumerate(rows) if j != i]
        total -= math.log(min(distances))
    return total / len(rows)


def contrast_by_loops(z, others, temperature):
    rows = [unit(row) for row in [*z.tolist(), *others.tolist()]]
    n, total = len(z), 0.0
    for i, row in enumerate(rows):
        logits = [sum(a * b for a, b in zip(row, other, strict=True)) / temperature for other in rows]
        denominator = sum(math.exp(logit) for j, logit in enumerate(logits) if j != i)
        total -= logits[(i + n) % (2 * n)] - math.log(denominator)
    return total / (2 * n)


def test_the_entropy_equals_an_explicit_loop(golden):
    assert koleo_loss(golden.U8).item() == pytest.approx(koleo_by_loops(golden.U8), abs=1e-12)


def test_the_entropy_by_finite_differences(golden):
    assert torch.autograd.gradcheck(koleo_loss, (golden.U8.clone().requires_grad_(),))


def test_the_entropy_of_equal_codes_is_finite():
    z = torch.ones(3, 4, requires_grad=True)
    loss = koleo_loss(z)
    loss.backward()
    assert loss > 10
    assert loss.isfinite()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_the_entropy_needs_two_codes():
    with pytest.raises(ValueError, match=r"at least 2 codes, got z of shape \(1, 4\)"):
        koleo_loss(torch.ones(1, 4))


@pytest.mark.parametrize("binary_weight", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("entropy_weight", [0.0, 0.7])
def test_the_loss_equals_an_explicit_loop(golden, binary_weight, entropy_weight):
    z, others = golden.U8.split(4)
    expected = (1 - binary_weight) * contrast_by_loops(z, others, 0.4)
    expected += binary_weight * contrast_by_loops(sign(z), sign(others), 0.4)
    expected += entropy_weight * (koleo_by_loops(z) + koleo_by_loops(others)) / 2
    options = {"temperature": 0.4, "binary_weight": binary_weight, "entropy_weight": entropy_weight}
    assert copy_loss(z, others, **options).item() == pytest.approx(expected, abs=1e-12)
    assert CopyLoss(**options)(z, others).item() == pytest.approx(expected, abs=1e-12)


def test_gradient_by_finite_differences(golden):
    halves = tuple(half.clone().requires_grad_() for half in golden.U8.split(4))
    assert torch.autograd.gradcheck(lambda z, others: copy_loss(z, others, binary_weight=0.0), halves)


def test_the_sign_hands_its_gradient_to_the_hyperbolic_tangent(golden):
    halves = [half.clone().requires_grad_() for half in golden.U8.split(4)]
    loss = copy_loss(*halves, temperature=0.5, binary_weight=1.0, entropy_weight=0.0)
    codes = [sign(half).requires_grad_() for half in golden.U8.split(4)]
    of_codes = torch.autograd.grad(nt_xent_loss(*codes, temperature=0.5), codes)
    for half, gradient, of_code in zip(halves, torch.autograd.grad(loss, halves), of_codes, strict=True):
        torch.testing.assert_close(gradient, (1 - half.detach().tanh() ** 2) * of_code)


def test_a_batch_may_be_one_image(golden):
    z, others = golden.U8[:1], golden.U8[1:2]
    assert copy_loss(z, others).item() == 0  # its two views are all that the denominators have
