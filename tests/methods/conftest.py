"""What the tests of the deep methods share."""

import numpy as np
import pytest

from skhash import HammingIndex


@pytest.fixture(scope="session")
def learnt_map(digits):
    """A function that trains a hasher on 1,400 digits and gives the mAP of the other 397 as queries."""

    def learnt_map(hasher):
        codes = hasher.fit(digits.X[:1400], digits.y[:1400]).transform(digits.X)
        return HammingIndex().fit(codes[:1400], digits.y[:1400]).score(codes[1400:], digits.y[1400:])

    return learnt_map


@pytest.fixture(scope="session")
def two_labels(digits):
    """Two labels for each digit, as a multi-hot matrix (1797, 12): which one it is, and whether even or odd."""
    return np.concatenate([np.eye(10, dtype=int)[digits.y], np.eye(2, dtype=int)[digits.y % 2]], axis=1)
