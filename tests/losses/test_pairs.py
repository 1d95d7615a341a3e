import math

import numpy as np
import pytest
import torch

from skhash.losses import pair_likelihood_loss, pair_mean, share_label


def test_similar_pairs_share_a_label(golden):
    assert share_label(golden.y).tolist() == [[a == b for b in (0, 0, 1, 2)] for a in (0, 0, 1, 2)]
    hot = golden.multi_hot
    expected = [[bool((a & b).any()) for b in hot] for a in hot]
    assert share_label(hot).tolist() == expected
    assert share_label(hot[:1], hot).tolist() == expected[:1]
    assert share_label(hot.to(torch.uint8)).tolist() == expected


def test_three_hundred_common_labels_do_not_overflow():
    many = torch.ones(1, 512, dtype=torch.uint8)
    assert share_label(many).all()


def test_labels_of_two_forms_are_refused(golden):
    with pytest.raises(ValueError, match="others must be labels of the same form as targets, got 2 and 1 dimensions"):
        share_label(golden.y, golden.multi_hot)


def loop_mean(values, similar, class_weight, mask):
    """Weighted mean, pair by pair, with the weights as the papers write them."""
    pairs = [(values[i, j], similar[i, j]) for i in range(len(values)) for j in range(values.shape[1]) if mask[i, j]]
    n, n_similar = len(pairs), sum(s for _, s in pairs)
    total = weights = 0.0
    for value, s in pairs:
        if class_weight == "balanced":
            weight = (n / n_similar if s else n / (n - n_similar)) if 0 < n_similar < n else 1.0
            weights += 1
        else:
            weight = 1.0 if class_weight is None or not s else class_weight
            weights += weight
        total += weight * value
    return total / weights


@pytest.mark.parametrize("class_weight", ["balanced", None, 3.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("masked", ["nothing", "columns", "entries"])
def test_mean_equals_an_explicit_loop(class_weight, share, masked):
    rng = np.random.default_rng(0)
    values, similar = rng.normal(size=(5, 7)), rng.random((5, 7)) < share
    mask = {"nothing": None, "columns": rng.random(7) < 0.6, "entries": rng.random((5, 7)) < 0.6}[masked]
    expected = loop_mean(values, similar, class_weight, np.ones((5, 7)) if mask is None else np.ones((5, 7)) * mask)
    result = pair_mean(
        torch.tensor(values),
        torch.tensor(similar),
        class_weight=class_weight,
        mask=None if mask is None else torch.tensor(mask),
    )
    assert result.item() == pytest.approx(expected, abs=1e-12)


def test_a_class_of_one_pair_has_its_value_as_mean():
    values, similar = np.array([[1.0, 2.0, 6.0]]), np.array([[True, False, False]])
    expected = loop_mean(values, similar, "balanced", np.ones((1, 3)))
    assert expected == 1.0 + (2.0 + 6.0) / 2
    assert pair_mean(torch.tensor(values), torch.tensor(similar), class_weight="balanced").item() == expected


@pytest.mark.parametrize("class_weight", ["balanced", None, 3.0])
def test_no_pair_gives_zero(class_weight):
    values, similar = torch.ones(2, 3), torch.ones(2, 3) > 0
    assert pair_mean(values, similar, class_weight=class_weight, mask=torch.zeros(3) > 0).item() == 0
    assert pair_mean(values[:0], similar[:0], class_weight=class_weight).item() == 0


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="class_weight must be 'balanced', a number or None, got 'fair'"):
        pair_mean(torch.ones(1, 1), torch.ones(1, 1) > 0, class_weight="fair")


def test_likelihood_is_that_of_a_logistic_model():
    logits = torch.tensor([[-1.0, 0.5, 3.0]], dtype=torch.float64)
    similar = torch.tensor([[True, False, True]])
    p = torch.sigmoid(logits)[0].tolist()
    expected = -(math.log(p[0]) + math.log(1 - p[1]) + math.log(p[2])) / 3
    assert pair_likelihood_loss(logits, similar).item() == pytest.approx(expected, abs=1e-12)


def test_confident_pairs_do_not_overflow():
    similar = torch.tensor([[True, False]])
    assert pair_likelihood_loss(torch.tensor([[2000.0, -2000.0]]), similar).item() == 0
    assert pair_likelihood_loss(torch.tensor([[-2000.0, 2000.0]]), similar).item() == 2000


@pytest.mark.parametrize("mask", [None, [True] * 5, [True, False, True, True, False], [False] * 5, "pairs"])
def test_loss_and_gradient_of_the_plain_mean_equal_a_loop_over_pairs(mask):
    rng = np.random.default_rng(0)
    logits, similar = rng.normal(size=(3, 5)) * 9, rng.random((3, 5)) < 0.4
    mask = rng.random((3, 5)) < 0.5 if mask == "pairs" else mask
    counted = np.broadcast_to(True if mask is None else np.array(mask), (3, 5))
    loss, gradient = 0.0, np.zeros((3, 5))
    for i, j in zip(*np.nonzero(counted), strict=True):
        loss += (math.log1p(math.exp(logits[i, j])) - similar[i, j] * logits[i, j]) / counted.sum()
        gradient[i, j] = (1 / (1 + math.exp(-logits[i, j])) - similar[i, j]) / counted.sum()
    x = torch.tensor(logits, requires_grad=True)
    value = pair_likelihood_loss(x, torch.tensor(similar), mask=None if mask is None else torch.tensor(mask))
    (3 * value).backward()
    assert value.item() == pytest.approx(loss, abs=1e-8)
    np.testing.assert_allclose(x.grad.numpy(), 3 * gradient, atol=1e-8)


def test_confident_pairs_keep_their_digits_in_single_precision():
    # softplus(x) - x of a similar pair is exp(-x), which a difference in single precision does not hold.
    loss = pair_likelihood_loss(torch.full((4, 4), 18.0), torch.ones(4, 4, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.exp(-18), rel=1e-4)
