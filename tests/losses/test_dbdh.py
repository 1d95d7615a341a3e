import math

import numpy as np
import pytest
import torch

from skhash.losses import DBDHLoss, dbdh_loss, dpsh_loss


def loop_loss(z, y, weight, p, axis, relax):
    """The equation, one number at a time."""
    u = np.clip(z, -1, 1) if relax == "clamp" else np.where(z >= 0, 1.0, -1.0)
    pairs = []
    for i in range(len(u)):
        for j in range(len(u)):
            theta = 0.5 * float(u[i] @ u[j])
            pairs.append(math.log(1 + math.exp(theta)) - (y[i] == y[j]) * theta)
    lines = u if axis == "sample" else u.T
    penalty = [abs(sum(line) / len(line)) ** p for line in lines]
    return sum(pairs) / len(pairs) + weight * sum(penalty) / len(penalty)


def test_golden_values(golden):
    likelihood = dbdh_loss(golden.U, golden.y, balance_weight=0.0).item()
    assert likelihood == pytest.approx(0.892972, abs=1e-5)
    per_sample = dbdh_loss(golden.U, golden.y).item()
    assert per_sample - likelihood == pytest.approx(0.001894, abs=1e-5)
    per_bit = dbdh_loss(golden.U, golden.y, balance_axis="bit").item()
    assert per_bit - likelihood == pytest.approx(0.039140, abs=1e-5)


@pytest.mark.parametrize("relax", ["clamp", "ste"])
@pytest.mark.parametrize("axis", ["sample", "bit"])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_equals_an_explicit_loop(relax, axis, p):
    rng = np.random.default_rng(3)
    z, y = rng.normal(size=(5, 6)), rng.integers(0, 2, 5)
    loss = dbdh_loss(torch.tensor(z), torch.tensor(y), balance_weight=0.4, p=p, balance_axis=axis, relax=relax)
    assert loss.item() == pytest.approx(loop_loss(z, y, 0.4, p, axis, relax), abs=1e-9)


def test_the_clamp_stops_the_gradient_outside_and_the_ste_does_not(golden):
    z = golden.U.clone().requires_grad_()
    (clamped,) = torch.autograd.grad(dbdh_loss(z, golden.y), z)
    outside = golden.U.abs() > 1
    assert not clamped[outside].any()
    assert clamped[~outside].all()
    (through,) = torch.autograd.grad(dbdh_loss(z, golden.y, relax="ste"), z)
    # As if the signs had been the input, which the clamp leaves as they are.
    signs = torch.where(golden.U >= 0, 1.0, -1.0).double().requires_grad_()
    (expected,) = torch.autograd.grad(dbdh_loss(0.999999 * signs, golden.y), signs)
    torch.testing.assert_close(through, expected, atol=1e-5, rtol=0)


def test_the_module_remembers(golden):
    module = DBDHLoss("memory", balance_axis="bit")
    module(golden.U[:2], golden.y[:2], rows=[0, 1])
    loss = module(golden.U[2:], golden.y[2:], rows=[3, 2])
    expected = dbdh_loss(golden.U[2:], golden.y[2:], golden.U, golden.y, balance_axis="bit")
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize(("name", "value"), [("relax", "tanh"), ("balance_axis", "batch")])
def test_unknown_options_are_refused(golden, name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, got '{value}'"):
        dbdh_loss(golden.U, golden.y, **{name: value})


@pytest.mark.parametrize("scale", [0.1, "2.5/bits"])
def test_the_scale_is_that_of_the_pairs(golden, scale):
    z, y = golden.U, golden.y
    loss = dbdh_loss(z, y, balance_weight=0.0, scale=scale)
    torch.testing.assert_close(loss, dpsh_loss(z.clamp(-1, 1), y, scale=scale))
    assert abs(loss - dbdh_loss(z, y, balance_weight=0.0)) > 1e-3
