import math

import numpy as np
import pytest
import torch

from skhash.losses import aggregation_loss, class_aggregation_loss, hash_center_loss


@pytest.mark.parametrize(
    ("which", "options", "expected"),
    [
        ("y", {}, 1.677864),
        ("y", {"similarity": "inner"}, 1.363928),
        ("multi_hot", {"multilabel": "raw"}, 2.019427),
    ],
)
def test_golden_values_of_the_center_loss(golden, which, options, expected):
    loss = hash_center_loss(golden.U, getattr(golden, which), golden.centers, **options)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("factor", "expected"), [(1.5, -0.694656), (1.0, -0.844383)])
def test_golden_values_of_the_aggregation_loss(golden, factor, expected):
    # The golden T is the tanh of U + 0.3.
    loss = aggregation_loss(golden.U, golden.U + 0.3, factors=factor)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    factors = torch.full((2, 4), factor)
    assert aggregation_loss(golden.U, golden.U + 0.3, factors=factors).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("multilabel", ["normalized", "raw"])
def test_center_loss_equals_an_explicit_loop(golden, similarity, multilabel):
    total = 0.0
    for v, y in zip(golden.U.numpy(), golden.multi_hot.tolist(), strict=True):
        h = np.tanh(v)
        logits = []
        for center in golden.centers.numpy():
            norm = 8 if similarity == "inner" else np.linalg.norm(h) * np.linalg.norm(center)
            logits.append(float(h @ center) / norm / 0.5)
        log_norm = math.log(sum(map(math.exp, logits)))
        share = sum(y) if multilabel == "normalized" else 1
        total -= sum(label / share * (logit - log_norm) for label, logit in zip(y, logits, strict=True))
    options = {"similarity": similarity, "multilabel": multilabel, "temperature": 0.5}
    loss = hash_center_loss(golden.U, golden.multi_hot, golden.centers, **options)
    assert loss.item() == pytest.approx(total / 4, abs=1e-9)


def test_centers_learn_too(golden):
    centers = golden.centers.clone().requires_grad_()
    for similarity in ("cosine", "inner"):
        assert torch.autograd.gradcheck(
            lambda c, s=similarity: hash_center_loss(golden.U, golden.y, c, similarity=s), (centers,)
        )


def test_aggregation_equals_an_explicit_loop(golden):
    rng = np.random.default_rng(0)
    strong, weak = rng.normal(size=(7, 5)), rng.normal(size=(7, 5))
    factors = 1 + rng.random((2, 6))
    groups = []
    for g in range(2):  # the seventh row fills no group
        codes = [np.tanh(v[i]) for v in (strong, weak) for i in range(3 * g, 3 * g + 3)]
        mean = sum(codes) / 6
        pushed = [factors[g, j] * h + (1 - factors[g, j]) * mean for j, h in enumerate(codes)]
        cosines = [
            float(pushed[j] @ pushed[k]) / (np.linalg.norm(pushed[j]) * np.linalg.norm(pushed[k]))
            for j in range(6)
            for k in range(j + 1, 6)
        ]
        groups.append(sum(cosines) / len(cosines))
    loss = aggregation_loss(*map(torch.tensor, (strong, weak)), group_size=3, factors=torch.tensor(factors))
    assert loss.item() == pytest.approx(-sum(groups) / 2, abs=1e-9)


def test_only_strong_views_get_a_gradient(golden):
    strong, weak = golden.U.clone().requires_grad_(), (golden.U + 0.3).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: aggregation_loss(s, weak.detach(), factors=1.5), (strong,))
    aggregation_loss(strong, weak, factors=1.5).backward()
    assert strong.grad.any()
    assert weak.grad is None


def test_factors_are_drawn_from_1_to_2_by_the_generator_alone(golden):
    state = torch.random.get_rng_state()
    drawn = aggregation_loss(golden.U, golden.U + 0.3, generator=torch.Generator().manual_seed(0))
    factors = 1 + torch.rand(2, 4, generator=torch.Generator().manual_seed(0)).double()
    expected = aggregation_loss(golden.U, golden.U + 0.3, factors=factors)
    assert drawn.item() == pytest.approx(expected.item(), abs=1e-12)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_no_full_group_gives_zero(golden):
    assert aggregation_loss(golden.U[:1], golden.U[:1]).item() == 0


@pytest.mark.parametrize(("name", "value"), [("similarity", "euclidean"), ("multilabel", "first")])
def test_unknown_options_are_refused(golden, name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, got '{value}'"):
        hash_center_loss(golden.U, golden.y, golden.centers, **{name: value})


@pytest.mark.parametrize("multilabel", [False, True])
def test_class_aggregation_against_a_loop(golden, multilabel):
    targets = golden.multi_hot if multilabel else golden.y
    factors = 1 + torch.rand(len(golden.U), generator=torch.Generator().manual_seed(0)).to(golden.U)
    h, n = torch.tanh(golden.U), len(golden.U)

    def alike(i, j):
        return i == j or (bool((targets[i] * targets[j]).sum()) if multilabel else bool(targets[i] == targets[j]))

    pushed = []
    for i in range(n):
        mean = torch.stack([h[j] for j in range(n) if alike(i, j)]).mean(dim=0)
        pushed.append(mean + factors[i] * (h[i] - mean))
    of_anchor = []
    for i in range(n):
        cosines = [torch.cosine_similarity(pushed[i], pushed[j], dim=0) for j in range(n) if j != i and alike(i, j)]
        if cosines:
            of_anchor.append(torch.stack(cosines).mean())
    expected = -torch.stack(of_anchor).mean()
    torch.testing.assert_close(class_aggregation_loss(golden.U, targets, factors=factors), expected)


def test_class_aggregation_without_pairs_is_zero():
    z = torch.randn(3, 4, requires_grad=True)
    loss = class_aggregation_loss(z, torch.arange(3))
    loss.backward()
    assert loss.item() == 0


def test_class_aggregation_draws_factors_from_1_to_2_by_the_generator_alone(golden):
    state = torch.random.get_rng_state()
    drawn = class_aggregation_loss(golden.U, golden.y, generator=torch.Generator().manual_seed(0))
    factors = 1 + torch.rand(len(golden.U), generator=torch.Generator().manual_seed(0)).double()
    expected = class_aggregation_loss(golden.U, golden.y, factors=factors)
    assert drawn.item() == pytest.approx(expected.item(), abs=1e-12)
    assert torch.equal(torch.random.get_rng_state(), state)
