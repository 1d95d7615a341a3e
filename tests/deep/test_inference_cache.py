"""The prepared network that codes of features are computed by, kept between calls."""

import numpy as np
import pytest

from skhash import OrthoHasher
from skhash.nn import Inference


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((60, 12)).astype(np.float32), np.arange(60) % 3


def test_changes_that_torch_does_not_count_are_seen(data):
    X, y = data
    hasher = OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(X, y)
    before = hasher.transform(X)
    for parameter in hasher.module_.head.parameters():
        parameter.data.neg_()
    after = hasher.transform(X)
    del hasher._inference
    np.testing.assert_array_equal(after, hasher.transform(X))
    assert (after != before).any()


def test_uncertain_signs_of_a_few_rows_are_those_of_a_whole_pass(data, monkeypatch):
    X, y = data
    hasher = OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(X, y)
    codes = hasher.transform(X)

    def rounded(inference, inputs):
        z = inference.run(inputs).clone()
        z[:, 0] = z[:, 0].sign() * -1e-9  # another rounding of a value near zero
        return z

    monkeypatch.setattr(Inference, "run_freely", rounded)
    np.testing.assert_array_equal(hasher.transform(X[:4]), codes[:4])
