"""Vectors of any type, scale and form."""

import tracemalloc
import warnings

import numpy as np
import pytest

from skhash import EmbeddingIndex
from skhash.utils import is_mapped

METRICS = ["cosine", "euclidean", "inner_product"]


def vectors(n, d=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def assert_same(a, b):
    for found, expected in zip(a, b, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "uint8", "int64", "uint16", "bool", ">f4"])
@pytest.mark.parametrize("rescore", [None, "int8", "float16", "float32"])
def test_dtypes(dtype, rescore):
    X = np.abs(np.rint(10 * vectors(200))) % 2 if dtype == "bool" else np.abs(np.rint(10 * vectors(200)))
    index = EmbeddingIndex(metric="euclidean", rescore=rescore, oversampling=50, random_state=0)
    expected = index.fit(X).kneighbors(X[:20], 3)
    assert_same(index.fit(X.astype(dtype)).kneighbors(X[:20].astype(dtype), 3), expected)
    assert_same(index.kneighbors(X[:20].tolist(), 3), expected)


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    X = vectors(100, 3)
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    index = EmbeddingIndex(random_state=0, rescore="int8").fit(frame)
    assert index.feature_names_in_.tolist() == ["a", "b", "c"]
    assert_same(
        index.kneighbors(frame[:9], 2), EmbeddingIndex(random_state=0, rescore="int8").fit(X).kneighbors(X[:9], 2)
    )
    with pytest.raises(ValueError, match="feature names"):
        index.add(frame[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        index.kneighbors(X[:2])


def test_polars_frames():
    polars = pytest.importorskip("polars")
    X = vectors(100, 3)
    frame = polars.DataFrame(X, schema=["a", "b", "c"])
    index = EmbeddingIndex(random_state=0).fit(frame)
    assert_same(index.kneighbors(frame[:9], 2), EmbeddingIndex(random_state=0).fit(X).kneighbors(X[:9], 2))


def test_tensors():
    torch = pytest.importorskip("torch")
    X = vectors(100)
    expected = EmbeddingIndex(random_state=0).fit(X).kneighbors(X[:5])
    tensor = torch.from_numpy(X)
    assert_same(EmbeddingIndex(random_state=0).fit(tensor).kneighbors(tensor[:5]), expected)
    assert_same(EmbeddingIndex(random_state=0).fit(tensor.requires_grad_()).kneighbors(tensor[:5]), expected)
    assert EmbeddingIndex().fit(torch.from_numpy(X).bfloat16()).n_features_in_ == 24


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([[1, np.nan]]), "X contains NaN"),
        (np.array([[1, np.inf]]), "X contains infinity"),
        (np.array([[1, 1e300]]), "too large for float32"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (np.ones(4), "expected features of shape"),
        (np.ones((2, 2, 2)), "Found array with dim 3"),
        (np.ones((0, 2)), "0 sample"),
        (np.ones((2, 0)), "0 feature"),
        ([["a", "b"]], "X contains strings"),
    ],
)
def test_what_is_refused(X, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingIndex().fit(X)
    index = EmbeddingIndex(n_neighbors=1).fit(np.eye(2))
    for call in (index.add, index.kneighbors):
        with pytest.raises(ValueError, match=f"{message}|feature"):
            call(X)
    assert len(index) == 2


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rescore", [None, "int8", "float16", "float32"])
@pytest.mark.parametrize(
    "X",
    [
        np.zeros((5, 8)),
        np.ones((5, 8)),
        np.full((4, 70), 3.25),
        np.eye(1, 6),
        np.arange(10.0)[:, None],
        np.zeros((1, 1)),
        vectors(3, 200),
        np.concatenate([np.zeros((3, 8)), vectors(30, 8)]),
        np.repeat(vectors(2, 8), 20, axis=0),
    ],
    ids=["zeros", "ones", "constant", "one", "1 feature", "1 zero", "wide", "some zeros", "duplicates"],
)
def test_degenerate_data(metric, rescore, X):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = EmbeddingIndex(metric=metric, rescore=rescore, random_state=0).fit(X)
        distances, ids = index.kneighbors(X, len(X))
    assert np.isfinite(distances).all()
    assert (np.sort(ids, axis=1) == np.arange(len(X))).all()
    if metric == "euclidean":
        own = np.take_along_axis(distances, np.argsort(ids, axis=1), axis=1).diagonal()
        scale = max(1e-3, np.linalg.norm(X, axis=1).max())
        assert (own <= (1e-3 if rescore == "float32" else 0.7) * scale).all()
    if rescore == "float32":
        A = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-30) if metric == "cosine" else X
        exact = {"cosine": 1 - A @ A.T, "inner_product": -(A @ A.T)}
        exact["euclidean"] = np.sqrt(np.square(A[:, None] - A).sum(axis=-1))
        np.testing.assert_allclose(distances, np.take_along_axis(exact[metric], ids, axis=1), atol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rescore", [None, "int8", "float32"])
@pytest.mark.parametrize("scale", [2.0**-100, 2.0**60, 2.0**100, 1e-30, 1e30])
def test_scales(metric, rescore, scale):
    """A scale that is a power of two changes no neighbor."""
    X, Q = vectors(400), vectors(20, seed=1)
    index = EmbeddingIndex(metric=metric, rescore=rescore, random_state=0)
    distances, ids = index.fit(X).kneighbors(Q, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled, found = index.fit(X * np.float32(scale)).kneighbors(Q * np.float32(scale), 5)
    if np.log2(scale) % 1 == 0:
        np.testing.assert_array_equal(found, ids)
    else:
        assert (found == ids).mean() > 0.9
    power = {"cosine": 0, "euclidean": 1, "inner_product": 2}[metric]
    np.testing.assert_allclose(np.sort(scaled) / scale**power, np.sort(distances), rtol=0.05)


def test_float16_copies_of_the_cosine_know_no_scale():
    X = vectors(300)
    expected = EmbeddingIndex(rescore="float16", random_state=0).fit(X).kneighbors(X[:9])
    for scale in (2.0**-40, 2.0**40):
        index = EmbeddingIndex(rescore="float16", random_state=0).fit(X * np.float32(scale))
        assert_same(index.kneighbors(X[:9]), expected)


@pytest.mark.parametrize("rescore", [None, "int8", "float32"])
@pytest.mark.parametrize("metric", ["euclidean", "inner_product"])
def test_vectors_beyond_the_range_are_announced(metric, rescore):
    X = vectors(300)
    index = EmbeddingIndex(metric=metric, rescore=rescore, random_state=0).fit(X)
    with pytest.warns(UserWarning, match="of 8 vectors") as record:
        index.add(np.concatenate([X[:5], 1000 * X[5:8]]))
    messages = [str(warning.message) for warning in record]
    assert any(message.startswith("3 of 8 vectors are much farther from the mean") for message in messages)
    assert len(messages) == 1 + (rescore == "int8")
    assert all(warning.filename == __file__ for warning in record)
    if rescore == "int8":
        assert any(
            "3 of 8 vectors have values far beyond the range of the int8 copies" in message for message in messages
        )
    with pytest.warns(UserWarning, match="farther from the mean") as record:
        EmbeddingIndex(metric=metric, max_samples=2, random_state=0).fit(
            np.concatenate([X[:1], 1000 * X[:2], X[:1] + 0.1])
        )
    assert all(warning.filename == __file__ for warning in record)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", ">f4", "int8"])
@pytest.mark.parametrize("rescore", ["int8", "float16", "float32"])
def test_memory_maps(tmp_path, dtype, rescore):
    X = np.rint(20 * vectors(300))
    np.save(tmp_path / "X.npy", X.astype(dtype))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    index = EmbeddingIndex(metric="euclidean", rescore=rescore, random_state=0).fit(mapped)
    assert_same(
        index.kneighbors(X[:9]),
        EmbeddingIndex(metric="euclidean", rescore=rescore, random_state=0).fit(X).kneighbors(X[:9]),
    )
    kept = index._collection.vectors
    shares = dtype == rescore and rescore != "int8"
    assert (np.shares_memory(kept, mapped), is_mapped(kept)) == (shares, shares)


@pytest.mark.parametrize("rescore", [None, "float32"])
def test_a_memory_map_in_bounded_memory(tmp_path, rescore):
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (100_000, 64))
    for start in range(0, len(X), 10_000):
        X[start : start + 10_000] = vectors(10_000, 64, seed=start)
    X.flush()
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    index = EmbeddingIndex(rescore=rescore, random_state=0)
    index.fit(mapped[:5000])
    tracemalloc.start()
    index.fit(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    index.kneighbors(mapped[:2000], 5)
    searching = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert max(peak, searching) < 12_000_000  # of 25.6 MB


def test_many_samples_are_learned_from_some_of_them():
    X = vectors(1000)
    index = EmbeddingIndex(max_samples=100, random_state=0).fit(X)
    few = EmbeddingIndex(random_state=0).fit(X[np.linspace(0, 999, 100).astype(int)])
    np.testing.assert_array_equal(index._stored.quantizer.mean, few._stored.quantizer.mean)
    everything = EmbeddingIndex(max_samples=None, random_state=0).fit(X)
    assert not np.array_equal(everything._stored.quantizer.mean, index._stored.quantizer.mean)


def test_random_state():
    X = vectors(200)
    state = repr(np.random.get_state())
    EmbeddingIndex().fit(X)
    assert repr(np.random.get_state()) == state
    records = [EmbeddingIndex(random_state=seed).fit(X)._collection.codes for seed in (0, 0, 1)]
    np.testing.assert_array_equal(records[0], records[1])
    assert not np.array_equal(records[0], records[2])
