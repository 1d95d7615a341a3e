import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skhash.utils import to_numpy


def test_tensors_of_every_kind():
    plain = torch.tensor([[1.5, -2.0]])
    for tensor in (plain, plain.bfloat16(), plain.clone().requires_grad_(), plain.bfloat16().requires_grad_()):
        assert to_numpy(tensor, "X").tolist() == [[1.5, -2.0]]
        assert to_numpy(tensor, "X").dtype == np.float32
    assert to_numpy([torch.tensor(3), torch.tensor(5)], "ids").tolist() == [3, 5]
    assert to_numpy([torch.tensor(True)], "where").dtype == bool
    assert to_numpy([plain.bfloat16()[0]], "X").dtype == np.float32


def test_series_frames_and_extension_arrays():
    pandas = pytest.importorskip("pandas")
    for dtype in ("boolean", "bool", "object"):
        assert to_numpy(pandas.Series([True, False], dtype=dtype), "where").dtype == bool
    assert to_numpy(pandas.array([1, 2], dtype="Int64"), "y").dtype == np.int64
    assert to_numpy(pandas.DataFrame({"a": [1, 0]}, dtype="Int8"), "y").dtype.kind == "i"
    found = to_numpy(pandas.Series([1, None], dtype="Int64"), "y")
    assert found.dtype == np.float64
    assert np.isnan(found[1])
    assert to_numpy(pandas.Categorical(["b", "a"]), "y").tolist() == ["b", "a"]
    assert to_numpy(pandas.Series(["b", None]), "y").dtype == object


def test_polars_and_arrow():
    polars = pytest.importorskip("polars")
    arrow = pytest.importorskip("pyarrow")
    for form in (polars.Series([True, False]), arrow.array([True, False]), arrow.chunked_array([[True], [False]])):
        assert to_numpy(form, "where").tolist() == [True, False]
        assert to_numpy(form, "where").dtype == bool
    assert to_numpy(arrow.table({"a": [1, 2], "b": [3, 4]}), "X").tolist() == [[1, 3], [2, 4]]
    assert to_numpy(polars.DataFrame({"a": [1, 2], "b": [3, 4]}), "X").tolist() == [[1, 3], [2, 4]]


def test_masked_values_are_refused():
    values = np.ma.array([1, 2, 3], mask=[False, True, False])
    for form in (values, [values, values]):
        with pytest.raises(ValueError, match="ids is a masked array with 1 masked values"):
            to_numpy(form, "ids")
    assert type(to_numpy(np.ma.array([1, 2]), "ids")) is np.ndarray


def test_lists():
    assert to_numpy([1, 2], "y").dtype.kind == "i"
    assert to_numpy(["a", None], "y").tolist() == ["a", None]
    assert to_numpy(["a", 1], "y").tolist() == ["a", 1]
    with pytest.raises(ValueError, match="y is a nested list without a regular shape"):
        to_numpy([[1], [2, 3]], "y")
    with pytest.raises(TypeError, match="y is a sparse matrix"):
        to_numpy(csr_array([[1, 0]]), "y")


def test_an_array_is_returned_as_it_is():
    array = np.zeros(3)
    assert to_numpy(array, "X") is array


def test_tensors_that_numpy_does_not_have():
    values = torch.tensor([1.0, -2.0])
    assert to_numpy(values.to(torch.float8_e4m3fn), "X").tolist() == [1, -2]
    assert to_numpy(torch.tensor([1j]).conj(), "X").tolist() == [-1j]
    with pytest.raises(TypeError, match="X is a sparse or quantized tensor"):
        to_numpy(values.to_sparse(), "X")


def test_bytes_among_strings_stay_bytes():
    assert to_numpy(["a", b"a"], "X").tolist() == ["a", b"a"]
