"""Which items have which value, and how many before, against numpy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.bitops import tabulate_values


def tabulate(values, start, n_words, n_values, given):
    """What `tabulate_values` should tell, as (n_words, n_values) and (n_words + 1, n_values)."""
    has = values[start : start + 64 * n_words, None] == np.arange(n_values)
    words = has.reshape(n_words, 64, n_values)
    members = (words * (np.uint64(1) << np.arange(64, dtype=np.uint64))[:, None]).sum(axis=1, dtype=np.uint64)
    return members, np.vstack([given, given + words.sum(axis=1).cumsum(axis=0)])


@settings(deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16, np.uint32]),
    st.integers(1, 12),
    st.integers(0, 130),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
)
def test_against_numpy(dtype, eights, start, n_words, seed):
    rng = np.random.default_rng(seed)
    n_values = 8 * eights
    values = rng.integers(0, n_values, start + 64 * n_words).astype(dtype)
    before = rng.integers(0, 2**40, n_values)
    members, earlier = np.zeros(n_words * n_values, np.uint64), np.zeros((n_words + 1) * n_values, np.int64)
    earlier[:n_values] = before
    tabulate_values(values, start, n_words, n_values, members, earlier)
    expected = tabulate(values, start, n_words, n_values, before)
    np.testing.assert_array_equal(members.reshape(n_words, n_values), expected[0])
    np.testing.assert_array_equal(earlier.reshape(n_words + 1, n_values), expected[1])


@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 0), (np.uint8, 255), (np.uint16, 256), (np.uint16, 1023)])
def test_one_value(dtype, value):
    n_values = value // 8 * 8 + 8
    values = np.full(128, value, dtype)
    members, earlier = np.zeros(2 * n_values, np.uint64), np.zeros(3 * n_values, np.int64)
    tabulate_values(values, 0, 2, n_values, members, earlier)
    members, earlier = members.reshape(2, n_values), earlier.reshape(3, n_values)
    assert (members[:, value] == 2**64 - 1).all()
    assert earlier[:, value].tolist() == [0, 64, 128]
    assert np.delete(members, value, axis=1).sum() == np.delete(earlier, value, axis=1).sum() == 0
