import math

import numpy as np
import pytest
import torch

from skhash.losses import DTSHLoss, _dtsh, dtsh_loss


def loop_loss(z, y, scale, margin, self_positives):
    """One triplet at a time."""
    anchors = []
    for q in range(len(z)):
        terms = [
            math.log(1 + math.exp(-(scale * float(z[q] @ z[p]) - scale * float(z[q] @ z[n]) - margin)))
            for p in range(len(z))
            for n in range(len(z))
            if y[p] == y[q] != y[n] and (self_positives or p != q)
        ]
        if terms:
            anchors.append(sum(terms) / len(terms))
    return sum(anchors) / len(anchors)


def test_golden_values(golden):
    triplets = dtsh_loss(golden.U, golden.y, quantization_weight=0.0).item()
    assert triplets == pytest.approx(1.365056, abs=1e-5)
    assert dtsh_loss(golden.U, golden.y).item() - triplets == pytest.approx(0.229373, abs=1e-5)
    paper = dtsh_loss(golden.U, golden.y, scale=0.5, margin="bits/2", quantization_weight=0.0)
    assert paper.item() == pytest.approx(1.711483, abs=1e-5)


@pytest.mark.parametrize("self_positives", [True, False])
@pytest.mark.parametrize(("scale", "margin"), [(1.0, 5.0), (0.5, "bits/2")])
def test_equals_an_explicit_loop(self_positives, scale, margin):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(7, 6)), np.array([0, 0, 0, 1, 1, 2, 2])
    options = {"scale": scale, "margin": margin, "self_positives": self_positives}
    loss = DTSHLoss(quantization_weight=0.0, **options)(torch.tensor(z), torch.tensor(y))
    expected = loop_loss(z, y, scale, 3.0 if margin == "bits/2" else margin, self_positives)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_anchors_that_lack_a_side_are_left_out(golden):
    # Row 3 shares a label with all, so nothing is unlike it; rows 0 to 2 are alike, so row 4 has only itself.
    targets = torch.tensor([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    z = golden.U8[:5]
    loss = dtsh_loss(z, targets, self_positives=False, quantization_weight=0.0)
    theta = (z @ z.T).tolist()
    positives = {0: (1, 2, 3), 1: (0, 2, 3), 2: (0, 1, 3), 4: (3,)}
    negatives = {0: (4,), 1: (4,), 2: (4,), 4: (0, 1, 2)}
    means = [
        np.mean([math.log1p(math.exp(5 - theta[q][p] + theta[q][n])) for p in positives[q] for n in negatives[q]])
        for q in positives
    ]
    assert loss.item() == pytest.approx(np.mean(means), abs=1e-9)


@pytest.mark.parametrize("targets", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_no_triplet_gives_zero(golden, targets):
    z = golden.U.clone().requires_grad_()
    loss = dtsh_loss(z, torch.tensor(targets), self_positives=False, quantization_weight=0.0)
    loss.backward()
    assert loss.item() == 0
    assert not z.grad.any()


def test_an_unknown_margin_is_refused(golden):
    with pytest.raises(ValueError, match="margin must be a number or 'bits/2', got 'half'"):
        dtsh_loss(golden.U, golden.y, margin="half")


@pytest.mark.parametrize("self_positives", [True, False])
@pytest.mark.parametrize("triplets_at_once", [1, 2**22])
@pytest.mark.parametrize("multi_hot", [False, True])
def test_derivatives_are_differences_of_values(self_positives, triplets_at_once, multi_hot, monkeypatch):
    monkeypatch.setattr(_dtsh, "_MAX_TRIPLETS", triplets_at_once)
    rng = np.random.default_rng(0)
    z = torch.tensor(rng.normal(size=(7, 3)), requires_grad=True)
    y = torch.tensor(rng.integers(0, 2, (7, 3)) if multi_hot else [1, 0, 2, 1, 0, 1, 3])

    def loss(z):
        return dtsh_loss(z, y, self_positives=self_positives, quantization_weight=0.0)

    assert loss(z) > 1
    assert torch.autograd.gradcheck(loss, z)
    assert torch.autograd.gradgradcheck(loss, z)
    (plain,), (of_graph,) = torch.autograd.grad(loss(z), z), torch.autograd.grad(loss(z), z, create_graph=True)
    np.testing.assert_allclose(of_graph.detach().numpy(), plain.numpy(), atol=1e-13)
