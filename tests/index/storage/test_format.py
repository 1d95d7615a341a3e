import json
import os

import numpy as np
import pytest

from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage import _format as _storage
from skhash.index.storage._format import IndexWriter, check_index, read_index, read_index_header
from skhash.utils import Labels


def write(folder, *blocks, header=None):
    with IndexWriter(folder, header) as writer:
        for codes, labels, ids in blocks:
            writer.add(np.array(codes, np.uint64)[:, None], labels, ids)
        writer.commit(check_ids=True, bits=8, next_id=None, parameters={}, feature_names=None)


def labels_of(*values):
    classes, codes = np.unique(values, return_inverse=True)
    return Labels(codes, classes)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, ([7, 9, 1], labels_of("b", "x", "b"), np.array([4, 6, 5])))
    return tmp_path


def rewrite(folder, change):
    """Change a header, as no writer does, with the right checksum."""
    header = json.loads((folder / "header.json").read_text())
    change(header)
    header.pop("crc32")
    _folder.commit(folder, header)


@pytest.mark.parametrize("mmap", [True, False])
def test_files_are_raw_little_endian_arrays(folder, mmap):
    files = read_index_header(folder)["files"]
    raw = {role: (folder / entry["name"]).read_bytes() for role, entry in files.items()}
    assert raw["codes"] == b"".join(value.to_bytes(8, "little") for value in (7, 9, 1))
    assert raw["ids"] == b"".join(value.to_bytes(8, "little") for value in (4, 6, 5))
    assert raw["labels"] == b"".join(value.to_bytes(8, "little") for value in (0, 1, 0))
    assert raw["classes"] == b'"b"\n"x"\n'
    codes, labels, ids = read_index(folder, read_index_header(folder), mmap)
    assert (codes.dtype, codes.tolist()) == (np.uint64, [[7], [9], [1]])
    assert (ids.dtype, ids.tolist()) == (np.int64, [4, 6, 5])
    assert labels.decode().tolist() == ["b", "x", "b"]


def test_classes_that_come_late_are_sorted_in(folder, monkeypatch):
    monkeypatch.setattr(_storage, "_RECODED_AT_ONCE", 2)
    blocks = [([1], labels_of("c"), np.array([1])), ([2, 3], labels_of("x", "a"), np.array([2, 3]))]
    write(folder, *blocks, header=read_index_header(folder))
    check_index(folder)
    _, labels, ids = read_index(folder, read_index_header(folder), mmap=True)
    assert labels.classes.tolist() == ["a", "b", "c", "x"]
    assert labels.decode().tolist() == ["b", "x", "b", "c", "x", "a"]
    assert ids.tolist() == [4, 6, 5, 1, 2, 3]
    assert len(os.listdir(folder)) == 5


def test_ids_are_checked_before_they_count(folder):
    before = read_index_header(folder)
    for ids, message in (
        (np.array([6]), "ids must be unique, but 6 is"),
        (np.array([4]), "ids must be unique, but 4 is"),
    ):
        with pytest.raises(ValueError, match=message):
            write(folder, ([1], labels_of("b"), ids), header=read_index_header(folder))
    assert read_index_header(folder) == before
    with pytest.raises(TypeError, match="ids must be integers, as those in the index are, got 'z'"):
        write(folder, ([1], labels_of("b"), np.array(["z"], object)), header=before)
    write(folder, ([1, 2], None, np.array(["a", ("b", 1)], object)), ([3], None, np.array([4])))
    ids = read_index(folder, read_index_header(folder), mmap=True)[2]
    assert ids.tolist() == ["a", ("b", 1), 4]


def test_what_json_has_not_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"id or class b'x' of type bytes cannot be saved; accepted: str, int"):
        write(tmp_path, ([1, 2], None, np.array(["b", ("a", b"x")], object)))
    assert os.listdir(tmp_path) == []


def drop_classes(header):
    header["files"].pop("classes")
    return header["files"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(n=4), r"codes are <u8 of shape \[3, 1\], expected <u8 of shape \[4, 1\]"),
        (lambda h: h.update(n=-1), "expected integers n >= 0 and bits >= 1, got n=-1, bits=8"),
        (lambda h: h.update(bits=0), "got n=3, bits=0"),
        (lambda h: h.update(n="3"), "got n='3', bits=8"),
        (lambda h: h.update(bits=65), r"codes are <u8 of shape \[3, 1\], expected <u8 of shape \[3, 2\]"),
        (lambda h: h.pop("next_id"), r"the header is incomplete or malformed \(KeyError\('next_id'\)\)"),
        (drop_classes, "files of .*, expected codes and, if any, ids and labels, with classes for single"),
        (lambda h: h.pop("bits"), r"the header is incomplete or malformed \(KeyError\('bits'\)\)"),
        (lambda h: h.update(files=3), "the header is incomplete or malformed"),
        (lambda h: h["files"].pop("codes"), r"names files of \['classes', 'ids', 'labels'\], expected codes"),
        (lambda h: h["files"].update(code={}), "names files of .*, expected codes"),
        (lambda h: h["files"]["codes"].update(dtype="|O"), r"codes are \|O of shape"),
        (lambda h: h["files"]["codes"].update(size=8), r"codes of shape \[3, 1\] have 8 bytes, expected 24"),
        (lambda h: h["files"]["codes"].update(size=2**60, shape=[2**57, 1]), "expected <u8 of shape"),
        (
            lambda h: h.update(n=2**57, files={"codes": {**h["files"]["codes"], "size": 2**60, "shape": [2**57, 1]}}),
            f"is truncated: expected {2**60} bytes, got 24",
        ),
        (
            lambda h: h["files"]["ids"].update(shape=[2]),
            r"ids are <i8 of shape \[2\], expected <i8 of shape \[3\] or js",
        ),
        (lambda h: h["files"]["labels"].update(shape=[3, 2]), "with classes for single labels only"),
        (lambda h: drop_classes(h)["labels"].update(shape=[3, 2]), r"expected \|u1 of shape \[3, 2\]"),
        (lambda h: h["files"]["codes"].update(name="../../etc/passwd"), "names a data file '../../etc/passwd'"),
        (lambda h: h["files"]["classes"].update(kind="(9,9)f8"), "expected classes of a kind in .*, got '\\(9,9\\)f8'"),
        (lambda h: h["files"]["classes"].update(shape=[3]), "expected 3 values, got 2"),
    ],
)
def test_headers_that_lie(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ValueError, match=message):
        read_index(folder, read_index_header(folder), mmap=True)
