import json
import os
import re
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from skhash import HammingIndex
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage import _format as _storage


def random_codes(n, bits, seed=0):
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


def make_labels(kind, n, seed=0):
    rng = np.random.default_rng(seed)
    if kind == "multi-hot":
        return rng.integers(0, 2, (n, 3))
    numbers = rng.integers(-2, 5, n)
    text = np.array(["bee", "ant", "ünder\nscore", 'quote"d', "z", "", "dog"])[numbers + 2]
    labels = {None: None, "int": numbers, "float": numbers.astype(np.float32), "text": text}
    return {**labels, "object": text.astype(object), "bool": numbers > 1}[kind]


LABELS = [None, "int", "float", "text", "object", "bool", "multi-hot"]


def make_ids(kind, n):
    rows = np.random.default_rng(n).permutation(n)
    if kind == "label":
        return [("a", int(i), None) if i % 2 else f"né\n{i}" for i in rows]
    return {None: None, "int": rows * 7 - 3, "text": np.array([f"id {i}" for i in rows])}[kind]


IDS = [None, "int", "text", "label"]


def assert_equal_indexes(index, other):
    np.testing.assert_array_equal(index.codes_, other.codes_)
    assert index.bits_ == other.bits_ == index.n_features_in_
    assert index.n_samples_fit_ == other.n_samples_fit_
    assert index.get_params() == other.get_params()
    assert index.ids_.tolist() == other.ids_.tolist()
    assert index.ids_.dtype == other.ids_.dtype
    assert (index.labels_ is None) == (other.labels_ is None)
    if index.labels_ is not None:
        np.testing.assert_array_equal(index.labels_.decode(), other.labels_.decode())
        assert index.classes_.dtype.kind == other.classes_.dtype.kind
        assert index.labels_.codes.dtype == other.labels_.codes.dtype
        np.testing.assert_array_equal(index.classes_, other.classes_)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all that hypothesis tries: each save replaces the one before, without waiting for the disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield tmp_path_factory.mktemp("saved") / "index"


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 30), st.integers(1, 200), st.sampled_from(LABELS), st.sampled_from(IDS), st.sets(st.integers(0, 29))
)
def test_what_is_saved_comes_back(folder, n, bits, label_kind, id_kind, removed):
    y = make_labels(label_kind, n)
    index = HammingIndex(n_neighbors=2, radius=1).fit(random_codes(n, bits), y, ids=make_ids(id_kind, n))
    rows = [row for row in removed if row < n]
    index.remove(index.ids_[rows])
    index.save(folder)
    HammingIndex.verify(folder)
    for mmap in (True, False):
        opened = HammingIndex.open(folder, mmap=mmap)
        assert_equal_indexes(opened, index)
    new = {"X": random_codes(1, bits), "y": None if y is None else y[:1], "ids": None if id_kind is None else [999]}
    assert_equal_indexes(opened.add(**new), index.add(**new))  # ids that the index gives count on


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=5),
    st.integers(0, 4),
    st.integers(1, 130),
    st.sampled_from(LABELS),
    st.sampled_from(IDS),
    st.booleans(),
)
def test_blocks_and_appended_blocks_equal_one_fit(folder, sizes, n_first, bits, label_kind, id_kind, shorten):
    n, ends = sum(sizes), np.cumsum(sizes)
    codes, y, ids = random_codes(n, bits), make_labels(label_kind, n), make_ids(id_kind, n)
    n_first = min(n_first, len(sizes) - 1)

    def blocks(part):
        for end, size in list(zip(ends, sizes, strict=True))[part]:
            rows = slice(end - size, end)
            block = codes[rows], None if y is None else y[rows], None if ids is None else ids[rows]
            yield block if ids is not None else block[:2] if y is not None else block[0]

    whole = HammingIndex(n_neighbors=1).fit(codes, y, ids=ids)
    if n_first == 0:
        index = HammingIndex.from_blocks(folder, blocks(slice(None)), n_neighbors=1)
    else:
        HammingIndex.from_blocks(folder, blocks(slice(n_first)), n_neighbors=1)
        if shorten:  # an index of fewer codes than ids were given
            index = HammingIndex.open(folder)
            gone = index.ids_[-1:]
            index.remove(gone).compact().save(folder)
            whole.remove(gone)
        index = HammingIndex.append_blocks(folder, blocks(slice(n_first, None)))
    assert_equal_indexes(index, whole)
    HammingIndex.verify(folder)
    files = json.loads((folder / "header.json").read_text())["files"].values()
    assert {*os.listdir(folder)} == {"header.json", *(entry["name"] for entry in files)}


# Forks children that save and append without end, kills half of them at a random moment and the others each at another
# line of what makes a change real, and looks at what is left: state `j` is 3 codes more than state `j - 1`, appended,
# or where `j` is a multiple of 4 saved anew.
KILL = """
import os, random, signal, sys, time
import numpy as np
from skhash import HammingIndex

os.fsync = lambda handle: None  # slow, and of no use where the machine goes on
rng = random.Random(0)

def rows_of(state):
    first = state - state % 4
    return 1000 * first + np.arange(5 + 3 * (state - first)), first

def step(folder, state):
    rows, first = rows_of(state)
    if state == first:
        HammingIndex().fit(rows.astype(np.uint64)[:, None], -rows, ids=rows).save(folder)
    else:
        rows = rows[-3:]
        HammingIndex.append_blocks(folder, [(rows.astype(np.uint64)[:, None], -rows, rows)])

def die_at_line(n):
    def trace(frame, event, _):
        nonlocal n
        if frame.f_code.co_filename.endswith("_folder.py") and frame.f_code.co_name in ("commit", "sweep"):
            n -= event == "line"
            if n < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        return None
    sys.settrace(trace)

def child(folder, state, pipe, n_lines):
    if n_lines is not None:
        die_at_line(n_lines)
    while True:
        state += 1
        step(folder, state)
        os.write(pipe, state.to_bytes(4, "little"))

def state_of(folder, candidates):
    if not os.path.exists(folder + "/header.json"):
        assert -1 in candidates, f"no header, instead of one of the states {candidates}"
        return -1
    HammingIndex.verify(folder)
    index = HammingIndex.open(folder)
    for state in candidates:
        rows = rows_of(state)[0] if state >= 0 else []
        if len(rows) == len(index) and (index.codes_[:, 0] == rows).all():
            assert (index.ids_ == rows).all() and (index.labels_.decode() == -rows).all()
            return state
    raise AssertionError(f"{len(index)} codes from {index.codes_[0]}: none of the states {candidates}")

seen = []
for number in range(int(sys.argv[2])):
    if number % 10 == 0:
        folder, state = f"{sys.argv[1]}/{number}", -1
    out, pipe = os.pipe()
    by_line = number % 2
    pid = os.fork()
    if not pid:
        child(folder, state, pipe, number // 2 if by_line else None)
    os.close(pipe)
    if not by_line:
        time.sleep(rng.uniform(0, 0.02))
        os.kill(pid, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    with os.fdopen(out, "rb") as file:
        done = file.read()
    state = int.from_bytes(done[-4:], "little") if done else state
    found = state_of(folder, [state, state + 1])
    seen.append((len(done) // 4, found - state))
    state = found
print(sum(steps for steps, _ in seen), sum(new for _, new in seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_killed_at_any_moment_the_folder_holds_the_old_or_the_new_state(tmp_path):
    command = [sys.executable, "-c", KILL, str(tmp_path), "50"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    n_steps, n_done_but_not_told = map(int, run.stdout.split())
    assert n_steps + n_done_but_not_told > 5


@pytest.fixture
def saved(tmp_path):
    """An index that is saved, and its folder."""
    index = HammingIndex(n_neighbors=3).fit(random_codes(200, 70), make_labels("text", 200))
    index.save(tmp_path / "index")
    return index, tmp_path / "index"


def rewrite(folder, **changes):
    """Change a header, as no writer does, with the right checksum."""
    header = {**json.loads((folder / "header.json").read_text()), **changes}
    header.pop("crc32")
    _folder.commit(folder, header)


def file_of(folder, role):
    return folder / json.loads((folder / "header.json").read_text())["files"][role]["name"]


def test_an_open_index_is_searched_where_it_lies(saved):
    index, folder = saved
    opened = HammingIndex.open(str(folder))
    mapped = opened.codes_.base
    while not isinstance(mapped, np.memmap):
        mapped = mapped.base
    assert Path(mapped.filename) == file_of(folder, "codes")
    assert not opened.codes_.flags.writeable
    queries = random_codes(20, 70, seed=1)
    expected = index.kneighbors(queries)
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(opened.kneighbors, [queries] * 32):
            assert all(np.array_equal(a, b) for a, b in zip(answer, expected, strict=True))
    assert opened.predict(queries).tolist() == index.predict(queries).tolist()
    y = make_labels("text", 20, seed=1)
    assert opened.score(queries, y) == index.score(queries, y)


def test_what_is_open_outlives_changes_of_the_folder(saved):
    index, folder = saved
    opened = HammingIndex.open(folder)
    longer = HammingIndex.append_blocks(folder, [(random_codes(3, 70), ["new", "z", "new"])])
    assert_equal_indexes(opened, index)
    index.fit([[0, 1]]).save(folder)
    assert longer.n_samples_fit_ == 203
    assert longer.labels_.decode()[-3:].tolist() == ["new", "z", "new"]
    np.testing.assert_array_equal(longer.codes_[:200], opened.codes_)
    opened.save(folder)  # even where its own files were
    assert_equal_indexes(HammingIndex.open(folder), opened)


@pytest.mark.parametrize("read_all", [False, True])
def test_opening_while_the_folder_is_saved_to_tries_again(saved, monkeypatch, read_all):
    index, folder = saved
    headers = [_storage.read_index_header(folder)]
    index.save(folder)
    headers.append(_storage.read_index_header(folder))
    read = iter([*headers, headers[0], headers[0]])
    monkeypatch.setattr(_storage, "read_index_header", lambda folder, kind: next(read))
    if read_all:
        HammingIndex.verify(folder)
    else:
        assert_equal_indexes(HammingIndex.open(folder), index)
    with pytest.raises(FileNotFoundError, match=r"is missing, but header\.json names it with \d+ bytes"):
        (HammingIndex.verify if read_all else HammingIndex.open)(folder)


def test_a_failed_append_leaves_no_bytes(saved):
    folder = saved[1]
    before = {path.name: path.stat().st_size for path in folder.iterdir()}

    def blocks():
        yield random_codes(5, 70), ["ant"] * 5
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        HammingIndex.append_blocks(folder, blocks())
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == before
    HammingIndex.verify(folder)


def test_first_save_flushes_the_names_of_new_folders(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(_folder, "sync_folder", lambda folder: flushed.append(Path(folder)))
    HammingIndex().fit(random_codes(2, 64)).save(tmp_path / "a" / "b")
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b"} == set(flushed)


def test_appending_writes_only_what_is_new(saved):
    folder = saved[1]
    codes = file_of(folder, "codes")
    before = codes.stat()
    with open(codes, "ab") as file:
        file.write(b"left by an append that was interrupted")
    HammingIndex.append_blocks(folder, [(random_codes(1, 70), ["ant"])])
    assert file_of(folder, "codes") == codes
    assert (codes.stat().st_ino, codes.stat().st_size) == (before.st_ino, before.st_size + 16)
    HammingIndex.verify(folder)


def test_ten_gigabytes_open_at_once(tmp_path):
    HammingIndex().fit(random_codes(1, 64)).save(tmp_path)
    size = 10 * 2**30
    os.truncate(file_of(tmp_path, "codes"), size)  # a sparse file: zeros that take no room
    crc = f"{zlib.crc32(bytes(_folder.CHUNK)):08x}"
    header = json.loads((tmp_path / "header.json").read_text())
    header["files"]["codes"].update(shape=[size // 8, 1], size=size, crc32=crc * (size // _folder.CHUNK))
    rewrite(tmp_path, n=size // 8, next_id=size // 8, files=header["files"])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        index = HammingIndex.open(tmp_path)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05
    assert index.n_samples_fit_ == size // 8
    assert index.codes_[-1] == 0


def test_blocks_are_held_one_at_a_time(tmp_path):
    rng = np.random.default_rng(0)
    blocks = (rng.integers(0, 2**63, (10_000, 4), dtype=np.uint64) for _ in range(40))  # of 320 kB
    tracemalloc.start()
    index = HammingIndex.from_blocks(tmp_path, blocks)
    index.save(tmp_path / "copy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert index.codes_.nbytes == 12_800_000
    assert peak < 3_000_000


def test_names_of_columns_and_numbers_of_numpy_are_kept(tmp_path):
    X = pd.DataFrame(random_codes(9, 3), columns=["a", "b", "ü"])
    index = HammingIndex(n_neighbors=np.int64(2), n_jobs=1, bits=3).fit(X)
    index.save(tmp_path)
    opened = HammingIndex.open(tmp_path)
    assert opened.get_params() == index.get_params()
    assert opened.feature_names_in_.tolist() == ["a", "b", "ü"]
    opened.kneighbors(X)
    with pytest.raises(ValueError, match="feature names should match"):
        opened.kneighbors(X[["b", "a", "ü"]])
    assert opened.fit(random_codes(4, 3)).n_samples_fit_ == 4
    assert HammingIndex.from_blocks(tmp_path, [X]).feature_names_in_.tolist() == ["a", "b", "ü"]


@pytest.mark.parametrize("role", ["codes", "labels", "classes", "header"])
def test_every_flipped_byte_is_noticed(saved, role):
    folder = saved[1]
    path = folder / "header.json" if role == "header" else file_of(folder, role)
    data = path.read_bytes()
    for position in range(0, len(data), 1 + len(data) // 40):
        path.write_bytes(data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :])
        look = HammingIndex.open if role == "header" else HammingIndex.verify
        with pytest.raises(ValueError, match=re.escape(f"{path} ")):
            look(folder)
        with pytest.raises(ValueError, match=re.escape(f"{path} ")):
            HammingIndex.open(folder, mmap=False)


def test_folders_that_cannot_be_opened(saved, tmp_path):
    folder = saved[1]
    with pytest.raises(FileNotFoundError, match="No such directory:"):
        HammingIndex.open(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="No such directory:"):
        HammingIndex.append_blocks(tmp_path / "nowhere", [[[0]]])
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match=r"is not a saved index, .*: no header\.json"):
        HammingIndex.verify(tmp_path / "other")
    rewrite(folder, parameters={"n_neighbours": 3})
    with pytest.raises(ValueError, match=r"with parameters unknown to this release: \['n_neighbours'\]"):
        HammingIndex.open(folder)
    rewrite(folder, version=3)
    with pytest.raises(ValueError, match=r"has version 3 of the format, .*; expected version 1 to 2"):
        HammingIndex.open(folder)
    rewrite(folder, version=1, parameters={}, format="faiss")
    with pytest.raises(ValueError, match=r"expected format 'skhash\.HammingIndex', got 'faiss'"):
        HammingIndex.open(folder)


@pytest.mark.parametrize("role", ["codes", "labels", "classes"])
def test_missing_and_truncated_files(saved, role):
    folder = saved[1]
    path = file_of(folder, role)
    size = path.stat().st_size
    os.truncate(path, size - 1)
    for look in (HammingIndex.open, HammingIndex.verify):
        with pytest.raises(ValueError, match=rf"{path.name} is truncated: expected {size} bytes, got {size - 1}"):
            look(folder)
    path.unlink()
    for look in (HammingIndex.open, HammingIndex.verify):
        with pytest.raises(
            FileNotFoundError, match=rf"{path.name} is missing, but header\.json names it with {size} byt"
        ):
            look(folder)


def test_what_cannot_be_saved(tmp_path):
    with pytest.raises(NotFittedError):
        HammingIndex().save(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    index = HammingIndex().fit([[0, 1]], ids=[date(2026, 1, 1)])
    with pytest.raises(ValueError, match=r"holds other files, such as 'notes\.txt'"):
        index.save(tmp_path)
    with pytest.raises(
        TypeError, match=r"id or class datetime\.date\(2026, 1, 1\) of type date cannot be saved; accept"
    ):
        index.save(tmp_path / "index")
    assert os.listdir(tmp_path) == ["notes.txt"]  # nothing is left over


@pytest.mark.parametrize(
    ("blocks", "error", "message"),
    [
        ([], ValueError, "blocks is empty, expected at least one block of codes"),
        ([[[0, 1]], [[0, 1, 1]]], ValueError, "X has 3 features, but HammingIndex is expecting 2 features"),
        ([([[0, 1]], [1]), [[0, 1]]], ValueError, "y must be passed to every add, as to fit: the index has labels"),
        (
            [([[0, 1]], None, [1]), [[0, 1]]],
            ValueError,
            "ids must be passed to every add, as to fit: the index has user",
        ),
        ([[[0, 1]], ([[0, 1]], None, [1])], ValueError, "ids must not be passed to add: fit was called without ids"),
        ([([[0, 1]], None, [1]), ([[0, 1]], None, ["a"])], TypeError, "ids must be integers"),
        ([([[0, 1]], None, [1]), ([[0, 1]], None, [1])], ValueError, "ids must be unique, but 1 is given more than on"),
        ([([[0, 1]], None, ["a"]), ([[0, 1]], None, ["a"])], ValueError, "ids must be unique, but 'a' is given more t"),
    ],
)
def test_blocks_that_are_refused_leave_the_folder_as_it_was(saved, blocks, error, message):
    index, folder = saved
    with pytest.raises(error, match=message) as caught:
        HammingIndex.from_blocks(folder, blocks)
    if len(blocks) == 2 and "unique" not in message:
        assert caught.value.__notes__ == ["This was block 1 of blocks."]
    HammingIndex.verify(folder)
    assert_equal_indexes(HammingIndex.open(folder), index)
    assert len(os.listdir(folder)) == 4


@pytest.mark.parametrize("blocks", [[], [[5]], [[[0, 1]], [[5, 1]]], [[[0, 1]], "ab"], 5])
def test_blocks_that_are_refused_leave_no_new_folder(tmp_path, blocks):
    for name in ("index", "a/b/index"):
        with pytest.raises((ValueError, TypeError)):
            HammingIndex.from_blocks(tmp_path / name, blocks)
        assert os.listdir(tmp_path) == []
    (tmp_path / "index").mkdir()
    with pytest.raises((ValueError, TypeError)):
        HammingIndex.from_blocks(tmp_path / "index", blocks)
    assert os.listdir(tmp_path / "index") == []


def test_a_save_that_fails_leaves_no_new_folder(tmp_path):
    index = HammingIndex().fit([[0, 1]], ids=[frozenset()])
    with pytest.raises(TypeError):
        index.save(tmp_path / "a" / "index")
    assert os.listdir(tmp_path) == []


def test_appended_blocks_that_are_refused_leave_the_folder_as_it_was(tmp_path):
    index = HammingIndex().fit(random_codes(9, 5), ids=range(9))
    index.save(tmp_path)
    codes = random_codes(2, 5)
    for blocks, message in [
        ([codes], "ids must be passed to every add"),
        ([(codes, None, [20, 3])], "ids must be unique, but 3 is given more than once"),
        ([(codes, None, [20, 21]), (codes, None, [30, 20])], "ids must be unique, but 20 is given more than once"),
        ([(codes, [0, 1], [20, 21])], "y must not be passed: fit was called without y"),
    ]:
        with pytest.raises(ValueError, match=message):
            HammingIndex.append_blocks(tmp_path, blocks)
        HammingIndex.verify(tmp_path)
        assert_equal_indexes(HammingIndex.open(tmp_path), index)
    with pytest.raises(ValueError, match="The 'n_neighbors' parameter"):
        HammingIndex.from_blocks(tmp_path, [codes], n_neighbors=0)
    assert_equal_indexes(HammingIndex.append_blocks(tmp_path, []), index)


def test_open_finds_an_index_at_every_moment_of_saving(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2, (40, 16)).astype(np.uint8)
    states = [HammingIndex().fit(codes[:n]) for n in (20, 40)]
    states[0].save(tmp_path / "index")
    done = threading.Event()

    def save():
        for round_ in range(60):
            states[round_ % 2].save(tmp_path / "index")
        done.set()

    saver = threading.Thread(target=save)
    saver.start()
    try:
        while not done.is_set():
            assert len(HammingIndex.open(tmp_path / "index")) in (20, 40)
    finally:
        saver.join()
