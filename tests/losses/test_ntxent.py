import math

import numpy as np
import pytest
import torch

from skhash.losses import nt_xent_loss
from skhash.nn import sign


def loop_loss(first, second, temperature):
    """The equation, one anchor at a time."""
    views = [*first, *second]
    n, anchors = len(first), []
    for i, anchor in enumerate(views):
        similar = [math.exp(anchor @ v / math.sqrt(anchor @ anchor * (v @ v)) / temperature) for v in views]
        partner = i + n if i < n else i - n
        anchors.append(-math.log(similar[partner] / (sum(similar) - similar[i])))
    return sum(anchors) / len(anchors)


def test_golden_values(golden):
    assert nt_xent_loss(sign(golden.U8[:4]), sign(golden.U8[4:])).item() == pytest.approx(5.518046, abs=1e-5)
    assert nt_xent_loss(golden.U8[:4], golden.U8[4:]).item() == pytest.approx(6.410879, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_equals_an_explicit_loop(n, temperature):
    first, second = np.random.default_rng(n).normal(size=(2, n, 6))
    loss = nt_xent_loss(torch.tensor(first), torch.tensor(second), temperature=temperature)
    assert loss.item() == pytest.approx(loop_loss(first, second, temperature), abs=1e-9)


def test_gradient_by_finite_differences(golden):
    views = [half.clone().requires_grad_() for half in golden.U8.split(4)]
    assert torch.autograd.gradcheck(nt_xent_loss, views)


def test_only_angles_and_partners_count(golden):
    first, second = golden.U8.split(4)
    loss = nt_xent_loss(first, second).item()
    assert nt_xent_loss(second, 7 * first).item() == pytest.approx(loss, abs=1e-9)
    order = torch.tensor([2, 0, 3, 1])
    assert nt_xent_loss(first[order], second[order]).item() == pytest.approx(loss, abs=1e-9)
    assert nt_xent_loss(first[order], second).item() != pytest.approx(loss, abs=1e-3)


def test_codes_of_nothing_and_very_long_codes_are_finite(golden):
    for z in (torch.zeros(4, 8), 1e6 * golden.U8[:4].float()):
        z = z.clone().requires_grad_()
        loss = nt_xent_loss(z, z.detach(), temperature=0.01)
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(z.grad).all()


def test_views_of_different_shape_are_refused(golden):
    with pytest.raises(ValueError, match=r"other must have the shape of z, got \(3, 8\) and \(4, 8\)"):
        nt_xent_loss(golden.U8[:4], golden.U8[4:7])
