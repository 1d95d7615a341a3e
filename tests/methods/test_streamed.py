import pickle
import tracemalloc

import numpy as np
import pytest
from sklearn.base import clone

from skhash import ITQHasher, LSHHasher, PCAHasher, SpectralHasher

HASHERS = [
    LSHHasher(8, random_state=0),
    LSHHasher(8, center=True, random_state=0),
    LSHHasher(8, directions="orthogonal", random_state=0),
    PCAHasher(8),
    PCAHasher(150),
    ITQHasher(8, random_state=0),
    ITQHasher(150, random_state=0),
    ITQHasher(8, max_samples=100, random_state=0),
    SpectralHasher(8, random_state=0),
    SpectralHasher(8, max_samples=100, random_state=0),
]
of_all = pytest.mark.parametrize("hasher", HASHERS, ids=str)


def partially_fitted(hasher, X, cuts):
    hasher = clone(hasher)
    for rows in np.split(X, cuts):
        hasher.partial_fit(rows)
    return hasher


@of_all
@pytest.mark.parametrize("cuts", [[30], [100, 101, 900], [64, 65]])
def test_chunks_give_the_codes_of_the_whole(hasher, cuts, digits):
    whole = clone(hasher).fit(digits.X)
    chunks = partially_fitted(hasher, digits.X, cuts)
    assert chunks.n_samples_seen_ == whole.n_samples_seen_ == 1797
    np.testing.assert_allclose(chunks.components_, whole.components_, atol=1e-7)
    np.testing.assert_allclose(chunks.mean_, whole.mean_)
    np.testing.assert_array_equal(chunks.transform(digits.X), whole.transform(digits.X))


@of_all
def test_partial_fit_goes_on_after_fit_and_fit_starts_anew(hasher, digits):
    whole = clone(hasher).fit(digits.X)
    hasher = clone(hasher).fit(digits.X[:1000]).partial_fit(digits.X[1000:])
    np.testing.assert_array_equal(hasher.transform(digits.X), whole.transform(digits.X))
    hasher.fit(digits.X[:1000])
    np.testing.assert_array_equal(hasher.components_, clone(hasher).fit(digits.X[:1000]).components_)
    assert hasher.n_samples_seen_ == 1000


@of_all
def test_pickles_go_on_after_partial_fit_only(hasher, digits):
    whole = clone(hasher).fit(digits.X)
    begun = clone(hasher).partial_fit(digits.X[:1000])
    begun = pickle.loads(pickle.dumps(begun)).partial_fit(digits.X[1000:])
    np.testing.assert_array_equal(begun.transform(digits.X), whole.transform(digits.X))
    fitted = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(whole))))
    np.testing.assert_array_equal(fitted.transform(digits.X), whole.transform(digits.X))
    with pytest.raises(ValueError, match="was fitted by fit and then pickled or copied"):
        fitted.partial_fit(digits.X)
    fitted.fit(digits.X[:500]).partial_fit(digits.X[500:])
    np.testing.assert_array_equal(fitted.transform(digits.X), whole.transform(digits.X))


@pytest.mark.parametrize("hasher", [PCAHasher(8), ITQHasher(8, random_state=0), SpectralHasher(8)], ids=str)
def test_training_data_are_not_pickled_after_fit(hasher, digits):
    assert len(pickle.dumps(hasher.fit(digits.X))) < 12_000
    assert len(pickle.dumps(clone(hasher).partial_fit(digits.X))) > 8 * 64 * 64


@of_all
def test_labels_are_those_of_the_last_chunk(hasher, digits):
    hasher = clone(hasher).partial_fit(digits.X[:900], digits.y[:900]).partial_fit(digits.X[900:], digits.y[900:] + 10)
    assert (hasher.classes_ >= 10).all()
    assert (hasher.predict(digits.X) >= 10).all()
    assert not hasattr(hasher.partial_fit(digits.X[:100]), "predict")


@of_all
@pytest.mark.parametrize("trouble", ["rows", "nan", "nan in y", "columns"])
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # scikit-learn looks at the labels
def test_a_failing_partial_fit_changes_nothing(hasher, trouble, digits):
    hasher, good = clone(hasher).partial_fit(digits.X[:900]), clone(hasher).fit(digits.X)
    X, y = digits.X[:100].copy(), None
    if trouble == "rows":
        y = digits.y[:99]
    elif trouble == "nan in y":
        y = np.full(100, np.nan)
    elif trouble == "nan":
        X[50, 3] = np.nan
    else:
        X = X[:, :50]
    with pytest.raises(ValueError, match=r"inconsistent|NaN|50 features"):
        hasher.partial_fit(X, y)
    np.testing.assert_array_equal(hasher.partial_fit(digits.X[900:]).transform(digits.X), good.transform(digits.X))


@pytest.mark.parametrize(
    "hasher", [LSHHasher(8, random_state=0), PCAHasher(8)], ids=lambda hasher: type(hasher).__name__
)
def test_a_failing_fit_leaves_the_fitted_hasher(hasher, digits):
    hasher = hasher.fit(digits.X)
    codes = hasher.transform(digits.X)
    with pytest.raises(ValueError, match="inconsistent"):
        hasher.fit(digits.X[:100, :20], digits.y[:99])
    np.testing.assert_array_equal(hasher.transform(digits.X), codes)


def test_a_first_chunk_that_is_too_small_is_not_counted(digits):
    hasher = PCAHasher(16)
    with pytest.raises(ValueError, match="PCAHasher needs at least 2 training samples, got n_samples=1"):
        hasher.partial_fit(digits.X[:1])
    assert hasher.partial_fit(digits.X[:20]).n_samples_seen_ == 20


def test_parameters_may_not_change_between_chunks(digits):
    hasher = LSHHasher(8, random_state=0).partial_fit(digits.X[:100])
    with pytest.raises(ValueError, match="bits was 8 when the first samples were seen and is 16 now"):
        hasher.set_params(bits=16).partial_fit(digits.X[:100])
    hasher.set_params(bits=8, random_state=5).partial_fit(digits.X[:100])
    np.testing.assert_array_equal(hasher.components_, LSHHasher(8, random_state=0).fit(digits.X).components_)


@of_all
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int64, bool])
def test_any_numeric_type_is_taken_as_it_is(hasher, dtype, digits):
    X = digits.X.astype(dtype)
    expected = clone(hasher).fit(X.astype(np.float64)).transform(X.astype(np.float64))
    np.testing.assert_array_equal(clone(hasher).fit(X).transform(X), expected)


def test_random_none_goes_on_with_what_it_drew(digits):
    lsh = LSHHasher(8).partial_fit(digits.X)
    before = lsh.components_
    np.testing.assert_array_equal(lsh.partial_fit(digits.X).components_, before)
    assert (LSHHasher(8).fit(digits.X).components_ != before).all()
    itq = ITQHasher(8).partial_fit(digits.X)
    before = itq.quantization_errors_
    # The same samples again: same mean and axes, same rotation to begin with.
    np.testing.assert_allclose(itq.partial_fit(digits.X).quantization_errors_[:5], before[:5])


@pytest.mark.parametrize("hasher", [LSHHasher(8, center=True), PCAHasher(8), ITQHasher(8), SpectralHasher(8)], ids=str)
@pytest.mark.parametrize("mapped", [False, True])
def test_memory_does_not_grow_with_the_samples(hasher, mapped, tmp_path):
    X = np.random.default_rng(0).normal(size=(60_000, 32)).astype(np.float32)
    if mapped:
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")

    def peak(call, X):
        tracemalloc.start()
        call(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    hasher = clone(hasher)
    if "max_samples" in hasher.get_params():
        hasher.set_params(max_samples=1000)
    few = peak(hasher.fit, X[:8_000])
    assert peak(hasher.fit, X) < few + 2**22
    assert peak(hasher.transform, X) < 3 * 8 * len(X) + 2**22
