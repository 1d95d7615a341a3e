import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.index.collection import _ids
from skhash.index.collection._ids import IdLookup, check_unique, read_ids


@pytest.mark.parametrize(
    "ids",
    [
        [3, -1, 2**62],
        (3, -1, 2**62),
        np.array([3, -1, 2**62]),
        np.array([3, -1, 2**62], dtype=object),
        pd.Series([3, -1, 2**62]),
    ],
)
def test_integers_become_int64(ids):
    found = read_ids(ids)
    assert found.dtype == np.int64
    assert found.tolist() == [3, -1, 2**62]


def test_int64_ids_are_copied():
    ids = np.array([1, 2])
    assert not np.shares_memory(read_ids(ids), ids)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", 1], ["a", 1]),
        (np.array(["a", "bc"]), ["a", "bc"]),
        ([("a", 1), ("b", 2)], [("a", 1), ("b", 2)]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (np.array(["2020-01-01"], "M8[D]"), [np.datetime64("2020-01-01")]),
        ([None], [None]),
    ],
)
def test_labels_become_objects(ids, expected):
    found = read_ids(ids)
    assert found.dtype == object
    assert found.tolist() == expected
    assert [type(label) for label in found] == [type(label) for label in expected]


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ("abc", TypeError, "ids must be a list or an array of ids, got str: 'abc'."),
        (7, TypeError, "ids must be a list or an array of ids, got int: 7."),
        ([1.5, 2.5], TypeError, "not floats, bools or bytes, got 1.5."),
        (np.array([1.0]), TypeError, "not floats, bools or bytes, got 1.0."),
        ([True, 2], TypeError, "not floats, bools or bytes, got True."),
        (
            ["a", ["b"]],
            TypeError,
            "hashable labels such as strings and tuples, but not floats, bools or bytes, got ['b'].",
        ),
        ([2**63], ValueError, "Integer ids must fit int64, got 9223372036854775808."),
        (np.array([2**63], np.uint64), ValueError, "Integer ids must fit int64, got 9223372036854775808."),
        (np.zeros((2, 2), int), ValueError, "ids must have shape (n,), got (2, 2)."),
    ],
)
def test_what_is_no_id_is_refused(ids, error, message):
    with pytest.raises(error, match=re.escape(message)):
        read_ids(ids)


def test_there_must_be_an_id_for_each_code():
    with pytest.raises(ValueError, match="ids must hold one id per code: X has 3, ids has 2"):
        read_ids([1, 2], 3)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([4, 1, 4], "ids must be unique, but 4 is given more than once."),
        ([4, 1, 4, 1, 4], "2 ids (the first of them 1) are given more than once."),
        (["b", "a", "b"], "'b' is given more than once."),
    ],
)
def test_repeated_ids_are_refused(ids, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_unique(read_ids(ids))
    check_unique(read_ids(sorted(set(ids))))


@given(st.lists(st.lists(st.integers(-8, 8), max_size=5), max_size=8), st.booleans(), st.integers(1, 9))
def test_the_last_row_of_an_id_is_found(blocks, labels, max_recent):
    lookup, ids, wanted = IdLookup(), np.empty(0, object if labels else np.int64), read_ids(range(-9, 10))
    if labels:
        wanted = wanted.astype(object)
    usual, _ids._MAX_RECENT = _ids._MAX_RECENT, max_recent
    try:
        for block in blocks:
            ids = np.concatenate([ids, np.array(block, ids.dtype)])
            rows = {label: row for row, label in enumerate(ids.tolist())}
            expected = [rows.get(label, -1) for label in range(-9, 10)]
            assert lookup.find(ids, wanted).tolist() == expected
            assert lookup.find(ids, read_ids(["x", *range(-9, 10)])).tolist() == [-1, *expected]
            alone = [lookup.find(ids, wanted[i : i + 1]) for i in range(len(wanted))]
            assert np.concatenate(alone).tolist() == expected
            assert {rows.dtype.name for rows in alone} == {"int64"}
    finally:
        _ids._MAX_RECENT = usual


def test_one_number_is_found_in_a_prefix_while_later_ids_are_known():
    ids, lookup = np.array([5, 3, 9, 3, 7]), IdLookup()
    lookup.find(ids[:3], ids[:1])
    known = lookup._known  # what a search begins with, before another thread adds codes
    lookup.find(ids, ids[:1])
    assert _ids._find_number(ids[:3], known, np.array([3])).tolist() == [1]
    assert lookup.find(ids[:3], np.array([3])).tolist() == [1]
    assert lookup.find(ids, np.array([3])).tolist() == [3]


def test_ascending_ids_need_no_order():
    ids = np.arange(5000) * 3
    lookup = IdLookup()
    assert lookup.nbytes == 0
    assert lookup.find(ids, np.array([6, 7])).tolist() == [2, -1]
    assert lookup.nbytes == 0
    shuffled = IdLookup()
    assert shuffled.find(ids[::-1], np.array([6, 7])).tolist() == [4997, -1]
    assert shuffled.nbytes == 8 * 5000


class Label:
    """An id whose hash many others have."""

    def __init__(self, name):
        self.name = name

    def __hash__(self):
        return 7

    def __eq__(self, other):
        return isinstance(other, Label) and other.name == self.name


def test_ids_of_one_hash_are_told_apart():
    ids = read_ids([Label(name) for name in range(6)] + ["text"])
    lookup = IdLookup()
    lookup.check_unique(ids)
    wanted = read_ids([Label(4), "text", Label(9), "other", ids[2], Label(0)])
    assert lookup.find(ids, wanted).tolist() == [4, 6, -1, -1, 2, 0]
    with pytest.raises(ValueError, match="must be unique"):
        IdLookup().check_unique(read_ids([Label(1), Label(2), Label(1)]))


def test_the_last_row_of_an_object_counts_in_the_order_too():
    ids = read_ids(["a", "b", "a", "c", "b", "a"])
    assert IdLookup().find(ids, read_ids(["c", "b", "a", "d"])).tolist() == [3, 4, 5, -1]


def test_an_order_of_objects_knows_what_is_appended():
    ids, lookup = read_ids([f"id{i}" for i in range(3000)]), IdLookup()
    lookup.check_unique(ids[:10])
    for n in (10, 11, 2000, 2001, 3000):
        assert lookup.find(ids[:n], ids[:n]).tolist() == list(range(n))
        assert lookup.find(ids[:n], read_ids(["id", "id3001"])).tolist() == [-1, -1]
    assert lookup.nbytes > 2 * 8 * 2000


def test_ids_that_ascend_further_need_no_dictionary():
    ids, lookup = np.arange(0, 300, 3), IdLookup()
    for n in (10, 11, 50, 100):
        assert lookup.find(ids[:n], ids).tolist() == [*range(n), *[-1] * (100 - n)]
    assert lookup.nbytes == 0
    again = np.append(ids, 3)
    assert lookup.find(again, np.array([3, 297])).tolist() == [100, 99]
