import re
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from bitarray import bitarray
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skhash import HammingIndex, HammingNeighborsTransformer
from skhash.codes import (
    as_packed,
    binarize,
    from_bitarray,
    from_hex,
    from_integers,
    pack_codes,
    to_bitarray,
    to_hex,
    unpack_codes,
)


def codes_of(max_rows=5, max_bits=200):
    shapes = st.tuples(st.integers(1, max_rows), st.integers(1, max_bits))
    return shapes.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 1)))


def pack_by_loop(codes):
    """Bit `k` of a code is bit `k % 64` of word `k // 64`."""
    n, bits = codes.shape
    words = [[0] * -(-bits // 64) for _ in range(n)]
    for i in range(n):
        for k in range(bits):
            words[i][k // 64] |= int(codes[i, k]) << (k % 64)
    return np.array(words, dtype=np.uint64)


@given(codes_of())
def test_packed_words_hold_the_bits_little_endian(codes):
    np.testing.assert_array_equal(pack_codes(codes), pack_by_loop(codes))


@given(codes_of())
def test_every_form_gives_the_same_packed_words(codes):
    bits = codes.shape[1]
    expected = pack_by_loop(codes)
    signed = 2 * codes.astype(np.int8) - 1
    forms = {
        "uint8": codes,
        "bool": codes.astype(bool),
        "int64": codes.astype(np.int64),
        "signs": signed,
        "float bits": codes.astype(np.float32),
        "float signs": signed.astype(np.float64),
        "list": codes.tolist(),
        "tensor": torch.from_numpy(codes),
        "words": expected,
        "big-endian words": expected.astype(">u8"),
        "fortran words": np.asfortranarray(expected),
        "bytes": np.packbits(codes, axis=1, bitorder="little"),
        "little bitarrays": [bitarray(row.tolist(), endian="little") for row in codes],
        "big bitarrays": tuple(bitarray(row.tolist(), endian="big") for row in codes),
    }
    for form, given_codes in forms.items():
        packed, found_bits = as_packed(given_codes, bits)
        assert packed.dtype == np.uint64, form
        assert packed.dtype.isnative, form
        assert packed.flags.c_contiguous, form
        assert found_bits == bits, form
        np.testing.assert_array_equal(packed, expected, err_msg=form)


@given(codes_of().filter(lambda codes: codes.shape[1] > 1))  # one column of uint8 is one bit
def test_the_order_of_bits_concerns_packed_bytes_only(codes):
    bits, expected = codes.shape[1], pack_by_loop(codes)
    for given_codes in (np.packbits(codes, axis=1), codes.astype(np.int8), expected, codes.tolist()):
        packed, found_bits = as_packed(given_codes, bits, bitorder="big")
        np.testing.assert_array_equal(packed, expected)
        assert found_bits == bits
    as_bytes = np.packbits(codes, axis=1)
    strings = [row.tobytes().hex() for row in as_bytes]
    assert to_hex(codes, bitorder="big") == to_hex(as_bytes, bits, bitorder="big") == strings
    np.testing.assert_array_equal(from_hex(strings, bits, bitorder="big"), codes)
    np.testing.assert_array_equal(from_bitarray(to_bitarray(as_bytes, bits, bitorder="big")), codes)


@given(codes_of())
def test_integers_of_any_length(codes):
    bits = codes.shape[1]
    integers = [int("".join(map(str, row[::-1])), 2) for row in codes.tolist()]
    negative = [i - 2**bits if i >= 2 ** (bits - 1) else i for i in integers]
    forms = [integers, tuple(integers), negative, np.array(integers, dtype=object)]
    if bits <= 64:
        forms += [
            np.array(integers, np.uint64),
            np.array(integers, np.uint64).view(np.int64) if bits == 64 else negative,
        ]
    if bits < 64:
        forms.append(torch.tensor(integers))
    for form in forms:
        found = from_integers(form, bits)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, codes)


CODES = np.random.default_rng(0).integers(0, 2, (5, 100), dtype=np.uint8)
WORDS = pack_codes(CODES)
BYTES = np.packbits(CODES, axis=1, bitorder="little")
BIG = np.packbits(CODES, axis=1)


@pytest.mark.parametrize("bits", [None, 100])
@pytest.mark.parametrize(
    ("codes", "call", "convert"),
    [
        (WORDS.view(np.int64), "codes.view(np.uint64)", lambda c: (c.view(np.uint64), "little")),
        (BYTES[:, :12].copy().view(np.int32), "codes.view(np.uint8)", None),
        (BIG.view(np.int8) ^ -128, "codes.view(np.uint8) ^ 128", lambda c: (c.view(np.uint8) ^ 128, "big")),
        (BYTES.view(np.int8), "codes.view(np.uint8)", lambda c: (c.view(np.uint8), "little")),
        (to_hex(CODES), "skhash.codes.from_hex(codes, bits)", lambda c: (from_hex(c, 100), "little")),
        (np.array(to_hex(CODES), object), "skhash.codes.from_hex(codes, bits)", None),
        ([row.tobytes() for row in BIG], 'np.frombuffer(b"".join(codes), np.uint8)', lambda c: (
            np.frombuffer(b"".join(c), np.uint8).reshape(len(c), -1), "big"
        )),
        ([2**99 + 1, 5], "skhash.codes.from_integers(codes, bits)", None),
        ([5, 7], "skhash.codes.from_integers(codes, bits)", None),
        (WORDS[:, 0], "skhash.codes.from_integers(codes, bits)", None),
        (CODES.reshape(5, 10, 10) == 1, "codes.reshape(len(codes), -1)", lambda c: (c.reshape(len(c), -1), "little")),
    ],
    ids=["int64", "int32", "int8 offset", "int8", "hex", "hex object", "bytes", "long", "int", "1-D words", "3-D"],
)  # fmt: skip
def test_other_forms_name_the_call_that_converts_them(codes, call, convert, bits):
    for read in (as_packed, lambda codes, bits: HammingIndex(bits=bits).fit(codes)):
        with pytest.raises(ValueError, match=re.escape(call)):
            read(codes, 96 if getattr(codes, "dtype", None) == np.int32 and bits else bits)
    if convert is not None:
        converted, bitorder = convert(codes)
        np.testing.assert_array_equal(as_packed(converted, 100, bitorder=bitorder)[0], WORDS)


def test_errors_of_orders_and_integers():
    for call in (
        lambda: as_packed(CODES, bitorder="middle"),
        lambda: from_hex(["00"], 8, bitorder=1),
        lambda: HammingIndex(bitorder="middle").fit(CODES),
    ):
        with pytest.raises(ValueError, match="bitorder"):
            call()
    with pytest.raises(ValueError, match=r'packed with; bytes from np\.packbits need bitorder="big"\.$'):
        as_packed(BIG | 1, 100)
    with pytest.raises(TypeError, match="strings must be a list of str, got an element of type int"):
        from_hex([5], 8)
    for wrong in ([True], [1.0], ["a"], [None], "12", 5):
        with pytest.raises(TypeError, match="integers must be a list or an array of int"):
            from_integers(wrong, 8)
    for wrong in ([256], [-129]):
        with pytest.raises(ValueError, match="integers must have at most bits=8 bits, got"):
            from_integers(wrong, 8)
    with pytest.raises(ValueError, match="integers must have shape"):
        from_integers([[1]], 8)
    assert from_integers([], 8).shape == (0, 8)


@pytest.mark.parametrize("make", [HammingIndex, HammingNeighborsTransformer])
def test_bytes_of_np_packbits_in_an_index(make, tmp_path):
    index = make(n_neighbors=2, bits=100, bitorder="big").fit(BIG)
    expected = make(n_neighbors=2, bits=100).fit(CODES)
    for queries in (BIG, CODES, WORDS):
        if make is HammingIndex:
            for ours, theirs in zip(index.kneighbors(queries, 3), expected.kneighbors(CODES, 3), strict=True):
                np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_array_equal(index.codes_, WORDS)
        else:
            assert (index.transform(queries[:4]) != expected.transform(CODES[:4])).nnz == 0
    if make is HammingIndex:
        z = CODES[:1] - 0.5
        np.testing.assert_array_equal(index.rerank(z, [[3, 0, 1]])[1][:, 0], [0])
        index.save(tmp_path / "big")
        assert HammingIndex.open(tmp_path / "big").bitorder == "big"
        assert HammingIndex.open(tmp_path / "big").add(BIG[:1]).kneighbors(CODES[:1], 2)[1].tolist() == [[0, 5]]
        expected.save(tmp_path / "little")
        assert "bitorder" not in (tmp_path / "little" / "header.json").read_text()


@given(codes_of())
def test_round_trips_give_the_bits_back(codes):
    bits = codes.shape[1]
    for back in (
        unpack_codes(pack_codes(codes), bits),
        from_bitarray(to_bitarray(codes)),
        from_hex(to_hex(codes), bits),
    ):
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, codes)


def test_code_length_is_that_of_the_columns_or_all_bits_of_the_words():
    assert as_packed([[0, 1, 1]])[1] == 3
    assert as_packed([bitarray("01101")])[1] == 5
    assert as_packed(np.zeros((2, 3), np.uint64))[1] == 192
    assert unpack_codes(np.array([[5]], np.uint64)).shape == (1, 64)


def test_packed_words_are_not_copied():
    words = np.arange(6, dtype=np.uint64).reshape(3, 2)
    assert np.shares_memory(as_packed(words)[0], words)


def test_uint8_of_the_code_length_is_bits_and_of_its_bytes_is_bytes():
    np.testing.assert_array_equal(as_packed(np.ones((1, 8), np.uint8), bits=8)[0], [[255]])
    np.testing.assert_array_equal(as_packed(np.full((1, 1), 3, np.uint8), bits=8)[0], [[3]])
    np.testing.assert_array_equal(as_packed(np.ones((1, 1), np.uint8), bits=1)[0], [[1]])


def test_no_codes_stay_no_codes():
    packed, bits = as_packed(np.zeros((0, 70), np.uint8))
    assert packed.shape == (0, 2)
    assert bits == 70
    assert unpack_codes(packed, 70).shape == (0, 70)


def test_a_module_that_is_being_imported_has_no_class_yet(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitarray", ModuleType("bitarray"))
    assert as_packed([[0, 1, 1]])[1] == 3


def test_hex_and_bitarray_know_bit_zero():
    assert to_hex([[1, 0, 1, 0, 0, 0, 0, 0, 1]]) == ["0501"]
    assert to_hex(np.array([[255, 1]], np.uint8), bits=9) == ["ff01"]
    assert to_bitarray(np.array([[6]], np.uint64), bits=3) == [bitarray("011")]


@pytest.mark.parametrize(
    ("codes", "bits", "message"),
    [
        ([[0.5, -1.25]], None, "codes are continuous (values from -1.25 to 0.5); binarize them first"),
        ([[0.0, np.nan]], None, "codes contain NaN or inf; accepted: 0/1, -1/+1 or bool"),
        ([[0.0, np.inf]], None, "codes contain NaN or inf"),
        ([[-1, 0, 1]], None, "codes mix 0/1 with -1/+1: a 0 among -1/+1 is what sign(0) returns"),
        ([[0, 7]], None, "codes have values from 0 to 7; accepted: 0/1"),
        ([[-2, 1]], None, "codes have values from -2 to 1"),
        (np.array([[0, 7]], np.uint8), None, "Packed bytes need bits=, the code length."),
        (np.array([[0, 7]], np.uint8), 24, "codes have 2 columns, but bits=24 needs 24 columns, or 3 as packed bytes."),
        ([[0, 1]], 16, "codes have 2 columns, but bits=16 needs 16 columns."),
        (np.zeros((1, 2), np.uint64), 64, "Packed codes have 2 words of 64 bits, but bits=64 needs 1."),
        (np.full((1, 1), 8, np.uint64), 3, "Packed codes have bits set beyond bits=3"),
        (np.full((1, 1), 8, np.uint8), 3, "Packed codes have bits set beyond bits=3"),
        ([0, 1], None, "Expected 2D array of codes, got 1D array of shape (2,) instead"),
        ([["a"]], None, "codes have dtype <U1; accepted"),
        ([[1j]], None, "codes have dtype complex128"),
        (np.zeros((3, 0)), None, "codes have 0 columns (shape=(3, 0)); at least 1 bit is needed."),
        ([[0, 1]], 0, "bits must be a positive integer, got 0."),
        ([[0, 1]], 2.0, "bits must be a positive integer, got 2.0."),
        ([[0, 1]], True, "bits must be a positive integer, got True."),
        ([bitarray("01"), bitarray("011")], None, "bitarrays must all have the same length, got lengths 2 to 3."),
    ],
)
def test_what_is_no_code_is_refused(codes, bits, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        as_packed(codes, bits)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError, match="must be a non-empty list of bitarray, got bitarray"):
        as_packed(bitarray("01"))
    with pytest.raises(TypeError, match="must be a non-empty list of bitarray, got list"):
        from_bitarray([])
    with pytest.raises(TypeError, match="uint64 codes are packed already"):
        pack_codes(np.ones((1, 3), np.uint64))
    with pytest.raises(TypeError, match="packed must have dtype uint64, got uint8"):
        unpack_codes(np.ones((1, 3), np.uint8))


def test_hex_strings_must_have_the_digits_of_the_code_length():
    with pytest.raises(ValueError, match="strings: bits=9 needs 4 hexadecimal digits, got 'ff'"):
        from_hex(["ff"], bits=9)
    with pytest.raises(ValueError, match="bits set beyond bits=9"):
        from_hex(["0002"], bits=9)
    with pytest.raises(TypeError, match="must be a list of str, got one str: 'ff'"):
        from_hex("ff", bits=8)


@given(arrays(np.float32, (3, 4), elements=st.floats(-2, 2, width=32)), st.sampled_from([0.0, -0.5, 1.0]))
def test_numpy_and_torch_share_one_sign(z, threshold):
    bits = binarize(z, threshold)
    assert bits.dtype == np.uint8
    for i, row in enumerate(z.tolist()):
        assert bits[i].tolist() == [1 if value >= threshold else 0 for value in row]
    tensor_bits = binarize(torch.from_numpy(z).requires_grad_(), threshold)
    assert tensor_bits.dtype == torch.uint8
    np.testing.assert_array_equal(tensor_bits.numpy(), bits)


def test_both_zeros_are_bit_one():
    assert binarize([0.0, -0.0, -1e-300]).tolist() == [1, 1, 0]
    assert binarize(torch.tensor([0.0, -0.0, -1e-30])).tolist() == [1, 1, 0]
    assert binarize(torch.tensor([-3, 0, 3])).tolist() == [0, 1, 1]
    assert binarize([-3, 0, 3]).tolist() == [0, 1, 1]


@pytest.mark.parametrize("z", [np.array([0.0, np.nan]), torch.tensor([0.0, float("nan")])])
def test_nan_has_no_sign(z):
    with pytest.raises(ValueError, match="z contains NaN"):
        binarize(z)
