"""Features of every form: an array or a frame that scikit-learn reads, or one sentence about what was got."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image
from scipy.sparse import csr_array

from skhash import ITQHasher, LowerBoundHasher, OrthoHasher, SpectralHasher
from skhash.utils import unwrap_features

X = np.random.default_rng(0).normal(size=(60, 8))
Y = np.arange(60) % 3
TEXTS = X.astype(str)
NO_ARRAYS = {
    "generator": lambda: (row for row in X),
    "dict": lambda: {"a": X[:, 0], "b": X[:, 1]},
    "set": lambda: {1.0, 2.0},
    "map": lambda: map(float, "12"),
    "None": lambda: None,
    "number": lambda: 5,
    "scalar": lambda: np.float64(5),
    "bytes": lambda: b"abc",
}
STRINGS = {
    "array": TEXTS,
    "bytes": X.astype("S"),
    "objects": TEXTS.astype(object),
    "list": TEXTS.tolist(),
    "one string among numbers": [*X[1:].tolist(), ["x", *X[0, 1:]]],
    "frame": pd.DataFrame(TEXTS),
    "frame with one column of strings": pd.DataFrame(X).assign(name="x"),
    "categories": pd.DataFrame({"a": pd.Categorical(["1", "2"] * 30), "b": Y}),
    "polars": pl.DataFrame({"a": ["1"] * 60, "b": Y}),
    "rows of names": [["a.jpg", "b.jpg"]] * 60,
}
NAMES = {
    "list": ["a.jpg"] * 600,
    "array": np.array(["a.jpg"] * 600),
    "objects": np.array(["a.jpg"] * 600, object),
    "series": pd.Series(["a.jpg"] * 600),
    "column": pd.DataFrame({"file": ["a.jpg"] * 600}),
}
OTHERS = {
    "complex": (X * 1j, "Complex data not supported: X has dtype complex128"),
    "dates": ((100 * X).astype("M8[D]"), r"X has dtype datetime64\[D\]"),
    "frame of dates": (pd.DataFrame((100 * X).astype("M8[D]").astype("M8[s]")), r"X has dtype datetime64\[s\]"),
    "one row": (X[0], r"X has shape \(8,\); expected features of shape \(n_samples, n_features\). Reshape your data"),
    "range": (range(60), r"X has shape \(60,\);"),
    "series": (pd.Series(X[:, 0]), r"X has shape \(60,\);"),
    "scalar": (np.array(5.0), r"X has shape \(\);"),
    "dicts": ([{"a": 1}] * 60, r"X has shape \(60,\), of dict;"),
    "ragged": ([[1.0], [1.0, 2.0]], "X is a nested list without a regular shape"),
}
HASHERS = {
    "linear": ITQHasher(bits=8, random_state=0),
    "streamed": SpectralHasher(bits=8),
    "deep": OrthoHasher(bits=8, max_epochs=1, random_state=0),
    "wrapped": LowerBoundHasher(OrthoHasher(bits=8, max_epochs=1, random_state=0)),
}
each_hasher = pytest.mark.parametrize("kind", HASHERS)


@pytest.fixture(scope="module")
def fitted():
    return {kind: hasher.fit(X, Y) for kind, hasher in HASHERS.items()}


def refuse(hasher, given, error, message):
    """Check that `fit` and `transform` refuse features in one short sentence that does not print the data."""
    for call in (lambda: hasher.fit(given(), Y), lambda: hasher.transform(given())):
        with pytest.raises(error, match=message) as caught:
            call()
        assert len(str(caught.value)) < 300


@each_hasher
@pytest.mark.parametrize("form", NO_ARRAYS)
def test_what_is_no_array(fitted, kind, form):
    name = type(NO_ARRAYS[form]()).__name__
    refuse(fitted[kind], NO_ARRAYS[form], TypeError, f"X has type {name}; expected features of shape")


@each_hasher
@pytest.mark.parametrize("form", STRINGS)
def test_strings(fitted, kind, form):
    refuse(fitted[kind], lambda: STRINGS[form], ValueError, "X contains strings such as b?'.*X.astype")


@pytest.mark.parametrize("kind", ["linear", "streamed"])
@pytest.mark.parametrize("form", NAMES)
def test_names_of_files_where_features_are_needed(fitted, kind, form):
    refuse(fitted[kind], lambda: NAMES[form], ValueError, "strings such as 'a.jpg'.* Image files are read by deep")


@each_hasher
@pytest.mark.parametrize("form", OTHERS)
def test_other_forms(fitted, kind, form):
    given, message = OTHERS[form]
    refuse(fitted[kind], lambda: given, ValueError, message)


def test_other_inputs_of_deep_hashers(fitted):
    refuse(fitted["linear"], lambda: Path("photos"), TypeError, "X has type PosixPath|X has type WindowsPath")
    refuse(fitted["linear"], lambda: [Image.new("L", (4, 4))] * 9, ValueError, r"X of shape \(9, 4, 4\): flatten")
    dataset = torch.utils.data.TensorDataset(torch.from_numpy(X))
    refuse(fitted["linear"], lambda: dataset, TypeError, "X has type TensorDataset; expected features")


def test_what_is_read():
    frame = pd.DataFrame(X).astype({0: "Float64", 1: object, 2: "float32"}).assign(flag=True, count=Y)
    for form in (X, np.asfortranarray(X), frame, pl.DataFrame(X), csr_array(X)):
        assert unwrap_features(form) is form
    for form in (X.tolist(), list(X), torch.from_numpy(X), [torch.from_numpy(row) for row in X]):
        found = unwrap_features(form)
        assert type(found) is np.ndarray
        np.testing.assert_array_equal(found, X)
    assert unwrap_features(X.astype(object)).dtype == object
    mapped = np.lib.stride_tricks.as_strided(X, writeable=False)
    assert unwrap_features(mapped) is mapped


@each_hasher
def test_forms_of_the_same_numbers_have_the_same_codes(fitted, kind):
    expected = fitted[kind].transform(X)
    for form in (X.tolist(), tuple(X), X.astype(object), torch.from_numpy(X)):
        np.testing.assert_array_equal(fitted[kind].transform(form), expected)
