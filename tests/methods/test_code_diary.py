"""Tests of what is written down after every epoch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.methods._code_diary import CodeDiary
from skhash.utils import read_labels

CODES = np.array([[1.0, 1, 1, 1], [1, 1, 1, -1], [-1, -1, -1, -1], [-1, -1, 1, 1]])


class Codes(nn.Module):
    """A network whose codes are its inputs."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 4, bias=False)
        nn.init.eye_(self.encoder.weight)
        self.criterion = SimpleNamespace(centers=torch.tensor([[1.0, 1, 1, 1], [-1, -1, -1, -1]]))


def write(y):
    network = Codes()
    return network, CodeDiary(network, Samples(CODES), read_labels(y), torch.Generator().manual_seed(0))


def test_distances_by_hand():
    network, diary = write([0, 0, 1, 1])
    assert diary() == {"center_distance": (0 + 1 + 0 + 2) / 4, "class_distance": (1 + 2) / 2, "center_movement": 0}
    network.criterion.centers = torch.tensor([[-1.0, -1, 1, 1], [-1, -1, -1, 1]])
    assert diary() == {"center_distance": (2 + 3 + 1 + 1) / 4, "class_distance": 1.5, "center_movement": 1.5}
    assert diary()["center_movement"] == 0


def test_several_labels_count_each():
    _, diary = write(np.array([[1, 0], [1, 1], [0, 1], [0, 1]]))
    row = diary()
    assert row["center_distance"] == (0 + 1 + 3 + 0 + 2) / 5
    assert row["class_distance"] == pytest.approx((1 + 3 + 3 + 2) / 4)  # pairs 01, 12, 13, 23


def test_no_pair_of_a_class_gives_nan():
    _, diary = write(np.array([[1, 0], [0, 1], [0, 0], [0, 0]]))
    assert np.isnan(diary()["class_distance"])
