"""Files are small, complete, readable without torch, and refused otherwise."""

import base64
import json
import subprocess
import sys
import zlib

import numpy as np
import pytest

from skhash import load_packed
from skhash.runtime import Affine, BinaryConv, Network, PackedHasher, Sign, _file


@pytest.fixture(scope="module")
def hasher(make_network):
    return PackedHasher(make_network(5, 4))


@pytest.fixture
def path(hasher, tmp_path):
    hasher.save(tmp_path / "model.skhash")
    return tmp_path / "model.skhash"


@pytest.mark.parametrize("seed", range(12))
def test_what_is_saved_is_loaded(seed, make_network, make_input, tmp_path):
    network = make_network(seed, 3, None if seed % 2 else 40)
    hasher = PackedHasher(network)
    hasher.save(tmp_path / "m.skhash")
    again = load_packed(str(tmp_path / "m.skhash"), n_jobs=2)
    X = make_input(network, 9)
    np.testing.assert_array_equal(again.decision_function(X), hasher.decision_function(X))
    assert again.n_jobs == 2
    again.save(tmp_path / "again.skhash")
    assert (tmp_path / "again.skhash").read_bytes() == (tmp_path / "m.skhash").read_bytes()


@pytest.mark.parametrize("seed", range(6))
def test_size(seed, make_network, tmp_path):
    network = make_network(seed, 10)
    PackedHasher(network).save(tmp_path / "m.skhash")
    counts = network.count_parameters()
    n_layers = sum(isinstance(operation, BinaryConv) for operation in network.operations)
    allowed = counts["binary"] // 8 + n_layers + 4 * counts["real"] + counts["int8"] + 4096
    assert (tmp_path / "m.skhash").stat().st_size <= allowed


def test_any_reader_of_safetensors_can_open_it(path, hasher):
    with pytest.importorskip("safetensors").safe_open(path, framework="numpy") as file:
        assert sorted(file.keys()) == ["binary", "int8", "real"]
        assert file.metadata()["format"] == "skhash packed network"
        assert file.get_tensor("int8").size == hasher.network.count_parameters()["int8"]


def test_it_loads_where_torch_is_missing(path, hasher, make_input, tmp_path):
    X = make_input(hasher.network, 5)
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys; sys.modules['torch'] = None; import numpy as np; from skhash import load_packed; "
        f"print(load_packed({str(path)!r}).transform(np.load({str(tmp_path / 'x.npy')!r})).tolist()); "
        "print(*(name in sys.modules for name in ('numba', 'sklearn', 'scipy', 'joblib', 'bitarray')))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(out[0]) == hasher.transform(X).tolist()
    assert set(out[1].split()) == {"False"}


@pytest.mark.parametrize("place", [0.0, 0.001, 0.02, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_any_changed_byte_is_noticed(path, place):
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"damaged|not a packed network|version"):
        load_packed(path)


@pytest.mark.parametrize("size", [0, 7, 8, 500, -1])
def test_truncated_files(path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="damaged"):
        load_packed(path)


def test_nothing_may_follow(path):
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ValueError, match="damaged: 4 bytes follow the last number"):
        load_packed(path)


def change_header(path, change):
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    change(header)
    new = json.dumps(header).encode()
    path.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + size :])


def change_metadata(path, **changes):
    change_header(path, lambda header: header["__metadata__"].update(changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header["int8"].pop("dtype"), "damaged: 'dtype' is missing"),
        (lambda header: header.pop("real"), "damaged: 'real' is missing"),
        (lambda header: header.update(int8=[0]), "damaged: "),
        (lambda header: header["__metadata__"].update(network=3), "damaged: "),
        (lambda header: header["__metadata__"].pop("probe"), "damaged: 'probe' is missing"),
        (lambda header: header["binary"].update(data_offsets=[0, 8], shape=[8]), "damaged: binary is described as"),
    ],
)
def test_wrong_headers(path, change, message):
    change_header(path, change)
    with pytest.raises(ValueError, match=message):
        load_packed(path)


@pytest.mark.parametrize("stride", [float("inf"), 1.5, "two", None, 0, -1])
def test_settings_that_would_lead_kernels_astray(stride, path):
    metadata, tensors = _file._read_container(path)
    description = json.loads(zlib.decompress(base64.b64decode(metadata["network"])))
    convolution = next(settings for _, settings, _ in description["operations"] if "stride" in settings)
    convolution["stride"] = stride
    deflated = base64.b64encode(zlib.compress(json.dumps(description).encode())).decode()
    change_metadata(path, network=deflated, crc32=_file._checksum(deflated, metadata["probe"], tensors))
    with pytest.raises(ValueError, match=r"damaged: .*stride"):
        load_packed(path)


def test_a_description_that_inflates_without_end(path, hasher, monkeypatch):
    monkeypatch.setattr(_file, "_LARGEST_DESCRIPTION", 100)
    with pytest.raises(ValueError, match="damaged: "):
        load_packed(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "3"}, "has format version 3, expected 1 or 2: it was written by a newer release"),
        ({"version": "2"}, "damaged: 'classes' is missing"),
        ({"format": "other"}, "not a packed network: its metadata must have format"),
        ({"crc32": "00000000"}, "damaged: expected CRC-32 00000000"),
        ({"network": "AAAA"}, "damaged: expected CRC-32"),
        ({"probe": "00 11 22 33"}, "damaged: expected CRC-32"),
    ],
)
def test_wrong_metadata(path, changes, message):
    change_metadata(path, **changes)
    with pytest.raises(ValueError, match=message):
        load_packed(path)


def test_a_machine_that_computes_something_else(path):
    metadata, tensors = _file._read_container(path)
    probe = "00 11 22 33"
    change_metadata(path, probe=probe, crc32=_file._checksum(metadata["network"], probe, tensors))
    with pytest.raises(RuntimeError, match=r"self-test failed: the probe batch has codes .*, expected 00 11 22 33"):
        load_packed(path)


def test_missing_folder(hasher, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Cannot write .*m\.skhash: no such directory: .*nowhere"):
        hasher.save(tmp_path / "nowhere" / "m.skhash")
    with pytest.raises(IsADirectoryError, match=r"Cannot write .*: it is a directory"):
        hasher.save(tmp_path)


def test_files_of_other_kinds(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file

    save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="damaged or not a packed network"):
        load_packed(tmp_path / "other.safetensors")
    (tmp_path / "text").write_text("hello, this is text and not a network")
    with pytest.raises(ValueError, match="damaged or not a packed network"):
        load_packed(tmp_path / "text")
    with pytest.raises(FileNotFoundError):
        load_packed(tmp_path / "missing")


def test_a_failed_save_leaves_what_was_there(path, hasher, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        hasher.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.skhash"]


def test_the_probe_never_changes():
    network = Network((4,), (Sign(0), BinaryConv.from_signs(1, np.ones((2, 1, 1, 4))), Affine(2, np.ones(2))))
    found = [[(i * 2654435761 >> 13) % 256 for i in range(4 * row, 4 * row + 4)] for row in range(4)]
    np.testing.assert_array_equal(_file.probe(network) * 32 + 128, found)
    assert len({value for row in found for value in row}) > 12
