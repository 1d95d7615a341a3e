import pickle
import re

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash import EmbeddingIndex, HammingIndex, ShardedEmbeddingIndex


def vectors(n, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


TRAINING, QUERIES = vectors(300, seed=99), vectors(4, seed=98)


def learned(**parameters):
    return EmbeddingIndex(bytes_per_vector=16, random_state=0, **parameters).learn(TRAINING)


def make_labels(kind, n):
    numbers = np.random.default_rng(1).integers(0, 4, n)
    multi_hot = np.random.default_rng(1).integers(0, 2, (n, 3))
    return {None: None, "int": numbers, "text": np.array(list("abcd"))[numbers], "multi-hot": multi_hot}[kind]


def make_ids(kind, n):
    rows = np.random.default_rng(2).permutation(n)
    return {None: None, "int": rows - 5, "text": np.array([f"id {row}" for row in rows])}[kind]


def pick(array, rows):
    return None if array is None else array[rows]


def assert_equal_answers(sharded, index, k):
    assert (sharded.n_samples_fit_, sharded.n_features_in_) == (index.n_samples_fit_, index.n_features_in_)
    found, expected = sharded.kneighbors(QUERIES, k), index.kneighbors(QUERIES, k)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    np.testing.assert_array_equal(sharded.kneighbors(QUERIES, k, return_distance=False), expected[1])
    assert hasattr(sharded, "predict") is hasattr(index, "predict")
    if hasattr(index, "predict"):
        np.testing.assert_array_equal(sharded.predict(QUERIES), index.predict(QUERIES))


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.sampled_from([None, "int8", "float32"]),
    st.sampled_from(["cosine", "euclidean", "inner_product"]),
    st.sampled_from([None, "int", "text", "multi-hot"]),
    st.sampled_from([None, "int", "text"]),
    st.sampled_from([None, 1, 2]),
    st.integers(0, 10**6),
)
def test_parts_that_learned_the_same_equal_one_index(sizes, rescore, metric, label_kind, id_kind, executor, seed):
    n = sum(sizes)
    X, y, ids = vectors(n, seed=seed), make_labels(label_kind, n), make_ids(id_kind, n)
    parameters = {"rescore": rescore, "metric": metric, "oversampling": 100}
    rows = np.split(np.arange(n), np.cumsum(sizes)[:-1])
    parts = [learned(**parameters).add(X[part], pick(y, part), ids=pick(ids, part)) for part in rows]
    index = learned(**parameters).add(X, y, ids=ids)
    assert_equal_answers(ShardedEmbeddingIndex(parts, executor=executor), index, 1 + seed % n)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Paths of three saved parts, and the index over all of them."""
    folder = tmp_path_factory.mktemp("parts")
    X, y = vectors(300), make_labels("text", 300)
    paths = []
    for number, rows in enumerate([slice(0, 50), slice(50, 51), slice(51, 300)]):
        paths.append(str(folder / f"part {number}"))
        EmbeddingIndex.from_blocks(
            paths[-1], [(X[rows], y[rows])], training=TRAINING, bytes_per_vector=16, random_state=0
        )
    return paths, learned().add(X, y)


@pytest.mark.parametrize("executor", [None, 1, 2, -1, "joblib"])
def test_saved_parts_equal_one_index_whatever_searches_them(saved, executor):
    paths, index = saved
    for k in (1, 60, 300):
        assert_equal_answers(ShardedEmbeddingIndex(paths, executor=executor), index, k)


def mixed(paths):
    """The same parts: a path, an index in memory and an index that a memory map is behind."""
    return [paths[0], EmbeddingIndex.open(paths[1], mmap=False), EmbeddingIndex.open(paths[2])]


def test_joblib_processes(saved):
    paths, index = saved
    with joblib.parallel_config("loky", n_jobs=2):
        assert_equal_answers(ShardedEmbeddingIndex(mixed(paths), executor="joblib"), index, 7)


def test_a_client_gets_paths_and_each_other_part_once(saved):
    paths, index = saved
    scattered, submitted = [], []

    class Client:
        def scatter(self, data, **options):
            scattered.append(data)
            return data

        def submit(self, function, *arguments, pure):
            submitted.append(arguments[0])
            function = pickle.loads(pickle.dumps(function))
            return lambda: function(*arguments)

        def gather(self, futures):
            return [future() for future in futures]

    assert_equal_answers(ShardedEmbeddingIndex(mixed(paths), executor=Client()), index, 7)
    assert sum(isinstance(data, EmbeddingIndex) for data in scattered) == 2
    assert {type(part).__name__ for part in submitted[::3]} == {"SavedPart"}
    assert len(pickle.dumps(submitted[0])) < 500


# Of a slow disk, and of another test process with a cluster of its own.
@pytest.mark.filterwarnings(
    r"ignore:\s*Creating scratch directories:UserWarning", r"ignore:\s*Port \d+ is already in use:UserWarning"
)
def test_dask(saved):
    distributed = pytest.importorskip("distributed")
    paths, index = saved
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        for parts, executor in ((paths, client), (mixed(paths), client), (paths, "dask")):
            assert_equal_answers(ShardedEmbeddingIndex(parts, executor=executor), index, 7)


def test_parts_stay_as_they_were(tmp_path):
    X = vectors(20)
    part = EmbeddingIndex(rescore="float32", random_state=0).fit(X)
    part.save(tmp_path)
    sharded = ShardedEmbeddingIndex([part, tmp_path])
    late = ShardedEmbeddingIndex([part, tmp_path], executor="joblib")
    expected = sharded.kneighbors(X, 40)
    part.update([0], -X[:1]).remove([3]).add(X[:2])
    part.save(tmp_path)
    for a, b in zip(sharded.kneighbors(X, 40), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="has changed since the ShardedEmbeddingIndex was created; create a new one"):
        late.kneighbors(X)


def test_parts_that_learned_apart():
    X = vectors(2000, 32)
    parts = [EmbeddingIndex(rescore="float32", oversampling=30, random_state=i).fit(X[i::4]) for i in range(4)]
    distances, ids = ShardedEmbeddingIndex(parts).kneighbors(X[:20], 5)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    exact = np.sort(1 - unit[:20] @ unit.T, axis=1)[:, :5]
    np.testing.assert_allclose(distances, exact, atol=1e-5)
    np.testing.assert_array_equal(ids[:, 0], np.arange(20) % 4 * 500 + np.arange(20) // 4)


def test_ids_count_on_behind_removed_ones_and_empty_parts():
    X = vectors(6)
    parts = [EmbeddingIndex().fit(X[:3]).remove([0, 2]), EmbeddingIndex().fit(X[:2]).remove([0, 1])]
    sharded = ShardedEmbeddingIndex([*parts, EmbeddingIndex().fit(X[3:])], n_neighbors=4)
    assert (len(sharded), repr(sharded)) == (4, "ShardedEmbeddingIndex(3 parts, 4 vectors of 16 features)")
    assert sorted(sharded.kneighbors(X[:1])[1][0]) == [1, 5, 6, 7]
    distances, ids = sharded.kneighbors(X[:1], 6, missing="pad")
    assert np.isnan(distances).tolist() == [[False] * 4 + [True] * 2]
    assert ids[0, 4:].tolist() == [-1, -1]
    nothing = ShardedEmbeddingIndex([parts[1]])
    assert nothing.kneighbors(X[:1], 2, missing="pad")[1].tolist() == [[-1, -1]]


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (lambda fit: [], ValueError, "parts is empty"),
        (lambda fit: "folder", TypeError, "parts must be a list of paths or fitted indexes, got str"),
        (lambda fit: [np.eye(3)], TypeError, "parts must be paths or fitted EmbeddingIndexes, got ndarray"),
        (lambda fit: [HammingIndex()], TypeError, "fitted EmbeddingIndexes, got HammingIndex"),
        (lambda fit: [fit(), fit(metric="euclidean")], ValueError, "same metric: part 0 has cosine, part 1 has euc"),
        (lambda fit: [fit(), fit(rescore="int8")], ValueError, "same rescore: part 0 has None, part 1 has int8"),
        (lambda fit: [fit(), fit(d=4)], ValueError, "same number of features: part 0 has 3, part 1 has 4"),
        (lambda fit: [fit(), fit(y=[1, 2])], ValueError, "same labels: part 0 has None, part 1 has numbers"),
        (lambda fit: [fit(), fit(ids=[1, 2])], ValueError, "same ids: part 0 has counted ids, part 1 has user-def"),
        (lambda fit: ["/nowhere at all"], FileNotFoundError, "No such directory: /nowhere at all"),
        (lambda fit: [EmbeddingIndex()], ValueError, "not fitted"),
    ],
)
def test_parts_that_are_refused(parts, error, message):
    def fit(d=3, y=None, ids=None, **parameters):
        return EmbeddingIndex(**parameters).fit(vectors(2, d), y, ids=ids)

    with pytest.raises(error, match=re.escape(message)):
        ShardedEmbeddingIndex(parts(fit))


def test_arguments_are_checked():
    parts = [EmbeddingIndex().fit(vectors(3)), EmbeddingIndex().fit(vectors(3))]
    for executor in (0, True, 1.5, "threads"):
        with pytest.raises(ValueError, match=f"executor must be None, a number of threads, .*, got {executor!r}"):
            ShardedEmbeddingIndex(parts, executor=executor)
    sharded = ShardedEmbeddingIndex(parts)
    with pytest.raises(ValueError, match="n_neighbors = 7, n_samples_fit = 6"):
        sharded.kneighbors(QUERIES, 7)
    with pytest.raises(ValueError, match="n_neighbors == 0, must be >= 1"):
        sharded.kneighbors(QUERIES, 0)
    with pytest.raises(ValueError, match="X has 4 features, but EmbeddingIndex is expecting 16 features"):
        sharded.kneighbors(np.eye(4))
    with pytest.raises(ValueError, match="contains NaN"):
        sharded.kneighbors(QUERIES * np.nan)
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        sharded.predict(QUERIES)


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(vectors(9, 2), columns=["a", "b"])
    sharded = ShardedEmbeddingIndex([EmbeddingIndex(random_state=0).fit(frame) for _ in range(2)])
    sharded.kneighbors(frame)  # without a warning
    with pytest.raises(ValueError, match="feature names"):
        sharded.kneighbors(frame[["b", "a"]])
