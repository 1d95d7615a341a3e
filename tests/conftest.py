"""The fixture of the golden values (methods specification, sections 16.1 and 16.3), and small data."""

import os

# scikit-learn's array-API check runs only where scipy dispatches, which must be said before scipy is imported.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# Test processes side by side, each with a thread per core, wait for one another most of the time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest

# The first call of a kernel compiles it, and a busy machine is slow: time says nothing about an example.
hypothesis.settings.register_profile("skhash", deadline=None)
hypothesis.settings.load_profile("skhash")


@pytest.fixture(scope="session")
def golden():
    """U, y, the multi-hot M, centers, U8 and X8 of the specification, as float64 tensors."""
    import torch

    def fill(n):
        i, k = np.arange(n)[:, None], np.arange(8)
        return torch.from_numpy(1.5 * np.sin(1 + 0.7 * i + 1.3 * k))

    rows = ["+-+-+-+-", "++--++--", "+--++--+"]
    return SimpleNamespace(
        U=fill(4),
        U8=fill(8),
        X8=torch.from_numpy(1 + np.cos(0.2 + 0.5 * np.arange(8)[:, None] + 0.9 * np.arange(10))),
        y=torch.tensor([0, 0, 1, 2]),
        multi_hot=torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]]),
        centers=torch.tensor([[1.0 if sign == "+" else -1.0 for sign in row] for row in rows], dtype=torch.float64),
    )


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's digits as features (n, 64) and images (n, 8, 8), with labels, read-only."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    X, images, y = bunch.data, bunch.images.astype(np.uint8), bunch.target
    for array in (X, images, y):
        array.flags.writeable = False
    return SimpleNamespace(X=X, images=images, y=y)
