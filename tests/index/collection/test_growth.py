import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skhash.index.collection._growth import append


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20))
def test_appended_rows_are_those_of_a_concatenation(sizes):
    rows, room, seen = np.arange(4, dtype=np.uint64).reshape(2, 2), None, []
    whole = [rows]
    for size in sizes:
        new = np.full((size, 2), len(whole), np.uint64)
        whole.append(new)
        seen.append((rows, rows.copy()))
        rows, room = append(rows, new, room)
        np.testing.assert_array_equal(rows, np.concatenate(whole))
    for earlier, copy in seen:
        np.testing.assert_array_equal(earlier, copy)


def test_single_rows_are_copied_seldom():
    rows, room, rooms = np.zeros((1, 1)), None, set()
    for _ in range(1000):
        rows, room = append(rows, np.ones((1, 1)), room)
        rooms.add(len(room))
    assert len(rooms) <= 12


def test_the_first_rows_are_never_written_to():
    given_rows = np.zeros((4, 1))
    append(given_rows[:2], np.ones((1, 1)))
    assert not given_rows.any()
