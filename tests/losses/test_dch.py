import math

import numpy as np
import pytest
import torch

from skhash.losses import DCHLoss, dch_loss


def loop_loss(z, y, gamma, weight, distance, class_weight, self_pairs, quantization):
    """The likelihood of pairs in its textbook form, one pair at a time, weighted as the two codes do."""
    n, bits = z.shape

    def cosine(u, v):
        return float(u @ v) / (np.linalg.norm(u) * np.linalg.norm(v))

    similar = y[:, None] == y
    pairs = [(i, j) for i in range(n) for j in range(n) if self_pairs or i != j]
    # The authors weigh with all pairs, then leave those of a sample with itself out.
    counted = pairs if class_weight == "balanced" else [(i, j) for i in range(n) for j in range(n)]
    n_similar = sum(similar[i, j] for i, j in counted)
    total = 0.0
    for i, j in pairs:
        if distance == "cosine":
            d = bits / 2 * (1 - min(cosine(z[i], z[j]), 0.99))
        else:
            d = float(((z[i] - z[j]) ** 2).sum()) + 0.001
        p = gamma / (gamma + d)
        value = -math.log(p) if similar[i, j] else -math.log(1 - p)
        if similar[i, j]:
            value *= len(counted) / n_similar
        elif class_weight == "balanced":
            value *= len(counted) / (len(counted) - n_similar)
        total += value
    loss = total / len(pairs)
    if quantization == "squared":
        return loss + weight * float(((np.abs(z) - 1) ** 2).mean())
    corner = [math.log(1 + bits / 2 * (1 - cosine(abs(v), np.ones(bits))) / gamma) for v in z]
    return loss + weight * sum(corner) / n


def test_golden_values(golden):
    pairs = dch_loss(golden.U, golden.y, quantization_weight=0.0).item()
    assert pairs == pytest.approx(2.378710, abs=1e-5)
    assert dch_loss(golden.U, golden.y, quantization_weight=1.0).item() - pairs == pytest.approx(0.020810, abs=1e-5)
    assert dch_loss(golden.U, golden.y).item() == pytest.approx(2.380791, abs=1e-5)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("class_weight", ["balanced", "similar"])
@pytest.mark.parametrize("self_pairs", [True, False])
@pytest.mark.parametrize("quantization", ["cauchy", "squared"])
def test_equals_an_explicit_loop(distance, class_weight, self_pairs, quantization):
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(6, 10)), np.array([0, 0, 1, 2, 1, 0])
    options = {
        "gamma": 7.0,
        "distance": distance,
        "class_weight": class_weight,
        "self_pairs": self_pairs,
        "quantization": quantization,
    }
    loss = DCHLoss(quantization_weight=0.3, **options)(torch.tensor(z), torch.tensor(y))
    assert loss.item() == pytest.approx(loop_loss(z, y, weight=0.3, **options), abs=1e-9)


def test_one_sided_batches_have_weight_1(golden):
    alike = torch.zeros(4, dtype=torch.int64)
    plain = dch_loss(golden.U, alike, class_weight=None).item()
    for class_weight in ("balanced", "similar"):
        assert dch_loss(golden.U, alike, class_weight=class_weight).item() == pytest.approx(plain, abs=1e-12)


def test_orthogonal_codes_have_the_value_of_the_scale_table():
    # Methods specification, section 7.11: cosine 0 everywhere but on the diagonal, which is left out here.
    z = torch.zeros(4, 64, dtype=torch.float64)
    z[range(4), range(4)] = 1.0
    loss = dch_loss(z, torch.tensor([0, 0, 1, 1]), self_pairs=False, quantization_weight=0.0)
    assert loss.item() == pytest.approx(math.log(64 / 40) + 2 * math.log(1 + 40 / 64), abs=1e-9)
    assert loss.item() == pytest.approx(1.441, abs=1e-3)


def test_pairs_beyond_the_bound_pass_no_gradient():
    z = torch.tensor([[1.0, 1.0], [1.0, 1.01]], requires_grad=True)
    dch_loss(z, torch.tensor([0, 0]), quantization_weight=0.0).backward()
    assert not z.grad.any()


@pytest.mark.parametrize(("name", "value"), [("distance", "hamming"), ("quantization", "log_cosh")])
def test_unknown_options_are_refused(golden, name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*, got '{value}'"):
        dch_loss(golden.U, golden.y, **{name: value})


def test_activation_comes_first(golden):
    assert dch_loss(golden.U, golden.y, activation="tanh") == dch_loss(golden.U.tanh(), golden.y)
    with pytest.raises(ValueError, match=r"activation must be one of \[None, 'tanh'\], got 'relu'"):
        dch_loss(golden.U, golden.y, activation="relu")
