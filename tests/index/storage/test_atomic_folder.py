import json
import os
import shutil
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._atomic_folder import (
    Writer,
    check,
    commit,
    locked,
    prepare,
    prepared,
    read,
    read_header,
    sweep,
)


def write(folder, role, *pieces, entry=None):
    with Writer(folder, role, entry) as writer:
        for piece in pieces:
            writer.write(piece)
        return writer.finish()


def write_index(folder, *pieces):
    entry = write(folder, "codes", *pieces)
    commit(folder, {"format": "test", "version": 1, "files": {"codes": entry}})
    return entry


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << position % 8
    path.write_bytes(data)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6), st.integers(0, 6))
def test_checksums_do_not_depend_on_how_the_bytes_came(tmp_path_factory, pieces, n_first):
    folder = tmp_path_factory.mktemp("folder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_folder, "CHUNK", 16)
        whole = write(folder, "codes", b"".join(pieces))
        first = write(folder, "codes", *pieces[:n_first])
        with open(folder / first["name"], "ab") as file:
            file.write(b"left by an interrupted change")
        both = write(folder, "codes", *pieces[n_first:], entry=first)
        assert {**both, "name": ""} == {**whole, "name": ""}
        assert both["name"] == first["name"]
        assert len(both["crc32"]) == 8 * -(-both["size"] // 16)
        check(folder, both)
        for mmap in (False, True):
            assert read(folder, both, mmap).tobytes() == b"".join(pieces)


@pytest.mark.parametrize("look", ["exists", "is_dir", "is_file", "stat", "read_bytes"])
@pytest.mark.parametrize("before", [True, False])
def test_a_folder_that_is_removed_while_it_is_read_is_missing(tmp_path, monkeypatch, look, before):
    """Readers try again if a save has removed a folder, so that no moment may look like a damaged one."""
    folder = tmp_path / "index"
    folder.mkdir()
    write_index(folder, np.arange(5))
    original = getattr(Path, look)

    def look_and_remove(path, **options):
        if before:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            return original(path, **options)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    monkeypatch.setattr(Path, look, look_and_remove)
    with suppress(FileNotFoundError):
        read_header(folder, "test", 1)


def test_every_flipped_byte_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder, "CHUNK", 16)
    entry = write_index(tmp_path, np.arange(5))
    header = tmp_path / "header.json"
    assert read_header(tmp_path, "test", 1)["files"]["codes"] == entry
    for position in range(header.stat().st_size):
        flip(header, position)
        with pytest.raises(ValueError, match=r"header\.json (is damaged|has version)"):
            read_header(tmp_path, "test", 1)
        flip(header, position)
    read_header(tmp_path, "test", 1)
    for position in range(40):
        flip(tmp_path / entry["name"], position)
        first, last = ((0, 15), (16, 31), (32, 39))[position // 16]
        message = rf"{entry['name']} is damaged in chunk {position // 16} \(bytes {first} to {last}\): expected CRC-32"
        for look in (check, read):
            with pytest.raises(ValueError, match=message):
                look(tmp_path, entry)
        flip(tmp_path / entry["name"], position)
    check(tmp_path, entry)


def test_headers_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such directory: .*nowhere"):
        read_header(tmp_path / "nowhere", "test", 1)
    with pytest.raises(FileNotFoundError, match=r"is not a saved index, .* not finished: no header\.json"):
        read_header(tmp_path, "test", 1)
    header = tmp_path / "header.json"
    for text, message in [
        ("", "is damaged: not JSON"),
        ("\x80", "is damaged: not JSON"),
        ("[1]", r"of another kind: expected format 'test', got \[1\]"),
        ('{"format": "other"}', "of another kind: expected format 'test', got 'other'"),
        (
            '{"format": "test", "version": 2, "library": "9.0"}',
            "version 2 of the format, written by '9.0'; expected ver",
        ),
        ('{"format": "test", "version": 1}', "is damaged: expected CRC-32 [0-9a-f]{8}, got None"),
    ]:
        header.write_text(text, encoding="latin-1")
        with pytest.raises(ValueError, match=message):
            read_header(tmp_path, "test", 1)
    with pytest.raises(ValueError, match=r"header\.json is a file, expected the folder of a saved index"):
        read_header(header, "test", 1)


def test_files_that_do_not_fit_their_entry(tmp_path):
    entry = write(tmp_path, "codes", np.arange(5))
    path = tmp_path / entry["name"]
    for look in (check, read):
        os.truncate(path, 39)
        with pytest.raises(ValueError, match=rf"{entry['name']} is truncated: expected 40 bytes, got 39"):
            look(tmp_path, entry)
        with pytest.raises(ValueError, match=r"names a data file '\.\./codes\.bin', expected a name like"):
            look(tmp_path, {**entry, "name": "../codes.bin"})
        with pytest.raises(
            FileNotFoundError, match=r"codes-0{16}\.bin is missing, but header\.json names it with 40 bytes"
        ):
            look(tmp_path, {**entry, "name": f"codes-{'0' * 16}.bin"})


def test_folders_with_other_files_are_refused(tmp_path):
    folder = prepare(tmp_path / "new" / "index")
    write_index(folder, b"1")
    assert prepare(folder) == folder
    (folder / "notes.txt").write_text("mine")
    prepare(folder)  # holds an index
    (folder / "header.json").unlink()
    with pytest.raises(ValueError, match=r"holds other files, such as 'notes\.txt', expected a new folder or a saved"):
        prepare(folder)
    (folder / "notes.txt").unlink()
    assert prepare(folder) == folder  # what is left of an interrupted save is no other file
    with pytest.raises(FileExistsError):
        prepare(tmp_path / "new" / "index" / next(iter(os.listdir(folder))))


def fail_in(path, change):
    """Prepare a folder for a change that raises after `change(folder)`."""
    with prepared(path) as folder:
        change(folder)
        raise KeyboardInterrupt


@pytest.mark.parametrize("left", [[], ["header.json.tmp"]])
def test_what_was_created_for_a_change_that_fails_is_removed(tmp_path, left):
    def change(folder):
        for name in left:
            (folder / name).write_bytes(b"{")

    (tmp_path / "old").mkdir()
    for path in ("new", "new/er/index", "old/index"):
        with pytest.raises(KeyboardInterrupt):
            fail_in(tmp_path / path, change)
        assert os.listdir(tmp_path) == ["old"]
        assert os.listdir(tmp_path / "old") == []
    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "old", change)
    assert os.listdir(tmp_path / "old") == left
    with pytest.raises(KeyboardInterrupt):
        fail_in(tmp_path / "new", lambda folder: write_index(folder, b"1"))
    assert "header.json" in os.listdir(tmp_path / "new")


def test_a_writer_waits_for_one_that_fails_and_makes_the_folder_again(tmp_path):
    pytest.importorskip("fcntl")
    folder, begins = tmp_path / "new", threading.Event()
    pool, seconds = ThreadPoolExecutor(1), []

    def save():
        begins.set()
        with prepared(folder):
            write_index(folder, b"1")

    def change(folder):
        seconds.append(pool.submit(save))
        begins.wait()
        time.sleep(0.2)  # until the other one has opened the folder, most likely

    with pool:
        with pytest.raises(KeyboardInterrupt):
            fail_in(folder, change)
        seconds[0].result(10)
    assert "header.json" in os.listdir(folder)


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise FileNotFoundError("gone")

    monkeypatch.setattr(_folder, "_lock", fail)
    with pytest.raises(FileNotFoundError, match="new could not be made"), prepared(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path) == []


def test_sweeping_leaves_what_the_header_names_and_other_files(tmp_path):
    kept, left = write_index(tmp_path, b"1"), write(tmp_path, "codes", b"2")
    (tmp_path / "notes.txt").write_text("mine")
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [kept["name"], "header.json", "notes.txt"]
    assert left["name"] != kept["name"]


def test_headers_take_numbers_of_numpy_and_nothing_else_new(tmp_path):
    commit(tmp_path, {"format": "test", "version": 1, "n": np.int64(3), "x": np.float32(0.5), "files": {}})
    assert json.loads((tmp_path / "header.json").read_text())["n"] == 3
    with pytest.raises(TypeError, match="of type set cannot be saved"):
        commit(tmp_path, {"format": "test", "version": 1, "n": {3}, "files": {}})
    assert read_header(tmp_path, "test", 1)["x"] == 0.5


@pytest.mark.skipif(_folder.fcntl is None, reason="no locks on Windows")
def test_writers_wait_for_each_other(tmp_path):
    import fcntl

    handle = os.open(tmp_path, os.O_RDONLY)
    with locked(tmp_path), pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


@pytest.mark.parametrize("reserves", [True, False])
def test_large_data_in_pieces_equal_one_write(tmp_path, monkeypatch, reserves):
    """Space is reserved where that is possible, and checksums go on where a piece or a write ends within a chunk."""
    monkeypatch.setattr(_folder, "CHUNK", 1000)
    monkeypatch.setattr(_folder, "_PIECE", 300)

    def refuse(*args):
        raise OSError(95, "Operation not supported")

    if not reserves:
        monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    data = np.random.default_rng(0).integers(0, 256, 5750, dtype=np.uint8)
    with _folder.Writer(tmp_path, "codes") as writer:
        for part in np.split(data, [10, 1700, 1701, 4000]):
            writer.write(part)
        entry = writer.finish()
    crcs = [zlib.crc32(data[start : start + 1000]) for start in range(0, 5750, 1000)]
    assert entry["crc32"] == "".join(f"{crc:08x}" for crc in crcs)
    assert (tmp_path / entry["name"]).read_bytes() == data.tobytes()
    np.testing.assert_array_equal(_folder.read(tmp_path, entry), data)


def test_a_failed_write_gives_reserved_space_back(tmp_path, monkeypatch):
    monkeypatch.setattr(_folder, "CHUNK", 1000)
    with _folder.Writer(tmp_path, "codes") as writer:
        writer.write(bytes(500))
        entry = writer.finish()
    writer = _folder.Writer(tmp_path, "codes", entry)
    monkeypatch.setattr(_folder, "crc32", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writer.write(bytes(4000))
    writer.discard()
    assert (tmp_path / entry["name"]).stat().st_size == 500
