import pickle
import re

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skhash import HammingIndex, ShardedHammingIndex
from skhash.codes import pack_codes


def random_codes(n, bits, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def make_labels(kind, n):
    numbers = np.random.default_rng(1).integers(0, 4, n)
    text = np.array(["a", "long one", "b", "c"])[numbers]
    multi_hot = np.random.default_rng(1).integers(0, 2, (n, 3))
    return {None: None, "int": numbers, "text": text, "multi-hot": multi_hot}[kind]


def make_ids(kind, n):
    rows = np.random.default_rng(2).permutation(n)
    return {None: None, "int": rows - 5, "text": np.array([f"id {row}" for row in rows])}[kind]


def pick(array, rows):
    return None if array is None else array[rows]


def assert_equal_answers(sharded, index, queries, y, n_neighbors, radius):
    assert (sharded.n_samples_fit_, sharded.bits_) == (index.n_samples_fit_, index.bits_)
    found, expected = sharded.kneighbors(queries, n_neighbors), index.kneighbors(queries, n_neighbors)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    np.testing.assert_array_equal(sharded.kneighbors(queries, n_neighbors, return_distance=False), expected[1])
    found, expected = sharded.radius_neighbors(queries, radius), index.radius_neighbors(queries, radius)
    for a, b in zip([*found[0], *found[1]], [*expected[0], *expected[1]], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    assert len(sharded.radius_neighbors(queries, radius, return_distance=False)) == len(queries)
    z = np.random.default_rng(3).standard_normal(queries.shape)
    for query_bits in (1, 4):
        found = sharded.kneighbors_asymmetric(z, n_neighbors, query_bits=query_bits)
        expected = index.kneighbors_asymmetric(z, n_neighbors, query_bits=query_bits)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
    if y is not None:
        assert sharded.classes_.tolist() == index.classes_.tolist()
        np.testing.assert_array_equal(sharded.predict(queries), index.predict(queries))
        assert sharded.score(queries, y, R=5) == index.score(queries, y, R=5)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(1, 9),
    st.sampled_from([None, "int", "text", "multi-hot"]),
    st.sampled_from([None, "int", "text"]),
    st.sampled_from([None, 1, 2]),
    st.integers(0, 10**6),
)
def test_parts_equal_one_index(sizes, bits, label_kind, id_kind, executor, seed):
    n = sum(sizes)
    codes, y, ids = random_codes(n, bits, seed), make_labels(label_kind, n), make_ids(id_kind, n)
    rows = np.split(np.arange(n), np.cumsum(sizes)[:-1])
    parts = [HammingIndex().fit(codes[part], pick(y, part), ids=pick(ids, part)) for part in rows]
    index = HammingIndex().fit(codes, y, ids=ids)
    sharded = ShardedHammingIndex(parts, executor=executor)
    queries = random_codes(4, bits, seed + 1)
    y_queries = None if y is None else make_labels(label_kind, max(n, 4))[:4]
    assert_equal_answers(sharded, index, queries, y_queries, 1 + seed % n, seed % (bits + 1))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Paths of three saved parts, the index over all of them, and queries with labels."""
    folder = tmp_path_factory.mktemp("parts")
    codes, y = random_codes(300, 70), make_labels("text", 300)
    paths = []
    for number, rows in enumerate([slice(0, 50), slice(50, 51), slice(51, 300)]):
        paths.append(str(folder / f"part {number}"))
        HammingIndex.from_blocks(paths[-1], [(codes[rows], y[rows])])
    return paths, HammingIndex().fit(codes, y), (random_codes(20, 70, seed=1), make_labels("text", 20))


@pytest.mark.parametrize("executor", [None, 1, 2, -1, "joblib"])
def test_saved_parts_equal_one_index_whatever_searches_them(saved, executor):
    paths, index, (queries, y) = saved
    sharded = ShardedHammingIndex(paths, executor=executor)
    for n_neighbors, radius in ((1, 0), (60, 25), (300, 70)):
        assert_equal_answers(sharded, index, queries, y, n_neighbors, radius)


@pytest.fixture(scope="module")
def mixed(saved):
    """The same parts: a path, an index and an index that a memory map is behind."""
    paths, index, _ = saved
    last = HammingIndex(bits=70).fit(index.codes_[51:], index.labels_.decode()[51:])
    return [paths[0], HammingIndex.open(paths[1]), last]


def test_joblib_processes(saved, mixed):
    _, index, (queries, y) = saved
    with joblib.parallel_config("loky", n_jobs=2):
        assert_equal_answers(ShardedHammingIndex(mixed, executor="joblib"), index, queries, y, 7, 20)


def test_a_client_gets_paths_and_each_other_part_once(saved, mixed):
    _, index, (queries, y) = saved
    scattered, submitted = [], []

    class Client:
        def scatter(self, data, **options):
            scattered.append(data)
            return data

        def submit(self, function, *arguments, pure):
            submitted.append(arguments[0])
            return lambda: function(*arguments)

        def gather(self, futures):
            return [future() for future in futures]

    sharded = ShardedHammingIndex(mixed, executor=Client())
    assert_equal_answers(sharded, index, queries, y, 7, 20)
    assert sum(isinstance(data, HammingIndex) for data in scattered) == 2
    assert {type(part).__name__ for part in submitted[::3]} == {"SavedPart"}
    assert len(pickle.dumps(submitted[0])) < 500


# Of a slow disk, and of another test process with a cluster of its own.
@pytest.mark.filterwarnings(
    r"ignore:\s*Creating scratch directories:UserWarning", r"ignore:\s*Port \d+ is already in use:UserWarning"
)
def test_dask(saved, mixed):
    distributed = pytest.importorskip("distributed")
    paths, index, (queries, y) = saved
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        for parts, executor in ((paths, client), (mixed, client), (paths, "dask")):
            assert_equal_answers(ShardedHammingIndex(parts, executor=executor), index, queries, y, 7, 20)


def test_parts_stay_as_they_were(tmp_path):
    codes = random_codes(20, 9)
    part = HammingIndex().fit(codes)
    part.save(tmp_path)
    sharded = ShardedHammingIndex([part, tmp_path])
    late = ShardedHammingIndex([part, tmp_path], executor="joblib")
    expected = sharded.kneighbors(codes, 40)
    part.update([0], 1 - codes[:1]).remove([3]).add(codes[:2])
    part.save(tmp_path)
    for a, b in zip(sharded.kneighbors(codes, 40), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="has changed since the ShardedHammingIndex was created; create a new one"):
        late.kneighbors(codes)


def test_ids_count_on_behind_removed_ones_and_empty_parts():
    codes = random_codes(6, 8)
    parts = [HammingIndex().fit(codes[:3]).remove([0, 2]), HammingIndex().fit(codes[:2]).remove([0, 1])]
    parts.append(HammingIndex().fit(codes[3:]))
    sharded = ShardedHammingIndex(parts, n_neighbors=4)
    assert sharded.n_samples_fit_ == 4
    assert sorted(sharded.kneighbors(codes[:1])[1][0]) == [1, 5, 6, 7]
    assert sorted(sharded.radius_neighbors(codes[:1], 8)[1][0]) == [1, 5, 6, 7]


def test_arrays_as_parts_and_queries_in_any_form():
    codes = random_codes(30, 64)
    sharded = ShardedHammingIndex([codes[:10], pack_codes(codes[10:])], n_neighbors=2, radius=0)
    np.testing.assert_array_equal(sharded.kneighbors(pack_codes(codes), return_distance=False)[:, 0], np.arange(30))
    assert [row.tolist() for row in sharded.radius_neighbors(codes > 0)[1]] == [[i] for i in range(30)]


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ([], ValueError, "parts is empty"),
        ("folder", TypeError, "parts must be a list of paths, fitted indexes or arrays, got str"),
        ([np.eye(3), np.eye(4)], ValueError, "All parts must have the same bits: part 0 has 3, part 1 has 4"),
        ([HammingIndex()], NotFittedError, "not fitted"),
        (["/nowhere at all"], FileNotFoundError, "No such directory: /nowhere at all"),
        (
            [HammingIndex().fit([[0, 1]], ["a"]), HammingIndex().fit([[0, 1]])],
            ValueError,
            "the same labels: part 0 has text, part 1 has None",
        ),
        (
            [HammingIndex().fit([[0, 1]], [1]), HammingIndex().fit([[0, 1]], [[1, 0]])],
            ValueError,
            "the same labels: part 0 has numbers, part 1 has multi-hot with 2 columns",
        ),
        (
            [HammingIndex().fit([[0, 1]]), HammingIndex().fit([[0, 1]], ids=[1])],
            ValueError,
            "the same ids: part 0 has counted ids, part 1 has user-defined ids",
        ),
    ],
)
def test_parts_that_are_refused(parts, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ShardedHammingIndex(parts)


def test_parameters_are_checked():
    parts = [np.eye(3), np.eye(3)]
    for executor in (0, True, 1.5, "threads"):
        with pytest.raises(ValueError, match=f"executor must be None, a number of threads, .*, got {executor!r}"):
            ShardedHammingIndex(parts, executor=executor)
    sharded = ShardedHammingIndex(parts)
    with pytest.raises(
        ValueError, match="Expected n_neighbors <= n_samples_fit, but n_neighbors = 7, n_samples_fit = 6"
    ):
        sharded.kneighbors(np.eye(3), 7)
    with pytest.raises(ValueError, match="n_neighbors == 0, must be >= 1"):
        sharded.kneighbors(np.eye(3), 0)
    with pytest.raises(ValueError, match="radius == -1, must be >= 0"):
        sharded.radius_neighbors(np.eye(3), -1)
    with pytest.raises(ValueError, match="X has 4 features, but HammingIndex is expecting 3 features"):
        sharded.kneighbors(np.eye(4))
    assert not hasattr(sharded, "classes_")
    for name in ("predict", "score"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(sharded, name)


@pytest.mark.parametrize("id_kind", [None, "text"])
def test_asymmetric_search_pads_and_teaches(id_kind):
    codes, ids = random_codes(5, 9), make_ids(id_kind, 5)
    shards = ShardedHammingIndex(
        [
            HammingIndex().fit(codes[:3], ids=pick(ids, slice(3))),
            HammingIndex().fit(codes[3:], ids=pick(ids, slice(3, 5))),
        ]
    )
    z = np.random.default_rng(0).standard_normal((4, 9))
    whole = HammingIndex().fit(codes, ids=ids)
    expected = whole.kneighbors_asymmetric(z, 7, missing="pad")
    for ours, theirs in zip(shards.kneighbors_asymmetric(z, 7, missing="pad"), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(shards.kneighbors_asymmetric(z, 5, return_distance=False), expected[1][:, :5])
    with pytest.raises(ValueError, match="n_neighbors = 7, n_samples_fit = 5, n_samples = 4"):
        shards.kneighbors_asymmetric(z, 7)
    with pytest.raises(ValueError, match=r"got dtype uint8\. Pass what decision_function"):
        shards.kneighbors_asymmetric(codes)
    with pytest.raises(ValueError, match="query_bits == 9, must be <= 8"):
        shards.kneighbors_asymmetric(z, query_bits=9)
    empty = HammingIndex().fit(codes)
    empty.remove(empty.ids_)
    assert ShardedHammingIndex([empty]).kneighbors_asymmetric(z, 2, missing="pad")[0].tolist() == [[-1.0, -1.0]] * 4
    found = ShardedHammingIndex([empty, HammingIndex().fit(codes)]).kneighbors_asymmetric(z, 5)
    np.testing.assert_array_equal(found[0], HammingIndex().fit(codes).kneighbors_asymmetric(z, 5)[0])
