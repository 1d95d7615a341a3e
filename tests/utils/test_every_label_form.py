"""Labels in random forms, through every door: the right value, or an error that names the argument.

SKHASH_EXAMPLES=25000 in the environment runs the long form.
"""

import os
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array

from skhash import HammingIndex, OrthoHasher, PCAHasher
from skhash.datasets import retrieval_split
from skhash.metrics import knn_accuracy, mean_average_precision
from skhash.utils import are_labels, read_labels

TYPES = (
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "float32",
    "float64",
    ">i4",
)
NAMES = tuple("bcdefg")  # in the order of the classes


def words(y):
    return [NAMES[item] for item in y]


def with_hole(y, hole):
    return [hole, *list(y)[1:]]


# Form of class labels: a function of integers from 0 to 5, and whether it is read (else refused).
COLUMNS = {
    **{dtype: ((lambda y, dtype=dtype: y.astype(dtype)), True) for dtype in TYPES},
    "bool": (lambda y: y > 0, True),
    "signs": (lambda y: np.where(y > 0, 1, -1), True),
    "two values": (lambda y: np.where(y > 0, 300, -7), True),
    "negative": (lambda y: y - 3, True),
    "large": (lambda y: y + 2**40, True),
    "list": (lambda y: y.tolist(), True),
    "tuple": (lambda y: tuple(y.tolist()), True),
    "list of numpy": (list, True),
    "list of tensors": (lambda y: [torch.tensor(item) for item in y], True),
    "list of bools": (lambda y: (y > 0).tolist(), True),
    "object": (lambda y: y.astype(object), True),
    "object bools": (lambda y: (y > 0).astype(object), True),
    "strings": (words, True),
    "numpy strings": (lambda y: np.array(words(y)), True),
    "object strings": (lambda y: np.array(words(y), object), True),
    "numpy str scalars": (lambda y: list(np.array(words(y))), True),
    "series": (lambda y: pd.Series(y, index=range(9, 9 + len(y))), True),
    "nullable": (lambda y: pd.array(y, dtype="Int16"), True),
    "nullable bools": (lambda y: pd.array(y > 0, dtype="boolean"), True),
    "nullable floats": (lambda y: pd.array(y, dtype="Float32"), True),
    "string series": (lambda y: pd.Series(words(y), dtype="string"), True),
    "categorical": (lambda y: pd.Categorical(words(y)), True),
    "categorical series": (lambda y: pd.Series(pd.Categorical(words(y), categories=NAMES[::-1])), True),
    "categorical numbers": (lambda y: pd.Series(y).astype("category"), True),
    "index": (lambda y: pd.Index(words(y)), True),
    "polars": (lambda y: pl.Series(y), True),
    "polars strings": (lambda y: pl.Series(words(y)), True),
    "polars categorical": (lambda y: pl.Series(words(y), dtype=pl.Categorical), True),
    "polars enum": (lambda y: pl.Series(words(y), dtype=pl.Enum(NAMES[::-1])), True),
    "polars bools": (lambda y: pl.Series(y > 0), True),
    "tensor": (torch.from_numpy, True),
    "bool tensor": (lambda y: torch.from_numpy(y > 0), True),
    "bfloat16": (lambda y: torch.from_numpy(y).bfloat16(), True),
    "float8": (lambda y: torch.from_numpy(y).float().to(torch.float8_e4m3fn), True),
    "tensor with gradient": (lambda y: torch.from_numpy(y).float().requires_grad_(), True),
    "masked, nothing masked": (lambda y: np.ma.masked_array(y), True),
    "negative strides": (lambda y: y[::-1].copy()[::-1], True),
    "column": (lambda y: y[:, None], True),
    "column of strings": (lambda y: np.array(words(y))[:, None], True),
    "frame": (lambda y: pd.DataFrame({"y": words(y)}), True),
    "polars frame": (lambda y: pl.DataFrame({"y": y}), True),
    "none": (lambda y: with_hole(words(y), None), False),
    "none among numbers": (lambda y: with_hole(y.tolist(), None), False),
    "nan": (lambda y: with_hole(y.tolist(), np.nan), False),
    "nan among strings": (lambda y: with_hole(words(y), np.nan), False),
    "infinity": (lambda y: np.array(with_hole(y.tolist(), np.inf)), False),
    "NA": (lambda y: pd.array(with_hole(y.tolist(), None), dtype="Int64"), False),
    "NA bools": (lambda y: pd.array(with_hole((y > 0).tolist(), None), dtype="boolean"), False),
    "NA string": (lambda y: pd.Series(with_hole(words(y), None), dtype="string"), False),
    "NA categorical": (lambda y: pd.Categorical(with_hole(words(y), None), categories=NAMES), False),
    "NaT": (lambda y: np.array(with_hole(y.astype("M8[D]"), np.datetime64("NaT"))), False),
    "polars null": (lambda y: pl.Series(with_hole(y.tolist(), None)), False),
    "polars null strings": (lambda y: pl.Series(with_hole(words(y), None)), False),
    "masked": (lambda y: np.ma.masked_array(y, mask=np.arange(len(y)) == 0), False),
    "masked strings": (lambda y: np.ma.masked_array(words(y), mask=np.arange(len(y)) == 0), False),
    "list with masked": (lambda y: with_hole(y.tolist(), np.ma.masked), False),
    "continuous": (lambda y: y + 0.5, False),
    "continuous bfloat16": (lambda y: torch.from_numpy(y + 0.5).bfloat16(), False),
    "complex": (lambda y: y * 1j, False),
    "complex tensor": (lambda y: torch.from_numpy(y * 1j).conj(), False),
    "sparse tensor": (lambda y: torch.from_numpy(y).to_sparse(), False),
    "single-precision nan": (lambda y: np.array(with_hole(words(y), np.float32("nan")), object), False),
    "single-precision nan among numbers": (lambda y: np.array(with_hole(y, np.float32("nan")), object), False),
    "infinite object": (lambda y: np.array(with_hole(y, np.inf), object), False),
    "huge integers": (lambda y: [item + 10**30 for item in y.tolist()], False),
    "numpy bytes": (lambda y: np.array(words(y)).astype("S"), False),
    "strings of variable length": (lambda y: np.array(words(y), np.dtypes.StringDType()), True),
    "mixed": (lambda y: with_hole(words(y), 3), False),
    "mixed with bytes": (lambda y: with_hole(words(y), b"x"), False),
    "dicts": (lambda y: [{} for _ in y], False),
    "lists of names": (lambda y: [["a"] * (1 + item) for item in range(len(y))], False),
    "sets": (lambda y: [{1} for _ in y], False),
    "records": (lambda y: y.astype([("a", int)]), False),
    "three dimensions": (lambda y: y[:, None, None], False),
    "one less": (lambda y: y[1:], False),
    "number": (lambda y: 3, False),
    "text": (lambda y: "abc", False),
    "dict": (lambda y: dict(enumerate(y.tolist())), False),
    "generator": (lambda y: (item for item in y), False),
    "nothing": (lambda y: [], False),
}  # fmt: skip
# Form of a multi-hot matrix: a function of a 0/1 matrix of int64.
MATRICES = {
    **{dtype: ((lambda m, dtype=dtype: m.astype(dtype)), True) for dtype in (*TYPES, "bool")},
    **{f"signs {dtype}": ((lambda m, dtype=dtype: (2 * m - 1).astype(dtype)), True) for dtype in ("int8", "float32")},
    "list": (lambda m: m.tolist(), True),
    "list of arrays": (list, True),
    "list of tensors": (lambda m: list(torch.from_numpy(m)), True),
    "object": (lambda m: m.astype(object), True),
    "fortran": (np.asfortranarray, True),
    "sparse": (csr_array, True),
    "sparse bools": (lambda m: csr_array(m.astype(bool)), True),
    "sparse coordinates": (coo_array, True),
    "frame": (pd.DataFrame, True),
    "nullable frame": (lambda m: pd.DataFrame(m).astype("Int8"), True),
    "nullable bool frame": (lambda m: pd.DataFrame(m).astype("boolean"), True),
    "polars": (lambda m: pl.DataFrame(m, schema=[f"c{i}" for i in range(m.shape[1])]), True),
    "tensor": (torch.from_numpy, True),
    "bfloat16 signs": (lambda m: torch.from_numpy(2 * m - 1).bfloat16(), True),
    "gradient": (lambda m: torch.from_numpy(m).double().requires_grad_(), True),
    "masked, nothing masked": (lambda m: np.ma.masked_array(m), True),
    "one and two": (lambda m: m + 1, False),
    "zero and two": (lambda m: 2 * m, False),
    "zero and 255": (lambda m: (255 * m).astype(np.uint8), False),
    "minus one and zero": (lambda m: m - 1, False),
    "sparse and two": (lambda m: csr_array(2 * m), False),
    "three values": (lambda m: np.c_[np.full((len(m), 1), -1), m], False),
    "half": (lambda m: m / 2, False),
    "words": (lambda m: m.astype(str), False),
    "complex": (lambda m: m * (1 + 0j), False),
    "nan": (lambda m: np.where(np.arange(m.size).reshape(m.shape) == 0, np.nan, m), False),
    "none": (lambda m: [[None, *row[1:]] for row in m.tolist()], False),
    "NA": (lambda m: pd.DataFrame([[None, *row[1:]] for row in m.tolist()]).astype("Int8"), False),
    "masked": (lambda m: np.ma.masked_array(m, mask=m == 1), False),
    "ragged": (lambda m: [[0], *m.tolist()], False),
    "one row less": (lambda m: m[1:], False),
    "no columns": (lambda m: m[:, :0], False),
}
IGNORED = object()
SCIKIT_LEARN = "numbers of samples|Expected sequence or array"  # its errors for X and y of different lengths
BINARY = ("bool", "signs", "two values")
DOORS = {
    "read_labels": "target",
    "are_labels": "y",
    "index": "y",
    "index predict": "y",
    "metric": "query_labels|database_labels",
    "accuracy": "query_labels|database_labels",
    "split": "y",
    "linear hasher": "y",
    "deep hasher": "y",
}
SETTINGS = settings(
    max_examples=int(os.environ.get("SKHASH_EXAMPLES", "400")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def call(door, form, n):
    """Return what a door makes of labels, as something that can be compared: with equal labels it is equal."""
    generator = np.random.default_rng(n)
    X = generator.normal(size=(n, 9))
    codes = (X > 0).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a column in place of a row; few classes
        if door == "read_labels":
            return read_labels(form, name="target", n_samples=n).codes
        if door == "are_labels":
            return are_labels(form)
        if door == "index":
            return HammingIndex().fit(codes, form).labels_.codes
        if door == "index predict":
            return read_labels(HammingIndex(n_neighbors=1).fit(codes, form).predict(codes)).codes
        if door == "metric":
            return mean_average_precision(codes, codes, form, form)
        if door == "accuracy":
            return knn_accuracy(codes, codes, form, form, n_neighbors=1)
        if door == "split":
            labels = retrieval_split(X, form, protocol="mscoco", n_query=1, n_train=2, random_state=0)
            return np.r_[labels.query, labels.train]
        if door == "linear hasher":
            hasher = PCAHasher(bits=4).fit(X, form)  # ignores what are no labels
            return read_labels(hasher.predict(X)).codes if hasattr(hasher, "predict") else IGNORED
        return OrthoHasher(bits=4, max_epochs=1, random_state=0).fit(X, form).transform(X)


def attempt(*arguments):
    """Return the value of a call and None, or None and its error."""
    try:
        return call(*arguments), None
    except Exception as error:
        return None, error


def check(door, form, expected, is_read, name):
    found, error = attempt(door, form, len(expected))
    if error is not None:
        assert isinstance(error, (ValueError, TypeError)), (name, door, error)
        assert re.search(rf"\b({DOORS[door]})\b|numbers of samples|Expected sequence or array", str(error)), (
            name,
            door,
            error,
        )
        assert not is_read, (name, door, error)
        return
    if door == "are_labels":
        assert found or not is_read, (name, door)
        return
    assert is_read == (found is not IGNORED), (name, door, found)
    if found is IGNORED:
        return
    np.testing.assert_array_equal(found, call(door, expected, len(expected)), err_msg=f"{name} {door}")


def draw_door(data):
    # A deep hasher takes as long as all others together.
    door = data.draw(st.sampled_from([*DOORS, *list(DOORS)[:-1] * 4]))
    return door, data.draw(st.integers(6, 9)), np.random.default_rng(data.draw(st.integers(0, 10**6)))


@SETTINGS
@given(st.data())
def test_class_labels(data):
    door, n, generator = draw_door(data)
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    make, is_read = COLUMNS[name]
    y = generator.integers(0, 6, n)
    y[:2] = 0, 1  # two classes at least
    expected = np.unique(y > 0 if "bool" in name or name in BINARY else y, return_inverse=True)[1]
    if name == "one less" and door in ("are_labels",):
        return
    check(door, make(y), expected, is_read, name)


@SETTINGS
@given(st.data())
def test_multi_hot_labels(data):
    door, n, generator = draw_door(data)
    name = data.draw(st.sampled_from(sorted(MATRICES)))
    make, is_read = MATRICES[name]
    matrix = generator.integers(0, 2, (n, data.draw(st.integers(2, 5))))
    matrix[0, :2] = 0, 1
    check(door, make(matrix), matrix, is_read, name)
