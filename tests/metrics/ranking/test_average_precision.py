from itertools import chain, groupby, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from skhash.metrics import average_precision

RELEVANT = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]
DISTANCES = [0, 1, 1, 1, 2, 2, 3, 3, 3, 3]

short_lists = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=6)


def sum_and_hits(ranked, R):
    """The definition: precision at the rank of every relevant item among the first R."""
    total, hits = 0.0, 0
    for rank, relevant in enumerate(ranked[:R], start=1):
        if relevant:
            hits += 1
            total += hits / rank
    return total, hits


def divisor(denominator, hits, n_relevant, R):
    return {"top": hits, "total": n_relevant, "min": min(R, n_relevant)}[denominator]


def all_orders(items):
    """Every ranking of (distance, relevant) pairs that the distances allow, as lists of relevance flags."""
    groups = [list(group) for _, group in groupby(sorted(items), key=lambda item: item[0])]
    for order in product(*(permutations(group) for group in groups)):
        yield [relevant for _, relevant in chain(*order)]


def cuts_a_group(items, R):
    distances = sorted(distance for distance, _ in items)
    return len(items) > R and distances[R - 1] == distances[R]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"R": 5}, 0.805556),
        ({"R": 5, "denominator": "total"}, 0.483333),
        ({"R": 5, "denominator": "min"}, 0.483333),
        ({}, 0.697619),
        ({"distances": DISTANCES, "ties": "expected"}, 0.757606),
    ],
)
def test_golden(options, expected):
    assert average_precision(RELEVANT, **options) == pytest.approx(expected, abs=1e-6)


@given(items=short_lists, R=st.integers(1, 7), denominator=st.sampled_from(["top", "total", "min"]))
@settings(max_examples=60, deadline=None)
def test_tie_options_are_statistics_of_all_orders(items, R, denominator):
    distances, relevant = zip(*items, strict=True)
    results = [sum_and_hits(order, R) for order in all_orders(items)]
    every = [s / divisor(denominator, hits, sum(relevant), R) if hits else 0.0 for s, hits in results]
    got = {
        ties: average_precision(relevant, distances, R=R, denominator=denominator, ties=ties, random_state=0)
        for ties in ("expected", "optimistic", "pessimistic", "stable", "random")
    }
    assert min(abs(got["stable"] - ap) for ap in every) < 1e-12
    assert min(abs(got["random"] - ap) for ap in every) < 1e-12
    if denominator == "top" and cuts_a_group(items, R):
        # The documented approximation: a ratio of means instead of a mean of ratios.
        sums, hits = np.mean(results, axis=0)
        assert got["expected"] == pytest.approx(sums / hits if hits else 0.0, abs=1e-12)
    else:
        assert got["expected"] == pytest.approx(np.mean(every), abs=1e-12)
        assert got["optimistic"] == pytest.approx(max(every), abs=1e-12)
        assert got["pessimistic"] == pytest.approx(min(every), abs=1e-12)


@given(
    items=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), min_size=1, max_size=40),
    R=st.integers(1, 45),
    denominator=st.sampled_from(["total", "min"]),
)
@settings(deadline=None)
def test_pessimistic_expected_optimistic(items, R, denominator):
    distances, relevant = zip(*items, strict=True)
    low, middle, high = (
        average_precision(relevant, distances, R=R, denominator=denominator, ties=ties)
        for ties in ("pessimistic", "expected", "optimistic")
    )
    assert low <= middle + 1e-12
    assert middle <= high + 1e-12


def test_top_denominator_can_punish_one_more_hit():
    # Rank 1 is relevant; ranks 6 and 7 are tied and the cut lies between them.
    relevant, distances = [1, 0, 0, 0, 0, 1, 0], [0, 1, 1, 1, 1, 2, 2]
    assert average_precision(relevant, distances, R=6, ties="pessimistic") == 1.0
    assert average_precision(relevant, distances, R=6, ties="optimistic") == pytest.approx((1 + 2 / 6) / 2)


@given(relevant=st.lists(st.integers(0, 1), min_size=1, max_size=30), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_equals_sklearn_without_ties(relevant, seed):
    distances = np.random.RandomState(seed).permutation(len(relevant))
    reference = average_precision_score(relevant, -distances) if any(relevant) else 0.0
    for ties in ("stable", "expected", "optimistic", "pessimistic", "random"):
        got = average_precision(relevant, distances, denominator="total", ties=ties)
        assert got == pytest.approx(reference, abs=1e-12)


def test_stable_is_the_order_given():
    assert average_precision([0, 1], [3, 3]) == 0.5
    assert average_precision([1, 0], [3, 3]) == 1.0
    assert average_precision([0, 1], [3, 2]) == 1.0


def test_random_is_drawn_from_random_state():
    relevant, distances = [0, 1] * 10, [0] * 20
    draws = [average_precision(relevant, distances, ties="random", random_state=seed) for seed in range(200)]
    assert draws[7] == average_precision(relevant, distances, ties="random", random_state=7)
    assert len(set(draws)) > 100
    assert np.mean(draws) == pytest.approx(average_precision(relevant, distances, ties="expected"), abs=0.03)


def test_n_relevant_beyond_the_list():
    assert average_precision([1, 0, 1], n_relevant=4, denominator="total") == pytest.approx((1 + 2 / 3) / 4)
    assert average_precision([1, 0, 1], n_relevant=4, denominator="min") == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision([1, 0, 1], n_relevant=4) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([0, 0], n_relevant=4, denominator="total") == 0.0


def test_closed_form_holds_for_long_lists():
    relevant = (np.arange(200_000) % 7 == 0).astype(int)
    distances = np.arange(200_000) // 5_000
    hits, total, before = 0, 0.0, 0
    for start in range(0, 200_000, 5_000):
        n, r = 5_000, int(relevant[start : start + 5_000].sum())
        j = np.arange(1, n + 1)
        total += r / n * np.sum((hits + 1 + (j - 1) * (r - 1) / (n - 1)) / (before + j))
        hits, before = hits + r, before + n
    assert average_precision(relevant, distances, ties="expected") == pytest.approx(total / hits, rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"relevant": []}, r"relevant must be a non-empty 1-D array of 0 / 1, got shape \(0,\)"),
        ({"relevant": [[1, 0]]}, r"got shape \(1, 2\)"),
        ({"relevant": [1, 2]}, "relevant must contain only 0 and 1"),
        ({"relevant": ["a", "b"]}, "relevant must contain only 0 and 1"),
        ({"relevant": [1, 0], "distances": [1]}, r"distances must have shape \(2,\), .* got shape \(1,\)"),
        ({"relevant": [1, 0], "distances": [1, np.nan]}, "distances must be numbers without NaN"),
        ({"relevant": [1, 1], "n_relevant": 1}, "n_relevant must be >= 2, the relevant items in relevant, got 1"),
        (
            {"relevant": [1, 0], "R": 0},
            r"The 'R' parameter of average_precision must be an int in the range \[1, inf\)",
        ),
        ({"relevant": [1, 0], "ties": "fair"}, "The 'ties' parameter of average_precision must be a str among"),
        ({"relevant": [1, 0], "denominator": "R"}, "The 'denominator' parameter of average_precision must be"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        average_precision(**arguments)
