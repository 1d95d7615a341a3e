import math

import pytest
import torch

from skhash.losses import imbalanced_binary_cross_entropy, soft_cross_entropy, to_multi_hot


def test_rows_without_labels_add_nothing():
    logits = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    alone = soft_cross_entropy(logits[:1], torch.tensor([[1, 0]]))
    both = soft_cross_entropy(logits, torch.tensor([[1, 0], [0, 0]]))
    assert both.item() == pytest.approx(alone.item() / 2)


def test_several_labels_share_their_weight():
    logits = torch.tensor([[1.0, 2.0, -1.0]])
    each = [soft_cross_entropy(logits, torch.tensor([label])).item() for label in (0, 1)]
    assert soft_cross_entropy(logits, torch.tensor([[1, 1, 0]])).item() == pytest.approx(sum(each) / 2, abs=1e-6)


def test_imbalance_weights_by_an_explicit_loop():
    logits = torch.tensor([[2.0, -1.0, 0.9, 0.5], [-3.0, 4.0, 0.1, -0.2]], dtype=torch.float64)
    targets = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 0]])
    total = weights = 0.0
    for row, truth in zip(logits.tolist(), targets.tolist(), strict=True):
        for z, y in zip(row, truth, strict=True):
            p = 1 / (1 + math.exp(-z))
            weight = 1.0 if y == 1 or (p >= 0.7) != (y == 1) else 1 / 4
            total -= weight * math.log(p if y else 1 - p)
            weights += weight
    assert imbalanced_binary_cross_entropy(logits, targets).item() == pytest.approx(total / (weights + 1e-7), abs=1e-9)


def test_a_probability_equal_to_the_threshold_counts_as_predicted():
    # The entry at 0 is a wrong prediction of weight 1, not an easy negative of weight 1 / 3.
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
    weights = [1.0, 1.0, 1 / 3]
    losses = [math.log(1 + math.exp(-2.0)), math.log(2.0), math.log(1 + math.exp(-1.0))]
    expected = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / (sum(weights) + 1e-7)
    loss = imbalanced_binary_cross_entropy(logits, torch.tensor([[1, 0, 0]]), threshold=0.5)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_to_multi_hot():
    assert to_multi_hot(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    already = torch.tensor([[1, 1]])
    assert to_multi_hot(already, 2) is already


def test_gradient_by_finite_differences():
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.1]], dtype=torch.float64, requires_grad=True)
    for targets in (torch.tensor([0, 1]), torch.tensor([[1, 1], [0, 0]])):
        assert torch.autograd.gradcheck(lambda z, t=targets: soft_cross_entropy(z, t), (logits,))
