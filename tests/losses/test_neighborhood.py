import math

import pytest
import torch

from skhash.losses import neighborhood_loss


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def test_equals_an_explicit_loop(golden):
    features = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 3
    mean = [sum(column) / 4 for column in features.T.tolist()]
    centered = [[x - m for x, m in zip(row, mean, strict=True)] for row in features.tolist()]
    codes = [[math.tanh(v) for v in row] for row in golden.U.tolist()]
    total = sum(
        (cosine(codes[i], codes[j]) - cosine(centered[i], centered[j])) ** 2
        for i in range(4)
        for j in range(4)
        if i != j
    )
    assert neighborhood_loss(golden.U, features).item() == pytest.approx(total / 12, abs=1e-12)


def test_gradient_by_finite_differences(golden):
    features = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    z = golden.U.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: neighborhood_loss(z, features), (z,))
    neighborhood_loss(z, features).backward()
    assert features.grad is None


def test_equal_rows_and_zeros_are_finite():
    for rows in (1, 3):
        z = torch.zeros(rows, 4, requires_grad=True)
        loss = neighborhood_loss(z, torch.ones(rows, 2))
        loss.backward()
        assert loss.item() == 0
        assert torch.isfinite(z.grad).all()


def test_rows_must_match():
    with pytest.raises(ValueError, match="reference must have one row per code, got 2 rows for 3 codes"):
        neighborhood_loss(torch.ones(3, 4), torch.ones(2, 5))
