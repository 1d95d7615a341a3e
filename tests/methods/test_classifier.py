import numpy as np
import torch

from skhash.losses import CELoss
from skhash.methods._classifier import make_classifying
from skhash.utils import read_labels

LABELS = read_labels(["a", "b", "c", "a"])


def weights(seed):
    return make_classifying(CELoss, 8, LABELS, np.random.RandomState(seed)).classifier.weight


def test_the_classifier_is_drawn_from_the_random_state_only():
    before = torch.get_rng_state()
    assert weights(0).shape == (3, 8)
    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert torch.equal(before, torch.get_rng_state())
