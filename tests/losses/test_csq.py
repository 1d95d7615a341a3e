import math

import pytest
import torch

from skhash.losses import CSQLoss, center_targets, csq_loss, hashnet_loss


def test_golden_values(golden):
    central = csq_loss(golden.U, golden.y, golden.centers, quantization_weight=0.0).item()
    assert central == pytest.approx(0.684916, abs=1e-5)
    both = csq_loss(golden.U, golden.y, golden.centers, quantization_weight=1.0).item()
    assert both - central == pytest.approx(0.188570, abs=1e-5)
    assert csq_loss(golden.U, golden.y, golden.centers).item() == pytest.approx(0.684935, abs=1e-5)


@pytest.mark.parametrize("which", ["y", "multi_hot"])
def test_equals_an_explicit_loop(golden, which):
    ties = torch.tensor([1.0, -1, 1, 1, -1, -1, -1, 1])
    targets = getattr(golden, which)
    total = 0.0
    for row, code in zip(golden.U.tolist(), center_targets(targets, golden.centers, ties).tolist(), strict=True):
        for v, c in zip(row, code, strict=True):
            h = math.tanh(v)
            total -= math.log((1 + h) / 2 if c > 0 else (1 - h) / 2)
            total += 0.05 * (abs(h) - 1) ** 2
    module = CSQLoss(golden.centers, ties, quantization_weight=0.05).double()
    assert module(golden.U, targets).item() == pytest.approx(total / golden.U.numel(), abs=1e-9)


def test_pairs_are_added_for_several_labels_only(golden):
    without, module = (CSQLoss(golden.centers, likelihood_weight=weight).double() for weight in (0.0, 3.0))
    assert module(golden.U, golden.y) == without(golden.U, golden.y)
    pairs = hashnet_loss(golden.U, golden.multi_hot, alpha=5 / 8).item()
    added = module(golden.U, golden.multi_hot) - without(golden.U, golden.multi_hot)
    assert added.item() == pytest.approx(3 * pairs, abs=1e-12)


def test_a_far_code_costs_a_finite_logarithm():
    loss = csq_loss(torch.tensor([[-60.0]]), torch.tensor([0]), torch.ones(1, 1), quantization_weight=0.0)
    assert loss.item() == pytest.approx(120.0)


def test_the_module_carries_centers_and_ties(golden):
    module = CSQLoss(golden.centers.numpy())
    assert set(module.state_dict()) == {"centers", "ties"}
    assert module.ties.tolist() == [1.0] * 8
