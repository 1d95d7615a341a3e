"""Labels numbered by counting against `np.unique`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.utils import read_labels
from skhash.utils._labels import _number_integers

TYPES = [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64]


@given(
    dtype=st.sampled_from(TYPES),
    at=st.sampled_from(["least", "zero", "greatest"]),
    span=st.sampled_from([1, 2, 60, 127, 2000]),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_equals_unique(dtype, at, span, data):
    limits = np.iinfo(dtype)
    span = min(span, limits.max)
    first = {"least": limits.min, "zero": max(limits.min, -3), "greatest": limits.max - span + 1}[at]
    offsets = data.draw(st.lists(st.integers(0, span - 1), min_size=1, max_size=80))
    y = np.array([first + offset for offset in offsets], dtype)
    labels = _number_integers(y)
    found, codes = np.unique(y, return_inverse=True)
    if labels is not None:
        assert labels[0].dtype == dtype
        assert labels[1].dtype == np.int64
        assert labels[0].tolist() == found.tolist()
        assert labels[1].tolist() == codes.tolist()
    else:
        assert int(y.max()) - int(y.min()) >= 1024
    read = read_labels(y)
    assert read.decode().tolist() == y.tolist()


def test_does_not_change_or_share_labels():
    y = np.array([0, 1, 0, 1, 1])
    labels = read_labels(y)
    y[:] = 7
    assert labels.codes.tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("y", [np.array([], int), np.array([0.0, 1, 1, 0]), np.array([[0, 1]]), np.array(["a"])])
def test_leaves_others(y):
    assert _number_integers(y) is None
