import pytest
import torch

from skhash.losses import DPNLoss, center_targets, dpn_loss, hashnet_loss


def test_golden_values(golden):
    assert dpn_loss(golden.U, golden.y, golden.centers).item() == pytest.approx(5.316150, abs=1e-5)
    mean = dpn_loss(golden.U, golden.y, golden.centers, reduction="mean")
    assert mean.item() == pytest.approx(0.664519, abs=1e-5)


def loop_loss(z, codes, weights, margin):
    """Hinges of each row to each code, weighted."""
    total = 0.0
    for v, row_weights in zip(z.tolist(), weights.tolist(), strict=True):
        for code, weight in zip(codes.tolist(), row_weights, strict=True):
            total += weight * sum(max(0.0, margin - x * c) for x, c in zip(v, code, strict=True))
    return total / len(z)


def test_several_labels_sum_their_hinges(golden):
    expected = loop_loss(golden.U, golden.centers, golden.multi_hot, 0.7)
    loss = dpn_loss(golden.U, golden.multi_hot, golden.centers, margin=0.7)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_or_they_merge_their_centers(golden):
    ties = torch.tensor([1.0, -1, 1, 1, -1, -1, -1, 1], dtype=torch.float64)
    merged = center_targets(golden.multi_hot, golden.centers, ties)
    expected = loop_loss(golden.U, merged, torch.eye(4), 1.0) + 0.2 * golden.U.square().mean().item()
    module = DPNLoss(golden.centers, ties, multilabel="merge", norm_weight=0.2).double()
    assert module(golden.U, golden.multi_hot).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 8), ("mean", 1)])
def test_pairs_are_added_for_several_labels_only(golden, reduction, factor):
    def loss(targets, weight):
        return dpn_loss(golden.U, targets, golden.centers, reduction=reduction, likelihood_weight=weight).item()

    assert loss(golden.y, 3.0) == loss(golden.y, 0.0)
    pairs = hashnet_loss(golden.U, golden.multi_hot, alpha=5 / 8).item()
    assert loss(golden.multi_hot, 3.0) - loss(golden.multi_hot, 0.0) == pytest.approx(3 * factor * pairs, abs=1e-12)


def test_every_unmet_bit_has_the_same_gradient(golden):
    z = golden.U.clone().requires_grad_()
    dpn_loss(z, golden.y, golden.centers).backward()
    codes = golden.centers[golden.y]
    torch.testing.assert_close(z.grad, torch.where(golden.U * codes < 1, -codes / 4, 0.0))


@pytest.mark.parametrize(("name", "value"), [("reduction", "max"), ("multilabel", "first")])
def test_unknown_options_are_refused(golden, name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, got '{value}'"):
        dpn_loss(golden.U, golden.y, golden.centers, **{name: value})
