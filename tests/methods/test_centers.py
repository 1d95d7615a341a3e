import numpy as np
import pytest

from skhash import CSQHasher, DPNHasher, OrthoHasher
from skhash.centers import CENTER_METHODS, class_centers, make_hash_centers, min_distance, orthogonality

all_methods = pytest.mark.parametrize("hasher", [CSQHasher, DPNHasher, OrthoHasher])


def quick(hasher, **options):
    return hasher(**{"bits": 32, "max_epochs": 1, "random_state": 0, **options})


@all_methods
def test_attributes_are_what_they_say(hasher, digits):
    fitted = quick(hasher, max_epochs=10).fit(digits.X, digits.y)
    assert set(np.unique(fitted.centers_)) == {-1, 1}
    assert fitted.centers_.shape == fitted.class_centers_.shape == (10, 32)
    assert fitted.min_distance_ == min_distance(fitted.centers_)
    one_hot = digits.y[:, None] == np.arange(10)
    np.testing.assert_array_equal(fitted.class_centers_, class_centers(fitted.transform(digits.X), one_hot, 10))
    assert fitted.orthogonality_ == orthogonality(fitted.class_centers_)
    # Trained codes gather at their centers.
    assert (fitted.class_centers_ == fitted.centers_).mean() > 0.9


@pytest.mark.parametrize("method", CENTER_METHODS)
def test_every_kind_of_centers(method, digits):
    fitted = quick(DPNHasher, centers=method).fit(digits.X, digits.y)
    # A fit draws one number for weights and batches first.
    random_state = np.random.RandomState(0)
    random_state.randint(2**31 - 1)
    np.testing.assert_array_equal(fitted.centers_, make_hash_centers(10, 32, method=method, random_state=random_state))


@all_methods
def test_a_class_that_has_not_come_yet_has_its_place(hasher, digits):
    some = digits.y < 7
    fitted = quick(hasher).partial_fit(digits.X[some], digits.y[some], classes=np.arange(10))
    assert fitted.class_centers_.shape == fitted.centers_.shape == (10, 32)
    expected = class_centers(fitted.transform(digits.X[some]), digits.y[some], 10)
    np.testing.assert_array_equal(fitted.class_centers_, expected)


@all_methods
def test_equal_centers_are_a_warning(hasher, digits):
    with pytest.warns(UserWarning, match="Two of the 10 classes got the same center of 3 bits .* use more bits"):
        quick(hasher, bits=3, centers="bernoulli").fit(digits.X, digits.y)


@all_methods
def test_own_centers_are_in_the_order_of_the_classes(hasher, digits):
    centers = np.where(np.random.default_rng(0).random((10, 32)) < 0.5, 1, -1)
    names = np.array([f"digit {9 - label}" for label in digits.y])
    fitted = quick(hasher, centers=centers, max_epochs=10).fit(digits.X, names)
    np.testing.assert_array_equal(fitted.centers_, centers)
    assert (fitted.class_centers_ == centers).mean() > 0.9
    np.testing.assert_array_equal(quick(hasher, centers=centers.tolist()).fit(digits.X, names).centers_, centers)


@pytest.mark.parametrize(
    ("centers", "message"),
    [
        (np.ones((9, 32)), r"centers must have shape \(n_classes, bits\) = \(10, 32\), got \(9, 32\)"),
        (np.zeros((10, 32)), "centers must have entries -1 or \\+1 only"),
        ("hadmard", "The 'centers' parameter of .* must be a str among .*'reed_solomon'.* Got 'hadmard' instead"),
    ],
)
@all_methods
def test_centers_that_are_none(hasher, centers, message, digits):
    with pytest.raises(ValueError, match=message):
        quick(hasher, centers=centers).fit(digits.X, digits.y)


@pytest.mark.parametrize("hasher", [CSQHasher, DPNHasher])
def test_ties_are_drawn_from_the_random_state(hasher, digits):
    def ties(seed):
        return quick(hasher, random_state=seed).fit(digits.X, digits.y).module_.criterion.ties.tolist()

    assert ties(0) == ties(0) != ties(1)
    assert set(ties(0)) == {-1.0, 1.0}
