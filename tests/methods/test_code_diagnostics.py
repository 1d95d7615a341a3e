"""Tests of the diagnostics of codes and centers after every epoch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.methods._code_diagnostics import CodeDiagnostics
from skhash.utils import read_labels

CODES = np.array([[1.0, 1, 1, 1], [1, 1, 1, -1], [-1, -1, -1, -1], [-1, -1, 1, 1]])


class Codes(nn.Module):
    """A network whose codes are its inputs."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 4, bias=False)
        nn.init.eye_(self.encoder.weight)
        self.criterion = SimpleNamespace(centers=torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1]]))


def measure(y):
    network = Codes()
    context = SimpleNamespace(samples=Samples(CODES), labels=read_labels(y), generator=torch.Generator().manual_seed(0))
    return network, CodeDiagnostics(network, context)


def test_distances_by_hand():
    network, measured = measure([0, 0, 1, 1])
    assert measured() == {
        "center_distance": (0 + 1 + 0 + 2) / 4,
        "class_distance": (1 + 2) / 2,
        "center_movement": 0,
    }
    network.criterion.centers = torch.tensor([[-1.0, -1, 1, 1], [-1, -1, -1, 1]])
    assert measured() == {"center_distance": (2 + 3 + 1 + 1) / 4, "class_distance": 1.5, "center_movement": 1.5}
    assert measured()["center_movement"] == 0


def test_several_labels_count_each():
    _, measured = measure(np.array([[1, 0], [1, 1], [0, 1], [0, 1]]))
    row = measured()
    assert row["center_distance"] == (0 + 1 + 3 + 0 + 2) / 5
    assert row["class_distance"] == pytest.approx((1 + 3 + 3 + 2) / 4)  # pairs 01, 12, 13, 23


def test_no_pair_of_a_class_gives_nan():
    _, measured = measure(np.array([[1, 0], [0, 1], [0, 0], [0, 0]]))
    assert np.isnan(measured()["class_distance"])
