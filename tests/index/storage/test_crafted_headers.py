"""Headers with right checksums and wrong entries: only ValueError and FileNotFoundError."""

import json
import zlib

import numpy as np
import pytest

from skhash import HammingIndex, ShardedHammingIndex
from skhash.index.storage import _format

CODES = np.random.default_rng(0).integers(0, 2, (6, 20)).astype(np.uint8)
LABELS = list("abcabc")
MULTI_HOT = np.array([[1, 0]] * 5 + [[1, 1]])
WRONG = [-1, 0, 2**31, 2**63, 10**30, 1.5, float("nan"), "x", None, True, [], {}, "../../etc/passwd", "\0"]


def places(entry, place=()):
    """Yield the path of every entry and of every entry within it."""
    if place:
        yield place
    children = entry.items() if isinstance(entry, dict) else enumerate(entry) if isinstance(entry, list) else ()
    for key, child in children:
        yield from places(child, (*place, key))


def write(folder, text):
    start = text.removesuffix("\n}") + ",\n "
    (folder / "header.json").write_text(start + f'"crc32": "{zlib.crc32(start.encode()):08x}"\n}}\n')


def use(folder):
    """Return the types of errors that readers raise; all that open must also search."""
    kinds = []
    for read in (HammingIndex.open, lambda path: HammingIndex.open(path, mmap=False), HammingIndex.verify):
        try:
            index = read(folder)
            if index is not None:
                index.kneighbors(CODES[:2], 1)
        except Exception as error:
            kinds.append(type(error))
    return kinds


@pytest.fixture
def folder(tmp_path):
    names = [f"id{i}" for i in range(6)]
    HammingIndex(n_neighbors=3).fit(CODES, LABELS, ids=names).save(tmp_path)
    return tmp_path


def test_every_entry_replaced_or_missing(folder):
    good = json.loads((folder / "header.json").read_text())
    del good["crc32"]
    wrong = {}
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
            write(folder, json.dumps(header, indent=1))
            others = {kind for kind in use(folder) if not issubclass(kind, (ValueError, FileNotFoundError))}
            if others:
                wrong[place, str(value)] = others
    assert not wrong


def test_deeply_nested_entries(folder):
    good = (folder / "header.json").read_text()
    text = good[: good.index(',\n "crc32"')] + "\n}"
    deep = "[" * 50_000 + "]" * 50_000
    write(folder, text.replace('"radius": 2', f'"radius": {deep}'))
    assert use(folder) == [ValueError] * 3
    (folder / "header.json").write_text(deep)
    assert use(folder) == [ValueError] * 3


def test_a_folder_named_as_the_header(tmp_path):
    (tmp_path / "header.json").mkdir()
    with pytest.raises(ValueError, match="expected a file"):
        HammingIndex.open(tmp_path)


USES = {
    "predict": lambda folder: HammingIndex.open(folder).predict(CODES),
    "score": lambda folder: HammingIndex.open(folder).score(CODES, LABELS),
    "save": lambda folder: HammingIndex.open(folder).save(folder),
    "remove and save": lambda folder: HammingIndex.open(folder).remove(["id0"]).save(folder),
    "predict of parts": lambda folder: ShardedHammingIndex([folder], n_neighbors=3).predict(CODES),
    "score of parts": lambda folder: ShardedHammingIndex([folder], n_neighbors=3).score(CODES, LABELS),
    "new class": lambda folder: HammingIndex.open(folder).add(CODES[:1], ["0"], ids=["new"]),
    "block of a new class": lambda folder: HammingIndex.append_blocks(folder, [(CODES[:1], ["0"], ["new"])]),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("position", [3, -1, 2**40])
@pytest.mark.parametrize("limit", [2**20, 2])
def test_damaged_labels_of_a_mapped_index(folder, monkeypatch, use, position, limit):
    """Few labels are checked when they are opened, many when they are used."""
    monkeypatch.setattr(_format, "_RECODED_AT_ONCE", limit)
    path = next(folder.glob("labels-*.bin"))
    path.write_bytes(np.array([0, 1, 2, 0, 1, position], "<i8").tobytes())
    with pytest.raises(ValueError, match=r"labels are damaged: .* Run HammingIndex\.verify"):
        USES[use](folder)


@pytest.mark.parametrize("use", ["predict", "score", "save", "predict of parts", "score of parts"])
@pytest.mark.parametrize("limit", [2**20, 2])
def test_damaged_multi_hot_labels_of_a_mapped_index(folder, monkeypatch, use, limit):
    monkeypatch.setattr(_format, "_RECODED_AT_ONCE", limit)
    HammingIndex(n_neighbors=3).fit(CODES, MULTI_HOT).save(folder)
    path = next(folder.glob("labels-*.bin"))
    path.write_bytes(b"\1\0" * 5 + b"\1\2")
    with pytest.raises(ValueError, match=r"labels are damaged: they must be 0 or 1, got 2\. Run HammingIndex\.verify"):
        USES[use](folder)
