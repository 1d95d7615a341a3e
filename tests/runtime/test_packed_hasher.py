"""Samples in any accepted form give the same codes, in any batch and on any number of threads."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skhash.codes import pack_codes, unpack_codes
from skhash.runtime import (
    Affine,
    BinaryConv,
    GlobalAvgPool,
    Int8Conv,
    Network,
    PackedHasher,
    RealConv,
    Sign,
    SignsToReal,
    interpret,
)
from skhash.runtime.codegen._targets import list_targets


@pytest.fixture(scope="module")
def images(make_network, make_input):
    network = make_network(5)
    return network, make_input(network, 19)


@pytest.fixture(scope="module")
def features(make_network, make_input):
    network = make_network(4, features=70)
    return network, make_input(network, 150)


@pytest.mark.parametrize("kind", ["images", "features"])
def test_codes_in_all_forms(kind, request):
    network, X = request.getfixturevalue(kind)
    hasher = PackedHasher(network)
    final = interpret(network, X)[-1].reshape(len(X), -1)
    bits = final if final.dtype == bool else final >= 0
    assert 0.1 < bits.mean() < 0.9
    codes = hasher.transform(X)
    assert codes.dtype == np.uint8
    np.testing.assert_array_equal(codes, bits)
    np.testing.assert_array_equal(hasher.codes(X), pack_codes(codes))
    np.testing.assert_array_equal(hasher.decision_function(X) >= 0, bits)
    assert hasher.bits == network.bits


def test_an_index_takes_the_packed_codes(features):
    pytest.importorskip("sklearn")  # the runtime itself needs neither index nor scikit-learn
    from skhash import HammingIndex

    hasher = PackedHasher(features[0])
    codes = hasher.codes(features[1])
    distances, ids = HammingIndex(bits=hasher.bits).fit(codes).kneighbors(codes[:3], 1)
    assert distances.max() == 0
    np.testing.assert_array_equal(codes[ids[:, 0]], codes[:3])


@pytest.mark.parametrize("kind", ["images", "features"])
def test_a_sample_has_one_code(kind, request):
    network, X = request.getfixturevalue(kind)
    hasher = PackedHasher(network)
    z = hasher.decision_function(X)
    for part in (slice(1), slice(3, 12), slice(5, None)):
        np.testing.assert_array_equal(hasher.decision_function(X[part]), z[part])
    many = np.concatenate([X] * 8)
    np.testing.assert_array_equal(PackedHasher(network, n_jobs=3).decision_function(many), np.concatenate([z] * 8))
    for target in list_targets():
        np.testing.assert_array_equal(PackedHasher(network, target=target.name).decision_function(X), z)


def test_no_samples_no_codes(images, features):
    for network, X in (images, features):
        assert PackedHasher(network).transform(X[:0]).shape == (0, network.bits)


def test_layouts_of_images(images):
    network, X = images
    hasher = PackedHasher(network)
    codes = hasher.transform(X)
    np.testing.assert_array_equal(hasher.transform(np.moveaxis(X, 3, 1)), codes)
    np.testing.assert_array_equal(hasher.transform(X[::-1])[::-1], codes)


def test_gray_images_need_no_channel_axis():
    network = Network((4, 4, 1), (Int8Conv(0, np.ones((3, 4, 4, 1))), Affine(1, np.ones(3), -np.arange(3)), Sign(2)))
    X = np.random.default_rng(0).integers(0, 256, size=(6, 4, 4), dtype=np.uint8)
    np.testing.assert_array_equal(PackedHasher(network).transform(X), PackedHasher(network).transform(X[..., None]))


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("images", lambda X: X[:, 1:], r"X must be images of shape \(n, "),
        ("images", lambda X: X.astype(float), "X must be uint8 images .* got dtype float64"),
        ("images", lambda X: X[0], "X must be images of shape"),
        ("features", lambda X: X.astype(float) * 1e300, "contains NaN, infinity or a value too large"),
        ("features", lambda X: X[:, 1:], r"X must be features of shape \(n, 70\), got shape \(150, 69\)"),
        ("features", lambda X: X[0], "X must be features of shape"),
        ("features", lambda X: X * np.nan, "contains NaN"),
        ("features", lambda X: X.astype(str), "X must have a numeric dtype, got <U32"),
    ],
)
def test_refusal(kind, change, message, request):
    network, X = request.getfixturevalue(kind)
    with pytest.raises(ValueError, match=message):
        PackedHasher(network).transform(change(X))


def test_the_form_without_channel_is_named():
    network = Network((4, 4, 1), (Int8Conv(0, np.ones((3, 4, 4, 1))), Sign(1)))
    with pytest.raises(ValueError, match=r"\(n, 4, 4, 1\), \(n, 4, 4\) or \(n, 1, 4, 4\)"):
        PackedHasher(network).transform(np.zeros((2, 4, 5), np.uint8))


@pytest.mark.parametrize("n_jobs", [0, "two", 1.5])
def test_wrong_numbers_of_threads(n_jobs, images):
    with pytest.raises(ValueError, match=f"n_jobs must be None or an integer other than 0, got {n_jobs!r}"):
        PackedHasher(images[0], n_jobs=n_jobs)


def test_an_argument_that_is_not_a_network():
    with pytest.raises(TypeError, match=r"network must be a skhash.runtime.Network, got str.*load_packed"):
        PackedHasher("model.skhash")


def test_weights_are_kept_once_and_come_back(images):
    network, _ = images
    hasher = PackedHasher(network)
    counts = network.count_parameters()
    assert hasher.network.count_parameters() == counts
    for original, again in zip(network.operations, hasher.network.operations, strict=True):
        assert type(original) is type(again)
        assert original.settings() == again.settings()
        for name, array in original.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], array)


def test_memory_of_the_weights_is_a_bit_each():
    rng = np.random.default_rng(0)
    from skhash.runtime import BinaryConv

    conv = BinaryConv.from_signs(1, rng.choice([-1, 1], size=(1024, 1, 1, 1024)))
    hasher = PackedHasher(Network((1024,), (Sign(0), conv, Affine(2, np.ones(1024)), Sign(3))))
    assert hasher.weight_bytes == 1024 * 1024 // 8


def test_pickle_and_repr(images):
    network, X = images
    hasher = PackedHasher(network)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(hasher)).codes(X), hasher.codes(X))
    assert repr(hasher).startswith(f"PackedHasher(bits={network.bits}, input=")


def test_real_head_of_all_pixels():
    rng = np.random.default_rng(0)
    operations = (Int8Conv(0, rng.integers(-9, 9, size=(5, 1, 1, 2))), Affine(1, np.ones(5)))
    X = rng.integers(0, 256, size=(4, 3, 2, 2), dtype=np.uint8)
    network = Network((3, 2, 2), operations)
    np.testing.assert_array_equal(PackedHasher(network).decision_function(X), interpret(network, X)[-1].reshape(4, -1))
    head = Network((3, 2, 2), (*operations, GlobalAvgPool(2), RealConv(3, rng.normal(size=(6, 1, 1, 5)))))
    np.testing.assert_array_equal(PackedHasher(head).decision_function(X), interpret(head, X)[-1].reshape(4, -1))


def test_profile_times_every_kernel_and_changes_nothing(images):
    network, X = images
    hasher = PackedHasher(network)
    codes = hasher.codes(X)
    times = hasher.profile(X, n_rounds=2)
    assert {"input", "output"} < set(times)
    assert all(0 < microseconds < 1e6 for microseconds in times.values())
    np.testing.assert_array_equal(hasher.codes(X), codes)


@pytest.mark.parametrize("kind", ["images", "features"])
def test_profile_needs_a_sample(kind, request):
    network, X = request.getfixturevalue(kind)
    with pytest.raises(ValueError, match="X must have at least one sample, got 0"):
        PackedHasher(network).profile(X[:0])


@pytest.mark.parametrize("kind", ["images", "features"])
def test_single_samples_in_many_threads(kind, request):
    network, X = request.getfixturevalue(kind)
    hasher = PackedHasher(network)
    codes, z = hasher.codes(X), hasher.decision_function(X)
    rows = list(range(len(X))) * 20
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: (hasher.codes(X[[row]]), hasher.decision_function(X[[row]])), rows))
    np.testing.assert_array_equal(np.concatenate([code for code, _ in found]), codes[rows])
    np.testing.assert_array_equal(np.concatenate([values for _, values in found]), z[rows])


def test_single_samples_in_any_memory_layout(images, features):
    for network, X in (images, features):
        hasher = PackedHasher(network)
        mirrored = np.ascontiguousarray(np.flip(X, axis=-1))
        np.testing.assert_array_equal(hasher.codes(np.flip(mirrored, axis=-1)[3:4]), hasher.codes(X)[3:4])


def test_single_features_that_are_not_finite_or_large(features):
    network, X = features
    hasher, large = PackedHasher(network), X[:2] * np.float32(1e25)
    assert not np.isfinite(np.vdot(large, large))
    np.testing.assert_array_equal(hasher.codes(large[:1]), hasher.codes(large)[:1])
    for value in (np.nan, np.inf):
        wrong = X[:1].copy()
        wrong[0, 7] = value
        with pytest.raises(ValueError, match="X contains NaN, infinity"):
            hasher.codes(wrong)


@pytest.mark.parametrize("last", ["binary", "real", "mean", "real map"])
def test_packed_codes_are_the_signs_of_any_last_layer(last):
    rng = np.random.default_rng(0)
    shape, n_out = (4, 4, 3), 24
    slopes = rng.choice([-0.7, 0.3, 0], size=n_out)  # falling ones: after a binary layer, filters could be negated
    operations = [Int8Conv(0, rng.integers(-99, 99, size=(40, 3, 3, 3)), 1, 1), Affine(1, np.full(40, 1e-3)), Sign(2)]
    if last == "mean":
        operations += [BinaryConv.from_signs(3, rng.normal(size=(n_out, 1, 1, 40)))]
        operations += [Affine(4, slopes), GlobalAvgPool(5), Affine(6, slopes, rng.normal(size=n_out))]
    elif last == "binary":
        operations += [BinaryConv.from_signs(3, rng.normal(size=(n_out, 4, 4, 40)))]
        operations += [Affine(4, slopes, rng.normal(size=n_out))]
    else:
        side = 4 if last == "real" else 3
        operations += [SignsToReal(3), RealConv(4, rng.normal(size=(n_out, side, side, 40)))]
        operations += [Affine(5, slopes, rng.normal(size=n_out))]
    network = Network(shape, operations)
    X = rng.integers(0, 256, size=(9, *shape), dtype=np.uint8)
    bits = interpret(network, X)[-1].reshape(9, -1) >= 0
    assert 0.1 < bits.mean() < 0.9
    for order in (("codes", "decision_function"), ("decision_function", "codes")):
        hasher = PackedHasher(network)
        for name in order:
            for n in (1, 9):
                found = getattr(hasher, name)(X[:n])
                found = unpack_codes(found, hasher.bits) if name == "codes" else found >= 0
                np.testing.assert_array_equal(found, bits[:n])
        np.testing.assert_array_equal(interpret(hasher.network, X)[-1], interpret(network, X)[-1])
