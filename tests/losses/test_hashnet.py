import math

import numpy as np
import pytest
import torch

from skhash.losses import HashNetLoss, hashnet_beta, hashnet_loss


def loop_loss(z, z2, similar, alpha, beta, class_weight):
    """The equations of the two codes, one pair at a time."""
    values = {True: [], False: []}
    for i, v in enumerate(z):
        for j, w in enumerate(z2):
            d = alpha * float(np.tanh(beta * v) @ np.tanh(beta * w))
            values[bool(similar[i, j])].append(math.log(1 + math.exp(d)) - similar[i, j] * d)
    positive, negative = values[True], values[False]
    if class_weight == "balanced":
        n = len(positive) + len(negative)
        return (n / len(positive) * sum(positive) + n / len(negative) * sum(negative)) / n
    return (class_weight * sum(positive) + sum(negative)) / (class_weight * len(positive) + len(negative))


@pytest.mark.parametrize(
    ("alpha", "which", "expected"), [(0.1, "y", 1.283916), (1.0, "y", 1.879631), (0.1, "multi_hot", 1.363680)]
)
def test_golden_values_of_the_port(golden, alpha, which, expected):
    assert hashnet_loss(golden.U, getattr(golden, which), alpha=alpha).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("weight", "expected"), [(1.0, 2.332328), (5.0, 2.210060), (None, 2.332328)])
def test_golden_values_of_the_authors_code(golden, weight, expected):
    module = HashNetLoss("halves", alpha="10/bits", class_weight=weight)
    assert module(golden.U, golden.multi_hot).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("name", "scale"), [("10/bits", 10), ("5/bits", 5)])
def test_named_scales_follow_the_code_length(golden, name, scale):
    named = hashnet_loss(golden.U, golden.y, alpha=name)
    assert torch.equal(named, hashnet_loss(golden.U, golden.y, alpha=scale / golden.U.shape[1]))


@pytest.mark.parametrize("class_weight", ["balanced", 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_equals_an_explicit_loop(class_weight, seed):
    rng = np.random.default_rng(seed)
    z, z2 = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))
    y, y2 = np.array([0, 0, 1, 2]), np.array([0, 1, 2, 3, 0])
    loss = hashnet_loss(*(torch.tensor(a) for a in (z, y, z2, y2)), alpha=0.7, beta=1.3, class_weight=class_weight)
    expected = loop_loss(z, z2, y[:, None] == y2, 0.7, 1.3, class_weight)
    assert loss.item() == pytest.approx(expected, abs=1e-9)


def test_one_sided_batches_have_weight_1(golden):
    alike, apart = torch.zeros(4, dtype=torch.int64), torch.arange(4)
    assert hashnet_loss(golden.U, alike).item() == pytest.approx(
        hashnet_loss(golden.U, alike, class_weight=None).item(), abs=1e-12
    )
    z2 = golden.U + 0.1
    assert hashnet_loss(golden.U, apart, z2, apart + 4).item() == pytest.approx(
        hashnet_loss(golden.U, apart, z2, apart + 4, class_weight=None).item(), abs=1e-12
    )


def test_continuation():
    # The authors: (1 + 0.005 iterations) ** 0.5, renewed every 200 iterations.
    for iteration in (0, 150, 400, 9999):
        assert hashnet_beta(iteration, 200) == pytest.approx(math.sqrt(1 + 0.005 * (iteration // 200 * 200)))
    assert hashnet_beta(59) == pytest.approx(math.sqrt(3))


def test_the_module_sharpens_over_the_epochs_and_remembers(golden):
    module = HashNetLoss("memory", beta_every=10, alpha=0.1)
    module(golden.U[:2], golden.y[:2], epoch=30, rows=[0, 1])
    loss = module(golden.U[2:], golden.y[2:], epoch=30, rows=[7, 2])
    expected = hashnet_loss(golden.U[2:], golden.y[2:], golden.U, golden.y, beta=2.0, alpha=0.1)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert not module.state_dict()


def test_an_unknown_alpha_is_refused(golden):
    with pytest.raises(ValueError, match="alpha must be a number or one of '5/bits', '10/bits', got 'paper'"):
        hashnet_loss(golden.U, golden.y, alpha="paper")
