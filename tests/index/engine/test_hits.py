import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.index.engine import _hits
from skhash.index.engine._hits import drop_rows, merge_hits, prepend


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(_hits, "_AT_ONCE", 3)


def make_hits(rng, n_queries, n_rows):
    distances = rng.integers(0, 4, (n_queries, n_rows))
    found = [[(d, row) for row, d in enumerate(some) if d < 3] for some in distances.tolist()]
    return [sorted(some) for some in found]


def as_arrays(hits):
    counts = np.array([len(some) for some in hits], np.int64)
    flat = np.array([hit for some in hits for hit in some], np.int64).reshape(-1, 2)
    return counts, flat[:, 0].astype(np.int32), flat[:, 1].copy()


def as_lists(answer):
    return [array.tolist() for array in answer]


cases = given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 9), st.integers(0, 5))
thorough = settings(max_examples=100, deadline=None)


@cases
@thorough
def test_hits_in_later_codes_are_merged(seed, n_queries, n_rows, n_later):
    rng = np.random.default_rng(seed)
    hits, later = make_hits(rng, n_queries, n_rows), make_hits(rng, n_queries, n_later)
    both = zip(hits, later, strict=True)
    expected = [sorted([*some, *((d, row + n_rows) for d, row in more)]) for some, more in both]
    merged = merge_hits(as_arrays(hits), as_arrays(later), n_rows)
    assert as_lists(merged) == as_lists(as_arrays(expected))
    assert [array.dtype.name for array in merged] == ["int64", "int32", "int64"]


@given(st.integers(0, 10), st.integers(0, 10), st.booleans())
@thorough
def test_values_are_put_before_others(n, n_first, is_view):
    values = np.arange(n + 1)[:n] if is_view else np.arange(n)
    assert prepend(values, np.arange(-n_first, 0)).tolist() == [*range(-n_first, 0), *range(n)]


@cases
@thorough
def test_a_row_of_each_query_is_dropped_where_it_was_found(seed, n_queries, n_rows, n_beyond):
    rng = np.random.default_rng(seed)
    hits, own = make_hits(rng, n_queries, n_rows), rng.integers(0, n_rows + n_beyond + 1, n_queries)
    expected = [[hit for hit in some if hit[1] != row] for some, row in zip(hits, own, strict=True)]
    assert as_lists(drop_rows(*as_arrays(hits), own)) == as_lists(as_arrays(expected))
