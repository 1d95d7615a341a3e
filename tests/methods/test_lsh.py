import pickle

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhash import LSHHasher
from skhash.utils import FastRotation

DIRECTIONS = ["orthogonal", "hadamard"]
SIZES = [(300, 300), (300, 128), (256, 600), (257, 514), (20, 70)]  # features, bits


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([LSHHasher(directions=directions) for directions in DIRECTIONS])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("directions", DIRECTIONS)
@pytest.mark.parametrize(("n_features", "bits"), SIZES)
def test_hyperplanes_are_one_basis_after_another(directions, n_features, bits):
    X = np.random.default_rng(0).normal(size=(50, n_features)) + 3
    hasher = LSHHasher(bits, center=True, directions=directions, random_state=0).fit(X)
    rows = hasher.components_
    assert rows.shape == (bits, n_features)
    for start in range(0, bits, n_features):
        basis = rows[start : start + n_features]
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-12)
    np.testing.assert_allclose(hasher.decision_function(X), (X - X.mean(axis=0)) @ rows.T, atol=1e-10)
    assert len(np.unique(np.round(np.abs(rows), 9), axis=0)) == bits


@pytest.mark.parametrize("directions", DIRECTIONS)
@pytest.mark.parametrize(("n_features", "bits"), SIZES)
def test_a_sample_has_the_same_code_alone(directions, n_features, bits):
    X = np.random.default_rng(0).integers(-2, 3, (120, n_features)).astype(np.float32)  # projections that are zero
    X[:20, 4:] = 0
    X[0] = 0
    hasher = LSHHasher(bits, directions=directions, random_state=0).fit(X)
    codes = hasher.transform(X)
    np.testing.assert_array_equal(codes, hasher.decision_function(X) >= 0)
    np.testing.assert_array_equal(codes, np.concatenate([hasher.transform(row[None]) for row in X]))
    np.testing.assert_array_equal(codes, np.concatenate([hasher.transform(X[i : i + 7]) for i in range(0, 120, 7)]))
    np.testing.assert_array_equal(codes, hasher.transform(X.astype(np.float64)))
    assert codes[0].all()


def test_projections_of_zero_are_bit_1_whatever_the_rounding():
    integers = np.zeros((200, 256), int)
    rng = np.random.default_rng(0)
    for row in integers:
        row[rng.choice(256, 4, replace=False)] = [3, -1, 7, -9]
    X = 0.1 * integers  # entries are rounded, so their sums are not exactly zero
    hasher = LSHHasher(512, directions="hadamard", random_state=0).fit(X)
    entries = hasher.components_ * 256**1.5  # integers, because all orders are powers of two
    np.testing.assert_allclose(entries, np.round(entries), atol=1e-6)
    exact = integers @ np.round(entries).astype(int).T
    assert (exact == 0).sum() > 100
    np.testing.assert_array_equal(hasher.transform(X), exact >= 0)
    np.testing.assert_array_equal(hasher.decision_function(X) == 0, exact == 0)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_distance_follows_the_angle(directions):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 256))
    b += a
    hasher = LSHHasher(25_600, directions=directions, random_state=0).fit(np.stack([a, b]))
    different = np.mean(hasher.transform(a[None]) != hasher.transform(b[None]))
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / np.pi
    assert different == pytest.approx(angle, abs=0.01)


@pytest.mark.parametrize("directions", DIRECTIONS)
def test_distances_are_more_accurate_than_with_independent_hyperplanes(directions):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 256)) + 0.7 * rng.normal(size=256)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.pi

    def error(directions):
        codes = [LSHHasher(256, directions=directions, random_state=seed).fit_transform(X) for seed in range(4)]
        return np.mean([np.mean((np.mean(c[:, None] != c[None], axis=2) - angles) ** 2) for c in codes])

    assert error(directions) < 0.8 * error("gaussian")


def test_the_dense_matrix_is_made_on_demand_and_never_stored():
    X = np.random.default_rng(0).normal(size=(40, 400))
    hasher = LSHHasher(400, directions="hadamard", random_state=0).fit(X)
    codes = hasher.transform(X)
    assert "components_" not in vars(hasher)
    assert hasher.components_.shape == (400, 400)
    assert hasher.components_ is hasher.components_
    assert len(pickle.dumps(hasher)) < 20_000
    copy = pickle.loads(pickle.dumps(hasher))
    np.testing.assert_array_equal(copy.transform(X), codes)
    np.testing.assert_array_equal(copy.components_, hasher.components_)


def test_training_and_codes_need_no_dense_matrix(monkeypatch):
    monkeypatch.setattr(FastRotation, "to_dense", None)
    X = np.random.default_rng(0).normal(size=(40, 400))
    hasher = LSHHasher(400, directions="hadamard", random_state=0).fit(X)
    assert hasher.partial_fit(X).partial_fit(X).transform(X).shape == (40, 400)


def test_a_refit_forgets_the_dense_matrix():
    X = np.random.default_rng(0).normal(size=(40, 400))
    hasher = LSHHasher(400, directions="hadamard", random_state=0).fit(X)
    first = hasher.components_
    assert not np.array_equal(hasher.set_params(random_state=1).fit(X).components_, first)
    hasher.set_params(directions="gaussian", random_state=0).fit(X)
    np.testing.assert_array_equal(hasher.components_, np.random.RandomState(0).standard_normal((400, 400)))
    np.testing.assert_array_equal(hasher.transform(X), X @ hasher.components_.T >= 0)


def test_hadamard_of_few_bits_is_orthogonal():
    X = np.random.default_rng(0).normal(size=(40, 400))
    few, same = (LSHHasher(32, directions=name, random_state=0).fit(X) for name in ("hadamard", "orthogonal"))
    np.testing.assert_array_equal(few.components_, same.components_)


def test_chunks_give_the_codes_of_the_whole():
    X = np.random.default_rng(0).normal(size=(90, 300)) + 1
    whole = LSHHasher(300, center=True, directions="hadamard", random_state=0).fit(X)
    chunks = LSHHasher(300, center=True, directions="hadamard", random_state=0)
    for rows in np.split(X, [1, 30, 60]):
        chunks = pickle.loads(pickle.dumps(chunks.partial_fit(rows)))
    np.testing.assert_array_equal(chunks.transform(X), whole.transform(X))


def test_without_fit_there_are_no_components():
    assert not hasattr(LSHHasher(), "components_")
    with pytest.raises(ValueError, match="The 'directions' parameter of LSHHasher must be a str among"):
        LSHHasher(directions="dense").fit(np.eye(3))
