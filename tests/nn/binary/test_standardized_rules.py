import math

import pytest
import torch

from skhash.nn.binary import IRNetRule, ReCURule


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def slopes(f, weight, h=1e-6):
    """Central differences of a scalar function of the weights."""
    out = torch.zeros_like(weight)
    for i in range(weight.numel()):
        step = torch.zeros_like(weight)
        step.view(-1)[i] = h
        out.view(-1)[i] = (f(weight + step) - f(weight - step)) / (2 * h)
    return out


def standard(filter_):
    values = filter_.flatten().tolist()
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return (filter_ - mean) / deviation


def test_irnet_golden():
    # Mean 1, standard deviation 2, mean magnitude 0.75 of (-1.5, 0.5, 0.5, 0.5): log2 is -0.415, rounded 0.
    weight = torch.tensor([[-2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 16.0]])
    signs, scale = IRNetRule(2).parts(weight)
    assert signs.tolist() == [[-1, 1, 1, 1], [-1, -1, -1, 1]]
    assert scale.tolist() == [1, 1]
    # One of 65 is far off: mean magnitude about 0.245, log2 -2.03, so a quarter.
    outlier = torch.zeros(1, 65)
    outlier[0, 0] = 1
    assert IRNetRule(1).parts(outlier)[1].tolist() == [0.25]


@pytest.mark.parametrize("fraction", [0.0, 0.4, 1.0])
def test_irnets_gradient_is_that_of_a_hyperbolic_tangent(fraction):
    weight, upstream = draw(3, 2, 2, 2), draw(3, 2, 2, 2, seed=1)
    rule = IRNetRule(3)
    rule.set_progress(fraction)
    t = 0.1 * 100**fraction
    assert rule.t == pytest.approx(t)
    leaf = weight.clone().requires_grad_()
    (rule(leaf) * upstream).sum().backward()
    scale = [2.0 ** round(math.log2(standard(f).abs().mean())) for f in weight]

    def stand_in(w):
        return sum(
            s * (max(1 / t, 1) * torch.tanh(t * standard(f)) * u).sum()
            for s, f, u in zip(scale, w, upstream, strict=True)
        )

    torch.testing.assert_close(leaf.grad, slopes(stand_in, weight), atol=1e-6, rtol=1e-5)


def test_recu_draws_its_scales_and_gives_the_signs_of_the_centered_filter():
    weight = draw(50, 3, 3, 3) + 0.3
    rule = ReCURule(50)
    assert 0 <= rule.scale.min() < 0.2
    assert 0.8 < rule.scale.max() < 1
    out = rule(weight)
    for w, f, s in zip(out, weight, rule.scale, strict=True):
        torch.testing.assert_close(w, s * torch.where(f >= f.mean(), 1.0, -1.0).double())


def test_recus_tau_grows_exponentially():
    rule = ReCURule(1)
    assert rule.tau == pytest.approx(0.85)
    rule.set_progress(0.5)
    assert rule.tau == pytest.approx(0.85 + 0.14 * (math.exp(0.5) - 1) / (math.e - 1))
    rule.set_progress(1.0)
    assert rule.tau == pytest.approx(0.99)


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_recus_gradient_is_that_of_clamped_standardised_weights(fraction):
    weight, upstream = draw(3, 2, 3, 3), draw(3, 2, 3, 3, seed=1)
    rule = ReCURule(3).double()
    rule.set_progress(fraction)
    leaf = weight.clone().requires_grad_()
    (rule(leaf) * upstream).sum().backward()
    spread = [2 * math.sqrt(2) * standard(f) for f in weight]
    bound = -torch.stack(spread).abs().mean() * math.log(2 - 2 * rule.tau)
    assert (torch.stack(spread).abs() > bound).any() == (fraction == 0)

    def stand_in(w):
        return sum(
            s * (torch.clamp(2 * math.sqrt(2) * standard(f), -bound, bound) * u).sum()
            for s, f, u in zip(rule.scale.detach(), w, upstream, strict=True)
        )

    torch.testing.assert_close(leaf.grad, slopes(stand_in, weight), atol=1e-6, rtol=1e-5)
    signs = torch.where(torch.stack(spread) >= 0, 1.0, -1.0)
    torch.testing.assert_close(rule.scale.grad, (signs * upstream).flatten(1).sum(dim=1))


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e3])
def test_recus_clamp_does_not_depend_on_the_scale_of_the_filters(scale):
    # With the constant 1e-5 of the authors' code it would: small filters would be clamped less.
    weight, upstream = draw(3, 2, 3, 3), draw(3, 2, 3, 3, seed=1)
    rule = ReCURule(3).double()

    def gradient(w):
        leaf = w.clone().requires_grad_()
        (rule(leaf) * upstream).sum().backward()
        return leaf.grad

    factors = torch.tensor([scale, 1.0, 1.0]).double()[:, None, None, None]
    torch.testing.assert_close(gradient(factors * weight) * factors, gradient(weight))


def test_recu_golden():
    # Times 100, the weights have mean 0 and variance 2 / 3. Standardized: 2 sqrt(2) / sqrt(2 / 3) = 2 sqrt(3) times
    # (-1, 0, 0, 1), of mean magnitude sqrt(3); so Q = -sqrt(3) ln 0.3 = 2.09 clamps both ends, and the gradient is that
    # of (0, 2, 1, 0), less its mean; its covariance with the weights is 0. The constant 1e-5 would take 7 % away.
    rule = ReCURule(1).double()
    torch.nn.init.ones_(rule.scale)
    weight = torch.tensor([[-1.0, 0.0, 0.0, 1.0]], dtype=torch.float64).mul(0.01).requires_grad_()
    rule(weight).backward(torch.tensor([[5.0, 2.0, 1.0, 7.0]], dtype=torch.float64))
    expected = 200 * math.sqrt(3) * torch.tensor([[-0.75, 1.25, 0.25, -0.75]], dtype=torch.float64)
    torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=0)


@pytest.mark.parametrize("rule", [ReCURule, IRNetRule])
@pytest.mark.parametrize("size", [1, 4])
def test_equal_weights_give_plus_one_and_finite_gradients(rule, size):
    weight = torch.full((2, size), 0.3, requires_grad=True)
    made = rule(2)
    assert made.parts(weight)[0].eq(1).all()
    made(weight).sum().backward()
    assert torch.isfinite(weight.grad).all()
