from itertools import combinations

import numpy as np
import pytest

from skhash.centers import bernoulli_centers


def test_centers_are_half_a_code_apart_on_average():
    centers = bernoulli_centers(60, 128, random_state=0)
    assert np.mean([(a != b).sum() for a, b in combinations(centers, 2)]) == pytest.approx(64, abs=1)
