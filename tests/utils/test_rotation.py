import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import hadamard

from skhash.utils import FastRotation, random_orthonormal_rows, random_rotation

SIZES = [1, 2, 3, 5, 7, 16, 31, 48, 97, 300, 384]


def test_random_rotations_are_uniform():
    rng = np.random.RandomState(0)
    drawn = np.array([random_rotation(2, rng) for _ in range(4000)])
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1)
    np.testing.assert_allclose((drawn > 0).mean(axis=0), 0.5, atol=0.04)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 0.5, atol=0.03)


@given(st.integers(1, 40), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_rows_are_one_basis_after_another(n_rows, n_features):
    rows = random_orthonormal_rows(n_rows, n_features, np.random.RandomState(0))
    assert rows.shape == (n_rows, n_features)
    for start in range(0, n_rows, n_features):
        basis = rows[start : start + n_features]
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-12)
    if n_rows > n_features:
        assert not np.allclose(np.abs(rows[n_features]), np.abs(rows[0])) or n_features == 1


def test_rows_are_uniform_over_all_directions():
    rng = np.random.RandomState(0)
    angles = [np.arctan2(*random_orthonormal_rows(3, 2, rng)[row]) for _ in range(2000) for row in range(3)]
    np.testing.assert_allclose(np.histogram(angles, 8, (-np.pi, np.pi))[0] / len(angles), 1 / 8, atol=0.02)


def literally(signs, X):
    """Flip signs and multiply by a Kronecker product, round after round."""

    def matrix(order):
        if order & (order - 1) == 0:
            return hadamard(order) / np.sqrt(order)
        j, k = np.indices((order, order))
        return (np.cos(2 * np.pi * j * k / order) + np.sin(2 * np.pi * j * k / order)) / np.sqrt(order)

    size = signs.shape[1]
    a, b = FastRotation(signs).shape
    product = np.kron(matrix(a), matrix(b))
    for number, flips in enumerate(signs):
        X = X * flips
        some = slice(0, a * b) if number % 2 == 0 else slice(size - a * b, size)
        X[:, some] = X[:, some] @ product.T
    return X


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "digits"), [(np.float64, 12), (np.float32, 4)])
def test_it_is_the_product_with_its_dense_matrix(size, dtype, digits):
    rotation = FastRotation.draw(size, np.random.RandomState(size))
    X = np.random.default_rng(0).normal(size=(300, size)).astype(dtype)
    before, rotated = X.copy(), rotation.apply(X)
    np.testing.assert_array_equal(X, before)
    assert rotated.dtype == dtype
    np.testing.assert_allclose(rotated, literally(rotation.signs, X.astype(float)), atol=10.0**-digits)
    matrix = rotation.to_dense()
    np.testing.assert_allclose(rotated, X.astype(float) @ matrix.T, atol=10.0**-digits)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(size), atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_rounding_is_within_its_bound(size):
    rotation = FastRotation.draw(size, np.random.RandomState(0))
    X = np.random.default_rng(0).normal(size=(200, size)).astype(np.float32)
    error = np.abs(rotation.apply(X) - rotation.apply(X.astype(float))).max(axis=1)
    bound = rotation.rounding * np.finfo(np.float32).eps * np.linalg.norm(X, axis=1)
    assert (error <= bound).all()


@pytest.mark.parametrize("size", [64, 97, 300, 768])
def test_a_coordinate_is_spread_over_all_others(size):
    draws = [FastRotation.draw(size, np.random.RandomState(seed)).to_dense() for seed in range(3)]
    for matrix in draws:
        assert np.abs(matrix).max() < 6 / np.sqrt(size)
        assert np.mean(matrix**4) * size**2 == pytest.approx(3, abs=0.3)  # as normal numbers
    assert np.abs(draws[0] - draws[1]).max() > 1 / np.sqrt(size)


@given(st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_shapes_cover_nearly_all_coordinates(size):
    rotation = FastRotation.draw(size, np.random.RandomState(0))
    a, b = rotation.shape
    assert a <= b <= 4 * a or size < 4
    assert 0.6 * size < a * b <= size
    assert len(rotation.signs) == (3 if a * b == size else 6)
    assert set(np.unique(rotation.signs)) <= {-1, 1}


def test_other_inputs():
    rotation = FastRotation.draw(6, np.random.RandomState(0))
    X = np.arange(12).reshape(2, 6)
    assert rotation.apply(X).dtype == np.float64
    np.testing.assert_allclose(rotation.apply(np.asfortranarray(X.astype(float))), rotation.apply(X))
    assert rotation.apply(X[:0]).shape == (0, 6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rotation)).apply(X), rotation.apply(X))
    np.testing.assert_array_equal(FastRotation(rotation.signs.copy()).apply(X), rotation.apply(X))
    for wrong in (X[:, :5], X[0]):
        with pytest.raises(ValueError, match=r"X must be of shape \(n_samples, 6\), got \("):
            rotation.apply(wrong)


def test_it_saves_time_where_dimensions_and_rows_are_many():
    assert FastRotation.saves_time(768, 768)
    assert FastRotation.saves_time(4096, 4096)
    assert not FastRotation.saves_time(4096, 64)
    assert not FastRotation.saves_time(64, 64)
    assert not FastRotation.saves_time(768, 1)
