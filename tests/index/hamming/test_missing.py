"""Fewer codes than neighbors: an error by default, padding on request."""

import numpy as np
import pytest

from skhash import HammingIndex, ShardedHammingIndex
from skhash.index import HammingNeighborsTransformer

rng = np.random.default_rng(0)
CODES = rng.integers(0, 2, (6, 9), dtype=np.uint8)
QUERIES = rng.integers(0, 2, (4, 9), dtype=np.uint8)


def by_loop(queries, allowed, k, own=False):
    """Distances and rows by (distance, row), then -1."""
    distances, rows = np.full((len(queries), k), -1), np.full((len(queries), k), -1)
    for q, query in enumerate(queries):
        found = sorted((int((CODES[i] != query).sum()), i) for i in allowed if not (own and i == q))[:k]
        for j, (distance, row) in enumerate(found):
            distances[q, j], rows[q, j] = distance, row
    return distances.tolist(), rows.tolist()


@pytest.mark.parametrize("algorithm", ["brute", "mih"])
@pytest.mark.parametrize("allowed", [None, [], [4], [1, 2, 5]])
@pytest.mark.parametrize("k", [1, 2, 5, 6, 9])
@pytest.mark.parametrize("own", [False, True])
def test_padding_equals_a_loop(algorithm, allowed, k, own):
    index = HammingIndex(algorithm=algorithm).fit(CODES)
    queries = CODES if own else QUERIES
    found = index.kneighbors(None if own else queries, k, where=allowed, missing="pad")
    expected = by_loop(queries, range(6) if allowed is None else allowed, k, own)
    assert (found[0].tolist(), found[1].tolist()) == expected
    assert found[0].dtype == np.int32
    assert found[1].dtype == np.int64
    only_ids = index.kneighbors(None if own else queries, k, where=allowed, missing="pad", return_distance=False)
    assert only_ids.tolist() == expected[1]


def test_padding_of_user_defined_ids_and_after_removal():
    index = HammingIndex().fit(CODES, ids=list("abcdef")).remove(["b", "e"])
    distances, ids = index.kneighbors(CODES[:1], 6, missing="pad")
    assert ids.dtype == object
    assert sorted(ids[0, :4]) == list("acdf")
    assert ids[0, 4:].tolist() == distances[0, 4:].tolist() == [-1, -1]
    index.remove(list("acdf"))
    assert index.kneighbors(CODES[:1], 2, missing="pad")[1].tolist() == [[-1, -1]]


def test_shards_pad_too():
    parts = [HammingIndex().fit(CODES[:2]), HammingIndex().fit(CODES[2:])]
    whole, shards = HammingIndex().fit(CODES), ShardedHammingIndex(parts)
    for k in (5, 6, 8):
        for ours, theirs in zip(
            shards.kneighbors(QUERIES, k, missing="pad"), whole.kneighbors(QUERIES, k, missing="pad"), strict=True
        ):
            assert ours.tolist() == theirs.tolist()
            assert ours.dtype == theirs.dtype
    with pytest.raises(ValueError, match='missing="pad"'):
        shards.kneighbors(QUERIES, 8)
    empty = ShardedHammingIndex([HammingIndex().fit(CODES[:1]).remove([0])])
    assert empty.kneighbors(QUERIES[:1], 2, missing="pad")[1].tolist() == [[-1, -1]]
    named = HammingIndex().fit(CODES[:1], ids=["a"]).remove(["a"])
    assert ShardedHammingIndex([named]).kneighbors(QUERIES[:1], 2, missing="pad")[1].dtype == object


def test_the_default_is_an_error():
    index = HammingIndex().fit(CODES)
    with pytest.raises(ValueError, match=r"n_neighbors = 7, n_samples_fit = 6, n_samples = 4. missing=\"pad\""):
        index.kneighbors(QUERIES, 7)
    with pytest.raises(ValueError, match=r'n_samples = 6. missing="pad"'):
        index.kneighbors(n_neighbors=6)
    for missing in ("skip", None, 1):
        with pytest.raises(ValueError, match="missing must be 'raise' or 'pad', got"):
            index.kneighbors(QUERIES, 1, missing=missing)


@pytest.mark.parametrize(
    "call",
    [
        lambda index: index.kneighbors_graph(QUERIES, 7),
        lambda index: index.kneighbors_graph(n_neighbors=6),
        lambda index: index.explain(QUERIES, 7),
        lambda _: HammingNeighborsTransformer(n_neighbors=7).fit(CODES).transform(QUERIES),
        lambda _: HammingNeighborsTransformer(n_neighbors=6, mode="distance").fit_transform(CODES),
    ],
)
def test_calls_that_cannot_pad_do_not_advise_it(call):
    with pytest.raises(ValueError, match=r"n_samples_fit = 6, n_samples = \d\.$"):
        call(HammingIndex().fit(CODES))
