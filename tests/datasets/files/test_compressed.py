"""Small files that unpack to much are refused before they take memory."""

import contextlib
import gzip
import io
import tarfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from skhash.datasets.files import _compressed
from skhash.datasets.files._compressed import read_gzip, read_npz, read_tar


@pytest.fixture
def limit(monkeypatch):
    monkeypatch.setattr(_compressed, "MAX_BYTES", 10**5)
    tracemalloc.start()
    yield 10**5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10**6


def write_tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, size in members:
            info = tarfile.TarInfo(name)
            info.size = size
            archive.addfile(info, io.BytesIO(bytes(size)))


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header_of(descr, shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_archives(tmp_path):
    write_tar(tmp_path / "x", ("a", 10), ("b", 20), ("c", 30))
    assert read_tar(tmp_path / "x", ["c", "a", "d"]) == {"a": bytes(10), "c": bytes(30)}
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"is damaged \(.*; expected a complete \.tar\.gz archive"):
        read_tar(tmp_path / "x", ["a"])


@pytest.mark.parametrize("name", ["a", "x" * 10**7, "other"])
def test_large_members_and_names_of_archives(tmp_path, name):
    """A member that is not wanted is skipped, in pieces."""
    write_tar(tmp_path / "x", (name, 10**7))
    tracemalloc.start()
    if name == "other":
        assert read_tar(tmp_path / "x", ["a"]) == {}
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_compressed, "MAX_BYTES", 10**6)
            message = "a of 10000000 bytes; expected at most 1000000" if name == "a" else "more than 1000000 bytes"
            with pytest.raises(ValueError, match=message):
                read_tar(tmp_path / "x", ["a"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 10**6


def test_gzip(tmp_path, limit):
    for size, fits in ((limit, True), (limit + 1, False), (10**7, False)):
        path = tmp_path / f"{size}.gz"
        path.write_bytes(gzip.compress(bytes(size)) if size < 10**6 else gzip_of_zeros(size))
        if fits:
            assert read_gzip(path) == bytes(size)
        else:
            with pytest.raises(ValueError, match=r"\.gz unpacks to more than 100000 bytes"):
                read_gzip(path)


def gzip_of_zeros(size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(10**4)) for _ in range(size // 10**4)) + packer.flush()


def test_arrays(tmp_path):
    path, arrays = tmp_path / "x.npz", {"a": np.arange(5), "b": np.array(["x", "yy"]), "c": np.zeros((0, 3))}
    for save in (np.savez, np.savez_compressed):
        save(path, **arrays)
        for array, found in zip(arrays.values(), read_npz(path, ["a", "b", "c"]), strict=True):
            np.testing.assert_array_equal(found, array)
            assert found.dtype == array.dtype
    with pytest.raises(ValueError, match=r"could not be read \(.*d\.npy.*; expected an \.npz file with a and d"):
        read_npz(path, ["a", "d"])


WRONG = {
    "large": (npy(np.zeros(10**5, np.uint8)), zipfile.ZIP_DEFLATED, "of 100128 bytes; expected at most 100000"),
    "bzip2": (npy(np.zeros(10)), zipfile.ZIP_BZIP2, "compressed by method 12"),
    "objects": (npy(np.array([{}, None])), zipfile.ZIP_STORED, "has type object"),
    "too short": (header_of("<f8", (2**40,)), zipfile.ZIP_STORED, "could not be read"),
    "too large to be": (header_of("<f8", (2**62,)), zipfile.ZIP_STORED, "could not be read"),
    "negative": (header_of("<f8", (-5,)), zipfile.ZIP_STORED, "has type float64 and shape"),
    "no bytes": (header_of("|V0", (2**40,)), zipfile.ZIP_STORED, "could not be read"),
    "no array": (b"text", zipfile.ZIP_STORED, "could not be read"),
    "empty": (b"", zipfile.ZIP_STORED, "could not be read"),
}


@pytest.mark.parametrize(("data", "method", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arrays(tmp_path, request, data, method, message):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", data)
    request.getfixturevalue("limit")
    with pytest.raises(ValueError, match=message):
        read_npz(path, ["a"])


def test_a_size_that_is_not_true(tmp_path, limit):
    path, size = tmp_path / "x.npz", 10**7
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        for _ in range(size // 10**4):
            file.write(bytes(10**4))
    raw = path.read_bytes()
    assert raw.count(size.to_bytes(4, "little")) == 2
    path.write_bytes(raw.replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"x\.npz could not be read"):
        read_npz(path, ["a"])


@pytest.mark.parametrize("kind", ["tar", "npz"])
def test_damaged_files_raise_nothing_else(tmp_path, kind):
    rng, path = np.random.default_rng(0), tmp_path / "x"
    if kind == "tar":
        write_tar(path, ("folder/" + "long" * 60, 100), ("a", 300), ("b", 10))
        raw = gzip.decompress(path.read_bytes())
    else:
        np.savez(path.with_suffix(".npz"), a=np.arange(50), b=np.array(["x", "yy"]))
        raw = path.with_suffix(".npz").read_bytes()
    for _ in range(300):
        damaged = np.frombuffer(raw, np.uint8).copy()
        used = np.flatnonzero(damaged) if kind == "tar" else np.arange(len(raw))
        places = rng.choice(used, rng.integers(1, 4))
        damaged[places] = rng.integers(0, 256, len(places))
        path.write_bytes(gzip.compress(damaged.tobytes(), 1) if kind == "tar" else damaged.tobytes())
        with contextlib.suppress(ValueError):
            read_tar(path, ["a", "b"]) if kind == "tar" else read_npz(path, ["a", "b"])


def test_archives_of_many_members_are_refused(tmp_path):
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for i in range(_compressed.MAX_MEMBERS + 1):
            archive.addfile(tarfile.TarInfo(str(i)))
    with pytest.raises(ValueError, match="it has more than 1000 members"):
        _compressed.read_tar(path, ["a"])


def test_files_that_are_missing_are_not_called_damaged(tmp_path):
    for read in (lambda path: _compressed.read_tar(path, ["a"]), lambda path: _compressed.read_npz(path, ["a"])):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "missing")
