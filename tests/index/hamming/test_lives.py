"""Random lives of an index: changes, storage and copies in any order, each step compared with a plain list."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch

from skhash import HammingIndex
from skhash.codes import pack_codes, to_bitarray

LENGTHS = [1, 2, 7, 8, 31, 64, 65, 100, 128, 129, 300, 513]
FORMS = {
    "bool": lambda codes: codes.astype(bool),
    "signs": lambda codes: 2 * codes.astype(np.int8) - 1,
    "half": lambda codes: np.asfortranarray(codes.astype(np.float16)),
    "other endian": lambda codes: codes.astype(">f8"),
    "tensor": torch.tensor,
    "strided": lambda codes: np.repeat(codes.astype(np.int64), 2, axis=1)[:, ::2],
    "words": pack_codes,
    "list": lambda codes: codes.tolist(),
    "bitarray": to_bitarray,
    "objects": lambda codes: codes.astype(object),
}
IDS = {
    "counted": lambda i, number: i,
    "integers": lambda i, number: number - 2**62,
    "text": lambda i, number: f'\u2603 "{number}"\n\0',
    "tuples": lambda i, number: (number, ("a", i)),
    "mixed": lambda i, number: number if i % 2 else str(number),
}
LABELS = {
    None: None,
    "numbers": lambda rng, n: rng.integers(0, 5, n),
    "text": lambda rng, n: np.array(list("abcde"))[rng.integers(0, 5, n)],
    "multi-hot": lambda rng, n: rng.integers(0, 2, (n, 3)),
}


class Life:
    """An index, and the ids, codes and labels that it should have."""

    def __init__(self, seed, folder):
        self.rng, self.draw = np.random.default_rng(seed), random.Random(seed)
        self.folder, self.n_given = folder, 0
        self.bits = self.draw.choice(LENGTHS)
        self.new_id, self.new_labels = IDS[self.draw.choice([*IDS])], LABELS[self.draw.choice([*LABELS])]
        self.share = self.draw.choice([0.02, 0.5])
        self.ids, self.codes, self.labels = [], [], []
        algorithm = self.draw.choice(["auto", "brute", "mih"])
        self.index = HammingIndex(bits=self.bits, algorithm=algorithm)
        self._extend(self.index.fit, self.draw.choice([1, 2, 30, 200]))

    def make_codes(self, n):
        codes = (self.rng.random((n, self.bits)) < self.share).astype(np.uint8)
        if self.codes and self.draw.random() < 0.5:  # equal ones, or nearly so
            codes = np.array(self.codes)[self.rng.integers(0, len(self.codes), n)] ^ (codes & (self.rng.random() < 0.3))
        return codes

    def in_a_form(self, codes):
        return FORMS[self.draw.choice([*FORMS])](codes)

    def _extend(self, call, n):
        codes, first = self.make_codes(n), self.n_given
        new = [self.new_id(i, int(self.rng.integers(2**40)) * 1000 + i) for i in range(first, first + n)]
        labels = None if self.new_labels is None else self.new_labels(self.rng, n)
        call(self.in_a_form(codes), labels, ids=None if self.new_id is IDS["counted"] else new)
        self.ids, self.codes, self.n_given = self.ids + new, [*self.codes, *codes], first + n
        self.labels += [None] * n if labels is None else labels.tolist()

    def some_rows(self, most):
        return self.draw.sample(range(len(self.ids)), self.draw.randint(1, min(most, len(self.ids))))

    def add(self):
        self._extend(self.index.add, self.draw.choice([1, 2, 60]))

    def remove(self):
        rows = self.some_rows(max(1, len(self.ids) // 2))
        self.index.remove([self.ids[row] for row in rows])
        for values in (self.ids, self.codes, self.labels):
            values[:] = [value for row, value in enumerate(values) if row not in rows]

    def update(self):
        rows = self.some_rows(20)
        codes = self.make_codes(len(rows))
        labels = self.new_labels(self.rng, len(rows)) if self.new_labels and self.draw.random() < 0.5 else None
        self.index.update([self.ids[row] for row in rows], self.in_a_form(codes), labels)
        for i, row in enumerate(rows):
            self.codes[row] = codes[i]
            self.labels[row] = self.labels[row] if labels is None else labels[i].tolist()

    def compact(self):
        self.index.compact()

    def save(self):
        self.index.save(self.folder)
        HammingIndex.verify(self.folder)
        self.index = HammingIndex.open(self.folder, mmap=self.draw.random() < 0.5)

    def pickle(self):
        self.index = pickle.loads(pickle.dumps(self.index))

    def copy(self):
        old, self.index = self.index, self.draw.choice([copy.copy, copy.deepcopy])(self.index)
        old.remove(old.ids_[:1])

    def fail(self):
        wrong = self.make_codes(2)
        for call in (
            lambda: self.index.remove([object()]),
            lambda: self.index.remove([self.ids[0]] * 2),
            lambda: self.index.add(np.ones((1, self.bits + 1), np.uint8)),
            lambda: self.index.add(np.full((1, self.bits), np.nan)),
            lambda: self.index.update([self.ids[0], object()], wrong),
            lambda: self.index.kneighbors(wrong, len(self.ids) + 1),
        ):
            with pytest.raises((ValueError, TypeError)):
                call()

    def check(self):
        """Compare contents and every kind of search with loops."""
        n = len(self.ids)
        assert self.index.ids_.tolist() == self.ids
        assert len(self.index) == n
        assert all(label in self.index for label in self.ids[:5])
        if self.new_labels is not None:
            assert self.index.labels_.decode().tolist() == self.labels
        if not n:
            return
        codes, queries = np.array(self.codes), self.make_codes(3)
        between = (queries[:, None] != codes).sum(axis=2)
        allowed = self.rng.random(n) < 0.5
        where = self.draw.choice([allowed, [self.ids[row] for row in np.flatnonzero(allowed)]])
        radius, k = self.draw.choice([0, 1, self.bits // 3, self.bits]), self.draw.randint(1, n)
        for passes, options in ((np.ones(n, bool), {}), (allowed, {"where": where})):
            orders = [[row for row in np.argsort(row, kind="stable") if passes[row]] for row in between]
            found = self.index.kneighbors(self.in_a_form(queries), k, missing="pad", **options)
            self._compare(found, between, [order[:k] for order in orders])
            found = self.index.radius_neighbors(self.in_a_form(queries), radius, **options)
            near = [[row for row in order if between[q, row] <= radius] for q, order in enumerate(orders)]
            self._compare(found, between, near)
        if 1 < n < 60:
            between = (codes[:, None] != codes).sum(axis=2)
            others = [[row for row in np.argsort(between[q], kind="stable") if row != q][:k] for q in range(n)]
            self._compare(self.index.kneighbors(None, k, missing="pad"), between, others)

    def _compare(self, found, between, expected):
        for q, (distances, ids) in enumerate(zip(*found, strict=True)):
            n_lacking = len(ids) - len(expected[q])
            assert distances.tolist() == [between[q, row] for row in expected[q]] + [-1] * n_lacking
            assert ids.tolist() == [self.ids[row] for row in expected[q]] + [-1] * n_lacking


@pytest.mark.parametrize("seed", range(24))
def test_lives(tmp_path, seed):
    life = Life(seed, tmp_path)
    life.check()
    for _ in range(8):
        step = life.draw.choice(["add", "remove", "update", "compact", "save", "pickle", "copy", "fail"])
        if life.ids or step in ("add", "save"):
            getattr(life, step)()
        life.check()
