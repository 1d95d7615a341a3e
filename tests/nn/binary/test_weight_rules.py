import pytest
import torch

from skhash.nn.binary import BiRealRule, WeightRule, XNORRule


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradient(rule, weight, upstream):
    weight = weight.clone().requires_grad_()
    (rule(weight) * upstream).sum().backward()
    return weight.grad


WEIGHT = torch.tensor([[0.5, -0.25, 1.5, -0.75], [-2.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
UPSTREAM = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], dtype=torch.float64)


def test_bnn_golden():
    rule = WeightRule(2)
    assert rule(WEIGHT).tolist() == [[1, -1, 1, -1], [-1, 1, 1, -1]]
    assert gradient(rule, WEIGHT, UPSTREAM).tolist() == [[1, 2, 0, 4], [0, 6, 7, 8]]


def test_bireal_golden():
    rule = BiRealRule(2)
    assert rule(WEIGHT).tolist() == [[0.75, -0.75, 0.75, -0.75], [-1, 1, 1, -1]]
    assert gradient(rule, WEIGHT, UPSTREAM).tolist() == [[0.75, 1.5, 0, 3], [0, 6, 7, 8]]
    released = BiRealRule(2, scaled_gradient=False)
    assert torch.equal(released(WEIGHT), rule(WEIGHT))
    assert gradient(released, WEIGHT, UPSTREAM).tolist() == [[1, 2, 0, 4], [0, 6, 7, 8]]


@pytest.mark.parametrize("rule", [WeightRule(6), BiRealRule(6), BiRealRule(6, scaled_gradient=False)])
def test_the_gradient_is_zero_where_the_weight_is_outside(rule):
    weight = draw(6, 4, 3, 3)
    got = gradient(rule, weight, draw(6, 4, 3, 3, seed=1))
    assert torch.equal(got == 0, weight.abs() > 1)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1, 1), (3, 5, 3, 3)])
def test_xnor_equals_a_loop(shape):
    weight, upstream = 1.5 * draw(*shape), draw(*shape, seed=1)
    rule = XNORRule(shape[0])
    out, got = rule(weight), gradient(rule, weight, upstream)
    c, n = shape[1], weight[0].numel()
    for i in range(shape[0]):
        centered = weight[i] - weight[i].sum(dim=0) / c
        alpha = sum(min(abs(v), 1.0) for v in centered.flatten().tolist()) / n
        signs = torch.where(centered >= 0, 1.0, -1.0).double()
        torch.testing.assert_close(out[i], alpha * signs)
        mean = (signs * upstream[i]).sum() / n
        expected = (alpha * upstream[i] * (centered.abs() <= 1) + signs * mean) * (1 - 1 / c) * n
        torch.testing.assert_close(got[i], expected)


def test_xnor_golden():
    # Centered: 0.5, -0.5; alpha 0.5; mean of sign times gradient (1 - 2) / 2; times (1 - 1/2) * 2 elements.
    weight = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    assert XNORRule(1)(weight).tolist() == [[0.5, -0.5]]
    assert gradient(XNORRule(1), weight, torch.tensor([[1.0, 2.0]])).tolist() == [[0.0, 1.5]]


def test_the_scale_of_bireal_passes_no_gradient():
    # All the gradient of one filter's scale would come through here.
    weight = torch.full((1, 4), 0.5, dtype=torch.float64)
    upstream = torch.tensor([[1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert gradient(BiRealRule(1), weight, upstream).tolist() == [[0.5, 0, 0, 0]]


def test_xnors_gradient_includes_centered_weights_of_magnitude_one():
    # Centered: 1, -1; alpha 1; mean of sign times gradient (1 - 2) / 2; times (1 - 1/2) * 2 elements.
    weight = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    assert gradient(XNORRule(1), weight, torch.tensor([[1.0, 2.0]])).tolist() == [[0.5, 2.5]]


def test_xnors_gradient_excludes_what_the_clamp_changes_and_not_what_is_latently_outside():
    # Centered: 1.5, -0.5, -0.5, -0.5; clamped: alpha 2.5 / 4; mean of sign times gradient 1 / 4; times (1 - 1/4) * 4.
    # All latent weights are in [-1, 1], and so are all clamped ones: both would let the first one pass, 2.625.
    weight = torch.tensor([[1.0, -1.0, -1.0, -1.0]], dtype=torch.float64)
    assert gradient(XNORRule(1), weight, torch.tensor([[1.0, 0.0, 0.0, 0.0]])).tolist() == [[0.75, -0.75, -0.75, -0.75]]
    # Centered: 1, -1 / 3 (three times): 1 is not clamped; alpha 1 / 2; the rest as above.
    weight = torch.tensor([[1.5, 1 / 6, 1 / 6, 1 / 6]], dtype=torch.float64) - 0.5
    got = gradient(XNORRule(1), weight, torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(got, torch.tensor([[2.25, -0.75, -0.75, -0.75]], dtype=torch.float64))
    # A latent weight outside of [-1, 1] passes if its centered value is inside.
    weight = torch.tensor([[3.0, 2.0]], dtype=torch.float64)
    assert gradient(XNORRule(1), weight, torch.tensor([[1.0, 2.0]])).tolist() == [[0.0, 1.5]]
