"""The first ranks by a search against those of a ranking of the whole database."""

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.metrics import mean_average_precision, ndcg, precision_at_k, recall_at_k
from skhash.metrics.ranking import _nearest
from skhash.metrics.ranking._nearest import nearest_rows
from skhash.metrics.ranking._relevance import SharedLabelRelevance, distinct_rows

NEVER, ALWAYS = 10**9, 1


def both_ways(metric, *args, **kwargs):
    """Compute a score by a search, and by a ranking of the whole database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_nearest, "_SHARE", ALWAYS)
        by_search = metric(*args, **kwargs)
        patch.setattr(_nearest, "_SHARE", NEVER)
        return by_search, metric(*args, **kwargs)


@given(
    data=st.data(),
    k=st.integers(1, 14),
    denominator=st.sampled_from(["top", "total", "min"]),
    gain=st.sampled_from(["exponential", "linear"]),
    ties=st.sampled_from(["stable", "random"]),
    n_jobs=st.sampled_from([None, 2]),
)
@settings(max_examples=150, deadline=None)
def test_search_and_ranking_agree(brute, data, k, denominator, gain, ties, n_jobs):
    case = data.draw(brute.cases(max_items=15))
    k = min(k, len(case.database) - case.exclude_self)
    options = {"exclude_self": case.exclude_self, "n_jobs": n_jobs}
    order = {"ties": ties, "random_state": 3}
    for metric in (precision_at_k, recall_at_k):
        by_search, by_ranking = both_ways(metric, *case.sides, k, **order, **options)
        assert by_search.per_query.tolist() == by_ranking.per_query.tolist()
    by_search, by_ranking = both_ways(
        mean_average_precision, *case.sides, R=k, denominator=denominator, **order, **options
    )
    assert by_search.per_query.tolist() == by_ranking.per_query.tolist()
    by_search, by_ranking = both_ways(ndcg, *case.sides, R=k, gain=gain, **options)
    np.testing.assert_allclose(by_search.per_query, by_ranking.per_query, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("n_labels", [0, 5, 90])
def test_few_of_many_items(exclude_self, n_labels):
    rng = np.random.default_rng(0)
    database = rng.integers(0, 2, (40, 70))[rng.integers(0, 40, 900)]  # many equal codes
    labels = (rng.random((900, n_labels)) < 0.1).astype(int) if n_labels else rng.integers(0, 9, 900)
    queries = database if exclude_self else database[:50] ^ (rng.random((50, 70)) < 0.1)
    sides = queries, database, labels[: len(queries)], labels
    for metric, options in ((precision_at_k, {"k": 20}), (recall_at_k, {"k": 20}), (ndcg, {"R": 20})):
        with sklearn.config_context(working_memory=0.01):  # several batches
            by_search, by_ranking = both_ways(metric, *sides, exclude_self=exclude_self, **options)
        np.testing.assert_allclose(by_search.per_query, by_ranking.per_query, rtol=1e-12)
        plain = metric(*sides, exclude_self=exclude_self, **options)
        assert plain.per_query.tolist() == by_search.per_query.tolist()


def test_own_row_behind_equal_codes():
    codes = np.zeros((6, 1), np.uint64)
    ((_, rows),) = nearest_rows(codes, codes, 64, np.arange(6), 2, None)
    assert rows.tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 1]]


@pytest.mark.parametrize("n_words", [1, 2, 3])
def test_distinct_rows(n_words):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4, (500, n_words)).astype(np.uint64) << np.uint64(61)
    found, sizes = distinct_rows(rows)
    expected = np.unique(rows, axis=0, return_counts=True)
    order = np.lexsort(found.T[::-1])
    assert found[order].tolist() == expected[0].tolist()
    assert sizes[order].tolist() == expected[1].tolist()


def test_totals_of_shared_labels():
    rng = np.random.default_rng(0)
    items = rng.integers(0, 2**4, (300, 2)).astype(np.uint64) & rng.integers(0, 2**4, (300, 2)).astype(np.uint64)
    relevance = SharedLabelRelevance(items[:40], items)
    assert relevance.totals().tolist() == [int((items & query).any(axis=1).sum()) for query in items[:40]]
