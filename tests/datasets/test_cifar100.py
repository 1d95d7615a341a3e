import hashlib
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from skhash.datasets import _cifar100, fetch_cifar100, retrieval_split

ROWS = {"train": 500, "test": 100}
FINE = [f"fine_{i}" for i in range(100)]
COARSE = [f"coarse_{i}" for i in range(20)]


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Images, fine and coarse labels of each part of a tiny CIFAR-100; there is no copy of it anywhere."""
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(_cifar100, "_ROWS", ROWS)
    rng = np.random.RandomState(0)
    parts = {}
    for part, n in ROWS.items():
        fine = rng.permutation(np.arange(n) % 100)
        parts[part] = rng.randint(0, 256, (n, 32, 32, 3)).astype(np.uint8), fine, fine // 5
    return parts


def flat(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), 3072)


def write_python(folder, made_up):
    folder.mkdir(parents=True)
    for part, (images, fine, coarse) in made_up.items():
        batch = {"data": flat(images), "fine_labels": fine.tolist(), "coarse_labels": coarse.tolist()}
        (folder / part).write_bytes(pickle.dumps(batch, protocol=2))
    meta = {"fine_label_names": FINE, "coarse_label_names": COARSE}
    (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))


def write_binary(folder, made_up):
    folder.mkdir(parents=True)
    for part, (images, fine, coarse) in made_up.items():
        (folder / f"{part}.bin").write_bytes(np.c_[coarse, fine, flat(images)].astype(np.uint8).tobytes())
    (folder / "fine_label_names.txt").write_text("\n".join(FINE) + "\n")
    (folder / "coarse_label_names.txt").write_text("\n".join(COARSE) + "\n")


def write_archive(path, made_up):
    write_python(path.parent / "unpacked", made_up)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(path.parent / "unpacked", "cifar-100-python")


LAYOUTS = {
    "python": ("cifar-100-python", write_python, "the Python files"),
    "binary": ("cifar-100-binary", write_binary, "the binary files"),
    "archive": ("cifar-100-python.tar.gz", write_archive, "the archive of Python files"),
}


@pytest.mark.parametrize("sub_folder", ["", "cifar100"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(made_up, tmp_path, layout, sub_folder):
    name, write, words = LAYOUTS[layout]
    home = tmp_path / "home"
    (home / sub_folder).mkdir(parents=True)
    write(home / sub_folder / name, made_up)
    for labels, position, names in (("fine", 1, FINE), ("coarse", 2, COARSE)):
        data = fetch_cifar100(data_home=home, labels=labels, download=False)
        np.testing.assert_array_equal(data.images, np.concatenate([made_up["train"][0], made_up["test"][0]]))
        expected = np.concatenate([made_up["train"][position], made_up["test"][position]])
        np.testing.assert_array_equal(data.target, expected)
        np.testing.assert_array_equal(data.is_test, np.arange(600) >= 500)
        assert (data.images.dtype, data.target.dtype, data.is_test.dtype) == (np.uint8, np.int64, bool)
        assert data.images.flags.c_contiguous
        assert data.target_names == names
        assert f"labels are the {labels} ones" in data.DESCR
        assert data.DESCR.endswith(f"Read from {words}.")
        assert data.source == str(home / sub_folder / name)
    X, y = fetch_cifar100(data_home=str(home), subset="test", download=False, return_X_y=True)
    np.testing.assert_array_equal(X, made_up["test"][0])
    np.testing.assert_array_equal(y, made_up["test"][1])


def test_fine_labels_are_the_default_and_go_with_the_protocol(made_up, tmp_path):
    write_python(tmp_path / "cifar-100-python", made_up)
    X, y = fetch_cifar100(data_home=tmp_path / "cifar-100-python", download=False, return_X_y=True)
    split = retrieval_split(X, y, protocol="odh-cifar100", n_query=1, n_train=2, random_state=0)
    assert (len(split.query), len(split.train), len(split.database), split.R) == (100, 200, 500, 500)


def test_download(made_up, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    archive = tmp_path / "site" / "cifar-100-python.tar.gz"
    write_archive(archive, made_up)
    monkeypatch.setattr(_cifar100, "_SOURCE", replace(_cifar100._SOURCE, url=archive.parent.as_uri() + "/"))
    with pytest.raises(FileNotFoundError, match=r"tar.gz has sha256 .* expected 85cd44d02ba6437773"):
        fetch_cifar100()
    monkeypatch.setattr(_cifar100, "_SHA256", {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()})
    data = fetch_cifar100(subset="train")
    np.testing.assert_array_equal(data.images, made_up["train"][0])
    assert data.source == str(tmp_path / "xdg" / "skhash" / "cifar100" / "cifar-100-python.tar.gz")


def test_absent(made_up, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CIFAR-100 was not found(.|\n)*cifar-100-python/train, test and meta"):
        fetch_cifar100(data_home=tmp_path, download=False)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train", {"fine_labels": [100] * 500}, "holds labels other than the integers from 0 to 99"),
        ("train", {"fine_labels": [1] * 499}, r"labels of shape \(499,\); expected \(500, 3072\) and \(500,\)"),
        ("test", {"data": np.zeros((100, 3071), np.uint8)}, r"pixels of shape \(100, 3071\)"),
        ("test", {"data": np.zeros((100, 3072))}, "test is not a valid batch of CIFAR-100 .*type 'f8' instead of 'u1'"),
        ("meta", {"fine_label_names": FINE[1:]}, "holds the names of 99 fine classes; expected 100"),
        ("meta", {"fine_label_names": 7}, "meta is not a valid list of the classes of CIFAR-100 .*'fine_label_names'"),
    ],
)
def test_damaged_python_files(made_up, tmp_path, name, change, message):
    write_python(tmp_path / "cifar-100-python", made_up)
    path = tmp_path / "cifar-100-python" / name
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) | change, protocol=2))
    with pytest.raises(ValueError, match=message):
        fetch_cifar100(data_home=tmp_path, download=False)


@pytest.mark.parametrize("name", ["train", "test", "meta"])
def test_missing_python_file(made_up, tmp_path, name):
    write_python(tmp_path / "cifar-100-python", made_up)
    (tmp_path / "cifar-100-python" / name).unlink()
    with pytest.raises(
        ValueError, match=f"{name} is missing, although other files exist; expected all files of CIFAR-100"
    ):
        fetch_cifar100(data_home=tmp_path, download=False)


def test_damaged_binary_files(made_up, tmp_path):
    write_binary(tmp_path / "cifar-100-binary", made_up)
    path = tmp_path / "cifar-100-binary" / "test.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ValueError, match=r"test.bin has a size of 307399 bytes; expected 307400 .100 records of 3074 bytes"
    ):
        fetch_cifar100(data_home=tmp_path, download=False)
    (path.parent / "coarse_label_names.txt").unlink()
    with pytest.raises(ValueError, match=r"coarse_label_names.txt is missing"):
        fetch_cifar100(data_home=tmp_path, subset="train", labels="coarse", download=False)


def test_archive_that_lacks_a_file(made_up, tmp_path):
    path = tmp_path / "cifar-100-python.tar.gz"
    write_archive(path, made_up)
    (tmp_path / "unpacked" / "meta").unlink()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "unpacked", "cifar-100-python")
    with pytest.raises(ValueError, match=r"cifar-100-python.tar.gz lacks meta; expected the complete archive from"):
        fetch_cifar100(data_home=tmp_path, download=False)


def test_bad_option(tmp_path):
    with pytest.raises(ValueError, match="The 'labels' parameter of fetch_cifar100 must be a str among"):
        fetch_cifar100(data_home=tmp_path, labels="all")
