import gzip
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from skhash.datasets import _fashion_mnist, fetch_fashion_mnist


def idx(array):
    """The bytes of an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


@pytest.fixture
def made_up():
    """Images and labels of a tiny training part and test part."""
    rng = np.random.RandomState(0)
    return {
        prefix: (rng.randint(0, 256, (n, 28, 28)).astype(np.uint8), rng.permutation(n).astype(np.uint8) % 10)
        for prefix, n in (("train", 30), ("t10k", 20))
    }


@pytest.fixture
def folder(made_up, tmp_path, monkeypatch):
    """A folder with the four files, and nothing anywhere else."""
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = tmp_path / "home" / "fashion-mnist"
    folder.mkdir(parents=True)
    for prefix, (images, labels) in made_up.items():
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    source = replace(_fashion_mnist._SOURCE, system_folders=(), url=folder.as_uri() + "/")
    monkeypatch.setattr(_fashion_mnist, "_SOURCE", source)
    return folder


def test_all(folder, made_up):
    data = fetch_fashion_mnist(data_home=folder.parent, download=False)
    np.testing.assert_array_equal(data.images, np.concatenate([made_up["train"][0], made_up["t10k"][0]]))
    np.testing.assert_array_equal(data.target, np.concatenate([made_up["train"][1], made_up["t10k"][1]]))
    np.testing.assert_array_equal(data.is_test, np.arange(50) >= 30)
    assert (data.images.dtype, data.target.dtype, data.is_test.dtype) == (np.uint8, np.int64, bool)
    assert data.images.flags.writeable
    assert data.target_names[9] == "Ankle boot"
    assert data.DESCR.startswith("Fashion-MNIST")
    assert data.source == str(folder)


@pytest.mark.parametrize(("subset", "prefix", "other"), [("train", "train", "t10k"), ("test", "t10k", "train")])
def test_a_part_needs_only_its_files(folder, made_up, subset, prefix, other):
    for file in folder.glob(f"{other}*"):
        file.unlink()
    images, target = fetch_fashion_mnist(data_home=folder, subset=subset, download=False, return_X_y=True)
    np.testing.assert_array_equal(images, made_up[prefix][0])
    np.testing.assert_array_equal(target, made_up[prefix][1])
    data = fetch_fashion_mnist(data_home=folder, subset=subset, download=False)
    assert data.is_test.all() == (subset == "test")
    with pytest.raises(FileNotFoundError, match="Fashion-MNIST was not found"):
        fetch_fashion_mnist(data_home=folder, download=False)


def test_uncompressed_files_in_another_usual_folder(folder, made_up, monkeypatch):
    raw = folder.parent / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in folder.iterdir():
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    monkeypatch.setenv("SKHASH_DATA", str(folder.parent))
    images, _ = fetch_fashion_mnist(subset="test", download=False, return_X_y=True)
    np.testing.assert_array_equal(images, made_up["t10k"][0])


def test_download(folder, tmp_path, monkeypatch):
    checksums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    monkeypatch.setattr(_fashion_mnist, "_SHA256", checksums)
    assert len(fetch_fashion_mnist(subset="train").images) == 30
    cache = tmp_path / "xdg" / "skhash" / "fashion-mnist"
    assert sorted(file.name for file in cache.iterdir()) == ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    for file in folder.glob("train*"):
        file.unlink()  # what is in the cache already is not fetched again
    assert len(fetch_fashion_mnist().images) == 50
    assert len(list(cache.iterdir())) == 4


def test_download_verifies_the_published_checksums(folder):
    with pytest.raises(
        FileNotFoundError, match=r"failed: .*train-images-idx3-ubyte.gz has sha256 .* expected 3aede38d61863908"
    ):
        fetch_fashion_mnist()


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3", lambda data: gzip.compress(data)[:-9], "is damaged .*; expected a complete gzip file"),
        ("train-images-idx3", lambda data: b"no gzip", "is damaged .*; expected a complete gzip file"),
        ("train-images-idx3", lambda data: gzip.compress(data[:-1]), r"23535 bytes; expected 23536 .* \(30, 28, 28\)"),
        ("train-images-idx3", lambda data: gzip.compress(data[:9]), "expected an IDX file with magic '00000803'"),
        (
            "train-labels-idx1",
            lambda data: gzip.compress(b"\0\0\x0d" + data[3:]),
            "starts with '00000d01'; .*'00000801'",
        ),
        (
            "train-labels-idx1",
            lambda data: gzip.compress(idx(np.zeros(29, np.uint8))),
            "holds 29 labels; expected 30, the number of images",
        ),
        (
            "train-labels-idx1",
            lambda data: gzip.compress(idx(np.full(30, 10, np.uint8))),
            "holds label 10; expected labels from 0 to 9",
        ),
        (
            "train-images-idx3",
            lambda data: gzip.compress(idx(np.zeros((30, 9, 28), np.uint8))),
            r"images of shape \(9, 28\); expected \(28, 28\)",
        ),
    ],
)
def test_damaged_files_are_named(folder, name, damage, message):
    path = folder / f"{name}-ubyte.gz"
    path.write_bytes(damage(gzip.decompress(path.read_bytes())))
    with pytest.raises(ValueError, match=f"{path} .*{message}"):
        fetch_fashion_mnist(data_home=folder, download=False)


def test_bad_subset():
    with pytest.raises(ValueError, match="The 'subset' parameter of fetch_fashion_mnist must be a str among"):
        fetch_fashion_mnist(subset="valid")
