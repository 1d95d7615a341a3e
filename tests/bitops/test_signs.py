import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import ITQHasher, LSHHasher, PCAHasher
from skhash.bitops import SignProjection
from skhash.methods._streamed import project


def expected(X, mean, components):
    """Bits by double precision alone."""
    return np.concatenate([(z >= 0).astype(np.uint8) for z, _ in project(X, mean, components)])


def check_finite(X):
    assert np.isfinite(X).all()


def got(X, mean, components):
    return SignProjection(mean, components).bits(X, check_finite)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 400),
    d=st.sampled_from([1, 2, 7, 64, 255, 256, 257, 700]),
    bits=st.integers(1, 70),
    scale=st.sampled_from([1e-42, 1e-30, 1e-8, 1.0, 1e8, 1e30, 1e150]),
    offset=st.sampled_from([0.0, 1.0, 1e4, 1e8]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64, np.int32, np.uint8]),
)
def test_bits_are_those_of_double_precision(seed, n, d, bits, scale, offset, dtype):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) * scale + offset * scale
    with np.errstate(all="ignore"):
        X = np.nan_to_num(X * (50 / scale if np.dtype(dtype).kind in "iu" else 1)).astype(dtype)
        X = np.nan_to_num(X, posinf=0, neginf=0)
    components = rng.standard_normal((bits, d))
    components[rng.random(bits) < 0.1] = 0
    mean = X.mean(axis=0, dtype=np.float64)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(got(X, mean, components), expected(X, mean, components))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_at_the_sign(dtype):
    """Rows that are orthogonal to a direction up to rounding: the sign is that of the rounding error, or zero."""
    rng = np.random.default_rng(0)
    components = rng.standard_normal((8, 300))
    X = rng.standard_normal((500, 300))
    X -= ((X @ components[0]) / (components[0] @ components[0]))[:, None] * components[0]
    X[:250] += 1e-12 * components[0]
    X = X.astype(dtype)
    np.testing.assert_array_equal(got(X, np.zeros(300), components), expected(X, np.zeros(300), components))


def test_few_values_are_computed_again(monkeypatch):
    """Of ordinary data less than a hundredth."""
    rng = np.random.default_rng(0)
    X, components = rng.standard_normal((2000, 1280)).astype(np.float32), rng.standard_normal((64, 1280))
    signs = SignProjection(np.zeros(1280), components)
    seen = []
    plain = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda mask: seen.append(mask.mean()) or plain(mask))
    signs.bits(X, check_finite)
    assert 0 < np.mean(seen) < 0.01


def test_a_row_has_the_same_bits_alone_and_in_a_batch():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 300)).astype(np.float32)
    for hasher in (LSHHasher(48, random_state=0), PCAHasher(48), ITQHasher(48, random_state=0)):
        codes = hasher.fit(X).transform(X)
        alone = np.concatenate([hasher.transform(X[i : i + 1]) for i in range(0, 3000, 100)])
        np.testing.assert_array_equal(alone, codes[::100])
        np.testing.assert_array_equal(codes, hasher.decision_function(X) >= 0)


def test_new_components_are_used():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 20))
    hasher = LSHHasher(16, random_state=0).fit(X)
    codes = hasher.transform(X)
    hasher.components_ = -hasher.components_
    np.testing.assert_array_equal(hasher.transform(X), 1 - codes)
    with pytest.raises(ValueError, match="read-only"):
        hasher.components_[0] = 1.0


@pytest.mark.parametrize("n", [1, 3, 5000])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_not_finite_are_refused_as_by_scikit_learn(n, value, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 20)).astype(dtype)
    for hasher in (LSHHasher(8), LSHHasher(8, directions="hadamard"), PCAHasher(8)):
        hasher.fit(X, rng.integers(0, 2, 5000))
        bad = X[:n].copy()
        bad[n // 2, 3] = value
        messages = []
        for method in (hasher.transform, hasher.predict, hasher.decision_function):
            with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)") as error:
                method(bad)
            messages.append(str(error.value))
        assert len(set(messages)) == 1
        assert type(hasher).__name__ in messages[0] or not np.isnan(value)


def test_values_that_leave_single_precision_have_their_bits():
    X = np.full((3, 4), 1e100)
    X[1] *= -1
    hasher = LSHHasher(16, random_state=0).fit(X)
    np.testing.assert_array_equal(hasher.transform(X), hasher.decision_function(X) >= 0)
    assert not np.array_equal(hasher.transform(X)[0], hasher.transform(X)[1])
