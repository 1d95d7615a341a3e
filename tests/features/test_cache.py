"""The cache of feature vectors on disk."""

import multiprocessing

import numpy as np
import pytest

from skhash.features import FeatureCache


def test_vectors_are_found_by_key(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((1200, 3)).astype(np.float32)
    keys = [bytes([n % 256, n // 256]) for n in range(1200)]
    cache = FeatureCache(tmp_path)
    cache.store(keys, vectors)
    found = FeatureCache(tmp_path).load([*keys, b"other"])
    assert len(found) == len(cache) == 1200
    np.testing.assert_array_equal(np.stack([found[key] for key in keys]), vectors)
    assert found[keys[0]].dtype == np.float32
    cache.clear()
    assert len(cache) == 0


def test_the_oldest_vectors_are_removed_first(tmp_path):
    cache = FeatureCache(tmp_path, limit=10 * 8)
    for start in (0, 4, 8):
        cache.store([bytes([n]) for n in range(start, start + 4)], np.arange(4.0)[:, None])
    assert sorted(key[0] for key in cache.load([bytes([n]) for n in range(12)])) == list(range(2, 12))


def test_a_damaged_file_is_named(tmp_path):
    FeatureCache(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(b"not a database" * 1000)
    with pytest.raises(ValueError, match=r"features\.sqlite' is damaged or another kind of file"):
        FeatureCache(tmp_path)


def _store(folder, first):
    cache = FeatureCache(folder)
    for n in range(first, first + 40):
        cache.store([n.to_bytes(2, "big")], np.full((1, 2), float(n)))


def test_processes_write_side_by_side(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_store, args=(tmp_path, first)) for first in (0, 30)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    found = FeatureCache(tmp_path).load([n.to_bytes(2, "big") for n in range(70)])
    assert [found[n.to_bytes(2, "big")][0] for n in range(70)] == list(range(70))


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(ValueError, match="is not a folder and cannot be made one"):
            FeatureCache(folder)
