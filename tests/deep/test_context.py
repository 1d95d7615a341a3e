"""Tests of what the hooks of a deep hasher receive."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from skhash.deep import TrainingContext
from skhash.inputs import Samples
from skhash.losses import CELoss
from skhash.training import RECIPES
from skhash.utils import read_labels

LABELS = read_labels(["a", "b", "c", "a"])


def make_context(seed=0, labels=LABELS):
    recipe = RECIPES["orthohash"]
    return TrainingContext(
        Samples(np.zeros((4, 5))), labels, recipe, np.random.RandomState(seed), torch.Generator(), (None, None)
    )


def weights(seed):
    context = make_context(seed)
    return context.build(CELoss, 8, context.n_classes).classifier.weight


def test_the_classifier_is_drawn_from_the_random_state_only():
    before = torch.get_rng_state()
    assert weights(0).shape == (3, 8)
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(before, torch.get_rng_state())


def test_targets_are_indices_or_a_matrix_of_floats():
    cpu = torch.device("cpu")
    assert make_context().targets(cpu).tolist() == [0, 1, 2, 0]
    multi_hot = make_context(labels=read_labels(np.eye(4, 3, dtype=int))).targets(cpu)
    assert (multi_hot.dtype, multi_hot.shape) == (torch.float32, (4, 3))
    assert make_context(labels=None).targets(cpu) is None
    assert make_context(labels=None).n_classes == 0


def test_a_context_does_not_change():
    context = make_context()
    assert context.sample_shape == (5,)
    with pytest.raises(FrozenInstanceError):
        context.labels = None
