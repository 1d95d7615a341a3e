import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skhash.index.collection._labels import read_more_labels, vote
from skhash.utils import read_labels


@given(
    arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 3)),
    st.tuples(st.integers(1, 4), st.integers(1, 7)),
    st.data(),
)
def test_most_votes_win_and_the_first_of_equals(y, shape, data):
    ids = data.draw(arrays(np.int64, shape, elements=st.integers(0, len(y) - 1)))
    winners = vote(read_labels(y), ids).decode()
    for row, winner in zip(ids, winners, strict=True):
        # Counter.most_common keeps the order of first appearance among equals.
        assert winner == Counter(y[row].tolist()).most_common(1)[0][0]


def test_half_of_the_votes_give_a_multi_hot_label():
    labels = read_labels(np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1]]))
    assert vote(labels, np.array([[0, 1], [2, 3], [0, 3]])).decode().tolist() == [[1, 1, 0], [0, 1, 1], [1, 1, 1]]
    assert vote(labels, np.array([[0, 1, 3]])).decode().tolist() == [[1, 1, 0]]


def test_new_classes_join_the_old_ones():
    old, new = read_more_labels(read_labels(["b", "d", "b"]), ["a", "d"], n_samples=2)
    assert old.decode().tolist() == ["b", "d", "b"]
    assert new.decode().tolist() == ["a", "d"]
    assert old.classes.tolist() == new.classes.tolist() == ["a", "b", "d"]


def test_known_classes_leave_the_old_labels_alone():
    labels = read_labels([3, 1])
    old, new = read_more_labels(labels, [3], n_samples=1)
    assert old is labels
    assert new.codes.tolist() == [1]


@pytest.mark.parametrize(
    ("y", "more", "message"),
    [
        (
            [0, 1],
            ["a"],
            "y must be of the same kind as the labels before: class labels of dtype int64, got class",
        ),
        ([0, 1], [[1, 0]], "class labels of dtype int64, got multi-hot with 2 columns."),
        ([[1, 0]], [0], "multi-hot with 2 columns, got class labels of dtype int64."),
        ([[1, 0]], [[1, 0, 1]], "multi-hot with 2 columns, got multi-hot with 3 columns."),
        ([0, 1], [0.5], "Unknown label type: y is 'continuous'"),
        ([0, 1], [0, 1], "inconsistent numbers of samples: X has 1, y has 2"),
    ],
)
def test_other_labels_are_refused(y, more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_more_labels(read_labels(np.array(y)), np.array(more), n_samples=1)
