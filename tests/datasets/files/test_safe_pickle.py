import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhash.datasets.files._safe_pickle import read_pickle


def read(data, build=lambda content: content):
    return read_pickle(data, "x.pkl", build, what="list of things", expected="expected a pickled list")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(content=PLAIN, protocol=st.sampled_from([0, 2, 3, 4, 5]))
def test_plain_content(content, protocol):
    assert read(pickle.dumps(content, protocol=protocol)) == content


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "i4", "<i8", ">i8", "u8", "f4", ">f8"])
def test_arrays_and_numbers(dtype, protocol):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    content = {"a": [array, np.asfortranarray(array)], "n": array[1, 2], "empty": array[:0]}
    found = read(pickle.dumps(content, protocol=protocol))
    for copy in found["a"]:
        np.testing.assert_array_equal(copy, array)
        assert copy.dtype == np.dtype(dtype)
    assert found["n"] == 5
    assert found["empty"].shape == (0, 3)


def test_python_2_strings_and_lists_of_numbers():
    # {'names': ['a', 'caf\xe9'], 'rows': [3, 5]} as Python 2 writes it: T (8-bit string), ] ( e (list), K (byte)
    data = b"\x80\x02}(U\x05names](U\x01aU\x04caf\xe9eU\x04rows](K\x03K\x05eu."
    assert read(data) == {"names": ["a", "café"], "rows": [3, 5]}


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_is_run(tmp_path, protocol):
    data = pickle.dumps([1, {"a": Attack(os.mkdir, str(tmp_path / "hacked"))}], protocol=protocol)
    with pytest.raises(
        ValueError, match=r"x.pkl is not a valid list of things \(UnpicklingError: it refers to \w+.mkdir, which"
    ):
        read(data)
    assert not (tmp_path / "hacked").exists()
    pickle.loads(data)
    assert (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (OrderedDict(), "it refers to collections.OrderedDict"),
        ({1, 2}, "set"),
        (np.array(["a"]), "an array has type 'U1', expected integers or floating-point numbers"),
        (np.array([None]), "an array has type 'O8'"),
        (np.dtype("i8"), "it holds _DTypeState, expected text and numbers only"),
        (Attack(np.ndarray, (1,), "O"), "TypeError"),
    ],
)
def test_other_things_are_refused(thing, message):
    with pytest.raises(ValueError, match=f"x.pkl is not a valid list of things .*{message}.*; expected a pickled list"):
        read(pickle.dumps([thing], protocol=4))


def test_a_list_inside_itself():
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match=r"x.pkl is not a valid list of things \(ValueError: it holds more items than"):
        read(pickle.dumps(endless))


def test_what_building_says():
    with pytest.raises(
        ValueError, match=r"x.pkl is not a valid list of things \(KeyError: 'b'\); expected a pickled list"
    ):
        read(pickle.dumps({"a": 1}), lambda content: content["b"])


def test_lists_that_multiply_are_refused():
    content = [0] * 10
    for _ in range(9):
        content = [content] * 10
    with pytest.raises(ValueError, match=r"x.pkl is not a valid list of things \(ValueError: it holds more items than"):
        read(pickle.dumps(content))


@pytest.mark.parametrize("data", [b"\x80\x02]r\xff\xff\xff\x0f.", b"]p268435455\n."])
def test_a_large_position_of_the_memo_allocates_nothing(data):
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read(data) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18
