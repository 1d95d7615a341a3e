"""Files that the first version of the format wrote: they are read, and the same bytes are written again.

`golden/*.skhash` were written by skhash 0.1 before its runtime was grouped into packages. A failure here means that
users' files are read differently, or that the format changed without a new version. Never replace these files: a new
version of the format gets files of its own.
"""

import base64
import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from skhash import load_packed
from skhash import runtime as rt
from skhash.codes import to_hex
from skhash.runtime import PackedHasher

FOLDER = Path(__file__).parent / "golden"
CODES = {
    "images": ["34ea0e", "54ea0e", "15ea0e", "254a0c", "244a0e"],
    "features": [
        *("75650aee4dc8f46832", "756b0a6e4dddfa6838", "7d690b6e455bf64038"),
        *("7d620a6a4dc9fe6832", "7d630a6e4dd9fe6838"),
    ],
}
CONTINUOUS_CODES = {"images": 3098696518, "features": 1218910895}  # CRC-32 of the little-endian bytes


def integers(n, seed):
    """Draw integers from 0 to 65535; not from numpy's generators, whose streams may change between versions."""
    mixed = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(7919 * seed)) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed ^ (mixed >> np.uint64(29))).astype(np.int64) >> 8 & 0xFFFF


def reals(seed, *shape):
    """Multiples of 1/256 between -1 and 1, which float32 holds exactly."""
    return (integers(np.prod(shape), seed) % 512 - 256).reshape(shape).astype(np.float32) / 256


def signs(seed, *shape):
    return np.where(reals(seed, *shape) >= 0, 1, -1)


def image_network():
    """Every kind of operation, and both or all three forms of those that have some."""
    return rt.Network(
        (10, 9, 3),
        (
            rt.Int8Conv(0, integers(8 * 27, 1).reshape(8, 3, 3, 3) % 256 - 128, 1, 1),
            rt.MaxPool(1, (3, 3), 2, 1),
            rt.Affine(2, reals(2, 8) / 4096, reals(3, 8)),
            rt.Lookup(0, reals(4, 3, 256)),
            rt.RealConv(4, reals(5, 8, 3, 3, 3), 2, 1),
            rt.Add((3, 5)),
            rt.RPReLU(6, reals(6, 8), reals(7, 8), reals(8, 8)),
            rt.Sign(7, reals(9, 8)),
            rt.BinaryConv.from_signs(8, signs(10, 16, 3, 3, 8), padding=1, padding_value="plus"),
            rt.Affine(9, reals(11, 16) / 8),
            rt.Clip(10, -0.5, 0.75),
            rt.Sign(11),
            rt.BinaryConv.from_signs(12, signs(12, 16, 3, 3, 16), padding=1),
            rt.MaxPool(13),
            rt.Affine(14, reals(13, 16), 32 * reals(14, 16), fused=False),
            rt.Sign(15),
            rt.SignsToReal(16),
            rt.AvgPool(7),
            rt.Concat((18, 18)),
            rt.Add((17, 19)),
            rt.GlobalAvgPool(20),
            rt.AvgPool(7, (2, 2), 2, partial=True),
            rt.GlobalAvgPool(22),
            rt.Concat((21, 23)),
            rt.RealConv(24, reals(15, 20, 1, 1, 24)),
        ),
    )


def feature_network():
    return rt.Network(
        (11,),
        (
            rt.Sign(0),
            rt.BinaryConv.from_signs(1, signs(16, 40, 1, 1, 11)),
            rt.Affine(2, reals(17, 40), 4 * reals(18, 40)),
            rt.Sign(3),
            rt.BinaryConv.from_signs(4, signs(19, 70, 1, 1, 40), padding_value="minus"),
            rt.Affine(5, reals(20, 70), 4 * reals(21, 70)),
            rt.Sign(6),
        ),
    )


NETWORKS = {"images": image_network, "features": feature_network}


def samples(name):
    if name == "images":
        brightness = np.arange(1, 6).reshape(5, 1, 1, 1)
        return (integers(5 * 270, 22).reshape(5, 10, 9, 3) % 256 * brightness // 5).astype(np.uint8)
    return reals(23, 5, 11)


def split(raw):
    """Return the metadata, with the description inflated and without the checksum that covers its deflated form."""
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    metadata = header["__metadata__"]
    del metadata["crc32"]
    deflated = metadata["network"]
    metadata["network"] = zlib.decompress(base64.b64decode(deflated))
    return deflated, header, raw[8 + size :]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_of_the_first_release_gives_the_codes_that_it_gave(name):
    hasher = load_packed(FOLDER / f"{name}.skhash")
    assert to_hex(hasher.codes(samples(name)), hasher.bits) == CODES[name]
    assert zlib.crc32(hasher.decision_function(samples(name)).astype("<f4").tobytes()) == CONTINUOUS_CODES[name]
    final = rt.interpret(hasher.network, samples(name))[-1].reshape(5, -1)
    np.testing.assert_array_equal(hasher.transform(samples(name)), final if final.dtype == bool else final >= 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_network_is_written_as_it_was(name, tmp_path):
    PackedHasher(NETWORKS[name]()).save(tmp_path / "new.skhash")
    old, new = (path.read_bytes() for path in (FOLDER / f"{name}.skhash", tmp_path / "new.skhash"))
    (old_deflated, *old_parts), (new_deflated, *new_parts) = split(old), split(new)
    assert new_parts == old_parts
    if new_deflated == old_deflated:  # another version of zlib may compress better
        assert new == old


def test_every_kind_of_operation_is_in_a_golden_file():
    from skhash.runtime.network._network import OPERATIONS

    found = {type(operation).__name__ for operation in image_network().operations}
    assert found == set(OPERATIONS)
