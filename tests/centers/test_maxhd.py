import pytest

from skhash.centers import bernoulli_centers, maxhd_centers, min_distance


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
    with pytest.raises(ValueError, match=r"n_classes=200 codes of bits=8 bits do not fit"):
        maxhd_centers(200, 8, random_state=0)


def test_more_classes_than_can_be_compared():
    with pytest.raises(ValueError, match="takes too long for n_classes=1000000 and bits=64"):
        maxhd_centers(1_000_000, 64)
