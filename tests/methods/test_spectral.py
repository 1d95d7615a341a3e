import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from skhash import SpectralHasher

EPS = np.finfo(np.float64).eps


def literal_spectral_hashing(X_train, X, bits):
    """Do what section 8.3 of the methods specification says, with a loop for everything."""
    n, d = X_train.shape
    mean = [sum(X_train[:, c]) / n for c in range(d)]
    axes = np.zeros((min(bits, d), d))
    found = PCA(min(bits, d, n), svd_solver="full").fit(X_train).components_
    axes[: len(found)] = found

    def project(x):
        return [sum((x[c] - mean[c]) * axis[c] for c in range(d)) for axis in axes]

    Z = [project(x) for x in X_train]
    low = [min(z[k] for z in Z) - EPS for k in range(len(axes))]
    width = [max(z[k] for z in Z) + EPS - low[k] for k in range(len(axes))]
    modes = []
    for k in range(len(axes)):
        for j in range(1, math.ceil((bits + 1) * width[k] / max(width))):
            omega = [0.0] * len(axes)
            omega[k] = j * math.pi / width[k]
            modes.append(omega)
    modes = sorted(modes, key=lambda omega: sum(w * w for w in omega))[:bits]  # Python's sort is stable
    result = np.empty((len(X), bits))
    for i, x in enumerate(X):
        z = project(x)
        for b, omega in enumerate(modes):
            product = 1.0
            for k in range(len(axes)):
                product *= math.sin(omega[k] * (z[k] - low[k]) + math.pi / 2)
            result[i, b] = product
    return result


@pytest.mark.parametrize(
    ("n_samples", "n_features", "bits"),
    [(60, 6, 6), (60, 6, 3), (60, 4, 17), (60, 1, 5), (12, 30, 8), (12, 30, 16), (12, 30, 40)],
)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_literal_algorithm(n_samples, n_features, bits, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * rng.uniform(0.3, 3, n_features) + 2
    X_new = np.concatenate([X, 3 * rng.normal(size=(10, n_features))])  # many are outside the range
    hasher = SpectralHasher(bits).fit(X)
    expected = literal_spectral_hashing(X, X_new, bits)
    np.testing.assert_allclose(hasher.decision_function(X_new), expected, atol=1e-9)
    clear = np.abs(expected) > 1e-9
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(hasher.transform(X_new)[clear], (expected >= 0)[clear])


def test_waves_on_one_axis():
    X = np.array([[0.0], [4.0]])
    hasher = SpectralHasher(3).fit(X)
    np.testing.assert_allclose(hasher.frequencies_, np.pi / 4 * np.array([1, 2, 3]))
    # With a range of 4: cos(pi x / 4), cos(pi x / 2) and cos(3 pi x / 4), which go on beyond it.
    x = np.array([[0.5], [1.5], [2.5], [3.5], [4.5], [8.5], [-0.5]])
    assert (hasher.components_ > 0).all()
    np.testing.assert_array_equal(
        hasher.transform(x),
        [[1, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 1, 1], [1, 1, 1]],
    )


def test_a_zero_of_the_wave_is_bit_1():
    hasher = SpectralHasher(1).fit(np.array([[0.0], [4.0]]))
    assert hasher.decision_function([[2.0]]) == 0
    assert hasher.transform([[2.0]]) == 1


def test_ties_go_to_the_earlier_axis():
    X = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    hasher = SpectralHasher(5).fit(X)
    np.testing.assert_allclose(hasher.frequencies_, np.pi / 2 * np.array([1, 1, 1, 2, 2]))
    np.testing.assert_array_equal(hasher.axes_, [0, 1, 2, 0, 1])


def test_constant_features_get_no_bits():
    X = np.random.default_rng(0).normal(size=(50, 3))
    padded = np.concatenate([X, np.full((50, 4), 7.0)], axis=1)
    hasher = SpectralHasher(20).fit(padded)
    assert hasher.axes_.max() == 2
    np.testing.assert_array_equal(hasher.transform(padded), SpectralHasher(20).fit(X).transform(X))


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0, 1e9])
def test_constant_data(value):
    hasher = SpectralHasher(6).fit(np.full((5, 2), value))
    assert np.isfinite(hasher.frequencies_).all()
    codes = hasher.transform(np.array([[0.0, 1.0], [2.0, 3.0]]))
    np.testing.assert_array_equal(codes[0], codes[1])  # nothing is known of any direction


def test_a_sample_without_extent_is_no_trouble():
    X = np.zeros((1000, 2))
    X[:2] = 1000.0  # varies, but not among the few samples that are looked at
    hasher = SpectralHasher(4, max_samples=2, random_state=0).fit(X)
    assert np.isfinite(hasher.frequencies_).all()
    assert hasher.transform(X).shape == (1000, 4)


def test_two_samples_are_needed():
    with pytest.raises(ValueError, match="needs at least 2 training samples, got n_samples=1"):
        SpectralHasher(4).fit(np.ones((1, 3)))
