import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from skhash.codes import pack_codes
from skhash.metrics import Score, lower_bound_ratio


def by_loops(codes, memberships, percentile):
    """The definition, one distance at a time; `memberships` are the sets of classes of the samples."""
    classes = sorted(set().union(*memberships))
    centers = {}
    for c in classes:
        own = [code for code, member in zip(codes, memberships, strict=True) if c in member]
        centers[c] = [int(2 * sum(column) >= len(own)) for column in zip(*own, strict=True)]

    def distance(a, b):
        return sum(x != y for x, y in zip(a, b, strict=True))

    inter = [distance(centers[a], centers[b]) for a, b in combinations(classes, 2)]
    intra = [
        distance(code, centers[c]) for code, member in zip(codes, memberships, strict=True) for c in sorted(member)
    ]
    # Percentiles of these tests are whole numbers, so this is exact.
    reach = max(d for d in inter if 100 * sum(x >= d for x in inter) >= percentile * len(inter))
    keep = min(d for d in intra if 100 * sum(x <= d for x in intra) >= percentile * len(intra))
    return reach / keep if keep else (np.inf if reach else 0.0)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 25),
    bits=st.sampled_from([1, 2, 7, 64, 65, 130]),
    n_classes=st.integers(2, 6),
    percentile=st.sampled_from([1, 50, 75, 90, 100]),
    tight=st.booleans(),
)
def test_ratio_by_loops(seed, n, bits, n_classes, percentile, tight):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 2, (n, bits))
    y = np.r_[0, 1, rng.integers(0, n_classes, n - 2)]
    multi_hot = (rng.random((n, n_classes)) < 0.4).astype(int)
    multi_hot[0, 0] = multi_hot[1, 1] = 1
    with config_context(working_memory=1e-4 if tight else 1024):
        single = lower_bound_ratio(codes, y, percentile=percentile)
        several = lower_bound_ratio(codes, multi_hot, percentile=percentile)
    assert single == pytest.approx(by_loops(codes.tolist(), [{c} for c in y.tolist()], percentile))
    members = [set(np.flatnonzero(row).tolist()) for row in multi_hot]
    assert several == pytest.approx(by_loops(codes.tolist(), members, percentile))


def test_one_hot_labels_are_single_labels_and_names_do_not_matter():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 2, (90, 70)), rng.integers(0, 3, 90)
    expected = lower_bound_ratio(codes, y)
    assert lower_bound_ratio(codes, np.array(["c", "a", "b"])[y]) == expected
    assert lower_bound_ratio(codes, np.eye(3, dtype=int)[y]) == expected


def test_forms_of_codes():
    rng = np.random.default_rng(1)
    codes, y = rng.integers(0, 2, (40, 70)), rng.integers(0, 3, 40)
    expected = lower_bound_ratio(codes, y)
    for form in (2 * codes - 1, codes.astype(bool), (2.0 * codes - 1).astype(np.float32)):
        assert lower_bound_ratio(form, y) == expected
    assert lower_bound_ratio(pack_codes(codes), y, bits=70) == expected


def test_percentile_leaves_out_nothing_of_up_to_45_centers_and_less_than_1000_codes():
    # 46 classes: 1,035 pairs of centers, one of which may be an outlier; one class lies closer than all others.
    rng = np.random.default_rng(2)
    for n_classes, left_out in ((45, False), (46, True)):
        centers = rng.integers(0, 2, (n_classes, 64))
        centers[1] = centers[0]
        centers[1, 0] ^= 1
        gaps = sorted(int((a != b).sum()) for a, b in combinations(centers, 2))
        codes = np.repeat(centers, 3, axis=0)
        codes[-1, :4] ^= 1
        score = lower_bound_ratio(codes, np.repeat(np.arange(n_classes), 3))
        assert score == gaps[left_out] / 4
        assert lower_bound_ratio(codes, np.repeat(np.arange(n_classes), 3), percentile=100) == gaps[0] / 4


@pytest.mark.parametrize(("n", "expected"), [(999, 8 / 5), (1000, 8 / 2)])
def test_one_code_in_a_thousand_is_an_outlier(n, expected):
    codes = np.zeros((n, 8), dtype=int)
    y = (np.arange(n) >= 500).astype(int)
    codes[y == 1] = 1
    codes[0, :5] = 1
    codes[1, :2] = 1
    assert lower_bound_ratio(codes, y) == expected


def test_codes_on_their_centers_are_infinitely_good_and_equal_codes_worth_nothing():
    assert lower_bound_ratio([[0, 0], [0, 1]], [0, 1]) == np.inf
    assert lower_bound_ratio([[0, 1], [0, 1]], [0, 1]) == 0
    assert lower_bound_ratio([[0, 1], [0, 0], [0, 1], [0, 0]], [0, 0, 1, 1]) == 0


def test_draws_give_bit_one():
    # Majority of 10 and 01 is 11; the other class is 00.
    assert lower_bound_ratio([[1, 0], [0, 1], [0, 0]], [0, 0, 1]) == 2 / 1


def test_label_columns_without_samples_are_no_classes_and_samples_without_labels_do_not_count():
    codes = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]])
    multi_hot = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]])
    assert lower_bound_ratio(codes, multi_hot) == 3 / 1


def test_memory_is_bounded():
    n, n_classes = 20_000, 2_000
    rng = np.random.default_rng(3)
    packed, y = rng.integers(0, 2**64, (n, 2), dtype=np.uint64), np.arange(n) % n_classes
    lower_bound_ratio(packed[:4], y[:4])  # compiles
    with config_context(working_memory=1):
        tracemalloc.start()
        lower_bound_ratio(packed, y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 6 * 2**20  # samples x bits floats are 20 MiB, samples x classes 300, classes x classes 30


def test_the_score_says_what_it_is():
    score = lower_bound_ratio([[0, 0], [0, 1]], [0, 1], percentile=95)
    assert isinstance(score, Score)
    assert score.definition == (
        "least distance of two class centers / largest of a code from its own, 95 % of either counted"
    )


def test_errors():
    codes = np.array([[0, 1], [1, 1], [0, 0]])
    with pytest.raises(ValueError, match="codes are continuous"):
        lower_bound_ratio(codes - 0.5, [0, 0, 1])
    with pytest.raises(ValueError, match=r"a 0 among -1/\+1"):
        lower_bound_ratio([[-1, 0], [1, 1], [1, 1]], [0, 0, 1])
    with pytest.raises(ValueError, match="y must have one row per code, 3, got 2"):
        lower_bound_ratio(codes, [0, 1])
    with pytest.raises(ValueError, match="at least 2 classes with samples, got 1"):
        lower_bound_ratio(codes, [4, 4, 4])
    with pytest.raises(ValueError, match="at least 2 classes with samples, got 1"):
        lower_bound_ratio(codes, [[1, 0], [1, 0], [0, 0]])
    with pytest.raises(ValueError, match="Unknown label type: y is 'continuous'"):
        lower_bound_ratio(codes, [0.5, 0.2, 0.1])
    with pytest.raises(ValueError, match="at least 1 row, got 0"):
        lower_bound_ratio(np.empty((0, 4), dtype=int), [])
    for percentile in (0, 101):
        with pytest.raises(ValueError, match="'percentile' parameter of lower_bound_ratio must be a float in"):
            lower_bound_ratio(codes, [0, 0, 1], percentile=percentile)
