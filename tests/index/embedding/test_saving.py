"""Folders of an EmbeddingIndex: what comes back, what is appended, and what is refused."""

import json
import re
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest

from skhash import EmbeddingIndex, HammingIndex
from skhash.utils import is_mapped


def vectors(n, d=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


X, QUERIES = vectors(200), vectors(7, seed=1)
LABELS = np.array(list("abcd"))[np.arange(200) % 4]


def assert_same_answers(a, b, k=5):
    for found, expected in zip(a.kneighbors(QUERIES, k), b.kneighbors(QUERIES, k), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner_product"])
@pytest.mark.parametrize("rescore", [None, "int8", "float16", "float32"])
@pytest.mark.parametrize("mmap", [True, False])
def test_an_index_comes_back(tmp_path, metric, rescore, mmap):
    index = EmbeddingIndex(
        np.int64(3), metric=metric, rescore=rescore, bytes_per_vector=16, oversampling=np.float64(2.5), random_state=0
    )
    index.fit(X, LABELS, ids=[f"id {i}" for i in range(200)]).remove(["id 3"]).update(["id 5"], X[:1])
    index.save(tmp_path)
    EmbeddingIndex.verify(tmp_path)
    other = EmbeddingIndex.open(tmp_path, mmap=mmap)
    assert_same_answers(other, index)
    assert {**other.get_params(), "random_state": 0} == index.get_params()
    assert other.n_features_in_ == 24
    assert (other.ids_ == index.ids_).all()
    assert (other.predict(QUERIES) == index.predict(QUERIES)).all()
    np.testing.assert_array_equal(other.bits_per_axis_, index.bits_per_axis_)
    assert is_mapped(other._collection.codes) is mmap
    for changed in (index, other):
        changed.add(X[:2], ["a", "e"], ids=["new", "newer"]).remove(["id 7"]).update(["id 9"], X[50:51])
    assert_same_answers(other, index)
    other.save(tmp_path)
    assert_same_answers(EmbeddingIndex.open(tmp_path), index)


def test_names_of_columns_come_back(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X[:, :3], columns=["a", "b", "c"])
    EmbeddingIndex(random_state=0).fit(frame).save(tmp_path)
    index = EmbeddingIndex.open(tmp_path)
    assert index.feature_names_in_.tolist() == ["a", "b", "c"]
    index.kneighbors(frame[:2])
    with pytest.raises(ValueError, match="feature names"):
        index.kneighbors(frame[["c", "b", "a"]])
    index.feature_names_in_ = np.array(["a", "b"], dtype=object)
    index.save(tmp_path)
    with pytest.raises(ValueError, match="3 features and 2 names"):
        EmbeddingIndex.open(tmp_path)


@pytest.mark.parametrize("rescore", [None, "int8", "float32"])
def test_blocks_are_an_index(tmp_path, rescore):
    parameters = {"rescore": rescore, "bytes_per_vector": 16, "metric": "euclidean", "random_state": 0}
    learned = EmbeddingIndex(**parameters).learn(X)
    blocks = [(X[i : i + 50], LABELS[i : i + 50]) for i in range(0, 200, 50)]
    index = EmbeddingIndex.from_blocks(tmp_path, iter(blocks), training=X, **parameters)
    assert_same_answers(index, learned.add(X, LABELS))
    more = vectors(30, seed=2), LABELS[:30]
    longer = EmbeddingIndex.append_blocks(tmp_path, [more, more])
    EmbeddingIndex.verify(tmp_path)
    assert_same_answers(longer, learned.add(*more).add(*more))
    assert (len(index), len(longer)) == (200, 260)
    assert_same_answers(EmbeddingIndex.append_blocks(tmp_path, []), learned)


def test_the_first_block_teaches(tmp_path):
    index = EmbeddingIndex.from_blocks(tmp_path, [X[:100], X[100:]], random_state=0)
    assert_same_answers(index, EmbeddingIndex(random_state=0).fit(X[:100]).add(X[100:]))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "blocks is empty"),
        ([X, X[:, :5]], "X has 5 features"),
        ([X, (X, LABELS)], "fit"),
        ([X, np.full((1, 24), np.nan)], "contains NaN"),
        ([(X, LABELS, LABELS, LABELS)], "got a tuple of 4"),
    ],
)
def test_wrong_blocks_leave_the_folder(tmp_path, blocks, message):
    EmbeddingIndex(random_state=0).fit(X).save(tmp_path)
    before = (tmp_path / "header.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        EmbeddingIndex.from_blocks(tmp_path, blocks)
    if blocks:
        with pytest.raises(ValueError, match=message):
            EmbeddingIndex.append_blocks(tmp_path, blocks)
    assert (tmp_path / "header.json").read_bytes() == before
    EmbeddingIndex.verify(tmp_path)


@pytest.mark.parametrize("rescore", [None, "float32"])
def test_blocks_need_little_memory(tmp_path, rescore):
    def blocks():
        for seed in range(20):
            yield vectors(4000, 32, seed)

    EmbeddingIndex.from_blocks(tmp_path, [vectors(4000, 32)], rescore=rescore, random_state=0)
    tracemalloc.start()
    index = EmbeddingIndex.append_blocks(tmp_path, blocks())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(index) == 84_000
    assert peak < 5_000_000  # of 10.8 MB


def test_each_kind_of_index_opens_its_own(tmp_path):
    EmbeddingIndex(random_state=0).fit(X).save(tmp_path / "embedding")
    HammingIndex().fit(np.eye(9)).save(tmp_path / "hamming")
    for read in (HammingIndex.open, HammingIndex.verify, lambda path: HammingIndex.append_blocks(path, [])):
        with pytest.raises(ValueError, match="EmbeddingIndex"):
            read(tmp_path / "embedding")
    for read in (EmbeddingIndex.open, EmbeddingIndex.verify, lambda path: EmbeddingIndex.append_blocks(path, [])):
        with pytest.raises(ValueError, match="HammingIndex"):
            read(tmp_path / "hamming")
    with pytest.raises(FileNotFoundError):
        EmbeddingIndex.open(tmp_path / "nothing")


WRONG = [-1, 0, 2**31, 2**63, 10**400, 1.5, float("nan"), float("inf"), "x", None, True, [], {}, [3], "\0"]


def places(entry, place=()):
    """Yield the path of every entry and of every entry within it."""
    if place:
        yield place
    children = entry.items() if isinstance(entry, dict) else enumerate(entry) if isinstance(entry, list) else ()
    for key, child in children:
        yield from places(child, (*place, key))


def write(folder, header):
    start = json.dumps(header, indent=1).removesuffix("\n}") + ",\n "
    (folder / "header.json").write_text(start + f'"crc32": "{zlib.crc32(start.encode()):08x}"\n}}\n')


def read_header(folder):
    header = json.loads((folder / "header.json").read_text())
    del header["crc32"]
    return header


def test_every_entry_of_the_header_replaced_or_missing(tmp_path):
    EmbeddingIndex(rescore="int8", bytes_per_vector=16, random_state=0).fit(X[:40]).save(tmp_path)
    good, wrong = read_header(tmp_path), {}
    for place in list(places(good)):
        for value in [*WRONG, "missing"]:
            header = json.loads(json.dumps(good))
            parent = header
            for key in place[:-1]:
                parent = parent[key]
            if value == "missing":
                del parent[place[-1]]
            else:
                parent[place[-1]] = value
            write(tmp_path, header)
            for mmap in (True, False):
                try:
                    with np.errstate(all="ignore"):
                        EmbeddingIndex.open(tmp_path, mmap=mmap).kneighbors(QUERIES, 3)
                except (ValueError, FileNotFoundError):
                    continue
                except Exception as error:
                    wrong[place, str(value)[:20], mmap] = repr(error)
    assert not wrong


@pytest.mark.parametrize("name", ["mean", "components", "half_steps", "scales"])
@pytest.mark.parametrize("change", ["nan", "shorter", "longer", "flat", "double", "none"])
def test_altered_attachments(tmp_path, name, change):
    EmbeddingIndex(rescore="int8", bytes_per_vector=16, random_state=0).fit(X[:40]).save(tmp_path)
    index = EmbeddingIndex.open(tmp_path)
    owner = "copies" if name == "scales" else "quantizer"
    array = getattr(getattr(index._stored, owner), name)
    altered = {
        "nan": np.full_like(array, np.nan),
        "shorter": array[:-1],
        "longer": np.concatenate([array, array]),
        "flat": array.reshape(1, *array.shape),
        "double": array.astype(np.float64),
        "none": array[:0],
    }[change]
    index._stored = replace(index._stored, **{owner: replace(getattr(index._stored, owner), **{name: altered})})
    index.save(tmp_path)
    EmbeddingIndex.verify(tmp_path)
    for mmap in (True, False):
        with pytest.raises(ValueError, match="damaged: its header and its arrays do not fit together"):
            EmbeddingIndex.open(tmp_path, mmap=mmap)


def test_damaged_files(tmp_path):
    EmbeddingIndex(rescore="float16", random_state=0).fit(X, LABELS).save(tmp_path)
    for path in sorted(tmp_path.glob("*.bin")):
        good = path.read_bytes()
        path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with pytest.raises(ValueError, match="damaged"):
            EmbeddingIndex.verify(tmp_path)
        with pytest.raises(ValueError, match="damaged"):
            EmbeddingIndex.open(tmp_path, mmap=False)
        path.write_bytes(good[:-1])
        with pytest.raises(ValueError, match=re.escape(path.name)):
            EmbeddingIndex.open(tmp_path)
        path.unlink()
        with pytest.raises(FileNotFoundError):
            EmbeddingIndex.open(tmp_path)
        path.write_bytes(good)
    EmbeddingIndex.verify(tmp_path)


def test_a_huge_claim_allocates_nothing(tmp_path):
    EmbeddingIndex(random_state=0).fit(X).save(tmp_path)
    good = read_header(tmp_path)
    for change in (
        lambda header: header["attachments"]["components"].update(shape=[2**31, 2**20]),
        lambda header: header["attachments"]["mean"].update(shape=[2**40]),
        lambda header: header["extra"].update(sizes=[2**60]),
        lambda header: header["extra"].update(sizes=[1] * 10**5),
        lambda header: header.update(bits=2**40),
    ):
        header = json.loads(json.dumps(good))
        change(header)
        write(tmp_path, header)
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"expected|damaged") as error:
            EmbeddingIndex.open(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000_000, error


def test_a_failed_save_names_what_is_wrong(tmp_path):
    index = EmbeddingIndex(random_state=0).fit(X[:2], ids=[object(), object()])
    with pytest.raises(TypeError, match="cannot be saved"):
        index.save(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    (tmp_path / "other file").write_text("mine")
    with pytest.raises(ValueError, match="other file"):
        EmbeddingIndex(random_state=0).fit(X).save(tmp_path)
