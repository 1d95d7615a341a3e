"""Searches beside changes: every call sees one state of the index."""

import copy
import pickle
import threading

import numpy as np
import pytest

from skhash import HammingIndex, warm_up
from skhash.codes import unpack_codes
from skhash.index.collection._ids import IdLookup


def code_of(ids):
    """The code of an id, so that a distance shows whether an id belongs to it: 8 copies of the id's 8 bits."""
    return (np.asarray(ids, np.uint64) % 256 * np.uint64(0x0101010101010101))[:, None]


def labels_of(ids):
    return np.asarray(ids) % 256 % 5


def differing(a, b):
    return np.bitwise_count(a ^ b)


def n_wrong_ids(index, rng):
    """Search in every way; return in how many answers an id does not belong to its distance."""
    queries = code_of(rng.integers(0, 256, 3))
    answers = [
        index.kneighbors(queries, 5),
        tuple(np.concatenate(part)[None] for part in index.radius_neighbors(queries[:1], 16)),
        index.kneighbors(queries, 2, where=rng.choice(100, 4, replace=False)),
        index.kneighbors_asymmetric(2.0 * unpack_codes(queries, 64) - 1.0, 5),
        index.rerank(queries, np.tile(np.arange(4), (3, 1)), scoring="weighted", weights=np.ones(64)),
    ]
    wrong = [
        (differing(queries[: len(ids)], code_of(ids.ravel()).reshape(ids.shape)) != distances).sum()
        for distances, ids in answers
    ]
    index.kneighbors(None, 1)
    index.kneighbors_graph(queries, 3)
    index.explain(queries, 3)
    assert np.isin(index.predict(queries), range(5)).all()
    assert (index.ids_[:50] < 100).all()
    assert len(index.codes_) >= 100
    return np.sum(wrong)


def read(index, rng, counts, errors, stop):
    """Search until told to stop; count the rounds and the wrong answers."""
    try:
        while not stop.is_set():
            counts += 1, n_wrong_ids(index, rng)
    except Exception as error:
        errors.append(error)
        stop.set()


def change(index, rng, n_changes, stop):
    """Add and remove ids from 256 on, and update some, so that ids and codes belong together at every moment.

    The ids from 0 to 99 are always there.
    """
    known, next_id = [], 256
    for number in range(n_changes):
        if stop.is_set():
            return
        kind = number % 4
        if kind in (0, 1):
            new = np.arange(next_id, next_id + rng.integers(1, 40))
            next_id += len(new)
            if kind == 1 and len(known) and number % 8 == 5:
                new = np.append(new, known.pop())  # removed and added again
                index.remove(new[-1:])
            index.add(code_of(new), labels_of(new), ids=new)
            known.extend(new.tolist())
        elif kind == 2:
            gone = [known.pop(rng.integers(len(known))) for _ in range(len(known) // 2)]
            index.remove(gone)
        else:
            some = rng.choice(100, 10, replace=False)
            index.update(some, code_of(some), labels_of(some))
            if number % 16 == 3:
                index.compact()


@pytest.mark.parametrize("algorithm", ["auto", "mih"])
def test_eight_readers_beside_a_writer(algorithm):
    rng = np.random.default_rng(0)
    first = np.arange(100)
    index = HammingIndex(algorithm=algorithm).fit(code_of(first), labels_of(first), ids=first)
    errors, stop, counts = [], threading.Event(), np.zeros((8, 2), int)
    warm_up(algorithm=algorithm)  # compiles what the threads need
    n_wrong_ids(copy.copy(index), rng)
    threads = [
        threading.Thread(target=read, args=(index, np.random.default_rng(i), counts[i], errors, stop)) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    try:
        change(index, rng, 60, stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors, errors
    n_rounds, n_wrong = counts.sum(axis=0)
    assert n_wrong == 0
    assert n_rounds > 8


@pytest.mark.parametrize("change", ["add", "remove", "update", "compact", "fit"])
def test_a_search_that_began_before_a_change_does_not_see_it(change):
    """The change comes between the search for rows and the reading of their ids."""

    class Slow(HammingIndex):
        def _nearest(self, *args):
            found = super()._nearest(*args)
            if changes:
                changes.pop()()
            return found

    ids = np.array([7, 5, 3, 9, 11, 13, 15, 17])
    index, changes = Slow(n_neighbors=3).fit(code_of(ids), ids=ids), []
    if change == "compact":
        index.remove([7])
    expected = index.kneighbors(code_of([3]))
    changes = [
        {
            "add": lambda: index.add(code_of([3, 3]), ids=[100, 101]),
            "remove": lambda: index.remove([7, 5, 3]),
            "update": lambda: index.update([3, 5], code_of([200, 201])),
            "compact": lambda: index.compact(),
            "fit": lambda: index.fit(code_of([1, 2, 3]), ids=["a", "b", "c"]),
        }[change]
    ]
    np.testing.assert_equal(index.kneighbors(code_of([3])), expected)
    assert not changes


def test_update_does_not_write_into_arrays_that_were_returned():
    index = HammingIndex().fit(code_of(np.arange(8)), np.arange(8))
    for _ in range(2):  # the first update copies what fit was given
        codes, labels = index.codes_, index.labels_.codes
        before = codes.copy(), labels.copy()
        index.update([0, 1], code_of([70, 71]), [3, 4]).update([0], code_of([72]))
        np.testing.assert_array_equal(codes, before[0])
        np.testing.assert_array_equal(labels, before[1])


def test_a_copy_beside_changes():
    index = HammingIndex(n_neighbors=1).fit(code_of(np.arange(8)))
    index.add(code_of([8, 9]))
    for twin in (copy.copy(index), pickle.loads(pickle.dumps(index))):
        twin.add(code_of([50])).update([0], code_of([60]))
        index.add(code_of([40]))
        assert index.radius_neighbors(code_of([40]), 0, return_distance=False)[0][-1] == len(index) - 1
        assert index.kneighbors(code_of([0]))[0] == 0


@pytest.mark.parametrize("dtype", [np.int64, object])
def test_lookup_of_ids_in_an_older_prefix(dtype):
    """A search that began before rows were added asks a lookup that knows them already."""
    ids = np.array([5, 3, 8, 1, 3, 9], dtype)
    lookup = IdLookup()
    wanted = np.array([3, 9, 5], dtype)
    assert lookup.find(ids[:4], wanted).tolist() == [1, -1, 0]
    assert lookup.find(ids, wanted).tolist() == [4, 5, 0]
    assert lookup.find(ids[:4], wanted).tolist() == [1, -1, 0]
    assert lookup.find(ids, wanted).tolist() == [4, 5, 0]
