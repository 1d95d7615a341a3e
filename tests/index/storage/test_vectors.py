"""Vectors, attachments and facts of an index go to its folder and come back, and damage to them is noticed."""

import errno
import json
import os
import re

import numpy as np
import pytest

from skhash import HammingIndex, ShardedHammingIndex
from skhash.index.collection._collection import Collection
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage import _blocks, _format
from skhash.index.storage._blocks import IndexFacts, add_blocks, append_to, create, live_blocks, open_current
from skhash.index.storage._format import check_index

FACTS = IndexFacts(bits=64, parameters={"metric": "cosine"}, feature_names=["a", "b"])
ATTACHMENTS = {
    "mean": np.linspace(0, 1, 5, dtype=np.float32),
    "rotation": np.arange(12, dtype=np.float64).reshape(3, 4)[:, ::2],
    "signs": np.array([1, 0, 255], np.uint8),
    "seeds": np.array([2**64 - 1], np.uint64),
    "nothing": np.empty((0, 3), np.int64),
    "scale": np.array(1.5, np.float32),
}
EXTRA = {"metric": "cosine", "nested": {"planes": [1, 2], "scale": 0.1, "none": None}, "ünder": float("inf")}


def words(*values):
    return np.array(values, np.uint64)[:, None]


def vectors_of(codes, dtype=np.float16):
    return (codes.astype(np.int64) * 7 % 120 + np.arange(3)).astype(dtype)


def save(folder, collection, kind="embedding", **more):
    with create(folder, kind) as writer:
        for block in live_blocks(collection):
            writer.add(*block)
        writer.commit(check_ids=False, next_id=collection.next_id, **vars(FACTS), **more)


def make(n=9, dtype=np.float16, y=None):
    codes = words(*range(n))
    return Collection.build(codes, y, vectors=vectors_of(codes, dtype))


def header_of(folder):
    return json.loads((folder / "header.json").read_text())


def rewrite(folder, change):
    header = header_of(folder)
    change(header)
    header.pop("crc32")
    _folder.commit(folder, header)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.float32])
def test_vectors_come_back(tmp_path, monkeypatch, mmap, dtype):
    monkeypatch.setattr(_blocks, "_BYTES_AT_ONCE", 20)
    collection = make(dtype=dtype)
    for state in (collection, collection.remove([2, 5]), collection.remove(range(9))):
        save(tmp_path, state)
        check_index(tmp_path, "embedding")
        found = open_current(tmp_path, mmap, kind="embedding").collection
        codes = state.live(state.codes)
        np.testing.assert_array_equal(found.codes, codes)
        np.testing.assert_array_equal(found.vectors, vectors_of(codes, dtype), strict=True)
    entry = header_of(tmp_path)["files"]["vectors"]
    form = {np.int8: "|i1", np.float16: "<f2", np.float32: "<f4"}[dtype]
    assert (entry["dtype"], entry["shape"]) == (form, [0, 3])


@pytest.mark.parametrize("order", ["C", "F"])
def test_vectors_of_any_memory_are_written_in_rows(tmp_path, monkeypatch, order):
    monkeypatch.setattr(_format, "_CONVERTED_AT_ONCE", 30)
    codes = words(*range(9))
    save(tmp_path, Collection.build(codes, vectors=np.asarray(vectors_of(codes), order=order)))
    entry = header_of(tmp_path)["files"]["vectors"]
    assert (tmp_path / entry["name"]).read_bytes() == vectors_of(codes).astype("<f2").tobytes()


@pytest.mark.parametrize("mmap", [True, False])
def test_attachments_and_facts_come_back(tmp_path, mmap):
    save(tmp_path, make(), attachments=ATTACHMENTS, extra={**EXTRA, "numpy": np.float32(0.5), "pair": (1, 2)})
    check_index(tmp_path, "embedding")
    saved = open_current(tmp_path, mmap, "embedding")
    assert saved.extra == {**EXTRA, "numpy": 0.5, "pair": [1, 2]}
    assert [*saved.attachments] == [*ATTACHMENTS]
    for name, array in ATTACHMENTS.items():
        np.testing.assert_array_equal(saved.attachments[name], array, strict=True)
    assert saved.facts == FACTS
    save(tmp_path, make())
    assert (open_current(tmp_path, mmap, "embedding").attachments, len(os.listdir(tmp_path))) == ({}, 3)


def test_appending_streams_vectors_and_keeps_the_rest(tmp_path):
    def read(X, is_first):
        return words(*X), vectors_of(words(*X))

    with create(tmp_path, "embedding") as writer:
        last = add_blocks(writer, [([1, 2], ["b", "a"]), ([3], ["c"])], read)
        writer.commit(check_ids=False, next_id=last.next_id, **vars(FACTS), attachments=ATTACHMENTS, extra={"scale": 2})
    before, names = open_current(tmp_path, kind="embedding"), {*os.listdir(tmp_path)}
    with append_to(tmp_path, "embedding") as (writer, saved):
        assert saved.extra == {"scale": 2}
        last = add_blocks(writer, [([4, 5], ["d", "a"]), ([6], ["b"])], read, saved.collection)
        writer.commit(check_ids=False, next_id=last.next_id, **vars(saved.facts))
    saved = open_current(tmp_path, kind="embedding")
    assert saved.collection.codes[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(saved.collection.vectors, vectors_of(words(1, 2, 3, 4, 5, 6)))
    assert len(before.collection.vectors) == 3
    assert (saved.extra, [*saved.attachments]) == ({"scale": 2}, [*ATTACHMENTS])
    kept = [name for name in os.listdir(tmp_path) if name.startswith(("vectors", "codes", "attachment"))]
    assert len(kept) == 2 + len(ATTACHMENTS)
    assert {*kept} <= names
    with append_to(tmp_path, "embedding") as (writer, saved):
        writer.commit(
            check_ids=False, next_id=6, **vars(saved.facts), attachments={"mean": ATTACHMENTS["mean"]}, extra={}
        )
    saved = open_current(tmp_path, kind="embedding")
    assert (saved.extra, [*saved.attachments]) == ({}, ["mean"])
    assert len(os.listdir(tmp_path)) == 6
    check_index(tmp_path, "embedding")


WRONG_VECTORS = [None, vectors_of(words(1, 2)), vectors_of(words(1))[:, :2], vectors_of(words(1), np.int8), [[1.0]]]


@pytest.mark.parametrize("number", range(len(WRONG_VECTORS)))
def test_blocks_whose_vectors_do_not_fit_change_nothing(tmp_path, number):
    save(tmp_path, make())
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    wrong = WRONG_VECTORS[number]
    for _ in range(2):
        with append_to(tmp_path, "embedding") as (writer, saved):
            writer.add(words(1), vectors=vectors_of(words(1)))
            with pytest.raises((TypeError, ValueError), match="vectors must"):
                writer.add(words(1), vectors=wrong)
        with append_to(tmp_path, "embedding") as (writer, saved):
            blocks = [([1],), ([2],)]
            answers = iter([(words(1), vectors_of(words(1))), (words(2), wrong)])
            with pytest.raises((TypeError, ValueError), match="vectors must") as raised:
                add_blocks(writer, blocks, lambda X, is_first: next(answers), saved.collection)  # noqa: B023
            assert raised.value.__notes__ == ["This was block 1 of blocks."]
        assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    with create(tmp_path / "other") as writer:
        writer.add(words(1))
        with pytest.raises(ValueError, match="vectors must not be passed: the codes before came without"):
            writer.add(words(1), vectors=vectors_of(words(1)))


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"attachments": {"a b": np.ones(1)}}, ValueError, "names of at most 64 letters, digits and '_', got 'a b'."),
        ({"attachments": {3: np.ones(1)}}, ValueError, "and '_', got 3."),
        ({"attachments": {"x": [1.0]}}, TypeError, "or uint8 with at most 8 dimensions, got list for 'x'."),
        ({"attachments": {"x": np.ones(2, int), "y": np.ones(2, bool)}}, TypeError, "got bool of shape (2,) for 'y'."),
        ({"attachments": {"x": np.ones([1] * 9)}}, TypeError, "with at most 8 dimensions, got float64 of shape (1, 1,"),
        ({"extra": {"x": {1: 2}}}, TypeError, "The keys of extra must be text, got 1 of type int."),
        ({"extra": {"x": [{None: 2}]}}, TypeError, "The keys of extra must be text, got None of type NoneType."),
        ({"extra": {"x": {1}}}, TypeError, "{1} of type set cannot be saved."),
    ],
)
def test_what_cannot_be_saved_changes_nothing(tmp_path, more, error, message):
    save(tmp_path, make(), extra={"old": 1})
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    with pytest.raises(error, match=re.escape(message)):
        save(tmp_path, make(3), **more)
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before


class Disk:
    """Fails at one of its operations, counted from 0: writes, flushes and renames."""

    def __init__(self, patch, fails_at):
        self.n_done, self.fails_at = 0, fails_at
        for owner, name in ((_folder.Writer, "write"), (os, "fsync"), (os, "replace"), (_folder.Writer, "__init__")):
            patch.setattr(owner, name, self.guarded(getattr(owner, name)))

    def guarded(self, function):
        def call(*args):
            self.n_done += 1
            if self.n_done == self.fails_at + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*args)

        return call


@pytest.mark.parametrize("change", ["save", "append"])
def test_a_disk_that_fails_at_any_moment_leaves_the_old_or_the_new_state(tmp_path, change):
    def run(folder):
        more = {"attachments": {"mean": np.zeros(3)}, "extra": {"new": 1}}
        if change == "save":
            save(folder, make(4, y=list("abca")), **more)
            return
        with append_to(folder, "embedding") as (writer, saved):
            last = add_blocks(writer, [(words(20), ["0"])], lambda X, is_first: (X, vectors_of(X)), saved.collection)
            writer.commit(check_ids=False, next_id=last.next_id, **vars(saved.facts), **more)

    def state():
        check_index(tmp_path, "embedding")
        found = open_current(tmp_path, False, "embedding")
        assert (found.collection.vectors == vectors_of(found.collection.codes)).all()
        attached = {name: array.tolist() for name, array in found.attachments.items()}
        return found.collection.codes.tolist(), found.collection.labels.decode().tolist(), attached, found.extra

    outcomes = []
    for fails_at in range(200):
        save(tmp_path, make(3, y=list("bcb")), attachments=ATTACHMENTS, extra=EXTRA)
        before, files = state(), {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
        with pytest.MonkeyPatch.context() as patch:
            disk = Disk(patch, fails_at)
            try:
                run(tmp_path)
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017
        outcomes.append(state() == before)
        left = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
        left.pop("header.json.tmp", None)
        if outcomes[-1]:  # appended bytes may be left, which do not count
            assert {*left} == {*files}
            assert all(left[name].startswith(files[name]) for name in files)
        if disk.n_done <= fails_at:
            break
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes[0]
    assert not outcomes[-1]
    with append_to(tmp_path, "embedding") as (writer, saved):  # what was left is removed
        writer.commit(check_ids=False, next_id=saved.collection.next_id, **vars(saved.facts))
    assert len(os.listdir(tmp_path)) == 1 + len(_format.entries_of(_format.read_index_header(tmp_path, "embedding")))


def test_kinds_are_told_apart(tmp_path):
    save(tmp_path / "embedding", make())
    HammingIndex().fit([[0, 1], [1, 1]]).save(tmp_path / "hamming")
    message = "holds an index of the class EmbeddingIndex: use EmbeddingIndex.open, not HammingIndex.open."
    for use in (
        HammingIndex.open,
        HammingIndex.verify,
        lambda path: HammingIndex.append_blocks(path, [[[0, 1]]]),
        lambda path: ShardedHammingIndex([path]),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            use(tmp_path / "embedding")
    message = "holds an index of the class HammingIndex: use HammingIndex.open, not EmbeddingIndex.open."
    for use in (open_current, check_index):
        with pytest.raises(ValueError, match=re.escape(message)):
            use(tmp_path / "hamming", kind="embedding")


def test_versions_say_what_older_releases_can_read(tmp_path):
    plain = Collection.build(words(1, 2))
    facts = {"bits": 64, "parameters": {}, "feature_names": None}
    for number, (collection, more, version) in enumerate(
        [
            (plain, {}, 1),
            (plain, {"attachments": {}, "extra": {}}, 1),
            (plain, {"extra": {"x": 1}}, 2),
            (plain, {"attachments": {"x": np.ones(2)}}, 2),
            (make(), {}, 2),
        ]
    ):
        folder = tmp_path / str(number)
        with create(folder) as writer:
            for block in live_blocks(collection):
                writer.add(*block)
            writer.commit(check_ids=False, next_id=collection.next_id, **facts, **more)
        header = header_of(folder)
        assert header["version"] == version
        assert ("extra" in header) == ("attachments" in header) == (version == 2)
        HammingIndex.verify(folder)
        assert len(HammingIndex.open(folder)) == len(collection)
        if version == 2:
            with pytest.raises(
                ValueError, match=r"has version 2 of the format, .*; expected version 1\. Use a release"
            ):
                _folder.read_header(folder, "skhash.HammingIndex", 1)  # as a release before version 2 does


def test_version_1_has_no_vectors(tmp_path):
    with create(tmp_path) as writer:
        writer.add(words(1), vectors=vectors_of(words(1)))
        writer.commit(check_ids=False, next_id=1, bits=64, parameters={}, feature_names=None)
    assert len(HammingIndex.open(tmp_path)) == 1
    rewrite(tmp_path, lambda h: h.update(version=1))
    with pytest.raises(ValueError, match=r"names files of \['codes', 'vectors'\], expected codes .* in version 2\."):
        HammingIndex.open(tmp_path)


def test_an_embedding_folder_without_anything_else_has_version_2(tmp_path):
    save(tmp_path, Collection.build(words(1, 2)))
    assert header_of(tmp_path)["version"] == 2
    saved = open_current(tmp_path, kind="embedding")
    assert (saved.collection.vectors, saved.attachments, saved.extra) == (None, {}, {})


def test_every_damaged_byte_is_noticed(tmp_path):
    save(tmp_path, make(3), attachments={"mean": np.ones(2, np.float32)})
    entries = [header_of(tmp_path)["files"]["vectors"], header_of(tmp_path)["attachments"]["mean"]]
    for entry, read_by_all in zip(entries, [False, True], strict=True):
        path = tmp_path / entry["name"]
        good = path.read_bytes()
        for i in range(len(good)):
            path.write_bytes(good[:i] + bytes([good[i] ^ 4]) + good[i + 1 :])
            readers = [lambda: check_index(tmp_path, "embedding"), lambda: open_current(tmp_path, False, "embedding")]
            readers += [lambda: open_current(tmp_path, True, "embedding")] if read_by_all else []
            for read in readers:
                with pytest.raises(ValueError, match=r"is damaged in chunk 0 .* expected CRC-32"):
                    read()
        path.write_bytes(good[:-1])
        for mmap in (True, False):
            with pytest.raises(ValueError, match=f"is truncated: expected {len(good)} bytes, got {len(good) - 1}"):
                open_current(tmp_path, mmap, "embedding")
        path.unlink()
        with pytest.raises(FileNotFoundError, match="is missing, but"):
            open_current(tmp_path, kind="embedding")
        path.write_bytes(good)
    check_index(tmp_path, "embedding")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(version=1), r"index of the format 'skhash\.EmbeddingIndex' has version 2, got 1"),
        (lambda h: h.pop("extra"), r"malformed \(KeyError\('extra'\)\)"),
        (lambda h: h.pop("attachments"), r"malformed \(KeyError\('attachments'\)\)"),
        (lambda h: h.update(extra=[]), "expected objects attachments and extra"),
        (lambda h: h.update(feature_names="ab"), "expected feature_names null or a list of strings, got 'ab'"),
        (lambda h: h["files"]["vectors"].update(dtype="<f8"), r"vectors are <f8 of shape \[3, 3\], expected \|i1"),
        (lambda h: h["files"]["vectors"].update(shape=[2, 3]), r"expected \|i1 of shape \[3, 3\]"),
        (lambda h: h["files"]["vectors"].update(shape=[3, 2**40], size=6 * 2**40), r"shape \[n, n_columns\], n_col"),
        (lambda h: h["files"]["vectors"].update(shape=[3, 2**20], size=6 * 2**20), "is truncated: expected 6291456"),
        (lambda h: h["files"]["vectors"].update(shape=[3, 0], size=0, crc32=""), r"expected vectors of shape \[n, n_"),
        (lambda h: h["files"]["vectors"].update(shape=[3, 1, 3]), "expected vectors of shape"),
        (lambda h: h["files"]["vectors"].update(crc32="0" * 16), "expected a crc32 of 8 hexadecimal digits per chunk"),
        (
            lambda h: h["attachments"]["mean"].update(shape=[2**40] * 2, size=2**82),
            r"sides below 2\^31 in at most 8 dimensions, got 'mean'",
        ),
        (lambda h: h["attachments"]["mean"].update(shape=[2**30], size=2**32, crc32="0" * 2048), "is truncated"),
        (lambda h: h["attachments"]["mean"].update(shape=[2**30] * 8), "have 8 bytes, expected"),
        (lambda h: h["attachments"]["mean"].update(shape=[1] * 9), r"got 'mean' of shape \[1, 1, 1,"),
        (lambda h: h["attachments"]["mean"].update(shape={}, size=4), "expected a size and a shape of integers"),
        (lambda h: h["attachments"]["mean"].update(shape=[0, 2**31]), "sides below"),
        (
            lambda h: h["attachments"]["mean"].update(dtype="|O"),
            r"attachment mean are \|O of shape \[2\], expected <f4",
        ),
        (lambda h: h["attachments"]["mean"].update(name="../x"), "names a data file '../x'"),
        (lambda h: h["attachments"].update({"a/b": h["attachments"]["mean"]}), "letters, digits and '_'"),
        (lambda h: h["attachments"].update(again=h["attachments"]["mean"]), "expected another file for each entry"),
        (lambda h: h["attachments"]["mean"].update(name=h["files"]["codes"]["name"]), "expected another file for"),
    ],
)
def test_headers_that_lie(tmp_path, change, message):
    save(tmp_path, make(3), attachments={"mean": np.ones(2, np.float32)})
    rewrite(tmp_path, change)
    for read in (open_current, lambda path, kind: open_current(path, False, kind), check_index):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, kind="embedding")


WRONG = [-1, 0, 2**31, 2**63, 10**30, 1.5, float("nan"), "x", None, True, [], {}, "../../etc/passwd", "\0", "missing"]


def test_every_new_entry_replaced_or_missing(tmp_path):
    """Only ValueError and FileNotFoundError, whatever a header says with the right checksum."""
    save(tmp_path, make(3), attachments={"mean": np.ones((2, 1), np.float32)}, extra={"x": 1})
    good, wrong = header_of(tmp_path), {}
    places = [("attachments",), ("attachments", "mean"), ("extra",), ("version",), ("files", "vectors")]
    for place, entry in ((places[1], good["attachments"]["mean"]), (places[4], good["files"]["vectors"])):
        places += [(*place, key) for key in entry] + [(*place, "shape", i) for i in (0, 1)]
    for place in places:
        for value in WRONG:
            header = json.loads(json.dumps(good))
            *path, last = place
            parent = header
            for key in path:
                parent = parent[key]
            if value == "missing":
                del parent[last]
            else:
                parent[last] = value
            header.pop("crc32")
            _folder.commit(tmp_path, header)
            for read in (open_current, lambda path, kind: open_current(path, False, kind), check_index):
                try:
                    read(tmp_path, kind="embedding")
                except (ValueError, FileNotFoundError):
                    pass
                except Exception as error:
                    wrong[place, str(value)] = repr(error)
    assert not wrong
