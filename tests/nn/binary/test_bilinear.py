import pytest
import torch

from skhash.nn.binary import BilinearRule


@pytest.mark.parametrize("rho", [1e-4, 0.5])
def test_bilinear_equals_a_loop(rho):
    generator = torch.Generator().manual_seed(0)
    weight, upstream = (torch.randn(3, 2, 3, 3, dtype=torch.float64, generator=generator) for _ in range(2))
    rule = BilinearRule(3, rho=rho).double()
    leaf = weight.clone().requires_grad_()
    out = rule(leaf)
    (out * upstream).sum().backward()
    for i in range(3):
        s = abs(rule.scale[i].item())
        grad_s = 0.0
        for w, g, o, grad in zip(*(t[i].flatten().tolist() for t in (weight, upstream, out, leaf.grad)), strict=True):
            b = 0.02 if w >= 0 else -0.02
            assert o == pytest.approx(s * b)
            assert grad == pytest.approx(s * g + rho * (w - s * b))
            grad_s += g * w - rho * (w - s * b) * b
        assert rule.scale.grad[i].item() == pytest.approx(grad_s)


def test_scales_are_normal_at_first():
    scale = BilinearRule(20_000).scale
    assert scale.mean().item() == pytest.approx(0, abs=0.03)
    assert scale.std().item() == pytest.approx(1, abs=0.03)
