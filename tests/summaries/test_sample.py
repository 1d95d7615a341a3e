import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.summaries import Sample, _sample


def sample_of(X, cuts, size, seed=0):
    sample = Sample.empty(size, np.random.RandomState(seed))
    for rows in np.split(X, sorted(cuts)):
        sample = sample.extended(rows)
    return sample.rows


@given(cuts=st.sets(st.integers(1, 59), max_size=5), size=st.none() | st.integers(1, 70))
def test_chunks_do_not_matter_and_rows_keep_their_order(cuts, size):
    X = np.arange(120).reshape(60, 2)
    rows = sample_of(X, cuts, size)
    np.testing.assert_array_equal(rows, sample_of(X, [], size))
    assert len(rows) == min(size or 60, 60)
    assert (np.diff(rows[:, 0]) > 0).all()
    np.testing.assert_array_equal(rows[:, 1], rows[:, 0] + 1)


def test_every_row_is_as_likely_as_any_other():
    X = np.arange(10)[:, None]
    counts = np.zeros(10)
    for seed in range(500):
        counts[sample_of(X, [4, 5], 3, seed)[:, 0]] += 1
    np.testing.assert_allclose(counts / 500, 0.3, atol=4 * np.sqrt(0.3 * 0.7 / 500))


def test_keys_are_drawn_block_by_block(monkeypatch):
    X = np.arange(1000)[:, None]
    whole = sample_of(X, [], 20)
    monkeypatch.setattr(_sample, "_KEYS", 64)
    np.testing.assert_array_equal(sample_of(X, [], 20), whole)


def test_rows_are_copies():
    X = np.arange(10.0)[:, None]
    rows = sample_of(X, [], None)
    X[:] = 0
    np.testing.assert_array_equal(rows[:, 0], np.arange(10))


def test_the_generator_that_was_given_is_used_once():
    mine = np.random.RandomState(0)
    sample = Sample.empty(3, mine)
    state = repr(mine.get_state())
    first, second = sample.extended(np.arange(9)[:, None]), sample.extended(np.arange(9)[:, None])
    assert repr(mine.get_state()) == state
    np.testing.assert_array_equal(first.rows, second.rows)
    assert sample.rows is None


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_rows_keep_their_type(dtype):
    assert sample_of(np.ones((5, 2), dtype), [2], 3).dtype == dtype
