"""Scans of the distinct codes give what scans of all codes give."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.index.scan._distinct import DistinctCodes, distinct_share
from skhash.index.scan._scan import nearest, within


def draw_codes(seed, n, n_words, n_values):
    """Codes of which few words differ, and those in few bits."""
    return np.random.default_rng(seed).integers(0, n_values, (n, n_words), dtype=np.uint64)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 1500), st.integers(1, 3), st.sampled_from([1, 2, 9, 300]),
    st.integers(1, 1500), st.integers(0, 6),
)  # fmt: skip
def test_same_as_the_scan(seed, n, n_words, n_values, k, radius):
    codes = draw_codes(seed, n, n_words, n_values)
    queries = draw_codes(seed + 1, 5, n_words, 2 * n_values)
    distinct = DistinctCodes(codes)
    for answer, expected in (
        (distinct.nearest(queries, min(k, n)), nearest(codes, queries, min(k, n))),
        (distinct.within(queries, radius), within(codes, queries, radius)),
    ):
        assert [part.tolist() for part in answer] == [part.tolist() for part in expected]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 1000), st.integers(1, 3), st.sampled_from([1, 3, 40, 2**60]))
def test_distinct_codes_by_first_row_with_all_their_rows(seed, n, n_words, n_values):
    codes = draw_codes(seed, n, n_words, n_values)
    distinct = DistinctCodes(codes)
    rows_of = {}
    for row, code in enumerate(map(tuple, codes.tolist())):
        rows_of.setdefault(code, []).append(row)
    assert list(map(tuple, distinct.codes.tolist())) == list(rows_of)
    rows = np.split(distinct.rows, distinct.ends[1:-1])
    assert [part.tolist() for part in rows] == list(rows_of.values())
    assert distinct.nbytes == distinct.codes.nbytes + 4 * n + 8 * (len(rows_of) + 1)
    assert distinct_share(codes) == len(rows_of) / n


def test_distinct_share_of_many_codes_is_estimated():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, 40_000, dtype=np.uint64)
    codes = values[rng.integers(0, len(values), 100_000), None]
    assert abs(distinct_share(codes) - len(np.unique(codes)) / len(codes)) < 0.02
    assert distinct_share(np.arange(100_000, dtype=np.uint64)[:, None]) == 1


def test_no_codes():
    assert distinct_share(np.empty((0, 2), np.uint64)) == 1
