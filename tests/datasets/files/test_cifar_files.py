import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from skhash.datasets.files._cifar_files import parse_pickle


def python2_batch(pixels, labels):
    """The bytes that Python 2 with an old numpy wrote, as in the real CIFAR-10: strings are 8-bit strings."""

    def string(text):
        text = text if isinstance(text, bytes) else text.encode()
        return b"T" + struct.pack("<I", len(text)) + text

    def integers(*numbers):
        return b"".join(b"J" + struct.pack("<i", number) for number in numbers)

    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + integers(0) + b"\x85" + string("b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + string("u1") + integers(0, 1) + b"\x87R"
    dtype += b"(" + integers(3) + string("|") + b"NNN" + integers(-1, -1, 0) + b"tb"
    state = b"(" + integers(1) + integers(*pixels.shape) + b"\x86" + dtype + b"\x89" + string(pixels.tobytes()) + b"tb"
    items = string("data") + array + state + string("labels") + b"](" + integers(*labels) + b"e"
    return b"\x80\x02}(" + items + b"u."


PIXELS = np.random.RandomState(0).randint(0, 256, (4, 6)).astype(np.uint8)
LABELS = [3, 0, 9, 1]


def test_the_original_format():
    pixels, labels = parse_pickle(python2_batch(PIXELS, LABELS), "data_batch_1")
    np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("pixels", [PIXELS, np.asfortranarray(PIXELS)])
def test_written_by_python_3(protocol, pixels):
    found, labels = parse_pickle(pickle.dumps({"data": pixels, "labels": LABELS}, protocol=protocol), "data_batch_1")
    np.testing.assert_array_equal(found, PIXELS)
    np.testing.assert_array_equal(labels, LABELS)


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_in_a_pickle_is_run(tmp_path, protocol):
    attack = {"data": PIXELS, "labels": LABELS, "more": Attack(os.mkdir, str(tmp_path / "hacked"))}
    data = pickle.dumps(attack, protocol=protocol)
    with pytest.raises(
        ValueError, match=r"data_batch_1 is not a valid batch of CIFAR-10 \(UnpicklingError: it refers to"
    ):
        parse_pickle(data, "data_batch_1")
    assert not (tmp_path / "hacked").exists()
    pickle.loads(data)
    assert (tmp_path / "hacked").exists()


@pytest.mark.parametrize("thing", [OrderedDict(), np.load, np.float64(3), print, Attack(np.ndarray, (1,), "O")])
def test_other_names_are_refused(thing):
    with pytest.raises(ValueError, match="is not a valid batch of CIFAR-10"):
        parse_pickle(pickle.dumps({"data": thing, "labels": LABELS}, protocol=2), "data_batch_1")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "EOFError"),
        (b"not a pickle", "expected a pickled dict of 'data', an array of uint8, and 'labels'"),
        (python2_batch(PIXELS, LABELS)[:-20], "truncated"),
        (pickle.dumps([1, 2], protocol=2), "TypeError"),
        (pickle.dumps({"data": PIXELS}, protocol=2), "KeyError: 'labels'"),
        (
            pickle.dumps({"data": PIXELS.astype(float), "labels": []}, protocol=2),
            "an array has type 'f8' instead of 'u1'",
        ),
        (
            python2_batch(PIXELS, LABELS).replace(PIXELS.tobytes(), PIXELS.tobytes()[::-1]).replace(b"J\x04", b"J\x05"),
            "5,6",
        ),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(ValueError, match=f"data_batch_1 is not a valid batch of CIFAR-10 .*{message}"):
        parse_pickle(data, "data_batch_1")
