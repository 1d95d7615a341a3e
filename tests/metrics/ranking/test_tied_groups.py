"""Rankings known up to ties against all orders of the ties."""

from itertools import chain, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma

from skhash.metrics.ranking._tied_groups import (
    EXPECTED,
    OPTIMISTIC,
    PESSIMISTIC,
    TIE_ORDERS,
    _reciprocals,
    harmonic_numbers,
    spread_tied_hits,
    sum_tied_precisions,
    tied_hits_within,
)

groups_of_ranking = st.lists(
    st.integers(0, 4).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=4
)


def orders_of(groups, ties):
    """Every ranking of flags that an order of ties admits."""
    flags = [[1] * r + [0] * (n - r) for n, r in groups]
    if ties == PESSIMISTIC:
        flags = [group[::-1] for group in flags]
    orders = [sorted(set(permutations(group))) if ties == EXPECTED else [group] for group in flags]
    return np.array([list(chain(*order)) for order in product(*orders)])


def as_arrays(groups):
    return tuple(np.array(groups).T[:, None])


@given(groups=groups_of_ranking, ties=st.sampled_from(list(TIE_ORDERS)), R=st.integers(1, 18))
@settings(max_examples=200, deadline=None)
def test_equals_the_mean_over_all_orders(groups, ties, R):
    ties = TIE_ORDERS[ties]
    orders, arrays = orders_of(groups, ties), as_arrays(groups)
    ranks = np.arange(1, orders.shape[1] + 1)
    sums, hits = sum_tied_precisions(*arrays, R, ties, harmonic_numbers(R))
    precisions = orders * orders.cumsum(axis=1) / ranks
    assert sums[0] == pytest.approx(precisions[:, :R].sum(axis=1).mean(), abs=1e-12)
    assert hits[0] == pytest.approx(orders[:, :R].sum(axis=1).mean(), abs=1e-12)
    cutoffs = np.arange(1, len(ranks) + 2)
    expected = [orders[:, :cutoff].sum(axis=1).mean() for cutoff in cutoffs]
    np.testing.assert_allclose(tied_hits_within(*arrays, cutoffs, ties)[0], expected, atol=1e-12)
    steps = np.zeros(len(ranks) + 1)
    spread_tied_hits(*arrays, ties, np.array([3.0]), steps)
    np.testing.assert_allclose(steps.cumsum(), [*3 * orders.mean(axis=0), 0], atol=1e-12)


def test_several_rankings_are_apart_and_weights_add_up():
    counts, relevant = np.array([[2, 1], [0, 3], [1, 2]]), np.array([[1, 0], [0, 3], [0, 0]])
    sums, hits = sum_tied_precisions(counts, relevant, 3, OPTIMISTIC, harmonic_numbers(3))
    np.testing.assert_allclose(sums, [1, 3, 0])
    assert hits.tolist() == [1, 3, 0]
    assert tied_hits_within(counts, relevant, np.array([1, 2]), EXPECTED).tolist() == [[0.5, 1], [1, 2], [0, 0]]
    steps = np.zeros(4)
    spread_tied_hits(counts, relevant, EXPECTED, np.array([2.0, 10, 100]), steps)
    np.testing.assert_allclose(steps.cumsum(), [11, 11, 10, 0])


def test_table_of_harmonic_numbers():
    table = harmonic_numbers(5)
    np.testing.assert_allclose(table, [0, 1, 3 / 2, 11 / 6, 25 / 12, 137 / 60])
    assert len(harmonic_numbers(10**9)) == 2**16 + 1


@pytest.mark.parametrize("n", [1, 2, 1000, 2**16 - 1, 2**16, 2**16 + 1, 70_000, 10**6, 10**9, 2**31, 2**32 + 1, 10**12])
def test_harmonic_numbers_equal_those_of_scipy(n):
    expected = digamma(n + 1) - digamma(1)
    assert _reciprocals(harmonic_numbers(n), 0, n) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("first", [0, 100, 2**16 - 2, 2**16 - 1, 2**16, 2**16 + 1, 10**6, 10**9, 2**31])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 50, 100_000])
def test_short_runs_far_down_a_ranking(first, length):
    expected = float(np.sum(1 / np.arange(first + 1, first + length + 1, dtype=np.longdouble)))
    tolerance = 1e-12 if first >= 2**16 else 1e-10  # differences of sums in a table lose digits
    assert _reciprocals(harmonic_numbers(2**40), first, first + length) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("ties", list(TIE_ORDERS))
@pytest.mark.parametrize("before", [10, 10**5, 10**7, 10**9, 2**31])
def test_one_relevant_item_behind_many(ties, before):
    counts, relevant = np.array([[before, 1]]), np.array([[0, 1]])
    sums, hits = sum_tied_precisions(counts, relevant, before + 1, TIE_ORDERS[ties], harmonic_numbers(before + 1))
    assert sums[0] == pytest.approx(1 / (before + 1), rel=1e-6)
    assert hits[0] == 1


@pytest.mark.parametrize("R", [1, 70_000, 150_000, 400_000])
def test_expected_sum_of_long_rankings_by_the_sum_over_ranks(R):
    # methods.md 11.1, rank by rank.
    rng = np.random.RandomState(0)
    counts = rng.multinomial(400_000, rng.dirichlet(np.ones(17)))
    relevant = rng.binomial(counts, 0.1)
    total = mean_hits = before = hits = 0.0
    for n, r in zip(counts, relevant, strict=True):
        j = np.arange(1, max(0, min(n, R - before)) + 1)
        total += r / n * np.sum((hits + 1 + (j - 1) * (r - 1) / (n - 1)) / (before + j))
        mean_hits += r / n * len(j)
        before, hits = before + n, hits + r
    got = sum_tied_precisions(counts[None], relevant[None], R, EXPECTED, harmonic_numbers(R))
    np.testing.assert_allclose(np.ravel(got), [total, mean_hits], rtol=1e-11)
