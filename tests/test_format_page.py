"""The page on file formats is complete: a reader written from it alone reads what skhash writes.

The first half of this file is that reader. It imports nothing of skhash, and it is written from `doc/format.rst`, not
from the code; where the two disagree, one of them is wrong.
"""

import base64
import json
import math
import re
import struct
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "doc" / "format.rst"


def crc_digits(data, start=0):
    return f"{zlib.crc32(data, start):08x}"


def bits_of_words(words, bits):
    return np.array([[int(row[k // 64]) >> (k % 64) & 1 for k in range(bits)] for row in words], np.uint8)


def hexadecimal(bits):
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return ["".join(f"{sum(int(b) << k for k, b in enumerate(row[i : i + 8])):02x}" for i in range(0, len(row), 8))
            for row in padded]  # fmt: skip


class NetworkFile:
    """A packed network, as the page describes it."""

    TENSORS = {"real": ("F32", "<f4"), "binary": ("U8", "u1"), "int8": ("I8", "i1")}
    ARRAYS = {  # in which tensor the arrays of an operation are
        **{("Lookup", "table"): "real", ("Int8Conv", "weight"): "int8", ("RealConv", "weight"): "real"},
        **{("BinaryConv", "bits"): "binary", ("Affine", "scale"): "real", ("Affine", "offset"): "real"},
        **{("Sign", "threshold"): "real"},
        **{("RPReLU", name): "real" for name in ("before", "slope", "after")},
    }

    def __init__(self, raw):
        (size,) = struct.unpack("<Q", raw[:8])
        header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
        assert (8 + size) % 8 == 0
        metadata = header["__metadata__"]
        assert metadata["format"] == "skhash packed network"
        assert metadata["version"] == ("2" if "classes" in header else "1")
        covered = metadata["network"].encode() + metadata["probe"].encode() + data
        assert crc_digits(covered) == metadata["crc32"]
        end, tensors = 0, {}
        kinds = self.TENSORS | ({"classes": ("U8", "u1")} if metadata["version"] == "2" else {})
        for name, (dtype, form) in kinds.items():
            entry = header[name]
            start, stop = entry["data_offsets"]
            assert (entry["dtype"], start) == (dtype, end)
            tensors[name] = np.frombuffer(data[start:stop], form)
            assert entry["shape"] == [len(tensors[name])]
            end = stop
        assert end == len(data)
        self.classes = tensors.pop("classes", np.zeros(0, "u1")).tobytes()
        self.probe = metadata["probe"].split(" ")
        description = json.loads(zlib.decompress(base64.b64decode(metadata["network"])))
        self.input_shape, self.operations = description["input_shape"], []
        taken = dict.fromkeys(tensors, 0)
        for kind, settings, shapes in description["operations"]:
            arrays = {}
            for name, shape in shapes.items():
                tensor = self.ARRAYS[kind, name]
                start = taken[tensor]
                taken[tensor] += math.prod(shape)
                arrays[name] = tensors[tensor][start : taken[tensor]].reshape(shape)
            self.operations.append((kind, settings, arrays))
        assert taken == {name: len(tensor) for name, tensor in tensors.items()}

    def predict(self, z):
        (size,) = struct.unpack("<Q", self.classes[:8])
        entry, data = json.loads(self.classes[8 : 8 + size]), self.classes[8 + size :]
        labels, bits = np.array(entry["classes"], entry["dtype"]), entry["bits"]
        if entry["kind"] == "scores":
            numbers = np.frombuffer(data, "<f8")
            weight, bias = numbers[: -len(labels)].reshape(-1, bits), numbers[-len(labels) :]
            x = {"real": z, "tanh": np.tanh(z), "sign": np.where(z >= 0, 1, -1), "bit": z >= 0}[entry["input"]]
            scale = np.maximum(np.linalg.norm(weight, axis=1), 1e-12) if entry["cosine"] else 1
            return labels[np.argmax(x @ weight.T / scale + bias, axis=1)]
        n, words = entry["n"], -(-bits // 64)
        codes = bits_of_words(np.frombuffer(data[: 8 * n * words], "<u8").reshape(n, words), bits)
        matrix = np.frombuffer(data[8 * n * words :], "u1" if entry["multilabel"] else "<i8").reshape(n, -1)
        found = []
        for row in z >= 0:
            near = matrix[np.argsort((codes != row).sum(axis=1), kind="stable")[: entry["n_neighbors"]]]
            if entry["multilabel"]:
                found.append((2 * near.sum(axis=0) >= len(near)).astype(int))
            else:
                votes = near[:, 0].tolist()
                found.append(labels[max(votes, key=votes.count)])
        return np.array(found)

    def probe_batch(self):
        n = 4 * math.prod(self.input_shape)
        p = np.array([(2654435761 * i % 2**64 // 2**13) % 256 for i in range(n)]).reshape(4, *self.input_shape)
        return p if len(self.input_shape) == 3 else (p - 128) / 32

    def continuous_codes(self, X):
        return np.array([self._run(x) for x in X])

    def codes(self, X):
        return (self.continuous_codes(X) >= 0).astype(np.uint8)

    def _run(self, x):
        x = np.asarray(x, np.int64 if len(self.input_shape) == 3 else np.float32)
        values = [x if len(self.input_shape) == 3 else x.reshape(1, 1, -1)]
        for kind, settings, arrays in self.operations:
            sources = [values[i] for i in settings["sources"]]
            values.append(getattr(self, f"_{kind}")(*sources, **settings, **arrays))
        return values[-1].ravel()

    @staticmethod
    def _fused(a, b, c):  # exact in float64 up to one rounding, then rounded again: good enough unless that is a tie
        return (np.float64(a) * np.float64(b) + np.float64(c)).astype(np.float32)

    @staticmethod
    def _output(x, kernel, stride, padding):
        return [(side + 2 * padding - k) // stride + 1 for side, k in zip(x.shape, kernel, strict=False)]

    def _windows(self, x, kernel, stride, padding, fill):
        """Yield output position and window, with `fill` outside the map."""
        rows, columns = self._output(x, kernel, stride, padding)
        x = np.pad(x, [(padding, padding), (padding, padding), (0, 0)], constant_values=fill)
        for i, j in product(range(rows), range(columns)):
            yield i, j, x[i * stride : i * stride + kernel[0], j * stride : j * stride + kernel[1]]

    def _integers(self, x, weight, stride, padding, fill):
        out = np.zeros((*self._output(x, weight.shape[1:3], stride, padding), len(weight)), np.int64)
        for i, j, window in self._windows(x, weight.shape[1:3], stride, padding, fill):
            out[i, j] = (weight.astype(np.int64) * window).sum(axis=(1, 2, 3))
        return out

    def _Lookup(self, x, sources, table):
        return table[np.arange(len(table)), x]

    def _Int8Conv(self, x, sources, weight, stride, padding):
        return self._integers(x - 128, weight, stride, padding, 0)

    def _RealConv(self, x, sources, weight, stride, padding):
        out = np.zeros((*self._output(x, weight.shape[1:3], stride, padding), len(weight)), np.float32)
        for i, j, window in self._windows(x, weight.shape[1:3], stride, padding, 0):
            for number, filter_ in enumerate(weight):
                s = np.float32(0)
                for a, b in zip(window.ravel(), filter_.ravel(), strict=True):
                    s = self._fused(a, b, s)
                out[i, j, number] = s
        return out

    def _BinaryConv(self, x, sources, bits, shape, stride, padding, padding_value):
        ones = [bits[i // 8] >> (i % 8) & 1 for i in range(math.prod(shape))]
        weight = np.where(ones, 1, -1).reshape(shape)
        return self._integers(x, weight, stride, padding, {"zero": 0, "minus": -1, "plus": 1}[padding_value])

    def _Affine(self, x, sources, fused, scale, offset=None):
        x = x.astype(np.float32)
        if offset is None:
            return x * scale
        return self._fused(x, scale, offset) if fused else x * scale + offset

    def _Sign(self, x, sources, threshold=0):
        return np.where(x.astype(np.float32) >= np.float32(threshold), 1, -1)

    def _SignsToReal(self, x, sources):
        return x.astype(np.float32)

    def _RPReLU(self, x, sources, before, slope, after):
        t = x + before
        return np.where(t > 0, t + after, t * slope + after)

    def _Clip(self, x, sources, low, high):
        return np.minimum(np.maximum(x, np.float32(low)), np.float32(high))

    def _Add(self, x, y, sources):
        return x + y

    def _Concat(self, *parts, sources):
        return np.concatenate(parts, axis=2)

    def _MaxPool(self, x, sources, kernel, stride, padding):
        out = np.zeros((*self._output(x, kernel, stride, padding), x.shape[2]), x.dtype)
        for i, j, window in self._windows(x.astype(np.float64), kernel, stride, padding, -np.inf):
            out[i, j] = window.max(axis=(0, 1))
        return out

    def _AvgPool(self, x, sources, kernel, stride, partial):
        sides = list(zip(x.shape, kernel, strict=False))
        rows, columns = self._output(x, kernel, stride, 0)
        if partial:
            rows, columns = (min(math.ceil(max(s - k, 0) / stride), (s - 1) // stride) + 1 for s, k in sides)
        out = np.zeros((rows, columns, x.shape[2]), np.float32)
        for i, j in product(range(rows), range(columns)):
            window = x[i * stride :, j * stride :][: kernel[0], : kernel[1]].reshape(-1, x.shape[2])
            out[i, j] = self._sum(window) / np.float32(len(window))
        return out

    @staticmethod
    def _sum(rows):
        total = np.float32(0)
        for row in rows:
            total = total + row
        return total

    def _GlobalAvgPool(self, x, sources):
        pixels = x.reshape(-1, x.shape[2])
        n = len(pixels)
        groups = [self._sum(pixels[i : i + 16]) for i in range(0, n // 16 * 16, 16)]
        blocks = [self._sum(groups[i : i + 16]) for i in range(0, n // 256 * 16, 16)]
        a, b, c = self._sum(blocks), self._sum(groups[n // 256 * 16 :]), self._sum(pixels[n // 16 * 16 :])
        return (((c + b) + a) / np.float32(n)).reshape(1, 1, -1)


class IndexFolder:
    """A saved index, as the page describes it."""

    def __init__(self, folder):
        raw = (folder / "header.json").read_bytes()
        header = self.header = json.loads(raw)
        self.check_header(raw)
        assert header["format"] in ("skhash.HammingIndex", "skhash.EmbeddingIndex")
        assert header["version"] in ([1, 2] if header["format"] == "skhash.HammingIndex" else [2])
        self.folder, self.files = folder, header["files"]
        assert not set(self.files) - {"codes", "ids", "labels", "classes", "vectors"}
        self.bits = bits_of_words(self._array("codes"), header["bits"])
        self.ids = self._array("ids") if "ids" in self.files else np.arange(header["n"])
        self.vectors, self.attachments, self.extra = None, {}, {}
        if header["version"] == 2:
            self.vectors = self._array("vectors") if "vectors" in self.files else None
            for name, entry in header["attachments"].items():
                assert re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]{0,63}", name)
                assert entry["dtype"] in ("<f4", "<f8", "<i8", "<u8", "|u1")
                assert all(0 <= side < 2**31 for side in entry["shape"])
                assert len(entry["shape"]) <= 8
                self.attachments[name] = self._read(entry, "attachment")
            self.extra = header["extra"]
            entries = [*self.files.values(), *header["attachments"].values()]
            assert len({entry["name"] for entry in entries}) == len(entries)
        self.labels = None
        if "labels" in self.files:
            self.labels = self._array("labels")
            if "classes" in self.files:
                self.labels = [self._array("classes")[position] for position in self.labels]

    @staticmethod
    def check_header(raw):
        assert re.fullmatch(rb'"crc32": "[0-9a-f]{8}"\n}\n', raw[-22:])
        assert raw[-22:].split(b'"')[3].decode() == crc_digits(raw[:-22])

    def _array(self, role):
        return self._read(self.files[role], role)

    def _read(self, entry, role):
        assert re.fullmatch(role + r"-[0-9a-f]{16}\.bin", entry["name"])
        data = (self.folder / entry["name"]).read_bytes()[: entry["size"]]
        assert len(data) == entry["size"]
        chunks = [data[i : i + 2**24] for i in range(0, len(data), 2**24)]
        assert "".join(map(crc_digits, chunks)) == entry["crc32"]
        if entry["dtype"] == "json":
            values = [json.loads(line) for line in data.decode().splitlines()]
            assert [len(values)] == entry["shape"]
            return [tuple(value) if isinstance(value, list) else value for value in values]
        return np.frombuffer(data, entry["dtype"]).reshape(entry["shape"])

    def nearest(self, query, k):
        """Ids of the nearest codes, ordered by distance, then row."""
        order = np.argsort((self.bits != query).sum(axis=1), kind="stable")[:k]
        return [self.ids[row] for row in order]


def blocks_of_page():
    """Return the named code blocks of the page."""
    text = PAGE.read_text()
    pattern = r"\.\. code-block:: \w+\n   :name: ([\w-]+)\n\n((?:(?:   .*)?\n)+)"
    return {
        name: re.sub(r"^   ", "", block, flags=re.M).rstrip("\n") + "\n" for name, block in re.findall(pattern, text)
    }


# From here on skhash writes, and the reader above reads.


@pytest.fixture
def save_network(tmp_path):
    from skhash.runtime import PackedHasher

    def save(network):
        hasher = PackedHasher(network)
        hasher.save(tmp_path / "m.skhash")
        return hasher, NetworkFile((tmp_path / "m.skhash").read_bytes())

    return save


def every_operation():
    """Two small networks that have every kind of operation and every setting."""
    from skhash import runtime as rt

    rng = np.random.default_rng(0)

    def signs(*shape):
        return rng.choice([-1, 1], size=shape)

    images = [
        rt.Int8Conv(0, rng.integers(-128, 128, size=(5, 3, 3, 2)), 1, 1),
        rt.Affine(1, rng.normal(size=5) / 2000, rng.normal(size=5)),
        rt.Lookup(0, rng.normal(size=(2, 256))),
        rt.RealConv(3, rng.normal(size=(5, 3, 3, 2)), 1, 1),
        rt.Add((2, 4)),
        rt.MaxPool(5, (3, 3), 2, 1),
        rt.RPReLU(6, *rng.normal(size=(3, 5))),
        rt.Sign(7, rng.normal(size=5)),
        rt.BinaryConv.from_signs(8, signs(6, 3, 3, 5), padding=1, padding_value="plus"),
        rt.Affine(9, rng.normal(size=6)),
        rt.Sign(10),
        rt.BinaryConv.from_signs(11, signs(6, 3, 3, 6), stride=2, padding=1),
        rt.Affine(12, rng.normal(size=6) / 10, rng.normal(size=6), fused=False),
        rt.Clip(13, -1, float("inf")),
        rt.Sign(10),
        rt.SignsToReal(15),
        rt.GlobalAvgPool(16),
        rt.AvgPool(14, (2, 2), 1),
        rt.AvgPool(14, (2, 2), 2, partial=True),
        rt.GlobalAvgPool(18),
        rt.GlobalAvgPool(19),
        rt.GlobalAvgPool(5),  # of 17 x 17 pixels: whole blocks, whole groups and a rest
        rt.Concat((17, 20, 21, 22)),
        rt.RealConv(23, rng.normal(size=(21, 1, 1, 23))),
        rt.Affine(24, np.ones(21), rng.normal(size=21)),
    ]
    features = [
        rt.Sign(0),
        rt.BinaryConv.from_signs(1, signs(9, 1, 1, 13), padding_value="minus"),
        rt.Affine(2, rng.normal(size=9), rng.normal(size=9)),
        rt.Sign(3),
        rt.BinaryConv.from_signs(4, signs(70, 1, 1, 9)),
        rt.Sign(5),
    ]
    return [rt.Network((17, 17, 2), images), rt.Network((13,), features)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_reader_of_another_kind_computes_the_same_codes(number, save_network):
    network = every_operation()[number]
    rng = np.random.default_rng(1)
    shape = (3, *network.input_shape)
    X = rng.integers(0, 256, size=shape).astype(np.uint8) if number == 0 else rng.normal(size=shape).astype(np.float32)
    hasher, file = save_network(network)
    np.testing.assert_array_equal(file.continuous_codes(X), hasher.decision_function(X))
    np.testing.assert_array_equal(file.codes(X), hasher.transform(X))
    assert 0.1 < file.codes(X).mean() < 0.9
    assert hexadecimal(file.codes(file.probe_batch())) == file.probe
    words = hasher.codes(X)
    np.testing.assert_array_equal(bits_of_words(words, hasher.bits), hasher.transform(X))


@pytest.mark.parametrize("kind", ["real", "tanh", "sign", "bit", "vote", "multi-hot"])
def test_a_reader_of_another_kind_predicts_the_same_classes(kind, tmp_path):
    from skhash.runtime import ClassScores, ClassVotes, PackedHasher

    rng = np.random.default_rng(0)
    network = every_operation()[1]
    bits, names = network.bits, np.array(["ant", "bee", "été"])
    codes = rng.integers(0, 64, (20, 2)).astype(np.uint64)
    if kind == "vote":
        classes = ClassVotes(codes, rng.integers(0, 3, 20), names, bits, 5)
    elif kind == "multi-hot":
        classes = ClassVotes(codes, rng.integers(0, 2, (20, 3)).astype(np.uint8), np.arange(3), bits, 4)
    else:
        weight = rng.normal(size=(3, bits)) * [[1], [5], [2]]
        classes = ClassScores(names, weight, rng.normal(size=3), kind, kind != "real")
    hasher = PackedHasher(network, classes=classes)
    hasher.save(tmp_path / "m.skhash")
    X = rng.normal(size=(30, 13)).astype(np.float32)
    found = NetworkFile((tmp_path / "m.skhash").read_bytes()).predict(hasher.decision_function(X))
    np.testing.assert_array_equal(found, hasher.predict(X))


def test_the_page_names_every_operation_with_its_settings_and_arrays():
    from dataclasses import fields

    from skhash.runtime.network._network import OPERATIONS

    rows = re.findall(r"   \* - ``(\w+)``: (.*?)\n     - (.*?)\n     - ", PAGE.read_text(), flags=re.S)
    found = {kind: set(re.findall(r"``(\w+)``", columns)) for kind, _, columns in rows}
    expected = {
        kind: {field.name for field in fields(operation)} - {"sources"} for kind, operation in OPERATIONS.items()
    }
    assert found == expected
    used = {type(operation).__name__ for network in every_operation() for operation in network.operations}
    assert used == set(OPERATIONS)


def test_the_packed_example_is_a_real_file(save_network, tmp_path):
    from skhash.runtime import BinaryConv, Network, Sign

    blocks = blocks_of_page()
    raw = bytes.fromhex("".join(line[10:58].replace(" ", "") for line in blocks["packed-network-example"].splitlines()))
    file = NetworkFile(raw)
    assert file.operations[1][2]["bits"][0] == 0xB6
    description = json.loads(blocks["packed-network-description"])
    assert [[kind, settings] for kind, settings, _ in file.operations] == [o[:2] for o in description["operations"]]
    weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    save_network(Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2))))
    written = (tmp_path / "m.skhash").read_bytes()
    fresh = NetworkFile(written)
    assert str(fresh.operations) == str(file.operations)
    assert fresh.probe == file.probe
    deflated = [json.loads(data[8 : data.rindex(b"}") + 1])["__metadata__"]["network"] for data in (raw, written)]
    assert written == raw or deflated[0] != deflated[1]  # another version of zlib may compress differently


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        (None, None),
        (["cat", "dog", "ant"], None),
        ([3, 1, 2], [70, -5, 2**40]),
        ([[0, 1], [1, 1], [0, 0]], ["a", ("b", 2), "c"]),
    ],
)
@pytest.mark.parametrize("bits", [3, 64, 130])
def test_a_reader_of_another_kind_finds_codes_ids_and_labels(labels, ids, bits, tmp_path):
    from skhash import HammingIndex

    rng = np.random.default_rng(bits)
    codes = rng.integers(0, 2, size=(3, bits), dtype=np.uint8)
    if ids is not None and isinstance(ids[0], str):
        given, ids = ids, np.empty(3, object)
        ids[:] = given
    index = HammingIndex().fit(codes, labels, ids=ids)
    index.save(tmp_path / "index")
    found = IndexFolder(tmp_path / "index")
    np.testing.assert_array_equal(found.bits, codes)
    assert list(found.ids) == (list(range(3)) if ids is None else list(ids))
    if labels is None:
        assert found.labels is None
    else:
        assert np.array(found.labels).tolist() == labels
    query = rng.integers(0, 2, size=bits, dtype=np.uint8)
    assert found.nearest(query, 3) == index.kneighbors(query[None], 3)[1][0].tolist()


def test_a_reader_of_another_kind_follows_appended_blocks_and_removals(tmp_path):
    from skhash import HammingIndex

    rng = np.random.default_rng(0)
    blocks = [(rng.integers(0, 2, size=(n, 70), dtype=np.uint8), rng.choice(["b", "d"], size=n)) for n in (40, 9)]
    HammingIndex.from_blocks(tmp_path, iter(blocks))
    more = rng.integers(0, 2, size=(5, 70), dtype=np.uint8)
    HammingIndex.append_blocks(tmp_path, [(more, ["a", "c", "d", "e", "b"])])
    found = IndexFolder(tmp_path)
    np.testing.assert_array_equal(found.bits, np.concatenate([*(codes for codes, _ in blocks), more]))
    assert found.labels == [*np.concatenate([labels for _, labels in blocks]).tolist(), "a", "c", "d", "e", "b"]
    assert found.header["next_id"] == 54
    index = HammingIndex.open(tmp_path, mmap=False)
    index.remove([0, 3])
    index.save(tmp_path / "smaller")
    smaller = IndexFolder(tmp_path / "smaller")
    np.testing.assert_array_equal(smaller.bits, np.delete(found.bits, [0, 3], axis=0))
    assert list(smaller.ids) == [i for i in range(54) if i not in (0, 3)]
    assert smaller.header["next_id"] == 54


@pytest.mark.parametrize(("kind", "dtype"), [("hamming", "int8"), ("embedding", "float16"), ("embedding", "float32")])
def test_a_reader_of_another_kind_reads_vectors_and_attachments(tmp_path, kind, dtype):
    from skhash.index.storage._blocks import add_blocks, append_to, create

    rng = np.random.default_rng(0)
    blocks = [(rng.integers(0, 2**63, (n, 2), np.uint64), ["x"] * n, [f"{n}.{i}" for i in range(n)]) for n in (7, 5)]
    vectors = [rng.normal(size=(n, 3)).astype(dtype) for n in (7, 5)]
    attachments = {"mean": rng.normal(size=(2, 3)), "one": np.array(7), "small": np.ones(3, np.float32)}
    attachments |= {"words": np.array([[2**64 - 1]], np.uint64), "bytes": np.empty((0, 2), np.uint8)}
    facts = {"bits": 128, "parameters": {}, "feature_names": None, "check_ids": True, "next_id": None}
    with create(tmp_path, kind) as writer:
        add_blocks(writer, blocks[:1], lambda X, is_first: (X, vectors[0]))
        writer.commit(**facts, attachments=attachments, extra={"planes": 4})
    with append_to(tmp_path, kind) as (writer, saved):
        add_blocks(writer, blocks[1:], lambda X, is_first: (X, vectors[1]), saved.collection)
        writer.commit(**facts)
    found = IndexFolder(tmp_path)
    np.testing.assert_array_equal(found.vectors, np.concatenate(vectors), strict=True)
    words = np.concatenate([codes for codes, _, _ in blocks])
    np.testing.assert_array_equal(found.bits, bits_of_words(words, 128))
    assert (len(found.ids), len(found.labels), found.extra) == (12, 12, {"planes": 4})
    assert [*found.attachments] == [*attachments]
    for name, array in attachments.items():
        np.testing.assert_array_equal(found.attachments[name], array, strict=True)


def test_the_index_example_is_a_real_folder(tmp_path):
    from skhash import HammingIndex

    blocks = blocks_of_page()
    for line in blocks["index-files-example"].splitlines():
        name, digits = line.split()
        (tmp_path / name).write_bytes(bytes.fromhex(digits))
    (tmp_path / "header.json").write_text(blocks["index-header-example"])
    found = IndexFolder(tmp_path)
    index = HammingIndex.open(tmp_path, mmap=False)
    np.testing.assert_array_equal(found.bits, [[1, 0, 1], [0, 1, 1], [0, 0, 1]])
    assert found.labels == ["cat", "dog", "cat"]
    assert index.kneighbors([[0, 1, 1]], 1)[1].tolist() == [[1]]
    # What is written today differs in the random names alone (and in the release).
    index.save(tmp_path / "new")
    old, new = (json.loads((folder / "header.json").read_text()) for folder in (tmp_path, tmp_path / "new"))
    for header in (old, new):
        del header["crc32"], header["library"]
        for entry in header["files"].values():
            entry["name"] = entry["name"].partition("-")[0]
    assert new == old
    assert set(re.findall(r"^``(\w+)``", PAGE.read_text(), flags=re.M)) >= {*old, "crc32", "library", "name", "size"}


class EstimatorFile:
    """A saved estimator, as the page describes it: values become plain objects, arrays numpy's."""

    FORMS = {
        "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4", "U64": "<u8",
        "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
    }  # fmt: skip

    def __init__(self, raw):
        (size,) = struct.unpack("<Q", raw[:8])
        header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
        metadata = header.pop("__metadata__")
        assert set(metadata) == {"format", "version", "state", "crc32"}
        assert (metadata["format"], metadata["version"]) == ("skhash estimator", "1")
        crc, self.tensors = zlib.crc32(metadata["state"].encode()), {}
        for name in sorted(header, key=int):
            entry = header[name]
            piece = data[slice(*entry["data_offsets"])]
            sides = ", ".join(map(str, entry["shape"]))
            crc = zlib.crc32(piece, zlib.crc32(f"{name} {entry['dtype']} [{sides}]".encode(), crc))
            self.tensors[name] = np.frombuffer(piece, self.FORMS[entry["dtype"]]).reshape(entry["shape"])
        assert metadata["crc32"] == f"{crc:08x}"
        self.numbers = {}
        state = json.loads(metadata["state"])
        assert set(state) == {"library", "estimator"}
        self.estimator = self.value(state["estimator"])

    def value(self, node):
        if isinstance(node, list):
            return [self.value(each) for each in node]
        if not isinstance(node, dict):
            return node
        if node["type"] == "same":
            return self.numbers[node["number"]]
        made = self.make(node["type"], node)
        if "number" in node:
            assert node["number"] not in self.numbers
            self.numbers[node["number"]] = made
        return made

    def make(self, kind, node):
        if kind in ("array", "tensor"):
            array = self.tensors.pop(node["tensor"])  # each is used once
            return np.moveaxis(array, range(array.ndim), node["axes"]) if "axes" in node else array
        if kind in ("texts", "objects"):
            return np.array(node["items"], object).reshape(node["shape"])
        if kind == "tuple":
            return tuple(self.value(node["items"]))
        if kind == "dict":
            return dict(self.value(pair) for pair in node["items"])
        if kind in ("scalar", "score"):
            return node["value"]
        made = {"type": kind, "class": node.get("class")}
        inner = {key: each for key, each in node.items() if key not in ("type", "class", "number")}
        for key, each in inner.items():
            plain = isinstance(each, dict) and "type" not in each
            made[key] = {name: self.value(part) for name, part in each.items()} if plain else self.value(each)
        return made


def test_a_reader_of_another_kind_computes_the_codes_of_a_linear_hasher(tmp_path):
    from skhash import PCAHasher, SpectralHasher

    X = np.random.default_rng(0).normal(size=(30, 7))
    hasher = PCAHasher(5).partial_fit(X, [*"abc"] * 10)
    hasher.save(tmp_path / "x")
    found = EstimatorFile((tmp_path / "x").read_bytes())
    assert not found.tensors
    assert found.estimator["class"] == "skhash.PCAHasher"
    assert found.estimator["parameters"] == hasher.get_params()
    state = found.estimator["state"]
    codes = ((X - state["mean_"]) @ state["components_"].T >= 0).astype(np.uint8)
    np.testing.assert_array_equal(codes, hasher.transform(X))
    assert state["classes_"].tolist() == ["a", "b", "c"]
    index = state["label_index_"]
    np.testing.assert_array_equal(bits_of_words(index["codes"], index["bits"]), codes)
    assert index["labels"].tolist() == [*"abc"] * 10
    transposed = SpectralHasher(5).fit(X)
    transposed.components_ = np.asfortranarray(transposed.components_)
    transposed.save(tmp_path / "y")
    read = EstimatorFile((tmp_path / "y").read_bytes()).estimator["state"]["components_"]
    np.testing.assert_array_equal(read, transposed.components_)


def test_a_reader_of_another_kind_computes_the_codes_of_a_deep_hasher(tmp_path):
    from skhash import OrthoHasher

    X, y = np.random.default_rng(0).normal(size=(40, 6)), np.arange(40) % 3
    hasher = OrthoHasher(8, max_epochs=2, random_state=0).fit(X, y)
    hasher.save(tmp_path / "x")
    found = EstimatorFile((tmp_path / "x").read_bytes())
    assert not found.tensors
    parts = found.estimator["state"]["module_"]["children"]
    assert [part["class"] for part in parts.values()] == [
        "skhash.Standardize", "torch.Identity", "skhash.HashHead", "skhash.OrthoLoss",
    ]  # fmt: skip
    scale = parts["preprocess"]["buffers"]
    head = parts["head"]["children"]
    z = (X - scale["mean"]) / scale["std"] @ head["linear"]["parameters"]["weight"].T.astype(float)
    norm = {**head["balance"]["parameters"], **head["balance"]["buffers"]}
    if norm:
        z = (z - norm["running_mean"]) / np.sqrt(norm["running_var"] + head["balance"]["settings"]["eps"])
        z = z * norm["weight"] + norm["bias"]
    np.testing.assert_array_equal((z >= 0).astype(np.uint8), hasher.transform(X))


def test_a_reader_of_another_kind_finds_the_index_of_a_pipeline(tmp_path):
    from sklearn.pipeline import make_pipeline

    import skhash

    X = np.random.default_rng(0).normal(size=(30, 7))
    pipeline = make_pipeline(skhash.PCAHasher(5), skhash.HammingIndex()).fit(X)
    skhash.save(pipeline, tmp_path / "x")
    found = EstimatorFile((tmp_path / "x" / "estimator.skh").read_bytes())
    (_, hasher), (_, index) = found.estimator["parameters"]["steps"]
    assert (hasher["class"], index["class"], index["type"]) == ("skhash.PCAHasher", "HammingIndex", "folder")
    assert re.fullmatch("index-[0-9a-f]{16}", index["folder"])
    codes = IndexFolder(tmp_path / "x" / index["folder"]).bits
    np.testing.assert_array_equal(codes, pipeline[0].transform(X))


def test_the_page_names_every_type_of_values():
    from skhash.io._decode import _MAKERS
    from skhash.io._module_decoding import MAKERS

    section = PAGE.read_text().partition("Saved estimator\n---")[2].partition("Folder\n~~~")[0]
    rows = re.findall(r"^   \* - (``.*``)$", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall("``([a-z ]+)``", row)}
    assert named == {*_MAKERS, *MAKERS, "same"}
