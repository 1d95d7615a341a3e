import numpy as np
import pytest
import sklearn
import torch
from scipy.linalg import orthogonal_procrustes

from skhash import HammingIndex, ITQHasher, LSHHasher, PCAHasher, SpectralHasher

HASHERS = [
    LSHHasher(8, random_state=0),
    PCAHasher(8),
    PCAHasher(150),
    ITQHasher(8, random_state=0),
    ITQHasher(150, random_state=0),
]


@pytest.mark.parametrize("hasher", HASHERS, ids=str)
def test_bits_are_signs_of_the_stated_projection(hasher, digits):
    hasher.fit(digits.X)
    z = (digits.X - hasher.mean_) @ hasher.components_.T
    np.testing.assert_allclose(hasher.decision_function(digits.X), z, atol=1e-9)
    np.testing.assert_array_equal(hasher.transform(digits.X), z >= 0)


@pytest.mark.parametrize("hasher", HASHERS, ids=str)
def test_single_precision_gives_nearly_the_same_codes(hasher, digits):
    double = hasher.fit(digits.X).transform(digits.X)
    single = hasher.fit(digits.X.astype(np.float32)).transform(digits.X.astype(np.float32))
    assert (double != single).mean() < 0.01


def test_bits_beyond_the_rank_are_the_same_in_any_company():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 12))  # rank 2: ten components are rounding noise
    hasher = PCAHasher(12).fit(X)
    together = hasher.transform(X)
    np.testing.assert_array_equal(np.concatenate([hasher.transform(row[None]) for row in X]), together)
    assert together[:, 2:].all()
    assert 0 < together[:, :2].mean() < 1


def test_lsh_distance_follows_the_angle():
    rng = np.random.default_rng(0)
    a = rng.normal(size=16)
    b = rng.normal(size=16)
    hasher = LSHHasher(20_000, random_state=0).fit(np.stack([a, b]))
    different = np.mean(hasher.transform(a[None]) != hasher.transform(b[None]))
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) / np.pi
    assert different == pytest.approx(angle, abs=0.015)


def test_lsh_centers_if_asked(digits):
    assert not LSHHasher(8, random_state=0).fit(digits.X).mean_.any()
    np.testing.assert_allclose(LSHHasher(8, center=True).fit(digits.X).mean_, digits.X.mean(axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_itq_error_never_rises_and_is_what_it_says(seed, digits):
    hasher = ITQHasher(16, random_state=seed).fit(digits.X)
    errors = hasher.quantization_errors_
    assert len(errors) == hasher.n_iter_ + 1
    assert (np.diff(errors) <= 1e-9).all()
    assert errors[-1] < 0.99 * errors[0]
    z = hasher.decision_function(digits.X)
    assert np.mean(np.sum((np.where(z >= 0, 1, -1) - z) ** 2, axis=1)) == pytest.approx(errors[-1])


def test_itq_ends_where_procrustes_iterations_end(digits):
    V = (digits.X - digits.X.mean(axis=0)) @ PCAHasher(16).fit(digits.X).components_.T
    rotation, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(16, 16)))
    for _ in range(50):
        rotation, _ = orthogonal_procrustes(V, np.where(V @ rotation >= 0, 1, -1))
    z = V @ rotation
    reference = np.mean(np.sum((np.where(z >= 0, 1, -1) - z) ** 2, axis=1))
    assert ITQHasher(16, random_state=0).fit(digits.X).quantization_errors_[-1] == pytest.approx(reference, rel=0.01)


def test_itq_stays_in_the_plane_of_the_components(digits):
    itq, pca = ITQHasher(8, random_state=0).fit(digits.X), PCAHasher(8).fit(digits.X)
    np.testing.assert_allclose(itq.components_ @ itq.components_.T, np.eye(8), atol=1e-9)
    np.testing.assert_allclose(itq.components_.T @ itq.components_, pca.components_.T @ pca.components_, atol=1e-9)


def test_itq_beats_pca_and_lsh_in_retrieval(digits):
    def score(hasher):
        codes = hasher.fit(digits.X[:1500]).transform(digits.X)
        return HammingIndex().fit(codes[:1500], digits.y[:1500]).score(codes[1500:], digits.y[1500:])

    itq = score(ITQHasher(32, random_state=0))
    assert itq > score(PCAHasher(32)) + 0.1
    assert itq > score(LSHHasher(32, random_state=0)) + 0.1


@pytest.fixture
def wide_data():
    """Samples that vary by different amounts in 20 dimensions."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(500, 20)) * np.linspace(3, 0.1, 20) @ rng.normal(size=(20, 20))


def test_pca_bits_beyond_the_features_are_rotated_axes(wide_data):
    axes, more = PCAHasher(20).fit(wide_data).components_, PCAHasher(70).fit(wide_data).components_
    np.testing.assert_array_equal(more[:20], axes)
    for start in (20, 40, 60):
        basis = more[start : start + 20]
        np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-9)
    assert np.abs(np.tril(more @ more.T, -1)).max() < 0.99  # no bit repeats another
    np.testing.assert_array_equal(PCAHasher(70).fit(wide_data).components_, more)


@pytest.mark.parametrize("bits", [21, 40, 70])
def test_itq_bits_beyond_the_features_are_a_tight_frame(bits, wide_data):
    hasher = ITQHasher(bits, random_state=0).fit(wide_data)
    np.testing.assert_allclose(hasher.components_.T @ hasher.components_, np.eye(20), atol=1e-9)
    errors = hasher.quantization_errors_
    assert (np.diff(errors) <= 1e-9).all()
    z = hasher.decision_function(wide_data)
    assert np.mean(np.sum((np.abs(z) - 1) ** 2, axis=1)) == pytest.approx(errors[-1])


def test_bits_beyond_the_features_improve_retrieval(digits):
    def score(hasher):
        codes = hasher.fit(digits.X[:1500]).transform(digits.X)
        return HammingIndex().fit(codes[:1500], digits.y[:1500]).score(codes[1500:], digits.y[1500:])

    assert score(PCAHasher(128)) > score(PCAHasher(64)) + 0.2
    assert score(ITQHasher(128, random_state=0)) > score(ITQHasher(64, random_state=0)) + 0.01
    assert score(ITQHasher(128, random_state=0)) > score(LSHHasher(128, center=True, random_state=0)) + 0.05


@pytest.mark.parametrize("hasher", [PCAHasher(64), ITQHasher(64, random_state=0)], ids=str)
@pytest.mark.parametrize("shape", [(2, 1), (2, 100), (10, 100), (10, 3), (63, 64), (70, 64)])
def test_few_samples_and_features(hasher, shape):
    X = np.random.default_rng(0).integers(0, 9, shape).astype(float)
    hasher.fit(X)
    assert hasher.components_.shape == (64, shape[1])
    X = np.concatenate([X, np.random.default_rng(1).normal(size=(50, shape[1]))])
    codes = hasher.transform(X)
    np.testing.assert_array_equal(codes, np.concatenate([hasher.transform(row[None]) for row in X]))
    constant = (codes == codes[0]).all(axis=0)
    assert constant.sum() <= 1  # one of as many axes as samples has no variance


@pytest.mark.parametrize("estimator", [PCAHasher, ITQHasher, SpectralHasher])
def test_one_sample_is_refused(estimator):
    with pytest.raises(ValueError, match=f"{estimator.__name__} needs at least 2 training samples, got n_samples=1"):
        estimator().fit(np.ones((1, 3)))


def test_labels_are_kept_and_regression_targets_ignored(digits):
    hasher = PCAHasher(32).fit(digits.X[:1500], digits.y[:1500])
    assert (hasher.predict(digits.X[1500:]) == digits.y[1500:]).mean() > 0.8
    np.testing.assert_array_equal(hasher.components_, PCAHasher(32).fit(digits.X[:1500]).components_)
    assert not hasattr(PCAHasher(8).fit(digits.X, digits.X[:, 3] + 0.5), "predict")


@pytest.mark.parametrize("hasher", HASHERS, ids=str)
def test_images_are_refused_with_advice(hasher, digits):
    with pytest.raises(ValueError, match=r"takes features of shape .* got X of shape \(1797, 8, 8\): flatten"):
        hasher.fit(digits.images)


def test_constant_data_do_not_warn():
    assert PCAHasher(2).fit(np.ones((5, 3))).transform(np.ones((2, 3))).all()


def test_memory_mapped_features(digits, tmp_path):
    np.save(tmp_path / "X.npy", digits.X)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(PCAHasher(8).fit(X).transform(X), PCAHasher(8).fit(digits.X).transform(digits.X))


@pytest.mark.parametrize("kind", [LSHHasher, PCAHasher, ITQHasher, SpectralHasher])
@pytest.mark.parametrize("fit", ["fit", "partial_fit"])
def test_tensors_under_array_api_dispatch_give_the_codes_of_arrays(kind, fit, digits):
    seed = {"random_state": 0} if "random_state" in kind().get_params() else {}
    X, y = digits.X[:300], digits.y[:300]
    expected = kind(bits=16, **seed).fit(X, y)
    try:  # scipy must have been told before its import, see tests/conftest.py
        with sklearn.config_context(array_api_dispatch=True):
            pass
    except (ImportError, RuntimeError) as error:  # an older scikit-learn without array-api-compat
        pytest.skip(str(error))
    with sklearn.config_context(array_api_dispatch=True):
        hasher = getattr(kind(bits=16, **seed), fit)(torch.tensor(X), torch.tensor(y))
        codes, labels = hasher.transform(torch.tensor(X)), hasher.predict(torch.tensor(X))
    assert isinstance(codes, np.ndarray)
    np.testing.assert_array_equal(codes, expected.transform(X))
    np.testing.assert_array_equal(labels, expected.predict(X))
