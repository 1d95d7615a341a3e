"""Removals of a collection that grows: each object stays as it is, whatever is removed or read after it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.index.collection import _removals
from skhash.index.collection._removals import Removals


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_object_equals_a_set_whenever_it_is_read(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, removals, dead = 40, Removals(), frozenset()
    history = [(removals, dead, n)]

    def check(item):
        removals, dead, n = item
        rows = rng.integers(0, n, 8)
        assert removals.are_live(rows).tolist() == [row not in dead for row in rows.tolist()]
        assert [removals.are_live(rows[i : i + 1]).tolist() for i in range(8)] == [[r not in dead] for r in rows]
        mask = removals.mask(n)
        assert np.flatnonzero(~mask).tolist() == sorted(dead)
        assert len(mask) == n

    for _ in range(data.draw(st.integers(1, 12))):
        kind = data.draw(st.sampled_from(["add", "remove", "remove", "read", "read old"]))
        if kind == "add":
            n += data.draw(st.integers(1, 30))
            history.append((removals, dead, n))
        elif kind == "remove":
            live = np.array(sorted(set(range(n)) - dead))
            rows = rng.choice(live, min(len(live), data.draw(st.integers(1, 4))), replace=False)
            removals, dead = removals.with_rows(rows, n), dead | set(rows.tolist())
            history.append((removals, dead, n))
        else:
            check(history[-1] if kind == "read" else data.draw(st.sampled_from(history)))
    for item in history:
        check(item)


def test_many_removals_go_to_a_mask_at_once(monkeypatch):
    monkeypatch.setattr(_removals, "_FEW", 3)
    first = Removals().with_rows(np.array([1, 2]), 10)
    second = first.with_rows(np.array([4, 5]), 10)
    assert np.flatnonzero(~second.mask(10)).tolist() == [1, 2, 4, 5]
    assert np.flatnonzero(~first.mask(10)).tolist() == [1, 2]


def test_an_interrupted_removal_leaves_nothing_behind():
    first = Removals().with_rows(np.array([1]), 6)
    first.with_rows(np.array([2, 3]), 6)  # its caller was interrupted, and never kept it
    again = first.with_rows(np.array([4]), 6)
    rows = np.arange(6)
    assert again.are_live(rows).tolist() == [True, False, True, True, False, True]
    assert first.are_live(rows).tolist() == [True, False, True, True, True, True]
    assert np.flatnonzero(~again.mask(6)).tolist() == [1, 4]


@pytest.mark.parametrize("n_added", [1, 5, 100])
def test_a_mask_has_room_and_is_not_written_to(n_added):
    removals = Removals().with_rows(np.array([0]), 8)
    before = removals.mask(8)
    after = removals.mask(8 + n_added)
    assert before.tolist() == [False] + [True] * 7
    assert after.tolist() == [False] + [True] * (7 + n_added)
    removals.with_rows(np.array([8]), 8 + n_added).mask(8 + n_added)
    assert after[8]
