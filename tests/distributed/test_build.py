import json
import re
import shutil
import zlib

import dask
import dask.array as da
import numpy as np
import pytest

from skhash import EmbeddingIndex, HammingIndex, LSHHasher, ShardedEmbeddingIndex, ShardedHammingIndex
from skhash.codes import pack_codes
from skhash.distributed import build_index, saved_parts
from skhash.distributed._build import commit, describe_part


@pytest.fixture(autouse=True)
def threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


def random_codes(n, bits=70, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def assert_same(parts, index, queries):
    sharded = ShardedHammingIndex(parts)
    for found, expected in zip(sharded.kneighbors(queries, 30), index.kneighbors(queries, 30), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
    return sharded


@pytest.mark.parametrize("n_parts", [None, 1, 20])
@pytest.mark.parametrize("id_kind", [None, "int", "text"])
def test_parts_equal_one_index(tmp_path, n_parts, id_kind):
    codes, y = random_codes(300), np.random.default_rng(1).integers(0, 4, 300)
    order = np.random.default_rng(2).permutation(300)
    ids = {None: None, "int": order - 7, "text": np.array([f"id {i}" for i in order])}[id_kind]
    lazy_y = da.from_array(y, chunks=77)
    parts = build_index(
        tmp_path / "new" / "index", da.from_array(codes, chunks=(90, 33)), lazy_y, ids=ids, n_parts=n_parts
    )
    assert parts == saved_parts(tmp_path / "new" / "index")
    assert len(parts) == (n_parts or 4)
    index = HammingIndex().fit(codes, y, ids=ids)
    sharded = assert_same(parts, index, random_codes(9, seed=3))
    np.testing.assert_array_equal(sharded.predict(codes[:20]), index.predict(codes[:20]))
    for part in parts:
        HammingIndex.verify(part)


def test_ids_of_a_list_stay_as_they_are(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2, (6, 8), np.uint8)
    ids = [1, 2, 3, "1", ("a", 2), 10]
    parts = build_index(tmp_path, da.from_array(codes, chunks=(3, -1)), ids=ids)
    assert [one for part in parts for one in HammingIndex.open(part).ids_.tolist()] == ids
    with pytest.raises(ValueError, match="some are in two parts"):
        build_index(tmp_path, da.from_array(codes, chunks=(3, -1)), ids=[*ids[:5], 1])
    with pytest.raises(ValueError, match="some are in two parts"):
        build_index(tmp_path, da.from_array(codes, chunks=(3, -1)), ids=[0, 1, 2, 2, 3, 4])


def test_from_hashers_in_packed_words_and_with_unknown_lengths(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 9))
    hasher = LSHHasher(bits=70, random_state=0).fit(X)
    lazy, codes = da.from_array(X, chunks=(60, 4)), hasher.transform(X)
    index = HammingIndex().fit(codes)
    assert_same(build_index(tmp_path / "a", hasher.transform(lazy)), index, codes[:9])
    packed = hasher.transform(lazy).map_blocks(pack_codes, chunks=(lazy.chunks[0], (2,)), dtype=np.uint64)
    parts = build_index(tmp_path / "b", packed, bits=70, radius=9)
    assert_same(parts, index, codes[:9])
    assert HammingIndex.open(parts[0]).radius == 9
    few = np.arange(200) >= 70
    parts = build_index(tmp_path / "c", hasher.transform(lazy[da.from_array(few, chunks=60)]))
    assert len(parts) == 3  # the first block was empty
    assert_same(parts, HammingIndex().fit(codes[70:]), codes[:9])


def test_embeddings_that_learned_the_same(tmp_path):
    X = np.random.default_rng(0).normal(size=(600, 64))
    options = {"random_state": 0}
    parts = build_index(
        tmp_path, da.from_array(X, chunks=(200, 30)), index_type=EmbeddingIndex, training=X[:300], **options
    )
    whole = EmbeddingIndex.from_blocks(tmp_path.parent / "whole", [X], training=X[:300], **options)
    found, expected = ShardedEmbeddingIndex(parts).kneighbors(X[:20], 7), whole.kneighbors(X[:20], 7)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[0], expected[0])


def test_an_interrupted_build_changes_nothing_and_can_be_repeated(tmp_path):
    codes, enough = random_codes(200), 1

    def block(values):
        if len(list(tmp_path.iterdir())) >= enough:  # when so many parts are there, whatever the order
            raise OSError("lost")
        return values

    lazy = da.from_array(codes, chunks=(50, 70)).map_blocks(block, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    with dask.config.set(scheduler="sync"), pytest.raises(OSError, match="lost"):
        build_index(tmp_path, lazy)
    assert list(tmp_path.iterdir())  # some parts were written
    with pytest.raises(FileNotFoundError, match=r"not a sharded index, or its build was not finished: no shards\.json"):
        saved_parts(tmp_path)
    with pytest.raises(FileNotFoundError):
        HammingIndex.open(tmp_path)
    (tmp_path / f"shards.json.{'0' * 16}.tmp").write_text("a commit that was killed")
    enough = 99
    first = build_index(tmp_path, lazy)
    assert_same(first, HammingIndex().fit(codes), codes[:5])
    assert len(list(tmp_path.iterdir())) == 5  # what was left is gone
    enough = 6
    with dask.config.set(scheduler="sync"), pytest.raises(OSError, match="lost"):
        build_index(tmp_path, lazy[::-1])
    assert saved_parts(tmp_path) == first
    assert_same(saved_parts(tmp_path), HammingIndex().fit(codes), codes[:5])
    enough = 99
    opened = ShardedHammingIndex(first)
    second = build_index(tmp_path, lazy[::-1])
    assert not set(first) & set(second)
    assert_same(second, HammingIndex().fit(codes[::-1]), codes[:5])
    assert len(list(tmp_path.iterdir())) == 5
    assert opened.kneighbors(codes[[3]], 1)[1].tolist() == [[3]]  # mapped, and so as it was


def test_lazy_builds_and_two_at_once(tmp_path):
    codes = random_codes(100)
    first = build_index(tmp_path, da.from_array(codes, chunks=(50, -1)), compute=False)
    second = build_index(tmp_path, da.from_array(codes[::-1], chunks=(50, -1)), compute=False)
    with pytest.raises(FileNotFoundError):
        saved_parts(tmp_path)
    parts = second.compute()
    assert first.compute() == saved_parts(tmp_path) != parts
    assert_same(saved_parts(tmp_path), HammingIndex().fit(codes), codes[:5])


@pytest.mark.parametrize("kind", ["int", "overlapping", "text"])
def test_ids_must_differ_between_parts(tmp_path, kind):
    ids = {"int": [5, 6, 9, 5], "overlapping": [0, 9, 3, 12], "text": list("abca")}[kind]
    lazy = da.from_array(random_codes(4), chunks=(2, -1))
    if kind == "overlapping":
        assert len(build_index(tmp_path, lazy, ids=ids)) == 2
        return
    with pytest.raises(ValueError, match="ids must be unique, but some are in two parts"):
        build_index(tmp_path, lazy, ids=ids)
    with pytest.raises(FileNotFoundError):
        saved_parts(tmp_path)


def test_refused_arguments(tmp_path):
    lazy = da.from_array(random_codes(10), chunks=(5, -1))
    unknown = lazy[lazy[:, 0] > 0]
    for arguments, options, error, message in [
        ((random_codes(3),), {}, ValueError, "X must be a Dask array of 2 axes, got ndarray of 2 axes"),
        ((lazy[0],), {}, ValueError, "X must be a Dask array of 2 axes, got Array of 1 axes"),
        ((lazy, [1, 2]), {}, ValueError, "y must have one value for each row of X: X has 10, y has 2"),
        ((lazy,), {"ids": [1]}, ValueError, "ids must have one value for each row of X: X has 10, ids has 1"),
        ((lazy,), {"n_parts": 11}, ValueError, "n_parts must be from 1 to the number of samples, 10, got 11"),
        ((unknown,), {"n_parts": 2}, ValueError, "n_parts needs an X of known length"),
        ((unknown, [1]), {}, ValueError, "y must be a Dask array with the blocks of X"),
        ((unknown,), {"ids": da.zeros(9, chunks=9)}, ValueError, "ids must have the blocks of X, 2, got 1"),
        ((lazy,), {"rhubarb": 1}, TypeError, r"HammingIndex has no parameters ['rhubarb']"),
        ((lazy,), {"training": 1}, TypeError, r"HammingIndex has no parameters ['training']"),
        ((lazy,), {"index_type": dict}, ValueError, "index_type must be HammingIndex or EmbeddingIndex, got"),
        ((lazy[:0],), {}, ValueError, "X has no rows, expected at least one"),
    ]:
        with pytest.raises(error, match=re.escape(message)):
            build_index(tmp_path / "index", *arguments, **options)
    with pytest.raises(ValueError, match=re.escape("holds other files, such as 'index', expected a new folder")):
        build_index(tmp_path, lazy)


def test_damaged_lists_of_parts(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such directory"):
        saved_parts(tmp_path / "nowhere")
    build_index(tmp_path, da.from_array(random_codes(10), chunks=(5, -1)))
    file = tmp_path / "shards.json"
    good = json.loads(file.read_bytes())
    assert good["crc32"] == f"{zlib.crc32(json.dumps(good['parts'], sort_keys=True).encode()):08x}"
    elsewhere = [dict(good["parts"][0], name="../elsewhere")]
    signed = {"parts": elsewhere, "crc32": f"{zlib.crc32(json.dumps(elsewhere, sort_keys=True).encode()):08x}"}
    for change, message in [
        ({"parts": good["parts"][:1]}, "its checksum is not that of its parts"),
        (signed, "its checksum is not that of its parts"),
        ({"format": "other"}, "of another kind: expected format 'skhash.shards', got 'other'"),
        ({"version": 2}, "has version 2, expected 1"),
        ({"parts": 3}, "is damaged: TypeError"),
    ]:
        file.write_text(json.dumps({**good, **change}))
        with pytest.raises(ValueError, match=re.escape(message)):
            saved_parts(tmp_path)
    file.write_text("{")
    with pytest.raises(ValueError, match="is damaged: JSONDecodeError"):
        saved_parts(tmp_path)


def test_parts_that_another_build_removed_or_replaced_are_noticed(tmp_path):
    parts = build_index(tmp_path, da.from_array(random_codes(10), chunks=(5, -1)))
    records = [describe_part(part, 5) for part in parts]
    assert commit(str(tmp_path), records) == parts
    HammingIndex().fit(random_codes(5, seed=1)).save(parts[1])
    with pytest.raises(ValueError, match="was changed during the build; build again"):
        commit(str(tmp_path), records)
    shutil.rmtree(parts[1])
    with pytest.raises(FileNotFoundError):
        commit(str(tmp_path), records)
