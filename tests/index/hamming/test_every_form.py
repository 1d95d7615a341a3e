"""Codes, ids and masks in random forms: the right value, or an error that names the argument.

SKHASH_EXAMPLES=25000 in the environment runs the long form.
"""

import os
import re

import numpy as np
import pandas as pd
import polars as pl
import torch
from bitarray import bitarray
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skhash import HammingIndex
from skhash.codes import as_packed, binarize, pack_codes, to_hex
from skhash.metrics import mean_average_precision

TYPES = ("int8", "int32", "int64", "float16", "float32", "float64", ">f8")
# Form of codes: a function of 0/1 codes of uint8, and whether it is read (else refused).
FORMS = {
    **{f"bits {dtype}": ((lambda c, dtype=dtype: c.astype(dtype)), True) for dtype in (*TYPES, "bool", "uint8", ">i4")},
    **{f"signs {dtype}": ((lambda c, dtype=dtype: (2 * c.astype(np.int8) - 1).astype(dtype)), True) for dtype in TYPES},
    "list": (lambda c: c.tolist(), True),
    "tuple of arrays": (lambda c: tuple(c), True),
    "list of tensors": (lambda c: [torch.from_numpy(row) for row in c], True),
    "fortran": (np.asfortranarray, True),
    "negative strides": (lambda c: c[::-1][::-1], True),
    "object": (lambda c: c.astype(object), True),
    "frame": (pd.DataFrame, True),
    "nullable frame": (lambda c: pd.DataFrame(c).astype("Int8"), True),
    "polars": (lambda c: pl.DataFrame(c, schema=[f"c{i}" for i in range(c.shape[1])]), True),
    "tensor": (torch.from_numpy, True),
    "bool tensor": (lambda c: torch.from_numpy(c.astype(bool)), True),
    "bfloat16": (lambda c: torch.from_numpy(c).bfloat16(), True),
    "float tensor with gradient": (lambda c: torch.from_numpy(c).float().requires_grad_(), True),
    "masked, nothing masked": (lambda c: np.ma.masked_array(c), True),
    "words": (pack_codes, True),
    "big-endian words": (lambda c: pack_codes(c).astype(">u8"), True),
    "bytes": (lambda c: np.packbits(c, axis=1, bitorder="little"), True),
    "bitarrays": (lambda c: [bitarray(row.tolist()) for row in c], True),
    "masked": (lambda c: np.ma.masked_array(c, mask=np.ones(c.shape)), False),
    "complex": (lambda c: c * 1j, False),
    "strings": (lambda c: c.astype(str), False),
    "dates": (lambda c: c.astype("M8[D]"), False),
    "hex": (to_hex, False),
    "bytes objects": (lambda c: [row.tobytes() for row in c], False),
    "int64 words": (lambda c: (pack_codes(c) | np.uint64(6)).view(np.int64), False),
    "int8 bytes": (lambda c: (np.packbits(c, axis=1) | 6).view(np.int8), False),
    "one dimension": (lambda c: c.ravel(), False),
    "three dimensions": (lambda c: c[:, :, None], False),
    "continuous": (lambda c: c - 0.25, False),
    "zeros among signs": (lambda c: np.c_[np.tile([-1, 0, 1], (len(c), 1)), c[:, 3:]], False),
    "missing": (lambda c: np.where(np.arange(c.size).reshape(c.shape) == 0, np.nan, c), False),
    "one column less": (lambda c: c[:, 1:], False),
    "nothing": (lambda c: c[:0], False),
    "none": (lambda c: None, False),
    "number": (lambda c: 5, False),
    "ragged": (lambda c: [[0], [0, 1]], False),
}  # fmt: skip
IDS = {
    "int64": (lambda i: i, True),
    "int8": (lambda i: (i % 100).astype(np.int8), True),
    "uint64": (lambda i: i.astype(np.uint64), True),
    "list": (lambda i: i.tolist(), True),
    "tensor": (torch.from_numpy, True),
    "list of tensors": (lambda i: [torch.tensor(x) for x in i], True),
    "list of numpy": (lambda i: list(i), True),
    "series": (pd.Series, True),
    "nullable": (lambda i: pd.array(i, dtype="Int64"), True),
    "polars": (lambda i: pl.Series(i), True),
    "object": (lambda i: i.astype(object), True),
    "masked, nothing masked": (lambda i: np.ma.masked_array(i), True),
    "strings": (lambda i: [f"{x}" for x in i], True),
    "numpy strings": (lambda i: i.astype(str), True),
    "tuples": (lambda i: [(int(x), "a") for x in i], True),
    "masked": (lambda i: np.ma.masked_array(i, mask=np.ones(i.shape)), False),
    "floats": (lambda i: i.astype(float), False),
    "float tensor": (lambda i: torch.from_numpy(i).float(), False),
    "bools": (lambda i: i % 2 == 0, False),
    "bytes": (lambda i: [b"%d" % x for x in i], False),
    "numpy bytes": (lambda i: i.astype("S"), False),
    "lists": (lambda i: [[x] for x in i], False),
    "matrix": (lambda i: i[:, None], False),
    "one less": (lambda i: i[1:], False),
    "twice": (lambda i: np.zeros_like(i), False),
    "twice in a tensor": (lambda i: torch.zeros(len(i), dtype=torch.int64), False),
    "missing": (lambda i: pd.array([None] * len(i), dtype="Int64"), False),
    "text": (lambda i: "abc", False),
    "number": (lambda i: 7, False),
}
MASKS = {
    "numpy": (lambda m: m, True),
    "list": (lambda m: m.tolist(), True),
    "object": (lambda m: m.astype(object), True),
    "tensor": (torch.from_numpy, True),
    "pandas": (pd.Series, True),
    "nullable": (lambda m: pd.array(m, dtype="boolean"), True),
    "polars": (lambda m: pl.Series(m), True),
    "masked, nothing masked": (lambda m: np.ma.masked_array(m), True),
    "masked": (lambda m: np.ma.masked_array(m, mask=np.ones(m.shape)), False),
    "missing": (lambda m: pd.array([None, *m[1:]], dtype="boolean"), False),
    "polars missing": (lambda m: pl.Series([None, *m[1:].tolist()]), False),
    "longer": (lambda m: np.r_[m, True], False),
    "matrix": (lambda m: m[:, None], False),
    "floats": (lambda m: m.astype(float) + 0.5, False),
    "number": (lambda m: True, False),
}
NAMES = re.compile(
    r"\b(X|codes|ids|where|bits|bitarrays|z|array|query_codes|database_codes|n_samples)\b|Reshape your data"
)
SETTINGS = settings(
    max_examples=int(os.environ.get("SKHASH_EXAMPLES", "500")), deadline=None, suppress_health_check=list(HealthCheck)
)


def is_named(error):
    """Check that an error is of the documented types and speaks of the argument."""
    return isinstance(error, (ValueError, TypeError)) and NAMES.search(str(error)) is not None


def attempt(call):
    """Return the value of a call and None, or None and its error."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def draw_codes(data):
    seed, n, bits = (data.draw(st.integers(*ends)) for ends in ((0, 99), (2, 6), (9, 140)))
    return np.random.default_rng(seed).integers(0, 2, (n, bits), dtype=np.uint8)


@SETTINGS
@given(st.data())
def test_codes(data):
    codes = draw_codes(data)
    n, bits = codes.shape
    name = data.draw(st.sampled_from(sorted(FORMS)))
    make, is_read = FORMS[name]
    form, packed = make(codes), pack_codes(codes)
    given_bits = bits if name in ("words", "big-endian words", "bytes") else data.draw(st.sampled_from([bits, None]))
    if name == "one column less":
        given_bits = bits
    index = HammingIndex(n_neighbors=1).fit(codes)
    calls = {
        "fit": lambda: HammingIndex(bits=given_bits).fit(form).codes_,
        "add": lambda: HammingIndex(bits=bits).fit(codes).add(form).codes_[n:],
        "partial_fit": lambda: HammingIndex(bits=given_bits).partial_fit(form).codes_,
        "update": lambda: HammingIndex(bits=bits).fit(1 - codes).update(np.arange(n), form).codes_,
        "kneighbors": lambda: index.kneighbors(form, n)[0],
        "as_packed": lambda: as_packed(form, given_bits)[0],
        "metric": lambda: mean_average_precision(
            form, codes, np.arange(n), np.arange(n), bits=given_bits, ties="expected"
        ),
    }
    call = data.draw(st.sampled_from(sorted(calls)))
    if name == "polars" and call in ("add", "update", "kneighbors"):
        return  # scikit-learn warns of column names that `fit` did not have
    if (name, call) in (("none", "kneighbors"), ("nothing", "as_packed")):
        return  # means the indexed codes; is converted to no words
    found, error = attempt(calls[call])
    if error is not None:
        assert not is_read, (name, call, error)
        assert is_named(error), (name, call, error)
    else:
        assert is_read, (name, call, found)
        if call == "kneighbors":
            np.testing.assert_array_equal(found, np.sort((codes[:, None] != codes).sum(axis=2), axis=1))
        elif call != "metric":
            np.testing.assert_array_equal(found, packed, err_msg=f"{name} {call}")


@SETTINGS
@given(st.data())
def test_numbers_to_binarize(data):
    codes = draw_codes(data)
    bits = codes.shape[1]
    z = np.where(codes, 1.25, -1.5) * (1 + np.arange(bits))
    threshold = data.draw(st.sampled_from([0.0, 0.5, -1.0]))
    name = data.draw(st.sampled_from(["float16", "float32", "float64", "int32", "tensor", "bfloat16", "grad", "list"]))
    form = {
        "tensor": lambda: torch.from_numpy(z),
        "bfloat16": lambda: torch.from_numpy(z).bfloat16(),
        "grad": lambda: torch.from_numpy(z).requires_grad_(),
        "list": z.tolist,
    }.get(name, lambda: np.rint(4 * z).astype(name) if name == "int32" else z.astype(name))()
    given_bits = data.draw(st.sampled_from([None, bits, 8 * bits, 8 * bits - 3]))
    found, error = attempt(lambda: HammingIndex(bits=given_bits, binarize=threshold).fit(form).codes_)
    if error is not None:
        assert given_bits not in (None, bits), error
        assert is_named(error), error
    else:
        assert given_bits in (None, bits)
        np.testing.assert_array_equal(found, pack_codes(codes))
        np.testing.assert_array_equal(np.asarray(binarize(form, threshold)), codes)


@SETTINGS
@given(st.data())
def test_ids(data):
    codes = draw_codes(data)
    n = len(codes)
    plain = np.random.default_rng(n).permutation(50)[:n]
    name = data.draw(st.sampled_from(sorted(IDS)))
    make, is_read = IDS[name]
    form = make(plain)
    known = (
        [f"{x}" for x in plain] if "strings" in name else [(int(x), "a") for x in plain] if name == "tuples" else plain
    )
    fitted = HammingIndex().fit(codes, ids=known)
    calls = {
        "fit": lambda: HammingIndex().fit(codes, ids=form).ids_,
        "remove": lambda: len(HammingIndex().fit(codes, ids=known).remove(form)),
        "update": lambda: HammingIndex().fit(codes, ids=known).update(form, codes).ids_,
        "where": lambda: np.sort(fitted.kneighbors(codes[:1], n, where=form)[1]).ravel(),
        "rerank": lambda: fitted.rerank(codes[:1] - 0.5, [form] if isinstance(form, list) else form[None])[1].ravel(),
        "in": lambda: [form in fitted, *(item in fitted for item in (form if hasattr(form, "__iter__") else [form]))],
    }
    call = data.draw(st.sampled_from(sorted(calls)))
    if call == "rerank" and not isinstance(form, (list, np.ndarray)):
        return
    if call in ("remove", "where", "update", "rerank") and name in ("one less", "bools"):
        return  # fewer ids are fine, and bools are a mask
    if call == "rerank" and "twice" in name:
        return
    found, error = attempt(calls[call])
    if error is not None:
        assert call != "in", (name, error)
        assert not is_read, (name, call, error)
        assert is_named(error), (name, call, error)
    else:
        if call == "in":
            return
        assert is_read, (name, call, found)
        if call == "remove":
            assert found == 0
        else:
            assert sorted(map(str, np.asarray(found).tolist())) == sorted(
                map(str, np.array(known, object).tolist() if name != "tuples" else known)
            )


@SETTINGS
@given(st.data())
def test_masks(data):
    codes = draw_codes(data)
    n = len(codes)
    mask = np.arange(n) % data.draw(st.integers(1, 3)) == 0
    name = data.draw(st.sampled_from(sorted(MASKS)))
    make, is_read = MASKS[name]
    index = HammingIndex().fit(codes)
    calls = {
        "kneighbors": lambda: index.kneighbors(codes[:1], int(mask.sum()), where=make(mask))[1][0],
        "radius_neighbors": lambda: index.radius_neighbors(codes[:1], codes.shape[1], where=make(mask))[1][0],
        "explain": lambda: np.zeros(index.explain(codes[:1], 1, where=make(mask)).n_allowed),
    }
    call = data.draw(st.sampled_from(sorted(calls)))
    found, error = attempt(calls[call])
    if error is not None:
        assert not is_read, (name, call, error)
        assert is_named(error), (name, call, error)
    else:
        assert is_read, (name, call)
        if call == "explain":
            assert len(found) == mask.sum()
        else:
            assert np.sort(found).tolist() == np.flatnonzero(mask).tolist()
