import pickle
import re

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from skhash.index.collection import _collection
from skhash.index.collection._collection import Collection

OWN_IDS = {"int64": st.integers(-20, 20), "object": st.one_of(st.text("ab", max_size=3), st.tuples(st.integers(0, 9)))}
VECTORS = {"int8": (np.int8, 3), "float16": (np.float16, 1), "float32": (np.float32, 5)}
LABELS = {"single": lambda y: np.array(["c", "a", "d", "b"])[y], "multi-hot": lambda y: np.eye(4, dtype=int)[y]}


def vectors_of(codes, kind):
    """Return the vectors of codes, whose numbers say which code they belong to."""
    if kind is None:
        return None
    dtype, n_columns = VECTORS[kind]
    return ((codes.astype(np.int64) * 31 + np.arange(n_columns)) % 127).astype(dtype)


class CollectionMachine(RuleBasedStateMachine):
    """A collection beside a list of (id, code, label) in order; vectors are functions of the codes."""

    @initialize(
        kind=st.sampled_from([None, *OWN_IDS]),
        labels=st.sampled_from([None, *LABELS]),
        vectors=st.sampled_from([None, *VECTORS]),
        share=st.sampled_from([0.0, 0.25, 1.0]),
        data=st.data(),
    )
    def start(self, kind, labels, vectors, share, data):
        self.vectors, self.seen = vectors, []
        self.kind, self.labels, self.share, self.model, self.next_id = kind, labels, share, [], 0
        self.given, self.count = [], 0
        codes, y, ids = self.draw_new(data, 1)
        self.collection = Collection.build(codes, self.as_labels(y), ids, vectors=self.as_vectors(codes))
        self.extend(codes, y, ids)

    def draw_new(self, data, min_size=0):
        n = data.draw(st.integers(min_size, 5))
        ids = None
        if self.kind:
            taken = {label for label, _, _ in self.model}
            new = OWN_IDS[self.kind].filter(lambda label: label not in taken)
            ids = data.draw(st.lists(new, min_size=n, max_size=n, unique=True))
        return self.draw_codes(n), np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), int), ids

    def draw_codes(self, n):
        self.count += n
        codes = np.arange(self.count - n, self.count, dtype=np.uint64)[:, None]
        self.given.append((codes, codes.copy()))
        return codes

    def as_vectors(self, codes):
        vectors = vectors_of(codes, self.vectors)
        if vectors is not None:
            self.given.append((vectors, vectors.copy()))
        return vectors

    def as_labels(self, y):
        return None if self.labels is None else LABELS[self.labels](y)

    def extend(self, codes, y, ids):
        if ids is None:
            ids = list(range(self.next_id, self.next_id + len(codes)))
            self.next_id += len(codes)
        self.model += zip(ids, codes[:, 0].tolist(), y.tolist(), strict=True)

    def draw_some(self, data):
        known = [label for label, _, _ in self.model]
        return data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []

    @rule(data=st.data())
    def add(self, data):
        codes, y, ids = self.draw_new(data, 1)
        self.collection = self.collection.add(codes, self.as_labels(y), ids, vectors=self.as_vectors(codes))
        self.extend(codes, y, ids)

    @rule(data=st.data())
    def remove(self, data):
        ids = self.draw_some(data)
        usual, _collection._MAX_DEAD_SHARE = _collection._MAX_DEAD_SHARE, self.share
        try:
            self.collection = self.collection.remove(ids)
        finally:
            _collection._MAX_DEAD_SHARE = usual
        self.model = [entry for entry in self.model if entry[0] not in ids]

    @rule(data=st.data(), relabel=st.booleans())
    def update(self, data, relabel):
        ids = self.draw_some(data)
        codes, y = self.draw_codes(len(ids)), np.arange(len(ids)) % 4
        relabel = relabel and self.labels is not None and len(ids) > 0
        self.collection = self.collection.update(
            ids, codes, self.as_labels(y) if relabel else None, vectors=self.as_vectors(codes)
        )
        new = {label: (code, c) for label, code, c in zip(ids, codes[:, 0].tolist(), y.tolist(), strict=True)}
        for i, (label, _, c) in enumerate(self.model):
            if label in new:
                self.model[i] = label, new[label][0], new[label][1] if relabel else c

    @rule()
    def compact(self):
        self.collection = self.collection.compact()
        assert self.collection.live_mask is None

    @rule()
    def copy(self):
        self.collection = pickle.loads(pickle.dumps(self.collection))

    @rule(data=st.data())
    def change_a_twin(self, data):
        """The twin goes another way; this must not be seen here."""
        twin = self.collection.share()
        ids = self.draw_some(data)
        codes = np.full((len(ids), 1), 777, np.uint64)
        twin = twin.update(ids, codes, vectors=self.as_vectors(codes))
        new = {None: None, "int64": [99, 98], "object": ["zz", "z"]}[self.kind]
        codes = np.full((2, 1), 777, np.uint64)
        twin.add(codes, self.as_labels(np.array([0, 1])), new, vectors=self.as_vectors(codes))

    @rule()
    def remember(self):
        """Readers keep what they have, whatever comes later."""
        if self.vectors:
            self.seen.append((self.collection, self.collection.vectors.copy(), self.collection.codes.copy()))

    @rule(data=st.data())
    def refuse(self, data):
        codes, y, ids = self.draw_new(data, 1)
        some, vectors = self.draw_some(data), self.as_vectors(codes)
        y, wrong_y = self.as_labels(y), self.as_labels(np.r_[y, 0])
        with pytest.raises((TypeError, ValueError)):
            self.collection.add(codes, y, [[1]] if ids is None else [*ids[:-1], 1.5], vectors)
        wrong = [np.ones((len(codes), 2), np.int8)] if vectors is None else [None, vectors[1:], vectors[:, :0]]
        for other in wrong:
            with pytest.raises(ValueError, match="vectors must"):
                self.collection.add(codes, y, ids, vectors=other)
        if y is not None:
            with pytest.raises(ValueError, match="inconsistent"):
                self.collection.add(codes, wrong_y, ids, vectors)
        for change in (self.collection.remove, lambda ids: self.collection.update(ids, self.draw_codes(len(ids)))):
            with pytest.raises(ValueError, match="not in the index"):
                change([*some, 10**6])
            if some:
                with pytest.raises(ValueError, match="more than once"):
                    change([*some, some[0]])
        if some:
            with pytest.raises(ValueError, match="one id per code"):
                self.collection.update(some, self.draw_codes(len(some) + 1))

    @invariant()
    def is_what_the_list_is(self):
        collection, rows = self.collection, self.collection.live_rows()
        ids = [label for label, _, _ in self.model]
        assert len(collection) == len(rows) == len(ids)
        assert collection.ids_of(rows).tolist() == ids
        assert collection.live(collection.codes)[:, 0].tolist() == [code for _, code, _ in self.model]
        assert collection.rows_of(ids).tolist() == rows.tolist()
        assert collection.positions_of(rows).tolist() == list(range(len(ids)))
        assert all(label in collection for label in ids)
        assert self.kind or all((label in collection) == (label in ids) for label in range(self.next_id + 2))
        if self.vectors:
            codes = collection.live(collection.codes)
            expected = vectors_of(codes, self.vectors)
            np.testing.assert_array_equal(collection.live(collection.vectors), expected, strict=True)
            assert len(collection.vectors) == len(collection.codes)
        if self.labels:
            expected = self.as_labels(np.array([c for _, _, c in self.model], int))
            np.testing.assert_array_equal(collection.labels[rows].decode(), expected)

    @invariant()
    def has_not_written_to_what_it_was_given(self):
        for codes, copy in self.given:
            np.testing.assert_array_equal(codes, copy)
        for collection, vectors, codes in self.seen:
            np.testing.assert_array_equal(collection.vectors, vectors)
            np.testing.assert_array_equal(collection.codes, codes)


TestCollection = CollectionMachine.TestCase
TestCollection.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def words(n, start=0):
    return np.arange(start, start + n, dtype=np.uint64)[:, None]


def test_removed_ids_never_come_again_if_the_collection_gives_them():
    collection = Collection.build(words(3)).remove([2]).compact().add(words(1))
    assert collection.ids_of(collection.live_rows()).tolist() == [0, 1, 3]
    emptied = collection.remove([0, 1, 3])
    assert len(emptied) == 0
    assert emptied.add(words(2)).compact().ids.tolist() == [4, 5]


def test_compaction_comes_by_itself_above_a_quarter():
    collection = Collection.build(words(8)).remove([1, 5])
    assert collection.live_mask.tolist() == [True, False, True, True, True, False, True, True]
    compacted = collection.remove([7])
    assert compacted.live_mask is None
    assert compacted.codes[:, 0].tolist() == compacted.ids.tolist() == [0, 2, 3, 4, 6]


def test_a_memory_map_is_compacted_on_demand_only(tmp_path):
    np.save(tmp_path / "codes.npy", words(8))
    mapped = np.asarray(np.load(tmp_path / "codes.npy", mmap_mode="r"))
    collection = Collection.build(mapped).remove(range(6))
    assert collection.codes is mapped
    assert collection.compact().codes[:, 0].tolist() == [6, 7]


def test_own_ids_may_come_again_at_the_end():
    collection = Collection.build(words(5), ids=list("abcde")).remove(["b"]).add(words(1, 9), ids=["b"])
    assert collection.rows_of(["b"]).tolist() == [5]
    assert collection.ids_of(collection.live_rows()).tolist() == list("acdeb")


def test_an_update_leaves_older_collections_as_they_were():
    codes = words(4)
    first = Collection.build(codes).update([1], words(1, 7))
    second = first.update([2], words(1, 8))
    np.testing.assert_array_equal(codes, words(4))
    np.testing.assert_array_equal(first.codes, np.where(np.arange(4)[:, None] == 1, 7, words(4)))
    assert second.codes[2] == 8


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda c: c.add(words(1), ids=["z"]), ValueError, "y must be passed to every add, as to fit"),
        (lambda c: c.add(words(1), [1]), ValueError, "ids must be passed to every add, as to fit: the index has user"),
        (lambda c: c.add(words(1), [1], ["a"]), ValueError, "but 'a' is in the index already."),
        (lambda c: c.add(words(2), [1, 1], ["a", "b"]), ValueError, "2 ids (the first of them 'a') are in the index"),
        (lambda c: c.add(words(2), [1, 1], ["x", "x"]), ValueError, "but 'x' is given more than once."),
        (lambda c: c.add(words(2), [1, 1], ["x"]), ValueError, "X has 2, ids has 1."),
        (lambda c: c.add(words(1), [[1, 0]], ["x"]), ValueError, "y must be of the same kind as the labels before"),
        (lambda c: c.remove(["a", "x", "y"]), ValueError, "but 2 ids (the first of them 'x') are not in the index."),
        (lambda c: c.remove("a"), TypeError, "ids must be a list or an array of ids, got str: 'a'."),
        (lambda c: c.update(["a"], words(2)), ValueError, "ids must hold one id per code: X has 2, ids has 1."),
        (lambda c: c.update(["a"], words(1), [1, 2]), ValueError, "X has 1, y has 2"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=re.escape(message)):
        change(Collection.build(words(3), [1, 2, 1], ["a", "b", "c"]))


def test_errors_of_other_kinds():
    automatic, integers = Collection.build(words(3)), Collection.build(words(3), ids=[7, 5, 6])
    with pytest.raises(ValueError, match="ids must not be passed to add: fit was called without ids"):
        automatic.add(words(1), ids=[3])
    with pytest.raises(ValueError, match="y must not be passed: fit was called without y"):
        automatic.update([0], words(1), [1])
    with pytest.raises(TypeError, match="ids must be integers, as those in the index are, got 'x'"):
        integers.add(words(1), ids=["x"])
    for collection in (automatic, integers):
        with pytest.raises(ValueError, match="but 'x' is not in the index"):
            collection.remove(["x"])
        assert "x" not in collection
    assert Collection.build(words(1), ids=["a"]).add(words(1), ids=[1]).ids.tolist() == ["a", 1]


def test_selection_by_mask_and_by_ids():
    collection = Collection.build(words(8), ids=list("abcdefgh")).remove(["b"])
    assert collection.select(["h", "c"]).tolist() == [i in (2, 7) for i in range(8)]
    for mask in ([True] + [False] * 5 + [True], np.array([1, 0, 0, 0, 0, 0, 1], bool)):
        assert collection.select(mask).tolist() == [i in (0, 7) for i in range(8)]
    assert not collection.select([]).any()
    with pytest.raises(ValueError, match="where"):
        collection.select(["h", "c", "h"])
    with pytest.raises(ValueError, match=re.escape("= (7,) or a list of ids, got a mask of shape (8,).")):
        collection.select(np.ones(8, bool))
    with pytest.raises(ValueError, match="where must be ids of indexed codes, but 'b' is not in the index"):
        collection.select(["b"])


def test_memory_usage():
    y = [0, 1] * 50
    collection = Collection.build(words(100), y, np.arange(100)[::-1])
    fresh = {"codes": 800, "ids": 800, "labels": 800, "tombstones": 0, "lookup": 0}
    assert collection.memory_usage() == fresh
    assert collection.remove([3]).memory_usage() == {**fresh, "tombstones": 100, "lookup": 800}
    assert Collection.build(words(100)).memory_usage() == {**fresh, "ids": 0, "labels": 0}


def test_a_mask_is_handed_on_and_other_changes_copy_nothing():
    codes = np.arange(100, dtype=np.uint64)[:, None]
    collection = Collection.build(codes)
    mask = np.arange(100) % 2 == 0
    assert collection.select(mask) is mask
    removed = collection.remove([4])
    longer = removed.add(codes[:1])
    assert removed.live_mask.tolist() == [row != 4 for row in range(100)]
    assert longer.live_mask.tolist() == [row != 4 for row in range(101)]
    assert np.flatnonzero(removed.select(mask[1:])).tolist() == [1, 3, *range(6, 100, 2)]
    fewer = longer.remove([100, 7])
    assert np.flatnonzero(~fewer.live_mask).tolist() == [4, 7, 100]
    assert np.flatnonzero(~longer.live_mask).tolist() == [4]
    assert collection.live_mask is None
    copy = pickle.loads(pickle.dumps(fewer))
    assert np.flatnonzero(~copy.live_mask).tolist() == [4, 7, 100]
    assert 7 not in copy
    assert 8 in copy


def test_vectors_are_not_copied_and_a_map_of_them_is_compacted_on_demand_only(tmp_path):
    np.save(tmp_path / "vectors.npy", np.arange(16, dtype=np.float16).reshape(8, 2))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    collection = Collection.build(words(8), vectors=mapped)
    assert type(collection.vectors) is np.ndarray
    assert np.shares_memory(collection.vectors, mapped)
    fewer = collection.remove(range(6))
    assert fewer.vectors is collection.vectors
    assert fewer.compact().vectors.tolist() == [[12, 13], [14, 15]]
    longer = fewer.add(words(1), vectors=np.full((1, 2), 9, np.float16))
    assert longer.vectors.tolist() == [*mapped.tolist(), [9, 9]]
    assert collection.update([1], words(1), vectors=np.zeros((1, 2), np.float16)).vectors[1].tolist() == [0, 0]
    assert mapped[1].tolist() == [2, 3]


def test_vectors_grow_with_room():
    vectors = np.ones((4, 3), np.int8)
    first = Collection.build(words(4), vectors=vectors).add(words(1), vectors=vectors[:1])
    second = first.add(words(2), vectors=vectors[:2])
    assert np.shares_memory(first.vectors, second.vectors)
    assert second.memory_usage()["vectors"] == 8 * 3
    assert "vectors" not in Collection.build(words(4)).memory_usage()
    assert Collection.build(words(4), vectors=vectors).memory_usage()["vectors"] == 12


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        ([[1.0]], TypeError, "vectors must be an array of int8, float16 or float32, got list."),
        (np.ones((1, 2)), TypeError, "vectors must be an array of int8, float16 or float32, got an array of float64."),
        (np.ones((1, 2), ">f4"), TypeError, "got an array of >f4."),
        (np.ones(1, np.int8), ValueError, "with one row per code and n_codes = 1, got (1,)."),
        (np.ones((2, 2), np.int8), ValueError, "with one row per code and n_codes = 1, got (2, 2)."),
        (np.ones((1, 0), np.int8), ValueError, "with one row per code and n_codes = 1, got (1, 0)."),
        (np.ones((1, 3), np.int8), ValueError, "like those before, int8 of 2 columns, got int8 of 3 columns."),
        (np.ones((1, 2), np.float16), ValueError, "like those before, int8 of 2 columns, got float16 of 2 columns."),
        (None, ValueError, "vectors must be passed with all codes: those before came with vectors."),
    ],
)
def test_vectors_that_do_not_fit(vectors, error, message):
    collection = Collection.build(words(3), vectors=np.zeros((3, 2), np.int8))
    for change in (
        lambda: collection.add(words(1), vectors=vectors),
        lambda: collection.update([0], words(1), vectors=vectors),
    ):
        with pytest.raises(error, match=re.escape(message)):
            change()
    assert collection.vectors.tolist() == [[0, 0]] * 3
    with pytest.raises(ValueError, match="must not be passed: the codes before came without vectors"):
        Collection.build(words(3)).add(words(1), vectors=np.zeros((1, 2), np.int8))
