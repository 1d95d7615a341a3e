"""Folders that an earlier release wrote are opened, verified and searched, and saving them again writes the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from skhash import HammingIndex

GOLDEN = Path(__file__).parent / "golden"


def codes_of(n):
    """Codes of 70 bits by arithmetic alone, so that no generator of random numbers can change them."""
    rows, columns = np.arange(n)[:, None], np.arange(70)
    return ((rows * 7 + columns * 3) % 11 < 5).astype(np.uint8) ^ (rows % 7 == columns % 7)


def queries():
    queries = codes_of(20)[[0, 4, 9]]
    queries[:, ::9] ^= 1
    return queries


@pytest.fixture(params=[True, False], ids=["mapped", "in memory"])
def mmap(request):
    return request.param


def test_ids_of_the_user_and_class_labels(mmap):
    index = HammingIndex.open(GOLDEN / "user_ids", mmap=mmap)
    kept = np.setdiff1d(np.arange(20), [0, 3, 19])
    np.testing.assert_array_equal(index.codes_, HammingIndex().fit(codes_of(20)[kept]).codes_)
    assert index.bits_ == 70
    assert index.ids_.tolist() == (1000 - 7 * kept).tolist()
    assert index.ids_.dtype == np.int64
    assert index.labels_.decode().tolist() == np.array(["red", "green", "blue", "grün"])[kept % 4].tolist()
    assert index.classes_.tolist() == ["blue", "green", "grün", "red"]
    distances, ids = index.kneighbors(queries())
    assert distances.tolist() == [[17, 22, 24], [8, 16, 24], [8, 25, 26]]
    assert ids.tolist() == [[902, 923, 965], [972, 874, 895], [937, 993, 972]]
    distances, ids = index.radius_neighbors(queries())
    assert [part.tolist() for part in distances] == [[17], [8, 16], [8]]
    assert [part.tolist() for part in ids] == [[902], [972, 874], [937]]
    assert index.predict(queries()).tolist() == ["blue", "red", "green"]


def test_counted_ids_and_multi_hot_labels(mmap):
    index = HammingIndex.open(GOLDEN / "counted_ids", mmap=mmap)
    kept = np.setdiff1d(np.arange(20), [2, 3, 19])
    assert index.ids_.tolist() == kept.tolist()
    assert index.labels_.multilabel
    assert index.labels_.decode().tolist() == (kept[:, None] % [2, 3, 5] == 0).astype(int).tolist()
    distances, ids = index.kneighbors(queries())
    assert distances.tolist() == [[8, 17, 22, 24], [8, 16, 24, 25], [8, 25, 26, 28]]
    assert ids.tolist() == [[0, 14, 11, 5], [4, 18, 15, 12], [9, 1, 4, 6]]
    distances, ids = index.radius_neighbors(queries())
    assert [part.tolist() for part in distances] == [[8, 17], [8, 16], [8]]
    assert [part.tolist() for part in ids] == [[0, 14], [4, 18], [9]]
    assert index.predict(queries()).tolist() == [[1, 0, 1], [1, 1, 0], [1, 1, 0]]
    assert index.add(queries()[:1], [[0, 0, 1]]).ids_[-1] == 20  # the removed id 19 does not come again


def test_ids_as_json(mmap):
    index = HammingIndex.open(GOLDEN / "label_ids", mmap=mmap)
    assert index.ids_.tolist() == ["a", ("b", 1), "ü", "d", ("e", None), 7]
    assert index.labels_ is None
    distances, ids = index.kneighbors(queries())
    assert distances.tolist() == [[8, 24], [8, 31], [25, 26]]
    assert ids.tolist() == [["a", 7], [("e", None), ("b", 1)], [("b", 1), ("e", None)]]


@pytest.mark.parametrize("name", ["user_ids", "counted_ids", "label_ids"])
def test_saving_writes_the_same_files(name, tmp_path):
    HammingIndex.verify(GOLDEN / name)
    HammingIndex.open(GOLDEN / name).save(tmp_path)
    golden, new = (json.loads((folder / "header.json").read_text()) for folder in (GOLDEN / name, tmp_path))
    assert [*golden] == [*new]
    for role, entry in golden["files"].items():
        found = new["files"][role]
        assert (tmp_path / found["name"]).read_bytes() == (GOLDEN / name / entry["name"]).read_bytes()
        assert [*found] == [*entry]
        found["name"] = entry["name"]
    new.update(library=golden["library"], crc32=golden["crc32"])
    assert new == golden
