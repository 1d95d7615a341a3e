import pickle
import re

import dask
import dask.array as da
import dask.bag as db
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhash import ITQHasher, LSHHasher, OrthoHasher, PCAHasher, PerceptualHasher
from skhash.distributed import encode


@pytest.fixture(autouse=True)
def threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 12)), rng.integers(0, 3, 200)


@pytest.fixture(scope="module")
def linear(data):
    return ITQHasher(bits=8, random_state=0).fit(*data)


@pytest.fixture(scope="module")
def deep(data):
    X, y = data
    return OrthoHasher(bits=16, max_epochs=2, random_state=0).fit(X.astype(np.float32), y)


@pytest.mark.parametrize("chunks", [(50, 12), (37, 5), (200, 1)])
@pytest.mark.parametrize("method", ["transform", "decision_function", "predict"])
@pytest.mark.parametrize("kind", ["linear", "deep"])
def test_arrays(request, data, kind, method, chunks):
    hasher = request.getfixturevalue(kind)
    X = data[0].astype(np.float32)
    lazy = getattr(hasher, method)(da.from_array(X, chunks=chunks))
    expected = getattr(hasher, method)(X)
    assert isinstance(lazy, da.Array)
    assert (lazy.shape, lazy.dtype, lazy.ndim) == (expected.shape, expected.dtype, expected.ndim)
    assert lazy.chunks[0] == da.from_array(X, chunks=chunks).chunks[0]
    assert (type(lazy._meta), lazy._meta.dtype, lazy._meta.ndim) == (np.ndarray, expected.dtype, expected.ndim)
    found = lazy.compute()
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(lazy[60:65].compute(), expected[60:65])


def test_nothing_is_computed_before_it_is_asked_for(linear):
    def fail(block_id=None):
        raise AssertionError("computed")

    X = da.map_blocks(fail, chunks=((5, 5), (12,)), dtype=float, meta=np.empty((0, 0)))
    lazy = linear.transform(X)
    with pytest.raises(AssertionError, match="computed"):
        lazy.compute()


def test_multi_hot_labels(data):
    X, y = data
    hasher = LSHHasher(bits=8, random_state=0).fit(X, np.eye(3, dtype=int)[y])
    lazy = hasher.predict(da.from_array(X, chunks=(64, -1)))
    assert lazy.shape == (200, 3)
    np.testing.assert_array_equal(lazy.compute(), hasher.predict(X))


def test_unknown_lengths_and_blocks_without_rows(data, linear):
    X = data[0]
    lazy = da.from_array(X, chunks=(50, 6))
    few = lazy[da.from_array(np.arange(200) >= 60, chunks=50)]  # no row of the first block is left
    codes = linear.transform(few)
    assert np.isnan(codes.shape[0])
    assert codes.shape[1] == 8
    np.testing.assert_array_equal(codes.compute(), linear.transform(X[60:]))


def test_images():
    images = np.random.default_rng(0).integers(0, 256, (20, 9, 8, 3), np.uint8)
    hasher = PerceptualHasher(bits=64)
    for array in (images, images[..., 0]):
        lazy = hasher.transform(da.from_array(array, chunks=(6, 4, *array.shape[2:])))
        assert lazy.chunks == ((6, 6, 6, 2), (64,))
        np.testing.assert_array_equal(lazy.compute(), hasher.transform(array))


def test_packed_hashers(data):
    from skhash.runtime import BinaryConv, Network, PackedHasher, Sign

    weight = np.where(np.random.default_rng(0).integers(0, 2, (24, 1, 1, 12)), 1, -1)
    packed = PackedHasher(Network((12,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2))))
    X = data[0].astype(np.float32)
    for method in ("transform", "decision_function"):
        lazy = getattr(packed, method)(da.from_array(X, chunks=(70, 7)))
        assert lazy.dtype == getattr(packed, method)(X).dtype
        np.testing.assert_array_equal(lazy.compute(), getattr(packed, method)(X))
    with pytest.raises(ValueError, match="11"):
        packed.transform(da.zeros((5, 11), dtype=np.float32))
    with pytest.raises(AttributeError, match="no classes"):
        packed.predict(da.zeros((5, 12), dtype=np.float32))


def test_bags(tmp_path, data, linear):
    from PIL import Image

    images = np.random.default_rng(0).integers(0, 256, (7, 9, 8), np.uint8)
    hasher, paths = PerceptualHasher(bits=64), []
    for number, image in enumerate(images):
        paths.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(image).save(paths[-1])
    expected = hasher.transform(paths)
    pictures = [Image.fromarray(image) for image in images]
    for items in (paths, pictures, list(images)):
        codes = hasher.transform(db.from_sequence(items, npartitions=3))
        assert isinstance(codes, db.Bag)
        assert codes.npartitions == db.from_sequence(items, npartitions=3).npartitions
        np.testing.assert_array_equal(np.stack(codes.compute(scheduler="threads")), expected)
    lazy = hasher.transform(da.from_array(np.array(paths), chunks=4))
    assert lazy.shape == (7, 64)
    np.testing.assert_array_equal(lazy.compute(), expected)
    labeled = PerceptualHasher(bits=64).fit(paths, list("abcabca"))
    for method in ("decision_function", "predict"):
        lazy = getattr(labeled, method)(da.from_array(np.array(paths), chunks=4))
        computed = lazy.compute()
        assert computed.dtype == lazy.dtype
        np.testing.assert_array_equal(computed, getattr(labeled, method)(paths))
    vectors = db.from_sequence(list(data[0]), npartitions=4).filter(lambda row: row[0] > -9)
    np.testing.assert_array_equal(np.stack(linear.transform(vectors).compute()), linear.transform(data[0]))
    none = linear.transform(vectors.filter(lambda row: row[0] > 99)).compute()
    assert none == []


def test_any_estimator(data):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), PCAHasher(bits=6)).fit(X, y)
    lazy = encode(pipeline, da.from_array(X, chunks=(80, 4)))
    np.testing.assert_array_equal(lazy.compute(), pipeline.transform(X))


def test_the_estimator_is_loaded_once_in_a_process(data, tmp_path):
    class Counting(LSHHasher):
        def __setstate__(self, state):
            super().__setstate__(state)
            with open(tmp_path / "loaded", "a") as file:
                file.write("x")

    hasher = Counting(bits=8, random_state=0).fit(data[0])
    X = da.from_array(data[0], chunks=(5, -1))
    for _ in range(2):
        hasher.transform(X).compute()
    assert (tmp_path / "loaded").read_text() == "x"
    hasher.set_params(random_state=1).fit(data[0])  # another state is another node, and loaded for itself
    np.testing.assert_array_equal(hasher.transform(X).compute(), hasher.transform(data[0]))
    assert (tmp_path / "loaded").read_text() == "xx"


def test_the_estimator_is_in_the_graph_once(data):
    hasher = LSHHasher(bits=64, random_state=0).fit(data[0])
    lazy = hasher.transform(da.from_array(data[0], chunks=(1, -1)))
    models = [key for key in dict(lazy.__dask_graph__()) if str(key).startswith("skhash-model-")]
    assert len(models) == 1


def test_errors_come_before_the_computation(data, linear):
    X = da.from_array(data[0], chunks=(50, 6))
    with pytest.raises(NotFittedError):
        ITQHasher(bits=8).transform(X)
    with pytest.raises(NotFittedError):
        ITQHasher(bits=8).transform(db.from_sequence([1, 2]))
    with pytest.raises(ValueError, match="X has 11 features, but ITQHasher is expecting 12"):
        linear.transform(X[:, :11])
    with pytest.raises(ValueError, match="The shape of the samples of X must be known"):
        linear.transform(X[:, da.from_array(np.arange(12) > 2, chunks=12)])
    with pytest.raises(ValueError, match="X must be an array of samples along the first axis, got 0 axes"):
        linear.transform(da.from_array(np.float64(1)))
    with pytest.raises(TypeError, match=re.escape("X must be a Dask array, bag or data frame, got dask.delayed.Del")):
        linear.transform(dask.delayed(data[0]))
    with pytest.raises(TypeError, match=r"got numpy\.ndarray"):
        encode(linear, data[0])
    with pytest.raises(ValueError, match="method must be"):
        encode(linear, X, "fit")
    without = LSHHasher(bits=4, random_state=0).fit(data[0])
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        without.predict(X)


def test_graphs_can_be_pickled(data, linear):
    lazy = pickle.loads(pickle.dumps(linear.transform(da.from_array(data[0], chunks=(50, -1)))))
    np.testing.assert_array_equal(lazy.compute(), linear.transform(data[0]))


def test_data_frames(data):
    pytest.importorskip("pyarrow", reason="Dask's data frames need it")
    frames = pytest.importorskip("dask.dataframe")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(data[0], columns=[f"column {i}" for i in range(12)])
    hasher = LSHHasher(bits=9, random_state=0).fit(frame, data[1])
    for method in ("transform", "decision_function", "predict"):
        lazy = getattr(hasher, method)(frames.from_pandas(frame, npartitions=3))
        expected = getattr(hasher, method)(frame)
        assert lazy.dtype == expected.dtype
        assert lazy.shape[1:] == expected.shape[1:]
        np.testing.assert_array_equal(lazy.compute(), expected)
    with pytest.raises(ValueError, match="feature names"):
        hasher.transform(frames.from_pandas(frame.iloc[:, 1:], npartitions=3))
