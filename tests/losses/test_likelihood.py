import math

import numpy as np
import pytest
import torch

from skhash.losses import _likelihood, dpsh_loss, pair_likelihood_loss


@pytest.fixture(params=[7, 2**18])
def block_size(request, monkeypatch):
    monkeypatch.setattr(_likelihood, "_PAIRS", request.param)


def make_arguments(labels, seed=0):
    rng = np.random.default_rng(seed)
    z, z2 = 2 * rng.normal(size=(5, 6)), 2 * rng.normal(size=(29, 6))
    if labels == "indices":
        return z, rng.integers(0, 3, 5), z2, rng.integers(0, 3, 29)
    return z, rng.integers(0, 2, (5, 4)), z2, rng.integers(0, 2, (29, 4))


def loop(z, y, z2, y2, counted, scale=0.5):
    """Compute the mean over pairs and its derivatives by `z` and `z2`."""
    total, first, second = 0.0, np.zeros_like(z), np.zeros_like(z2)
    for i in range(len(z)):
        for j in np.flatnonzero(counted):
            theta = scale * float(z[i] @ z2[j])
            similar = float(y[i] == y2[j]) if y.ndim == 1 else float((y[i] * y2[j]).any())
            total += math.log1p(math.exp(theta)) - similar * theta
            slope = scale * (1 / (1 + math.exp(-theta)) - similar)
            first[i] += slope * z2[j]
            second[j] += slope * z[i]
    n_pairs = len(z) * counted.sum()
    return total / n_pairs, first / n_pairs, second / n_pairs


@pytest.mark.parametrize("labels", ["indices", "multi-hot"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("scale", "number"), [(0.5, 0.5), (0.1, 0.1), ("2.5/bits", 2.5 / 6)])
def test_loss_and_gradients_equal_a_loop_over_pairs(labels, masked, scale, number, block_size):
    z, y, z2, y2 = make_arguments(labels)
    counted = np.arange(29) % 3 > 0 if masked else np.full(29, True)
    expected, first, second = loop(z, y, z2, y2, counted, number)
    a, b = (torch.tensor(codes, requires_grad=True) for codes in (z, z2))
    mask = torch.tensor(counted) if masked else None
    loss = dpsh_loss(a, torch.tensor(y), b, torch.tensor(y2), mask, scale=scale)
    (3 * loss).backward()
    assert loss.item() == pytest.approx(expected, abs=1e-13)
    np.testing.assert_allclose(a.grad.numpy(), 3 * first, atol=1e-13)
    np.testing.assert_allclose(b.grad.numpy(), 3 * second, atol=1e-13)


def test_a_batch_with_itself_has_both_gradients(block_size):
    z, y, _, _ = make_arguments("indices")
    expected, first, second = loop(z, y, z, y, np.full(5, True))
    x = torch.tensor(z, requires_grad=True)
    loss = dpsh_loss(x, torch.tensor(y))
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-13)
    np.testing.assert_allclose(x.grad.numpy(), first + second, atol=1e-13)


def assert_derivatives(function, *inputs):
    assert torch.autograd.gradcheck(function, inputs)
    assert torch.autograd.gradgradcheck(function, inputs)
    plain = torch.autograd.grad(function(*inputs), inputs)
    for of_graph, alone in zip(torch.autograd.grad(function(*inputs), inputs, create_graph=True), plain, strict=True):
        np.testing.assert_allclose(of_graph.detach().numpy(), alone.numpy(), atol=1e-13)


def test_first_and_second_derivatives_by_codes_are_differences_of_values(block_size):
    z, y, z2, y2 = (torch.tensor(a) for a in make_arguments("indices"))
    assert_derivatives(
        lambda a, b: dpsh_loss(a, y, b, y2[:6], scale=0.2), z.requires_grad_(), z2[:6].clone().requires_grad_()
    )


@pytest.mark.parametrize("mask", [None, torch.tensor([True, False, True, True, True, False])])
def test_first_and_second_derivatives_by_logits_are_differences_of_values(mask):
    z, y, z2, y2 = (torch.tensor(a) for a in make_arguments("indices"))
    similar = y[:, None] == y2[:6]
    logits = (0.2 * z @ z2[:6].T).requires_grad_()
    assert_derivatives(lambda x: pair_likelihood_loss(x, similar, mask=mask), logits)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_single_precision_agrees_with_double(scale):
    rng = np.random.default_rng(1)
    z, z2 = (scale * torch.tensor(rng.normal(size=(n, 16))) for n in (40, 333))
    y, y2 = (torch.tensor(rng.integers(0, 4, n)) for n in (40, 333))
    double = dpsh_loss(z, y, z2, y2).item()
    assert dpsh_loss(z.float(), y, z2.float(), y2).item() == pytest.approx(double, rel=2e-6)


def test_no_pair_gives_zero():
    x = torch.ones(2, 3, requires_grad=True)
    loss = dpsh_loss(x, torch.tensor([0, 1]), torch.ones(2, 3), torch.tensor([0, 1]), torch.tensor([False, False]))
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.any()


def test_labels_of_two_forms_are_refused():
    with pytest.raises(ValueError, match="labels of the same form as targets, got 2 and 1 dimensions"):
        dpsh_loss(torch.ones(2, 3), torch.tensor([0, 1]), torch.ones(2, 3), torch.eye(2))


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match=r"scale must be a number or one of '2\.5/bits', got 'paper'"):
        dpsh_loss(torch.ones(2, 3), torch.tensor([0, 1]), scale="paper")
