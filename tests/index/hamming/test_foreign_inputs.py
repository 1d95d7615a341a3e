"""Codes, ids and masks of other libraries, and values that look like codes: read rightly or refused by name."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from skhash import HammingIndex, HammingNeighborsTransformer, ShardedHammingIndex
from skhash.codes import binarize

CODES = np.eye(4, dtype=np.uint8)


class Odd:
    """An object that cannot be hashed or compared."""

    def __hash__(self):
        raise RuntimeError

    def __eq__(self, other):
        raise RuntimeError

    def __repr__(self):
        return "Odd()"


@pytest.mark.parametrize("bits", [64, 60, 57])
def test_numbers_to_binarize_are_not_packed_bytes(bits):
    floats = np.random.default_rng(0).normal(size=(20, 8))
    for make in (HammingIndex, HammingNeighborsTransformer):
        with pytest.raises(
            ValueError, match=f"X has 8 columns of numbers to binarize, but bits={bits} needs {bits} columns"
        ):
            make(bits=bits, binarize=0.0).fit(floats)
    with pytest.raises(ValueError, match="columns of numbers to binarize"):
        HammingIndex(bits=bits, binarize=0.0).partial_fit(floats)


@pytest.mark.parametrize("wrap", [torch.tensor, lambda ids: [torch.tensor(i) for i in ids]], ids=["tensor", "list"])
def test_ids_of_tensors_are_integers(wrap):
    index = HammingIndex().fit(CODES, ids=wrap([5, 6, 7, 8]))
    assert 5 in index
    assert index.ids_.tolist() == [5, 6, 7, 8]
    assert len(index.remove(wrap([5]))) == 3
    with pytest.raises(ValueError, match="ids"):
        HammingIndex().fit(CODES, ids=wrap([5, 5, 6, 7]))


@pytest.mark.parametrize(
    "label",
    [1.0, float("nan"), [1], {}, b"a", None, torch.tensor(1.5), torch.ones(2), np.ones(2), pd.NA, Odd()],
    ids=repr,
)
def test_what_is_not_an_id_is_not_in_the_index(label):
    assert label not in HammingIndex().fit(CODES)
    assert label not in HammingIndex().fit(CODES, ids=list("abcd"))


def test_bytes_are_refused_as_ids_before_anything_is_stored():
    with pytest.raises(TypeError, match="not floats, bools or bytes, got b'a'"):
        HammingIndex().fit(CODES, ids=[b"a", b"b", b"c", b"d"])


@pytest.mark.parametrize(
    "mask",
    [
        torch.tensor([False, True, True, False]),
        pd.array([False, True, True, False], dtype="boolean"),
        pd.Series([False, True, True, False]),
        pl.Series([False, True, True, False]),
        np.array([False, True, True, False], dtype=object),
        [False, True, True, False],
    ],
    ids=["torch", "pandas nullable", "pandas", "polars", "object", "list"],
)
def test_masks_of_other_libraries(mask):
    _, ids = HammingIndex().fit(CODES).kneighbors(CODES[:1], 2, where=mask)
    assert ids.tolist() == [[1, 2]]


def test_ids_of_other_libraries_as_a_filter():
    index = HammingIndex().fit(CODES)
    for ids in (torch.tensor([1, 2]), pd.Series([1, 2]), pl.Series([1, 2]), {1, 2}, np.array([1, 2])):
        assert index.kneighbors(CODES[:1], 2, where=ids)[1].tolist() == [[1, 2]]


def test_masked_values_are_refused_by_name():
    masked = np.ma.masked_array(CODES, mask=CODES == 1)
    with pytest.raises(ValueError, match="X is a masked array with 4 masked values"):
        HammingIndex().fit(masked)
    ids = np.ma.masked_array([1, 2, 3, 4], mask=[0, 0, 0, 1])
    with pytest.raises(ValueError, match="ids is a masked array with 1 masked values"):
        HammingIndex().fit(CODES, ids=ids)
    with pytest.raises(ValueError, match="where is a masked array with 1 masked values"):
        HammingIndex().fit(CODES).kneighbors(CODES[:1], 1, where=ids)


def test_bfloat16_and_tensors_with_gradients():
    z = torch.tensor([[-1.0, 2.0], [3.0, -4.0]], requires_grad=True)
    for tensor in (z, z.bfloat16(), z.detach().bfloat16()):
        index = HammingIndex(binarize=0.0).fit(tensor)
        assert index.kneighbors(tensor, 1)[1].tolist() == [[0], [1]]


@pytest.mark.parametrize(
    "z", [[[1j]], np.array([["a"]]), np.array([["2020-01-01"]], dtype="M8[D]"), torch.tensor([1j])]
)
def test_what_has_no_sign(z):
    with pytest.raises(TypeError, match="z must contain real numbers, got values of type"):
        binarize(z)


@pytest.mark.parametrize("bits", [32_769, 65_537])
def test_codes_too_long_for_tables_are_compared(bits):
    codes = np.random.default_rng(0).integers(0, 2, (4, bits), dtype=np.uint8)
    index = HammingIndex(algorithm="mih").fit(codes)
    assert index.explain(codes[:1], 2).reason == "tables cannot hold so many or so long codes"
    expected = np.sort((codes[:1] != codes).sum(axis=1))[:2]
    assert index.kneighbors(codes[:1], 2)[0].tolist() == [expected.tolist()]
    assert index.last_search_["algorithm"] == "brute"


def test_tables_of_long_codes_do_not_take_many_times_their_memory():
    """2 MB of near copies, for which 747 tables with the codes in each would take 1.5 GB."""
    codes = np.random.default_rng(0).integers(0, 2**63, (2000, 128)).astype(np.uint64)
    codes[1000:] = codes[:1000]
    codes[1000:, 0] ^= 1
    index = HammingIndex().fit(codes)
    for _ in range(5):
        assert index.kneighbors(codes, 2)[0].tolist() == [[0, 1]] * 2000
    assert index.memory_usage()["tables"] < 6 * codes.nbytes


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.float32, np.float64])
@pytest.mark.parametrize(
    ("low", "threshold", "bit"), [(0, 0.0, 1), (0, -0.5, 1), (0, 1.5, 0), (-1, -1.0, 1), (-1, 2.0, 0)]
)
def test_codes_are_not_binarized_to_one_symbol(dtype, low, threshold, bit):
    codes = np.where(CODES, 1, low).astype(dtype)
    message = (
        f"X contains only {low} and 1, which are codes already, and binarize={threshold:g} would make every bit {bit}"
    )
    for make in (HammingIndex, HammingNeighborsTransformer):
        with pytest.raises(ValueError, match=message):
            make(binarize=threshold).fit(codes)
    fitted = HammingIndex(binarize=threshold).fit(np.where(CODES, threshold + 2, threshold - 2))
    if bit:
        with pytest.raises(ValueError, match=message):
            fitted.kneighbors(codes, 1)
    else:  # small values below a threshold for larger ones
        fitted.kneighbors(codes, 1)
    between = (low + 1) / 2
    assert HammingIndex(binarize=between).fit(codes).kneighbors(codes, 1)[1].ravel().tolist() == [0, 1, 2, 3]


def test_codes_of_one_symbol_and_unsigned_ones_may_come_with_a_threshold():
    index = HammingIndex(binarize=0.0).fit(CODES)
    for query in (np.zeros((1, 4)), np.ones((1, 4)), -np.ones((1, 4)), CODES[:1], CODES[:1].astype(bool)):
        index.kneighbors(query, 1)


def test_the_order_of_bits_holds_at_every_door(tmp_path):
    codes = np.random.default_rng(0).integers(0, 2, (40, 20), dtype=np.uint8)
    y, big = np.arange(40) % 4, np.packbits(codes, axis=1)
    expected = HammingIndex(n_neighbors=3).fit(codes, y)
    blocks = [(big[:10], y[:10]), (big[10:20], y[10:20])]
    HammingIndex.from_blocks(tmp_path, blocks, bits=20, bitorder="big", n_neighbors=3)
    index = HammingIndex.append_blocks(tmp_path, [(big[20:30], y[20:30])])
    shards = ShardedHammingIndex([tmp_path, HammingIndex(bits=20, bitorder="big").fit(big[30:], y[30:])], n_neighbors=3)
    index.add(1 - codes[30:], y[30:]).update(range(30, 40), big[30:])
    for found in (index, shards):
        for call in (
            lambda one, X: one.kneighbors(X, 5)[1],
            lambda one, X: np.concatenate(one.radius_neighbors(X, 8)[1]),
            lambda one, X: one.predict(X),
            lambda one, X: one.score(X, y),
        ):
            np.testing.assert_array_equal(call(found, big), call(expected, codes))
    options = {"scoring": "weighted", "weights": np.arange(20)}
    ids = np.tile([3, 1, 2], (40, 1))
    for ours, theirs in zip(index.rerank(big, ids, **options), expected.rerank(codes, ids, **options), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (index.kneighbors_graph(big, 3) != expected.kneighbors_graph(codes, 3)).nnz == 0
    assert index.explain(big, 3).algorithm == expected.explain(codes, 3).algorithm


@pytest.mark.parametrize(
    ("queries", "hint"),
    [
        (np.ones((2, 8), np.int8), r"64 features as input\. Packed bytes must be uint8: codes\.view\(np\.uint8\)"),
        (np.ones((2, 1), np.int64), r"64 features as input\. Packed words must be uint64: codes\.view\(np\.uint64\)"),
    ],
)
def test_queries_of_packed_codes_of_another_type_get_the_call_that_converts_them(queries, hint):
    index = HammingIndex().fit(np.eye(64, dtype=np.uint8))
    with pytest.raises(ValueError, match=hint):
        index.kneighbors(queries, 1)


def test_queries_and_added_codes_may_have_any_values_beside_a_threshold():
    index = HammingIndex(binarize=5.0).fit([[7.0, 0.0, 9.0], [1.0, 2.0, 8.0]])
    assert index.kneighbors([[0.0, 1.0, 0.0]], 1)[0].tolist() == [[1]]
    assert len(index.add([[0, 1, 1]])) == 3
