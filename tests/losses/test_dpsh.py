import math

import numpy as np
import pytest
import torch

from skhash.losses import dpsh_loss


def test_golden_value(golden):
    assert dpsh_loss(golden.U, golden.y).item() == pytest.approx(1.253672, abs=1e-5)


def test_equals_an_explicit_loop():
    rng = np.random.default_rng(0)
    z, z2, y, y2 = rng.normal(size=(3, 5)), rng.normal(size=(4, 5)), np.array([0, 1, 2]), np.array([2, 0, 0, 1])
    mask = np.array([True, False, True, True])
    terms = []
    for i in range(3):
        for j in np.flatnonzero(mask):
            theta = 0.5 * float(z[i] @ z2[j])
            terms.append(math.log(1 + math.exp(theta)) - (y[i] == y2[j]) * theta)
    loss = dpsh_loss(*(torch.tensor(a) for a in (z, y, z2, y2, mask)))
    assert loss.item() == pytest.approx(sum(terms) / len(terms), abs=1e-12)
