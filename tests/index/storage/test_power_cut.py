"""When the power fails at any moment of a change, the folder holds the index before or after it.

All changes of the folder are recorded. Each beginning of the record is replayed on a model of a disk, which holds
what was flushed, and any part of the rest: some of the writes, torn at 512 bytes, and some of the names.
"""

import builtins
import os
import random
from dataclasses import dataclass, field

import numpy as np
import pytest

from skhash import HammingIndex
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._blocks import add_blocks, append_to, create, open_current
from skhash.index.storage._format import check_index

SECTOR = 512


class RecordedFile:
    """A file that is open for writing."""

    def __init__(self, file, name, log):
        self._file, self._name, self._log, self._position = file, name, log, 0

    def write(self, data):
        self._log.append(("write", self._name, self._position, bytes(data)))
        self._position += len(data)
        self._file.write(data)

    def truncate(self, size):
        self._log.append(("truncate", self._name, size))
        self._file.truncate(size)

    def seek(self, position):
        self._position = position
        self._file.seek(position)

    def fileno(self):
        return self._file.fileno()

    def flush(self):
        self._file.flush()

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class RecordedSystem:
    """`os`, `open` and `sync_folder` for one folder; every other function is that of `os`."""

    def __init__(self, folder, log):
        self._folder, self._log, self._names = folder, log, {}

    def __getattr__(self, name):
        return getattr(os, name)

    def open_file(self, path, mode):
        file = builtins.open(path, mode)  # noqa: SIM115
        if mode == "rb":
            return file
        if mode != "r+b":
            self._log.append(("create", path.name))
        self._names[file.fileno()] = path.name
        return RecordedFile(file, path.name, self._log)

    def fsync(self, handle):
        self._log.append(("flush", self._names[handle]))

    def sync_folder(self, folder):
        if folder == self._folder:
            self._log.append(("flush names",))

    def replace(self, source, target):
        self._log.append(("rename", source.name, target.name))
        os.replace(source, target)

    def truncate(self, path, size):
        self._log.append(("truncate", path.name, size))
        os.truncate(path, size)

    def unlink(self, path):
        self._log.append(("unlink", path.name))
        os.unlink(path)


@dataclass
class Disk:
    """Files by number and names of them: on the disk, as programs see them, and what is not flushed yet."""

    data: dict[int, bytearray]
    names: dict[str, int]
    seen: dict[str, int] = field(init=False)
    writes: dict[int, list] = field(default_factory=dict)
    renames: list = field(default_factory=list)

    def __post_init__(self):
        self.seen = dict(self.names)

    def run(self, kind, name="", *rest):
        if kind == "create" and name in self.seen:
            self.run("truncate", name, 0)
        elif kind == "create":
            self.seen[name] = len(self.data)
            self.renames.append((None, name, self.seen[name]))
            self.data[self.seen[name]] = bytearray()
        elif kind in ("write", "truncate"):
            self.writes.setdefault(self.seen[name], []).append(rest)
        elif kind == "flush":
            for write in self.writes.pop(self.seen[name], []):
                self._put(self.seen[name], *write)
        elif kind == "rename":
            self.seen[rest[0]] = self.seen.pop(name)
            self.renames.append((name, rest[0], self.seen[rest[0]]))
        elif kind == "unlink":
            del self.seen[name]
            self.renames.append((name, None, None))
        elif kind == "flush names":
            for rename in self.renames:
                self._name(*rename)
            self.renames = []

    def fail(self, rng):
        """Return the contents of all files after a power cut."""
        for number, writes in self.writes.items():
            for position, *data in writes:
                if not data and rng.random() < 0.5:
                    self._put(number, position)
                pieces = [data[0][i : i + SECTOR] for i in range(0, len(data[0]), SECTOR)] if data else []
                lost = rng.choice([0, 0.5, 1])
                for i, piece in enumerate(pieces):
                    if rng.random() >= lost:
                        self._put(number, position + SECTOR * i, piece)
        for rename in self.renames:
            if rng.random() < 0.5:
                self._name(*rename)
        return {name: bytes(self.data[number]) for name, number in self.names.items()}

    def _put(self, number, position, data=None):
        """Write data at a position, or without data cut or extend a file to it."""
        file = self.data[number]
        file.extend(bytes(max(0, position - len(file))))
        if data is None:
            del file[position:]
        else:
            file[position : position + len(data)] = data

    def _name(self, old, new, number):
        self.names.pop(old, None)
        if new is not None:
            self.names[new] = number


def block(n, first_class, seed):
    rng = np.random.default_rng(seed)
    labels = [f"class {i}" for i in rng.integers(first_class, first_class + 5, n)]
    return rng.integers(0, 2**63, (n, 1)).astype(np.uint64), labels, [f"{seed}.{i}" for i in range(n)]


def save(folder):
    HammingIndex().fit(block(200, 3, 1)[0], ids=block(200, 3, 1)[2]).save(folder)


def with_vectors(X, is_first):
    return X, np.sin(X % 1000 + np.arange(5)).astype(np.float32)


def save_vectors(folder, seed=9, n=120):
    with create(folder, "embedding") as writer:
        last = add_blocks(writer, [block(n, 3, seed), block(20, 3, seed + 1)], with_vectors)
        more = {"attachments": {"mean": np.full(40, seed, np.float32)}, "extra": {"seed": seed}}
        writer.commit(check_ids=True, next_id=last.next_id, bits=64, parameters={}, feature_names=None, **more)


def append_vectors(folder):
    with append_to(folder, "embedding") as (writer, saved):
        last = add_blocks(writer, [block(70, -9, 12)], with_vectors, saved.collection)
        more = {"attachments": {"mean": np.arange(30)}, "extra": {"seed": [12]}}
        writer.commit(check_ids=True, next_id=last.next_id, **vars(saved.facts), **more)


CHANGES = {
    "first save": [save],
    "save": [save],
    "from_blocks": [lambda folder: HammingIndex.from_blocks(folder, [block(100, 1, 2), block(100, 7, 3)])],
    "append": [lambda folder: HammingIndex.append_blocks(folder, [block(100, 5, 4)])],
    "append classes that sort first": [lambda folder: HammingIndex.append_blocks(folder, [block(100, -9, 5)])],
    "append twice": [
        lambda folder: HammingIndex.append_blocks(folder, [block(90, 5, 6)]),
        lambda folder: HammingIndex.append_blocks(folder, [block(80, 5, 7), block(3, 5, 8)]),
    ],
}


CHANGES_OF_VECTORS = {
    "save vectors": [lambda folder: save_vectors(folder, 15, 90)],
    "append vectors": [append_vectors],
}
CHANGES.update(CHANGES_OF_VECTORS)


def state_of(folder):
    if not (folder / "header.json").exists():
        return None
    if b"skhash.EmbeddingIndex" in (folder / "header.json").read_bytes():
        check_index(folder, "embedding")
        saved = open_current(folder, mmap=False, kind="embedding")
        found = saved.collection
        assert (found.vectors == with_vectors(found.codes, True)[1]).all()
        attached = {name: array.tolist() for name, array in saved.attachments.items()}
        return found.codes.tolist(), found.labels.decode().tolist(), found.ids.tolist(), attached, saved.extra
    HammingIndex.verify(folder)
    index = HammingIndex.open(folder, mmap=False)
    labels = None if index.labels_ is None else index.labels_.decode().tolist()
    return index.codes_.tolist(), labels, index.ids_.tolist()


@pytest.mark.parametrize("kind", CHANGES)
def test_power_cuts(tmp_path, monkeypatch, kind):
    folder = tmp_path / "recorded"
    folder.mkdir()
    if kind in CHANGES_OF_VECTORS:
        save_vectors(folder)
    elif kind != "first save":
        X, y, ids = block(150, 5, 0)
        HammingIndex().fit(X, y, ids=ids).save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    states, ends, log = [state_of(folder)], [], []
    for change in CHANGES[kind]:
        with monkeypatch.context() as patch:
            system = RecordedSystem(folder, log)
            patch.setattr(_folder, "os", system)
            patch.setattr(_folder, "open", system.open_file, raising=False)
            patch.setattr(_folder, "sync_folder", system.sync_folder)
            change(folder)
        states.append(state_of(folder))
        ends.append(len(log))
    assert [operation[0] for operation in log].count("rename") == len(ends)
    rng = random.Random(0)
    for stop in range(len(log) + 1):
        n_done = sum(end <= stop for end in ends)
        for attempt in range(4):
            disk = Disk(dict(enumerate(map(bytearray, before.values()))), {name: i for i, name in enumerate(before)})
            for operation in log[:stop]:
                disk.run(*operation)
            cut = tmp_path / f"{stop}-{attempt}"
            cut.mkdir()
            for name, content in disk.fail(rng).items():
                (cut / name).write_bytes(content)
            assert state_of(cut) in states[n_done : n_done + 2], f"after {log[:stop][-1:]}"
