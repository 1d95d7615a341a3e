"""Random lives of a collection with vectors: changes, saves and appended blocks, each step against plain numpy."""

import os
import pickle
import random

import numpy as np
import pytest

from skhash.index.collection._collection import Collection
from skhash.index.storage import _blocks
from skhash.index.storage._blocks import IndexFacts, add_blocks, append_to, create, live_blocks, open_current
from skhash.index.storage._format import check_index

STEPS = ["add", "remove", "update", "compact", "save", "open", "append", "append nothing", "pickle", "share", "fail"]


class Life:
    """A collection, and the ids, codes, labels and vectors that it should have."""

    def __init__(self, seed, folder):
        self.rng, self.draw, self.folder = np.random.default_rng(seed), random.Random(seed), folder
        self.dtype = self.draw.choice([np.int8, np.float16, np.float32])
        self.n_words, self.n_columns = self.draw.choice([1, 3]), self.draw.choice([1, 5])
        self.has_labels = self.draw.random() < 0.5
        self.new_id = self.draw.choice([None, lambda i: 1000 - i, lambda i: ("id", i)])
        self.n_given, self.readers, self.saved = 0, [], None
        self.ids, (self.codes, self.labels, self.vectors) = [], self.make(0)
        self.collection = self.extend(Collection.build, self.make(self.draw.choice([1, 30])))
        self.save()

    def make(self, n):
        codes = self.rng.integers(0, 2**63, (n, self.n_words)).astype(np.uint64)
        labels = np.array(list("dcba"))[self.rng.integers(0, 4, n)]
        return codes, labels, (self.rng.normal(size=(n, self.n_columns)) * 20).astype(self.dtype)

    def take_ids(self, n):
        new = range(self.n_given, self.n_given + n)
        self.n_given += n
        return [*new] if self.new_id is None else [self.new_id(i) for i in new]

    def note(self, new, ids):
        self.ids = self.ids + ids
        old = self.codes, self.labels, self.vectors
        self.codes, self.labels, self.vectors = (np.concatenate(pair) for pair in zip(old, new, strict=True))

    def extend(self, change, new):
        ids = self.take_ids(len(new[0]))
        self.note(new, ids)
        return change(new[0], new[1] if self.has_labels else None, None if self.new_id is None else ids, new[2])

    def some_rows(self, most):
        return self.draw.sample(range(len(self.ids)), self.draw.randint(0, min(most, len(self.ids))))

    def add(self):
        self.collection = self.extend(self.collection.add, self.make(self.draw.choice([1, 2, 20])))

    def remove(self):
        rows = self.some_rows(len(self.ids) // 2 + 1)
        self.collection = self.collection.remove([self.ids[row] for row in rows])
        self.ids = [label for row, label in enumerate(self.ids) if row not in rows]
        old = self.codes, self.labels, self.vectors
        self.codes, self.labels, self.vectors = (np.delete(array, rows, axis=0) for array in old)

    def update(self):
        rows = self.some_rows(6)
        codes, labels, vectors = self.make(len(rows))
        relabel = self.has_labels and len(rows) > 0 and self.draw.random() < 0.5
        wanted = [self.ids[row] for row in rows]
        self.collection = self.collection.update(wanted, codes, labels if relabel else None, vectors)
        self.codes[rows], self.vectors[rows] = codes, vectors
        if relabel:
            self.labels[rows] = labels

    def compact(self):
        self.collection = self.collection.compact()

    def save(self):
        extra, attachments = {"n": len(self.ids)}, {"mean": self.rng.normal(size=(2, 3))}
        facts = IndexFacts(64 * self.n_words, {"x": 1}, ["f"])
        with create(self.folder, "embedding") as writer:
            for block in live_blocks(self.collection):
                writer.add(*block)
            more = {"attachments": attachments, "extra": extra}
            writer.commit(check_ids=False, next_id=self.collection.next_id, **vars(facts), **more)
        self.saved = extra, attachments["mean"]
        self.open()

    def open(self):
        """Go on from a saved state, of which all is read or only mapped."""
        check_index(self.folder, "embedding")
        saved = open_current(self.folder, self.draw.random() < 0.5, "embedding")
        assert saved.extra == self.saved[0]
        np.testing.assert_array_equal(saved.attachments["mean"], self.saved[1], strict=True)
        if self.draw.random() < 0.5:
            found = saved.collection
            self.readers.append((found, found.codes.copy(), found.vectors.copy()))
        return saved.collection

    def append(self, sizes=(1, 12)):
        self.save()
        blocks = []
        for n in sizes:
            new, ids = self.make(n), self.take_ids(n)
            blocks.append((new, new[1] if self.has_labels else None, None if self.new_id is None else ids))
            self.note(new, ids)
        with append_to(self.folder, "embedding") as (writer, saved):
            last = add_blocks(writer, blocks, lambda new, is_first: (new[0], new[2]), saved.collection)
            writer.commit(check_ids=True, next_id=last.next_id, **vars(saved.facts))
        self.collection = self.open()

    def fail(self):
        """An append that is interrupted leaves the folder as it was."""
        before = {name: (self.folder / name).read_bytes() for name in os.listdir(self.folder)}
        codes, labels, vectors = self.make(2)
        y, ids = labels if self.has_labels else None, None if self.new_id is None else ["new 1", "new 2"]
        wrong = self.draw.choice([None, vectors[:1], vectors.astype(float)])
        with pytest.raises((TypeError, ValueError), match="vectors"):
            self.append_pair(codes, vectors, wrong)
        assert {name: (self.folder / name).read_bytes() for name in os.listdir(self.folder)} == before
        with pytest.raises((TypeError, ValueError), match=r"vectors|ids"):
            self.collection.add(codes, y, ids, wrong)

    def append_pair(self, codes, vectors, wrong):
        with append_to(self.folder, "embedding") as (writer, _):
            writer.add(codes, None, None, vectors)
            writer.add(codes, None, None, wrong)

    def step(self):
        name = self.draw.choice(STEPS)
        if name in ("pickle", "share"):
            old = self.collection
            self.collection = pickle.loads(pickle.dumps(old)) if name == "pickle" else old.share()
            old.remove([self.ids[0]] if self.ids else [])
        elif name == "append nothing":
            self.append(())
        elif name == "open":
            self.save()
            self.collection = self.open()
        else:
            getattr(self, name)()

    def check(self):
        collection = self.collection
        assert len(collection) == len(self.ids)
        assert collection.ids_of(collection.live_rows()).tolist() == self.ids
        np.testing.assert_array_equal(collection.live(collection.codes), self.codes)
        np.testing.assert_array_equal(collection.live(collection.vectors), self.vectors, strict=True)
        if self.has_labels:
            assert collection.labels[collection.live_rows()].decode().tolist() == self.labels.tolist()
        for reader, codes, vectors in self.readers:
            np.testing.assert_array_equal(reader.codes, codes)
            np.testing.assert_array_equal(reader.vectors, vectors)


@pytest.mark.parametrize("seed", range(16))
def test_lives(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(_blocks, "_BYTES_AT_ONCE", 64)
    life = Life(seed, tmp_path / "index")
    life.check()
    for _ in range(14):
        life.step()
        life.check()
