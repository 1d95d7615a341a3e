import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import pack_codes
from skhash.metrics._kernels import histograms, stable_sums


@st.composite
def searches(draw):
    """Arguments of the kernels up to `bits`, in the kernels' layout, and what numpy needs for the same."""
    rng = np.random.RandomState(draw(st.integers(0, 10_000)))
    n_queries, n, bits = draw(st.integers(1, 5)), draw(st.integers(1, 12)), draw(st.sampled_from([1, 3, 64, 65, 130]))
    base = rng.randint(0, 2, bits)
    queries, database = (base ^ (rng.rand(rows, bits) < 3 / bits) for rows in (n_queries, n))
    distance = (queries[:, None] != database[None]).sum(axis=2)
    multilabel = draw(st.booleans())
    if multilabel:
        hot = [(rng.rand(rows, 70) < 0.05).astype(np.uint8) for rows in (n_queries, n)]
        labels, database_labels = (pack_codes(side) for side in hot)
        relevant = (hot[0].astype(int) @ hot[1].T) > 0
    else:
        labels, database_labels = (rng.randint(0, 3, (rows, 1)).astype(np.uint64) for rows in (n_queries, n))
        relevant = labels == database_labels.T
    own = rng.randint(-1, n, n_queries)
    columns = (np.ascontiguousarray(words.T) for words in (pack_codes(database), database_labels))
    return (pack_codes(queries), labels, *columns, multilabel, own, bits), distance, relevant


def scratch(arguments):
    return np.empty(arguments[2].shape[1], dtype=np.min_scalar_type(arguments[-1] + 1))


@given(search=searches())
@settings(max_examples=60, deadline=None)
def test_histograms(search):
    arguments, distance, relevant = search
    own, bits = arguments[-2:]
    counts, of_them_relevant = histograms(*arguments, scratch(arguments))
    for q in range(len(own)):
        others = np.arange(distance.shape[1]) != own[q]
        np.testing.assert_array_equal(counts[q], np.bincount(distance[q, others], minlength=bits + 1))
        wanted = distance[q, others & relevant[q]]
        np.testing.assert_array_equal(of_them_relevant[q], np.bincount(wanted, minlength=bits + 1))


@given(search=searches(), R=st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_stable_sums(search, R):
    arguments, distance, relevant = search
    own = arguments[-2]
    R = min(R, distance.shape[1] - 1) if (own >= 0).any() else R
    sums, hits, total = stable_sums(*arguments, R, scratch(arguments))
    for q in range(len(own)):
        others = np.flatnonzero(np.arange(distance.shape[1]) != own[q])
        ranked = relevant[q, others[np.argsort(distance[q, others], kind="stable")]]
        top = ranked[:R]
        assert sums[q] == pytest.approx(np.sum(top * np.cumsum(top) / np.arange(1, len(top) + 1)), abs=1e-12)
        assert hits[q] == top.sum()
        assert total[q] == ranked.sum()
