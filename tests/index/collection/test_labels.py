import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skhash.index.collection import _labels
from skhash.index.collection._labels import read_more_labels, vote
from skhash.utils import Labels, read_labels


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


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=5)
    | st.lists(st.sampled_from(["", "a", "ab", "a\0", "c"]), min_size=1, max_size=5)
    | st.just([[0, 1], [1, 0]]),
    st.integers(-4, 4)
    | st.sampled_from(["", "a", "ab", "abc", "a\0", "\0", 2**63, -(2**63) - 1, 2**64, True, 1.0, None, np.int64(1)])
    | st.just([0, 1]),
)
def test_one_label_is_read_as_many_are(y, label):
    def read(look_up):
        usual, _labels._look_up = _labels._look_up, look_up
        try:
            old, new = read_more_labels(labels, [label], 1)
        except (TypeError, ValueError) as error:
            return type(error), str(error)
        finally:
            _labels._look_up = usual
        return old.classes.tolist(), old.codes.tolist(), new.classes.tolist(), new.codes.tolist(), new.codes.dtype

    labels = read_labels(np.array(y))
    assert read(_labels._look_up) == read(lambda *_: None)


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


@pytest.mark.parametrize(
    "y",
    [
        [1],
        [3, 1],
        np.array([2, 2]),
        np.array([2], np.int8),
        [4],
        [0, 9],
        [True],
        [1.0],
        ["1"],
        np.array([2**40]),
    ],
    ids=repr,
)
def test_labels_of_known_classes_are_looked_up(y):
    """The same labels, or the same error, as by the way that unknown classes take."""
    labels = read_labels([3, 1, 2, 1])

    def attempt(read):
        try:
            return read()
        except ValueError as error:
            return str(error)

    found = attempt(lambda: read_more_labels(labels, y, len(y)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_labels, "_look_up", lambda *args: None)
        expected = attempt(lambda: read_more_labels(labels, y, len(y)))
    if isinstance(expected, str):
        assert found == expected
        return
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
        assert one.codes.dtype == other.codes.dtype
        np.testing.assert_array_equal(one.decode(), other.decode())


def test_text_and_wrong_numbers_of_labels():
    labels = read_labels(["b", "a", "c"])
    old, new = read_more_labels(labels, ["c", "a"], 2)
    assert old is labels
    assert new.decode().tolist() == ["c", "a"]
    assert read_more_labels(labels, ["longer"], 1)[1].decode().tolist() == ["longer"]
    with pytest.raises(ValueError, match="X has 3, y has 2"):
        read_more_labels(labels, ["c", "a"], 3)
    with pytest.raises(ValueError, match="same kind"):
        read_more_labels(labels, [1], 1)


@pytest.mark.parametrize("k", [1, 4, 15, 16, 40])
def test_the_vote_of_few_neighbors_equals_that_of_many(k):
    rng = np.random.default_rng(k)
    labels = Labels(rng.integers(0, 4, 60), np.array(list("abcd")))
    rows = rng.integers(0, 60, (50, k))
    together = vote(labels, rows).decode()
    assert [vote(labels, row[None]).decode()[0] for row in rows] == together.tolist()
