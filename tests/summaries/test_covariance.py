import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from skhash.summaries import RunningCovariance, RunningMean


def extended_by_chunks(start, X, cuts):
    for rows in np.split(X, sorted(cuts)):
        start = start.extended(rows)
    return start


def covariance_of(moments):
    if moments.scatter is not None:
        return moments.scatter / moments.n_samples
    return np.cov(moments.rows, rowvar=False, bias=True)


@given(cuts=st.sets(st.integers(1, 39), max_size=4), n_features=st.integers(2, 60), seed=st.integers(0, 5))
def test_chunks_give_the_mean_and_covariance_of_the_whole(cuts, n_features, seed):
    X = np.random.default_rng(seed).normal(size=(40, n_features))
    moments = extended_by_chunks(RunningCovariance.empty(n_features), X, cuts)
    assert moments.n_samples == 40
    assert (moments.rows is None) == (n_features < 40)
    np.testing.assert_allclose(moments.mean, X.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(covariance_of(moments), np.cov(X, rowvar=False, bias=True), atol=1e-12)
    mean = extended_by_chunks(RunningMean.empty(n_features), X, cuts)
    assert mean.n_samples == 40
    np.testing.assert_allclose(mean.mean, X.mean(axis=0), atol=1e-12)


def test_a_large_mean_takes_no_digits_from_the_covariance():
    rng = np.random.default_rng(0)
    centered = rng.normal(size=(20_000, 3)) * [1.0, 2.0, 0.5]
    moments = RunningCovariance.empty(3).extended(centered[:7000] + 2.0**30).extended(centered[7000:] + 2.0**30)
    X = (centered + 2.0**30) - 2.0**30  # what is left of them after the addition
    np.testing.assert_allclose(moments.scatter / 20_000, np.cov(X, rowvar=False, bias=True), rtol=1e-7, atol=1e-7)
    assert np.abs(np.mean((X + 2.0**30) ** 2, axis=0) - np.mean(X + 2.0**30, axis=0) ** 2 - X.var(axis=0)).max() > 1


def test_single_precision_is_summed_up_in_double():
    X = np.random.default_rng(0).normal(size=(30_000, 4)).astype(np.float32) + np.float32(100)
    moments = RunningCovariance.empty(4).extended(X)
    np.testing.assert_allclose(moments.scatter / len(X), np.cov(X.astype(float), rowvar=False, bias=True), rtol=1e-10)


def test_what_was_summed_up_stays_as_it_was():
    rng = np.random.default_rng(0)
    first = RunningCovariance.empty(3).extended(rng.normal(size=(50, 3)))
    scatter, mean = first.scatter.copy(), first.mean.copy()
    first.extended(rng.normal(size=(50, 3)))
    np.testing.assert_array_equal(first.scatter, scatter)
    np.testing.assert_array_equal(first.mean, mean)


@pytest.mark.parametrize("shape", [(300, 20), (15, 20), (20, 20), (21, 20)])
def test_principal_axes_are_those_of_scikit_learn(shape):
    X = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1])
    axes = RunningCovariance.empty(shape[1]).extended(X).principal_axes(10)
    np.testing.assert_allclose(axes, PCA(10, svd_solver="full").fit(X).components_, atol=1e-8)


@pytest.mark.parametrize("n_samples", [8, 200])
def test_axes_without_variance_are_zero(n_samples):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 3)) @ rng.normal(size=(3, 12)) + 5
    axes = RunningCovariance.empty(12).extended(X).principal_axes(12)
    np.testing.assert_allclose(axes[:3] @ axes[:3].T, np.eye(3), atol=1e-9)
    assert not axes[3:].any()


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e9 / 3])
@pytest.mark.parametrize("n_samples", [7, 9999])
def test_constant_data_have_no_axes(value, n_samples):
    X = np.full((n_samples, 12), value)
    assert not RunningCovariance.empty(12).extended(X).principal_axes(4).any()
    assert not RunningCovariance.empty(12).extended(X[:5]).extended(X[5:]).principal_axes(4).any()


def test_axes_of_small_variance_are_found():
    X = np.random.default_rng(0).normal(size=(500, 3)) * [1.0, 1e-3, 1e-6]
    np.testing.assert_allclose(RunningCovariance.empty(3).extended(X).principal_axes(3), np.eye(3), atol=1e-3)
