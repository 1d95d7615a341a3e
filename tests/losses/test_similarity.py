import math

import numpy as np
import pytest
import torch

from skhash.losses import SimilarityLoss, half_cosines, similarity_loss
from skhash.nn import BiHalf, sign


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def loop_loss(codes, reference):
    """The equation, one pair at a time."""
    half = len(codes) // 2
    pairs = [(cosine(codes[p], codes[half + p]) - cosine(reference[p], reference[half + p])) ** 2 for p in range(half)]
    return sum(pairs) / half


def test_golden_values(golden):
    cosines = torch.tensor([0.486306, 0.467386, 0.461728, 0.465983], dtype=torch.float64)
    torch.testing.assert_close(half_cosines(golden.X8), cosines, atol=1e-5, rtol=0)
    assert similarity_loss(sign(golden.U8), golden.X8).item() == pytest.approx(1.659508, abs=1e-5)
    assert similarity_loss(BiHalf()(golden.U8), golden.X8).item() == pytest.approx(2.162020, abs=1e-5)


@pytest.mark.parametrize("n", [2, 3, 8, 9])
def test_equals_an_explicit_loop(n):
    rng = np.random.default_rng(n)
    codes, reference = rng.normal(size=(n, 6)), rng.normal(size=(n, 11))
    loss = SimilarityLoss()(torch.tensor(codes), torch.tensor(reference))
    assert loss.item() == pytest.approx(loop_loss(codes, reference), abs=1e-12)


def test_an_odd_batch_lacks_its_last_row(golden):
    torch.testing.assert_close(half_cosines(golden.X8[:7]), half_cosines(golden.X8[:6]))


def test_gradient_by_finite_differences(golden):
    z = golden.U8.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: similarity_loss(z, golden.X8), (z,))


def test_the_features_learn_nothing(golden):
    z, reference = golden.U8.clone().requires_grad_(), golden.X8.clone().requires_grad_()
    similarity_loss(z, reference).backward()
    assert z.grad.any()
    assert reference.grad is None


def test_codes_and_features_of_nothing_are_finite():
    z = torch.zeros(4, 8, requires_grad=True)
    loss = similarity_loss(z, torch.zeros(4, 3))
    loss.backward()
    assert loss == 0
    assert torch.isfinite(z.grad).all()


def test_errors(golden):
    with pytest.raises(ValueError, match="A batch must have at least 2 rows to make a pair, got 1"):
        half_cosines(golden.X8[:1])
    with pytest.raises(ValueError, match="reference must have one row per code, got 6 rows for 8 codes"):
        similarity_loss(golden.U8, golden.X8[:6])
