"""Tests that the makers of binary networks draw the same weights from the same `random_state`."""

import numpy as np
import pytest
import torch

from skhash import OrthoHasher
from skhash.nn.binary import BINARY_BACKBONES, binary_mlp, bireal_tiny, vgg_small


@pytest.mark.parametrize("name", ["bireal_tiny", "bireal_small", "binary_mlp", "vgg_small", "xnor_resnet18"])
def test_a_random_state_fixes_the_weights(name):
    make = BINARY_BACKBONES[name].factory
    before = torch.get_rng_state()
    first, second, other = (make(3, random_state=seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert not all(torch.equal(value, other[key]) for key, value in first.items())
    assert {key: value.shape for key, value in make(3).state_dict().items()} == {k: v.shape for k, v in first.items()}


def test_none_draws_from_the_global_state():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = (vgg_small(1, 8, width=4).state_dict() for _ in range(2))
    assert not all(torch.equal(value, second[key]) for key, value in first.items())


def test_a_hasher_with_a_seeded_backbone_is_the_same_in_every_run(digits):
    X, y = digits.X[:200], digits.y[:200]
    z = [
        OrthoHasher(bits=16, backbone=binary_mlp(64, width=32, random_state=0), max_epochs=2, random_state=0)
        .fit(X, y)
        .decision_function(X)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*z)
    assert bireal_tiny(random_state=np.random.RandomState(0)).out_features == 128
