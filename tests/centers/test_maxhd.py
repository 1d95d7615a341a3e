import numpy as np
import pytest

from skhash.centers import bernoulli_centers, maxhd_centers, min_distance


def by_algorithm_3(n_classes, bits, seed):
    """Algorithm 3 of the paper, code by code, from the same draws; also the last threshold in percent."""
    random_state = np.random.RandomState(seed)
    kept, rejected, percent = [], 0, 61
    while len(kept) < n_classes:
        for row in bernoulli_centers(512, bits, random_state).tolist():
            if len(kept) == n_classes:
                break
            code = sum(1 << k for k, entry in enumerate(row) if entry == 1)
            if all(100 * (code ^ other).bit_count() >= percent * bits for other in kept):
                kept.append(code)
                continue
            rejected += 1
            if rejected == 10_000:
                rejected, percent = 0, percent - 1
    centers = np.array([[1 if code >> k & 1 else -1 for k in range(bits)] for code in kept], np.int8)
    return random_state.permutation(centers), percent


@pytest.mark.parametrize(("n_classes", "bits", "seed"), [(8, 16, 0), (6, 16, 1), (5, 50, 2)])
def test_equals_an_explicit_loop(n_classes, bits, seed):
    expected, percent = by_algorithm_3(n_classes, bits, seed)
    assert percent < 61
    np.testing.assert_array_equal(maxhd_centers(n_classes, bits, seed), expected)


# Specification 3.3, corrected by 18: the result depends on the seed, one bit of slack.
@pytest.mark.parametrize(
    ("n_classes", "bits", "at_least"),
    [(10, 16, 6), (21, 16, 5), (100, 16, 4), (10, 32, 14), (21, 32, 13), (100, 32, 10), (10, 48, 22), (21, 48, 21)]
    + [(100, 48, 17), (10, 64, 30), (21, 64, 28), (100, 64, 25)],
)
def test_the_published_distance(n_classes, bits, at_least):
    assert min_distance(maxhd_centers(n_classes, bits, random_state=0)) >= at_least


def test_better_than_bernoulli():
    for seed in range(5):
        assert min_distance(maxhd_centers(10, 32, seed)) > min_distance(bernoulli_centers(10, 32, seed))


def test_codes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"found only \d+ of n_classes=200 codes of bits=8 bits"):
        maxhd_centers(200, 8, random_state=0)


def test_more_classes_than_can_be_compared():
    with pytest.raises(ValueError, match="takes too long for n_classes=1000000 and bits=64"):
        maxhd_centers(1_000_000, 64)
