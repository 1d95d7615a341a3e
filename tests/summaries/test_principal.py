import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash import PCAHasher
from skhash.summaries import PrincipalCovariance, RunningCovariance, _principal
from skhash.summaries._sums import Sums

N_ROWS = 300  # of a block, more than one part of `Sums.add_single`


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_principal, "_FEATURES", range(8, 100))
        patch.setattr(_principal, "_rows", lambda n_features: N_ROWS)
        yield


def make_samples(n=1000, n_features=20, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, n_features)) * np.linspace(3, 1, n_features) + 5).astype(np.float32)


def moments_of(X, cuts=(), n_axes=4):
    moments = PrincipalCovariance.empty(X.shape[1], n_axes)
    for rows in np.split(X, sorted(cuts)):
        moments = moments.extended(rows)
    return moments


def is_single(moments):
    return moments.limit is not None and np.isfinite(moments.limit)


@given(cuts=st.sets(st.integers(1, 999), max_size=5), n=st.sampled_from([600, 601, 1000]))
def test_chunks_give_the_same_bits(cuts, n):
    X = make_samples(n)
    expected, moments = moments_of(X), moments_of(X, {cut for cut in cuts if cut < n})
    assert is_single(expected)
    assert is_single(moments)
    assert moments.n_samples == n
    np.testing.assert_array_equal(moments.mean, expected.mean)
    np.testing.assert_array_equal(moments.total.scatter, expected.total.scatter)
    np.testing.assert_array_equal(moments.principal_axes(4), expected.principal_axes(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
@pytest.mark.parametrize("offset", [0, 100])
def test_moments_are_those_of_double_precision(dtype, offset):
    X = (10 * make_samples() + 50 + offset).clip(0, 255).astype(dtype)
    single, double = moments_of(X), RunningCovariance.empty(20).extended(X)
    assert is_single(single)
    np.testing.assert_allclose(single.mean, double.mean, rtol=1e-7)
    np.testing.assert_array_equal(single.total.scatter, single.total.scatter.T)
    np.testing.assert_allclose(single.total.scatter, double.scatter, atol=2e-7 * double.scatter.max())
    assert (single.total.scatter != double.scatter).any()


def test_a_large_mean_costs_no_digits():
    X = make_samples() + np.float32(1e6)
    single, double = moments_of(X), RunningCovariance.empty(20).extended(X)
    assert is_single(single)
    np.testing.assert_allclose(single.mean, double.mean, rtol=1e-12)
    np.testing.assert_allclose(single.principal_axes(4), double.principal_axes(4), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-13, 1e13, 1e-30, 1e30])
def test_squares_that_would_overflow_or_vanish_are_summed_up_in_double(scale):
    X = make_samples() * np.float32(scale)
    moments = moments_of(X)
    assert not is_single(moments)
    np.testing.assert_array_equal(moments.principal_axes(4), RunningCovariance.empty(20).extended(X).principal_axes(4))


def test_axes_of_small_variance_are_summed_up_in_double():
    X = make_samples() * np.logspace(0, -4, 20, dtype=np.float32)
    few, many = moments_of(X, n_axes=2), moments_of(X, n_axes=20)
    assert is_single(few)
    assert not is_single(many)
    np.testing.assert_array_equal(many.total.scatter, RunningCovariance.empty(20).extended(X).scatter)


def test_double_input_is_summed_up_in_double():
    X = make_samples().astype(np.float64)
    np.testing.assert_array_equal(moments_of(X).total.scatter, RunningCovariance.empty(20).extended(X).scatter)
    mixed = moments_of(X[:700].astype(np.float32)).extended(X[700:])
    assert is_single(mixed)
    np.testing.assert_allclose(mixed.total.scatter, RunningCovariance.empty(20).extended(X).scatter, atol=2e-2)


def test_less_than_a_block_is_summed_up_in_double():
    X = make_samples(N_ROWS - 1)
    np.testing.assert_array_equal(moments_of(X).total.scatter, RunningCovariance.empty(20).extended(X).scatter)


@pytest.mark.parametrize("value", [1e4, 1e25])
def test_blocks_of_another_scale_are_summed_up_in_double(value):
    X = make_samples(1200)
    X[700] = value  # in single precision, it would cost the digits of its block or overflow
    double = RunningCovariance.empty(20).extended(X)
    single = moments_of(X)
    assert is_single(single)
    np.testing.assert_allclose(single.total.scatter, double.scatter, atol=0.1, rtol=1e-9)


def test_a_block_beyond_the_limit_changes_nothing():
    X = make_samples(500)
    sums = Sums.empty(20)
    assert sums.add_single(X, np.inf)
    scatter, mean = sums.scatter.copy(), sums.mean
    assert not sums.add_single(X * 100, 1e4)
    assert not sums.add_single(X * np.float32(1e30), 1e4)
    assert sums.n_samples == 500
    np.testing.assert_array_equal(sums.scatter, scatter)
    np.testing.assert_array_equal(sums.mean, mean)


def test_what_was_summed_up_stays_as_it_was():
    X = make_samples()
    first = moments_of(X[:700])
    scatter, whole, waiting = first.total.scatter.copy(), first.whole.scatter.copy(), first.waiting.copy()
    first.extended(X[700:])
    np.testing.assert_array_equal(first.total.scatter, scatter)
    np.testing.assert_array_equal(first.whole.scatter, whole)
    np.testing.assert_array_equal(first.waiting, waiting)
    X[:] = 0
    np.testing.assert_array_equal(first.waiting, waiting)


def test_hashers_ask_for_their_bits():
    X = make_samples()
    hasher = PCAHasher(8).fit(X)
    assert is_single(hasher._summary.moments)
    assert hasher._summary.moments.n_axes == 8
    chunks = PCAHasher(8).partial_fit(X[:450]).partial_fit(X[450:])
    np.testing.assert_array_equal(chunks.components_, hasher.components_)
    assert (hasher.transform(X) == PCAHasher(8).fit(X.astype(np.float64)).transform(X)).mean() > 0.9999
