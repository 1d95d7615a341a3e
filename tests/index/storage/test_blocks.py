"""Collections go to a folder and come back without any estimator."""

import re

import numpy as np
import pytest

from skhash import HammingIndex
from skhash.index.collection._collection import Collection
from skhash.index.storage import _blocks
from skhash.index.storage._blocks import IndexFacts, add_blocks, append_to, create, live_blocks, open_current

FACTS = IndexFacts(bits=8, parameters={"n_neighbors": 3}, feature_names=list("abcdefgh"))


def words(*values):
    return np.array(values, np.uint64)[:, None]


def save(folder, collection, facts=FACTS):
    with create(folder) as writer:
        for block in live_blocks(collection):
            writer.add(*block)
        writer.commit(check_ids=False, next_id=collection.next_id, **vars(facts))


def assert_equal_collections(collection, other):
    assert collection.next_id == other.next_id
    assert collection.codes[collection.live_rows()].tolist() == other.codes[other.live_rows()].tolist()
    assert collection.ids_of(collection.live_rows()).tolist() == other.ids_of(other.live_rows()).tolist()
    assert (collection.labels is None) == (other.labels is None)
    if collection.labels is not None:
        assert collection.labels.decode()[collection.live_rows()].tolist() == other.labels.decode().tolist()


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("ids", [None, [5, 3, 9, 4], ["a", "b", ("c", 1), 4]])
@pytest.mark.parametrize("y", [None, ["x", "z", "x", "y"], [[1, 0], [0, 1], [1, 1], [0, 0]]])
def test_a_collection_comes_back_with_its_facts(tmp_path, monkeypatch, mmap, ids, y):
    monkeypatch.setattr(_blocks, "_COPIED_AT_ONCE", 2)
    collection = Collection.build(words(1, 2, 3, 4), y, ids)
    for state in (collection, collection.remove([2 if ids is None else ids[2]])):
        save(tmp_path, state)
        saved = open_current(tmp_path, mmap)
        assert saved.facts == FACTS
        assert_equal_collections(state, saved.collection)


def test_every_state_has_another_checksum(tmp_path):
    save(tmp_path, Collection.build(words(1, 2)))
    before = open_current(tmp_path)
    save(tmp_path, Collection.build(words(1, 2)))
    assert open_current(tmp_path).crc32 != before.crc32  # other files, though with the same contents


def test_blocks_are_appended_to_what_is_there(tmp_path):
    first_flags = []

    def read(X, is_first):
        first_flags.append(is_first)
        return words(*X)

    with create(tmp_path) as writer:
        last = add_blocks(writer, [([1, 2], ["b", "a"]), ([3], ["c"])], read)
        writer.commit(check_ids=False, next_id=last.next_id, **vars(FACTS))
    with append_to(tmp_path) as (writer, saved):
        assert saved.facts == FACTS
        last = add_blocks(writer, [([4], ["aa"])], read, saved.collection)
        writer.commit(check_ids=False, next_id=last.next_id, **vars(saved.facts))
    assert first_flags == [True, False, False]
    whole = Collection.build(words(1, 2, 3, 4), ["b", "a", "c", "aa"])
    assert_equal_collections(whole, open_current(tmp_path).collection)


def test_without_blocks_nothing_is_known(tmp_path):
    with create(tmp_path) as writer:
        assert add_blocks(writer, [], None) is None


@pytest.mark.parametrize("parts", [(), (words(1), None, None, None), (words(1), None, None, "x", 3)])
def test_tuples_of_other_lengths_are_no_blocks(tmp_path, parts):
    message = (
        rf"blocks must be codes, or tuples \(codes, labels\) or \(codes, labels, ids\), got a tuple of {len(parts)}\."
    )
    with create(tmp_path) as writer, pytest.raises(ValueError, match=message) as raised:
        add_blocks(writer, [words(1), parts], lambda X, is_first: X)
    assert raised.value.__notes__ == ["This was block 1 of blocks."]


def test_a_list_of_codes_and_labels_is_explained(tmp_path):
    with pytest.raises(ValueError, match="without a regular shape") as raised:
        HammingIndex.from_blocks(tmp_path, [[[[0, 1], [1, 1]], [3, 4]]])
    assert "a block with labels is a tuple: (codes, labels)" in raised.value.__notes__[1]


@pytest.mark.parametrize(("first", "second"), [([5, 3], [232, "a"]), ([5, 3], [9, ("b", 1)]), ([2**60, 1], ["c", 7])])
def test_the_id_that_is_no_integer_is_named(tmp_path, first, second):
    guilty = next(label for label in second if not isinstance(label, int))
    message = rf"ids must be integers, as those in the index are, got {re.escape(repr(guilty))}\."
    X = [[0, 1], [1, 1]]
    with pytest.raises(TypeError, match=message):
        HammingIndex().fit(X, ids=first).add(X, ids=second)
    with pytest.raises(TypeError, match=message):
        HammingIndex.from_blocks(tmp_path / "new", [(X, None, first), (X, None, second)])
    HammingIndex().fit(X, ids=first).save(tmp_path / "old")
    with pytest.raises(TypeError, match=message):
        HammingIndex.append_blocks(tmp_path / "old", [(X, None, second)])
    with create(tmp_path / "words") as writer:
        writer.add(words(1, 2), None, np.array(first))
        with pytest.raises(TypeError, match=message):
            writer.add(words(1, 2), None, np.array([*second, None], object)[:2])
