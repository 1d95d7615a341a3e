import math

import numpy as np
import pytest
import torch

from skhash.losses import OrthoLoss, hashnet_loss, label_log_odds, margin_logits, ortho_loss


def loop_loss(z, multi_hot, centers, margin, scale, margin_type):
    """The equation of the paper, one number at a time."""
    total = 0.0
    for v, y in zip(z, multi_hot, strict=True):
        logits = []
        for center, label in zip(centers, y, strict=True):
            cosine = float(v @ center / (np.linalg.norm(v) * np.linalg.norm(center)))
            if margin_type == "cos":
                logits.append(scale * (cosine - margin * label))
            else:
                logits.append(scale * math.cos(math.acos(cosine) + margin * label))
        log_norm = math.log(sum(math.exp(logit) for logit in logits))
        total -= sum(label / sum(y) * (logit - log_norm) for logit, label in zip(logits, y, strict=True))
    return total / len(z)


@pytest.mark.parametrize(
    ("margin_type", "margin", "which", "expected"),
    [
        ("cos", 0.2, "single", 1.545351),
        ("cos", 0.2, "multi", 1.124026),
        ("cos", 0.0, "single", 1.183124),
        ("arc", 0.2, "single", 1.513729),
        ("arc", 0.2, "multi", 1.115124),
    ],
)
def test_golden_values(golden, margin_type, margin, which, expected):
    targets = golden.y if which == "single" else golden.multi_hot
    loss = ortho_loss(golden.U, targets, golden.centers, margin=margin, margin_type=margin_type)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("multilabel_loss", "expected"), [("sigmoid", 0.724222), ("sigmoid_imbalanced", 0.708025)])
def test_golden_values_of_the_multilabel_alternatives(golden, multilabel_loss, expected):
    loss = ortho_loss(golden.U, golden.multi_hot, golden.centers, multilabel_loss=multilabel_loss)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("margin_type", ["cos", "arc"])
@pytest.mark.parametrize("seed", range(3))
def test_equals_an_explicit_loop(margin_type, seed):
    rng = np.random.default_rng(seed)
    z, centers = rng.normal(size=(5, 12)), rng.choice([-1.0, 1.0], size=(4, 12))
    multi_hot = np.maximum(rng.integers(0, 2, (5, 4)), np.eye(5, 4)[:, ::-1] + np.eye(5, 4, -4)).astype(int)
    loss = ortho_loss(
        torch.tensor(z), torch.tensor(multi_hot), torch.tensor(centers), margin=0.3, scale=5.0, margin_type=margin_type
    )
    assert loss.item() == pytest.approx(loop_loss(z, multi_hot, centers, 0.3, 5.0, margin_type), abs=1e-9)


@pytest.mark.parametrize("margin_type", ["cos", "arc"])
@pytest.mark.parametrize("which", ["y", "multi_hot"])
@pytest.mark.parametrize("multilabel_loss", ["softmax", "sigmoid", "sigmoid_prior", "sigmoid_imbalanced"])
def test_gradient_by_finite_differences(golden, margin_type, which, multilabel_loss):
    z = golden.U.clone().requires_grad_()

    def loss(z):
        options = {"margin_type": margin_type, "multilabel_loss": multilabel_loss, "likelihood_weight": 2.0}
        options["log_odds"] = label_log_odds(golden.multi_hot)
        return ortho_loss(z, getattr(golden, which), golden.centers, **options)

    assert torch.autograd.gradcheck(loss, (z,))


def test_log_odds_are_added_to_the_logits(golden):
    log_odds = label_log_odds(golden.multi_hot)
    counts = golden.multi_hot.sum(dim=0).tolist()
    assert log_odds.tolist() == pytest.approx([math.log((n + 0.5) / (4.5 - n)) for n in counts], abs=1e-6)
    logits = margin_logits(golden.U, golden.multi_hot, golden.centers, scale=8**0.5)
    total = 0.0
    for row, labels in zip(logits.tolist(), golden.multi_hot.tolist(), strict=True):
        for logit, odds, label in zip(row, log_odds.tolist(), labels, strict=True):
            total += math.log1p(math.exp(-(logit + odds) if label else logit + odds))
    module = OrthoLoss(golden.centers, log_odds, multilabel_loss="sigmoid_prior").double()
    assert module(golden.U, golden.multi_hot).item() == pytest.approx(total / 12, abs=1e-6)
    assert "log_odds" in module.state_dict()
    with pytest.raises(
        ValueError, match="multilabel_loss='sigmoid_prior' needs log_odds, see label_log_odds, got None"
    ):
        ortho_loss(golden.U, golden.multi_hot, golden.centers, multilabel_loss="sigmoid_prior")


def test_log_odds_count_samples_as_often_as_training_draws_them():
    targets = torch.tensor([[1, 0], [0, 1], [0, 0]])
    drawn = targets[[0, 0, 0, 1, 2, 2]]
    # The same shares, of 3 rows instead of 6.
    shares = drawn.double().mean(dim=0)
    expected = torch.log((3 * shares + 0.5) / (3 * (1 - shares) + 0.5)).float()
    torch.testing.assert_close(label_log_odds(targets, torch.tensor([3.0, 1, 2])), expected)
    torch.testing.assert_close(label_log_odds(targets, torch.full((3,), 0.2)), label_log_odds(targets))


def test_log_odds_of_any_type_are_finite():
    many = torch.ones(70_000, 2, dtype=torch.float16)  # whose sum is not a number of half precision
    assert label_log_odds(many).tolist() == pytest.approx([math.log(140_001)] * 2)
    assert label_log_odds(~many.bool()).tolist() == pytest.approx([-math.log(140_001)] * 2)
    weights = torch.rand(1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.isfinite(label_log_odds(torch.ones(1000, 1), weights)).all()


def test_log_odds_refuse_other_shapes():
    with pytest.raises(ValueError, match=r"targets must be multi-hot, of shape \(n, n_classes\), got shape \(3,\)"):
        label_log_odds(torch.tensor([0, 1, 2]))
    with pytest.raises(ValueError, match=r"weights must have shape \(3,\), one for each sample, got \(2,\)"):
        label_log_odds(torch.ones(3, 1), torch.ones(2))


def test_at_the_log_odds_nothing_pushes_all_codes_away_from_the_centers():
    # Two labels with equal centers: without log odds, the mean gradient of rare labels is along the centers.
    centers, rows = torch.ones(2, 8), torch.arange(100)
    targets = torch.stack([rows < 10, (rows >= 10) & (rows < 20)], dim=1).float()
    z = torch.tensor([1.0, -1] * 4).repeat(100, 1).requires_grad_()  # perpendicular to both
    push = {}
    for name in ("sigmoid", "sigmoid_prior"):
        loss = ortho_loss(z, targets, centers, margin=0.0, multilabel_loss=name, log_odds=label_log_odds(targets))
        (gradient,) = torch.autograd.grad(loss, z)
        push[name] = gradient.sum().item()
    assert abs(push["sigmoid_prior"]) < 0.02 * push["sigmoid"]


@pytest.mark.parametrize("multilabel_loss", ["softmax", "sigmoid", "sigmoid_imbalanced"])
def test_pairs_are_added_for_several_labels_only(golden, multilabel_loss):
    def loss(targets, weight):
        options = {"multilabel_loss": multilabel_loss, "likelihood_weight": weight}
        return ortho_loss(golden.U, targets, golden.centers, **options).item()

    assert loss(golden.y, 3.0) == loss(golden.y, 0.0)
    pairs = hashnet_loss(golden.U, golden.multi_hot, alpha="5/bits").item()
    assert loss(golden.multi_hot, 3.0) - loss(golden.multi_hot, 0.0) == pytest.approx(3 * pairs, abs=1e-12)


def test_one_hot_rows_equal_class_indices(golden):
    one_hot = torch.nn.functional.one_hot(golden.y, 3)
    single = ortho_loss(golden.U, golden.y, golden.centers)
    assert ortho_loss(golden.U, one_hot, golden.centers).item() == pytest.approx(single.item(), abs=1e-12)


@pytest.mark.parametrize("margin_type", ["cos", "arc"])
def test_scaling_flipping_and_permuting_bits_change_nothing(golden, margin_type):
    loss = ortho_loss(golden.U, golden.y, golden.centers, margin_type=margin_type).item()
    flip = torch.tensor([1.0, -1, 1, 1, -1, -1, 1, -1])
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    for z, centers in (
        (7.5 * golden.U, golden.centers),
        (golden.U * flip, golden.centers * flip),
        (golden.U[:, order], golden.centers[:, order]),
    ):
        assert ortho_loss(z, golden.y, centers, margin_type=margin_type).item() == pytest.approx(loss, abs=1e-12)


def test_orthogonal_codes_give_the_value_of_the_scale_table():
    # Spec 7.11: all cosines 0, one label of 100: log(1 + 99 exp(s m)).
    z = torch.zeros(1, 128, dtype=torch.float64)
    centers = torch.ones(100, 128, dtype=torch.float64)
    loss = ortho_loss(z, torch.tensor([5]), centers, margin=0.2, scale=8.0)
    assert loss.item() == pytest.approx(6.197, abs=1e-3)


def test_the_arc_logit_is_finite_at_a_perfect_fit():
    centers = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    z = centers.clone().requires_grad_()
    ortho_loss(z, torch.tensor([0, 1]), centers, margin_type="arc").backward()
    assert torch.isfinite(z.grad).all()


def test_the_module_carries_centers_and_scores_classes(golden):
    module = OrthoLoss(golden.centers.numpy(), margin=0.2).double()
    assert "centers" in module.state_dict()
    assert module(golden.U, golden.y).item() == pytest.approx(1.545351, abs=1e-5)
    expected = margin_logits(golden.U, golden.y, golden.centers, margin=0.0, scale=1.0)
    torch.testing.assert_close(module.class_scores(golden.U), expected)
