"""The prepared network that codes of features are computed by, kept between calls."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skhash import CSQHasher, HashNetHasher, OrthoHasher, SDCHasher
from skhash.inputs import Samples
from skhash.nn import Inference, encode


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
    hasher = OrthoHasher(bits=16, backbone="mlp", max_epochs=1, random_state=0).fit(X, y)
    codes = hasher.transform(X)

    def rounded(inference, inputs):
        z = inference.run(inputs).clone()
        z[:, 0] = z[:, 0].sign() * -1e-9  # another rounding of a value near zero
        return z

    monkeypatch.setattr(Inference, "run_freely", rounded)
    np.testing.assert_array_equal(hasher.transform(X[:4]), codes[:4])


HASHERS = {
    "batch_norm": OrthoHasher(bits=24, max_epochs=1, random_state=0),
    "bias": CSQHasher(bits=24, max_epochs=1, random_state=0),
    "no bias": HashNetHasher(bits=24, max_epochs=1, random_state=0),
    "not standardized": OrthoHasher(bits=24, recipe="paper", max_epochs=1, random_state=0),
    "one scale": SDCHasher(bits=24, max_epochs=1, random_state=0),
}


@pytest.mark.parametrize("kind", HASHERS)
@pytest.mark.parametrize("offset", [0.0, 30.0, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_affine_network_has_the_bits_of_its_network(kind, offset, dtype):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((700, 300)) * rng.lognormal(0, 2, 300) + offset).astype(dtype)
    hasher = clone(HASHERS[kind]).fit(X, np.arange(700) % 3)
    samples = Samples(X)
    expected = np.concatenate(list(encode(hasher.module_.encoder, samples))) >= 0
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(hasher.transform(X), expected)
    np.testing.assert_array_equal(
        np.concatenate([hasher.transform(X[i : i + 1]) for i in range(0, 700, 7)]), expected[::7]
    )
    _, signs = hasher._current_inference(samples)
    z = (X.astype(np.float64) - signs.mean) @ signs.components.T + signs.offset
    assert ((z >= 0) == expected).mean() > 0.999


def test_signs_that_are_open_are_those_of_the_network(data, monkeypatch):
    """The affine map is made from the network in double precision, but the network has the last word."""
    X, y = data
    hasher = CSQHasher(bits=32, max_epochs=1, random_state=0).fit(X, y)
    codes = hasher.transform(X)
    linear = hasher.module_.head.linear
    with torch.no_grad():
        linear.weight[3] = 0.0
        linear.bias[3] = 0.0  # every sign of bit 3 is open
    monkeypatch.setattr(Inference, "run", lambda inference, inputs: torch.full((len(inputs), 32), -1.0))
    changed = hasher.transform(X)
    np.testing.assert_array_equal(changed[:, 3], 0)
    np.testing.assert_array_equal(np.delete(changed, 3, axis=1), np.delete(codes, 3, axis=1))


@pytest.mark.parametrize("change", ["layer", "parameter", "buffer", "in place", "data", "hook"])
def test_every_change_of_an_affine_network_is_seen(data, change):
    X, y = data
    hasher = OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(X, y)
    before, head = hasher.transform(X), hasher.module_.head
    if change == "layer":
        head.linear = torch.nn.Linear(12, 16, bias=False)
    elif change == "parameter":
        head.balance.weight = torch.nn.Parameter(-head.balance.weight.detach())
    elif change == "buffer":
        head.balance.register_buffer("running_mean", head.balance.running_mean + 3)
    elif change == "in place":
        with torch.no_grad():
            head.linear.weight.neg_()
    elif change == "data":
        head.balance.running_mean.data += 3
    else:
        head.linear.register_forward_hook(lambda layer, inputs, output: -output)
    after = hasher.transform(X)
    assert (after != before).any()
    np.testing.assert_array_equal(after, hasher.decision_function(X) >= 0)
