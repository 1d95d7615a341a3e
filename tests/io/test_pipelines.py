"""Pipelines, with scikit-learn's transformers in front and an index at the end."""

import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from joblib import Memory
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection

import skhash
import skhash.io._save
from skhash import (
    EmbeddingIndex,
    HammingIndex,
    HammingNeighborsTransformer,
    ITQHasher,
    LSHHasher,
    OrthoHasher,
    PCAHasher,
    SearchPipeline,
    ShardedEmbeddingIndex,
    ShardedHammingIndex,
    make_search_pipeline,
)
from skhash.io import _container
from skhash.io._tables import SKLEARN, estimator_name
from skhash.runtime import BinaryConv, Network, PackedHasher, Sign

X = np.random.default_rng(0).normal(size=(60, 12))
y = np.repeat(["ant", "bee", "cat"], 20)
X[y == "bee"] += 2

TRANSFORMERS = [
    Binarizer(),
    FeatureUnion([("pca", PCA(3)), ("same", "passthrough")], transformer_weights={"pca": 2.0}),
    FunctionTransformer(feature_names_out="one-to-one"),
    GaussianRandomProjection(4, compute_inverse_components=True, random_state=0),
    IncrementalPCA(3),
    MaxAbsScaler(),
    MinMaxScaler((-1, 1)),
    Normalizer("l1"),
    PCA(0.9, whiten=True),
    Pipeline([("scale", StandardScaler()), ("nothing", None), ("pca", PCA(3))]),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=20, random_state=0),
    RobustScaler(),
    SimpleImputer(add_indicator=False),
    StandardScaler(),
    TruncatedSVD(3, random_state=0),
    VarianceThreshold(0.1),
]


def test_the_table_is_tested():
    # A classifier is a parameter of PosteriorHasher, whose tests save it.
    assert [type(each).__name__ for each in TRANSFORMERS] == sorted(set(SKLEARN) - {"LogisticRegression"})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_transformers_of_scikit_learn(tmp_path, transformer, output):
    pipeline = make_pipeline(transformer.set_output(transform=output), LSHHasher(16, random_state=0)).fit(X, y)
    skhash.save(pipeline, tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    assert repr(loaded) == repr(pipeline)
    pickled = pickle.loads(pickle.dumps(pipeline[0]))  # a view with gaps is a copy after either
    np.testing.assert_array_equal(loaded[0].transform(X), pickled.transform(X))
    np.testing.assert_array_equal(loaded.transform(X), pipeline.transform(X))
    np.testing.assert_array_equal(loaded.predict(X), pipeline.predict(X))
    assert list(loaded[0].get_feature_names_out()) == list(pipeline[0].get_feature_names_out())


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (
            make_pipeline(FunctionTransformer(np.log1p), PCAHasher(4)),
            "step 'functiontransformer' of Pipeline.*Function",
        ),
        (make_pipeline(PCAHasher(4), KNeighborsClassifier()), "step 'kneighborsclassifier' of Pipeline"),
        (Pipeline([("a", Pipeline([("b", FunctionTransformer(np.exp))]))]), "step 'b' of step 'a' of Pipeline"),
    ],
)
def test_other_classes_are_refused_by_the_name_of_their_step(tmp_path, pipeline, message):
    with pytest.raises(TypeError, match=message):
        skhash.save(pipeline, tmp_path / "x")
    assert not list(tmp_path.iterdir())


class StandardScaler2(StandardScaler):
    """Not the class of the table."""


def test_subclasses_are_other_classes(tmp_path):
    with pytest.raises(TypeError, match="StandardScaler2 is not an estimator of skhash"):
        skhash.save(StandardScaler2(), tmp_path / "x")
    StandardScaler2.__name__, StandardScaler2.__module__ = "StandardScaler", "sklearn.preprocessing"
    assert estimator_name(StandardScaler2()) is None


@pytest.mark.parametrize("value", ["text", np.zeros(3), None, BaseEstimator()])
def test_what_is_no_estimator_is_refused(tmp_path, value):
    with pytest.raises(TypeError, match="estimator"):
        skhash.save(value, tmp_path / "x")


def test_values_that_are_not_in_the_format_are_refused(tmp_path):
    hasher = PCAHasher(4).fit(X)
    hasher.note = 1
    with pytest.raises(TypeError, match="PCAHasher has the attribute 'note'"):
        hasher.save(tmp_path / "x")
    with pytest.raises(TypeError, match="random_state of LSHHasher: a value of the type Generator"):
        LSHHasher(4, random_state=np.random.default_rng(0)).save(tmp_path / "x")


INDEXES = [HammingIndex(n_neighbors=3), EmbeddingIndex(n_neighbors=3, rescore="float16", random_state=1)]


def with_index(index):
    hashers = [ITQHasher(8, random_state=0)] if type(index) is HammingIndex else []
    return make_pipeline(StandardScaler(), *hashers, clone(index))


@pytest.mark.parametrize("index", INDEXES, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("mmap", [False, True])
def test_pipelines_that_end_in_an_index(tmp_path, index, mmap):
    pipeline = with_index(index).fit(X, y)
    skhash.save(pipeline, tmp_path / "x")
    loaded = skhash.load(tmp_path / "x", mmap=mmap)
    np.testing.assert_array_equal(loaded.predict(X), pipeline.predict(X))
    assert repr(loaded) == repr(pipeline)
    assert loaded[-1].get_params() == pipeline[-1].get_params()
    queries = pipeline[:-1].transform(X)
    for old, new in zip(pipeline[-1].kneighbors(queries), loaded[-1].kneighbors(queries), strict=True):
        np.testing.assert_array_equal(old, new)
    code = f"import skhash, numpy; print(*skhash.load({str(tmp_path / 'x')!r}).predict(numpy.ones((2, 12))))"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.split() == pipeline.predict(np.ones((2, 12))).tolist()


def test_search_pipelines(tmp_path):
    pipeline = make_search_pipeline(StandardScaler(), PCAHasher(8), HammingIndex()).fit(X, y)
    skhash.save(pipeline, tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    assert type(loaded) is type(pipeline)
    for old, new in zip(pipeline.kneighbors(X, 3), loaded.kneighbors(X, 3), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("cls", [Pipeline, SearchPipeline])
def test_no_file_says_where_pickles_are_cached(tmp_path, cls):
    """`memory` is a folder from which joblib loads pickles in the next `fit`."""
    for memory in (str(tmp_path / "cache"), Memory(tmp_path / "cache")):
        skhash.save(cls([("hasher", LSHHasher(4)), ("index", HammingIndex())], memory=memory), tmp_path / "x")
        assert skhash.load(tmp_path / "x").memory is None
    state, tensors = _container.parse(tmp_path / "x", (tmp_path / "x").read_bytes())
    state["estimator"]["parameters"]["memory"] = "cache"
    with open(tmp_path / "x", "wb") as file:
        _container.write(file, state, tensors)
    with pytest.raises(ValueError, match="Pipeline has a value of 'memory', which no file may set"):
        skhash.load(tmp_path / "x")


@pytest.mark.parametrize("index", INDEXES, ids=lambda each: type(each).__name__)
def test_pipelines_that_are_not_fitted(tmp_path, index):
    skhash.save(with_index(index), tmp_path / "x")
    assert (tmp_path / "x").is_file()
    loaded = skhash.load(tmp_path / "x")
    assert repr(loaded) == repr(with_index(index))
    loaded.fit(X, y)


def test_ids_and_removals_of_an_index_come_back(tmp_path):
    index = HammingIndex().fit(X > 0, y, ids=[f"row {k}" for k in range(60)])
    index.remove(["row 3"])
    pipeline = Pipeline([("index", index)])
    skhash.save(pipeline, tmp_path / "x")
    np.testing.assert_array_equal(skhash.load(tmp_path / "x")[0].ids_, index.ids_)


def test_an_index_in_a_transformer_is_in_the_file(tmp_path):
    transformer = HammingNeighborsTransformer(n_neighbors=2, binarize=0.0).fit(X)
    skhash.save(transformer, tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    np.testing.assert_array_equal(loaded.transform(X).toarray(), transformer.transform(X).toarray())
    transformer.index_ = HammingIndex().fit(X > 0, ids=range(100, 160))
    with pytest.raises(TypeError, match="an index with ids or vectors must be saved by itself"):
        skhash.save(transformer, tmp_path / "x")


def test_sharded_indexes(tmp_path):
    parts = [HammingIndex().fit(X[:30] > 0, y[:30]), HammingIndex().fit(X[30:] > 0, y[30:])]
    index = ShardedHammingIndex(parts, n_neighbors=4, radius=3, executor=2)
    skhash.save(index, tmp_path / "hamming")
    loaded = skhash.load(tmp_path / "hamming")
    assert (loaded.n_neighbors, loaded.radius, loaded.executor) == (4, 3, 2)
    for old, new in zip(index.kneighbors(X > 0), loaded.kneighbors(X > 0), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(loaded.predict(X > 0), index.predict(X > 0))
    index.executor = "dask"
    with pytest.raises(TypeError, match="executor must be None, a number or 'joblib', got 'dask'"):
        skhash.save(index, tmp_path / "other")
    state, tensors = _container.parse(tmp_path / "hamming", (tmp_path / "hamming" / "estimator.skh").read_bytes())
    state["estimator"]["parameters"]["executor"] = "dask"
    with open(tmp_path / "hamming" / "estimator.skh", "wb") as file:
        _container.write(file, state, tensors)
    with pytest.raises(ValueError, match="executor must be None, a number or 'joblib', got 'dask'"):
        skhash.load(tmp_path / "hamming")
    vectors = ShardedEmbeddingIndex(
        [EmbeddingIndex(random_state=0).fit(X[:30]), EmbeddingIndex(random_state=0).fit(X[30:])]
    )
    skhash.save(vectors, tmp_path / "embedding")
    for old, new in zip(vectors.kneighbors(X), skhash.load(tmp_path / "embedding").kneighbors(X), strict=True):
        np.testing.assert_array_equal(old, new)


def packed_hasher():
    weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    return PackedHasher(Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2))))


def test_one_load_opens_all_formats(tmp_path):
    for name, thing in (("packed", packed_hasher()), ("hamming", HammingIndex().fit(X > 0)), ("file", PCAHasher(4))):
        skhash.save(thing, tmp_path / name)
        assert type(skhash.load(tmp_path / name)) is type(thing)
    EmbeddingIndex().fit(X).save(tmp_path / "vectors")
    assert type(skhash.load(tmp_path / "vectors", mmap=True)) is EmbeddingIndex
    np.testing.assert_array_equal(
        skhash.load(tmp_path / "packed").transform(X[:, :8]), packed_hasher().transform(X[:, :8])
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_save_replaces_another_at_once_and_removes_what_is_left(tmp_path):
    path = tmp_path / "x"
    skhash.save(with_index(HammingIndex()).fit(X, y), path)
    first = names(path)
    assert [name.partition("-")[0] for name in first] == ["estimator.skh", "index"]
    mapped = skhash.load(path, mmap=True)
    (path / "index-0123456789abcdef").mkdir()  # of a writer that was killed
    (path / "estimator.skh.0123456789abcdef.tmp").write_bytes(b"half")
    skhash.save(mapped, path)  # reads from the folder that it replaces
    second = names(path)
    assert len(second) == 2
    assert not set(first) & set(second) - {"estimator.skh"}
    np.testing.assert_array_equal(skhash.load(path).predict(X), mapped.predict(X))


@pytest.mark.parametrize("failing", ["save", "write"])
def test_a_save_that_fails_changes_nothing(tmp_path, monkeypatch, failing):
    path, pipeline = tmp_path / "x", with_index(HammingIndex()).fit(X, y)

    def fail(*_):
        raise OSError("no space")

    def save():
        with monkeypatch.context() as patch:
            patch.setattr(*((HammingIndex, "save") if failing == "save" else (skhash.io._save, "write")), fail)
            with pytest.raises(OSError, match="no space"):
                skhash.save(pipeline, path)

    save()
    assert not path.exists()
    skhash.save(pipeline, path)
    before = names(path)
    save()
    assert names(path) == before
    skhash.load(path)


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds other files, such as 'note.txt'"):
        skhash.save(with_index(HammingIndex()).fit(X, y), tmp_path)
    assert names(tmp_path) == ["note.txt"]
    with pytest.raises(ValueError, match="is a file; an estimator that holds an index is saved as a folder"):
        skhash.save(with_index(HammingIndex()).fit(X, y), tmp_path / "note.txt")
    with pytest.raises(IsADirectoryError):
        PCAHasher().save(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such directory"):
        PCAHasher().save(tmp_path / "no" / "x")


def test_a_reader_goes_on_with_a_newer_save(tmp_path, monkeypatch):
    """The folder of the index is replaced between the reading of the file and of the index."""
    path, pipeline = tmp_path / "x", with_index(HammingIndex()).fit(X, y)
    skhash.save(pipeline, path)
    opened, original = [], HammingIndex.open

    def open_late(folder, **options):
        if not opened:
            opened.append(folder)
            skhash.save(pipeline, path)
        return original(folder, **options)

    monkeypatch.setattr(HammingIndex, "open", open_late)
    np.testing.assert_array_equal(skhash.load(path).predict(X), pipeline.predict(X))
    assert not opened[0].exists()


WRITER = """
import sys, numpy as np, skhash
from sklearn.pipeline import make_pipeline
X = np.load(sys.argv[2])
pipelines = [make_pipeline(skhash.LSHHasher(16, random_state=seed), skhash.HammingIndex()).fit(X) for seed in (0, 1)]
print("ready", flush=True)
while True:
    for pipeline in pipelines:
        skhash.save(pipeline, sys.argv[1])
"""


@pytest.mark.skipif(os.name == "nt", reason="writers exclude each other on POSIX only")
def test_a_killed_writer_leaves_the_old_or_the_new_pipeline(tmp_path):
    path = tmp_path / "x"
    expected = [LSHHasher(16, random_state=seed).fit(X).transform(X) for seed in (0, 1)]
    np.save(tmp_path / "X.npy", X)
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(tmp_path / "X.npy")], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        while not path.exists() or "estimator.skh" not in names(path):
            assert process.poll() is None
        for _ in range(30):  # while the other process saves
            loaded = skhash.load(path)
            codes = loaded[0].transform(X)
            assert any(np.array_equal(codes, each) for each in expected)
            assert loaded[1].kneighbors(codes, 1)[0].max() == 0  # the index is that of the hasher
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    loaded = skhash.load(path)
    assert loaded[1].kneighbors(loaded[0].transform(X), 1)[0].max() == 0
    skhash.save(make_pipeline(OrthoHasher(), HammingIndex().fit(X > 0)), path)
    assert len(names(path)) == 2


def test_files_of_another_scikit_learn_warn(tmp_path, monkeypatch):
    import skhash.io._save as module

    monkeypatch.setattr(module.sklearn, "__version__", "1.0.0")
    skhash.save(make_pipeline(StandardScaler(), PCAHasher(4)), tmp_path / "with")
    PCAHasher(4).save(tmp_path / "without")
    monkeypatch.undo()
    with pytest.warns(InconsistentVersionWarning, match=r"from version 1\.0\.0"):
        skhash.load(tmp_path / "with")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        skhash.load(tmp_path / "without")
