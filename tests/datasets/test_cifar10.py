import hashlib
import io
import pickle
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from skhash.datasets import _cifar10, fetch_cifar10

ROWS = 10
BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Images and labels of a tiny CIFAR-10 in the order of its batches; there is no copy of it anywhere."""
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(_cifar10, "_BATCH_ROWS", ROWS)
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (6 * ROWS, 32, 32, 3)).astype(np.uint8)
    return images, np.concatenate([rng.permutation(10) for _ in range(6)])


def batches(made_up):
    """Name, pixels (channels first, flat) and labels of each batch."""
    for i, name in enumerate(BATCHES):
        images, labels = (part[i * ROWS : (i + 1) * ROWS] for part in made_up)
        yield name, images.transpose(0, 3, 1, 2).reshape(ROWS, 3072), labels


def write_python_batches(folder, made_up):
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels, labels in batches(made_up):
        batch = {"data": pixels, "labels": labels.tolist(), "batch_label": name}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def write_binary_batches(folder, made_up):
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels, labels in batches(made_up):
        (folder / f"{name}.bin").write_bytes(np.c_[labels.astype(np.uint8), pixels].tobytes())


def write_archive(path, made_up):
    write_python_batches(path.parent / "unpacked", made_up)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(path.parent / "unpacked", "cifar-10-batches-py")


def write_class_folders(folder, made_up):
    for i, (image, label) in enumerate(zip(*made_up, strict=True)):
        path = folder / ("test" if i >= 5 * ROWS else "train") / CLASSES[label] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def write_npz(path, made_up, **changes):
    """The layout of the JPEG copy, sorted by class, test images first; PNG files inside, so that pixels are exact."""
    images, labels = made_up
    is_test = np.arange(6 * ROWS) >= 5 * ROWS
    order, files = np.lexsort((labels, ~is_test)), []
    for row in order:
        file = io.BytesIO()
        Image.fromarray(images[row]).save(file, "png")
        files.append(file.getvalue())
    keys = {
        "blob": np.frombuffer(b"".join(files), np.uint8),
        "end": np.cumsum([len(file) for file in files]),
        "y": labels[order].astype(np.uint8),
        "test": is_test[order],
        "classes": np.array(CLASSES),
    }
    np.savez(path, **(keys | changes))


def by_class(made_up):
    """Training part, then test part, each sorted by class."""
    images, labels = made_up
    order = np.lexsort((labels, np.arange(6 * ROWS) >= 5 * ROWS))
    return images[order], labels[order]


LAYOUTS = {
    "python": ("cifar-10-batches-py", write_python_batches, "the Python batches"),
    "binary": ("cifar-10-batches-bin", write_binary_batches, "the binary batches"),
    "archive": ("cifar-10-python.tar.gz", write_archive, "the archive of Python batches"),
    "folders": ("", write_class_folders, "class folders of image files"),
    "npz": ("cifar10_jpeg.npz", write_npz, "cifar10_jpeg.npz"),
}


@pytest.mark.parametrize("sub_folder", ["", "cifar10"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(made_up, tmp_path, layout, sub_folder):
    name, write, words = LAYOUTS[layout]
    home = tmp_path / "home"
    (home / sub_folder).mkdir(parents=True)
    write(home / sub_folder / name, made_up)
    data = fetch_cifar10(data_home=home, download=False)
    images, labels = by_class(made_up) if layout in ("folders", "npz") else made_up
    np.testing.assert_array_equal(data.images, images)
    np.testing.assert_array_equal(data.target, labels)
    np.testing.assert_array_equal(data.is_test, np.arange(6 * ROWS) >= 5 * ROWS)
    assert (data.images.dtype, data.target.dtype, data.is_test.dtype) == (np.uint8, np.int64, bool)
    assert data.images.flags.c_contiguous
    assert data.images.flags.writeable
    assert data.target_names == CLASSES
    assert data.DESCR.endswith(f"Read from {words}.")
    assert data.DESCR.startswith("CIFAR-10 (JPEG copy):" if layout == "npz" else "CIFAR-10:")
    assert data.source == str(home / sub_folder / name)
    for subset, rows in (("train", ~data.is_test), ("test", data.is_test)):
        X, y = fetch_cifar10(data_home=str(home), subset=subset, download=False, return_X_y=True)
        np.testing.assert_array_equal(X, data.images[rows])
        np.testing.assert_array_equal(y, data.target[rows])


@pytest.mark.parametrize("layout", ["python", "binary"])
def test_the_folder_of_the_batches_itself(made_up, tmp_path, layout):
    name, write, _ = LAYOUTS[layout]
    write(tmp_path / name, made_up)
    assert fetch_cifar10(data_home=tmp_path / name, download=False).source == str(tmp_path / name)


def test_originals_come_before_copies(made_up, tmp_path):
    for layout in ("npz", "folders", "archive", "binary", "python"):
        name, write, words = LAYOUTS[layout]
        write(tmp_path / name, made_up)
        assert words in fetch_cifar10(data_home=tmp_path, download=False).DESCR


def test_download(made_up, tmp_path, monkeypatch):
    (tmp_path / "site").mkdir()
    archive = tmp_path / "site" / "cifar-10-python.tar.gz"
    write_archive(archive, made_up)
    monkeypatch.setattr(_cifar10, "_SOURCE", replace(_cifar10._SOURCE, url=archive.parent.as_uri() + "/"))
    with pytest.raises(FileNotFoundError, match=r"failed: .*tar.gz has sha256 .* expected 6d958be074577803d1"):
        fetch_cifar10()
    monkeypatch.setattr(_cifar10, "_SHA256", {archive.name: hashlib.sha256(archive.read_bytes()).hexdigest()})
    data = fetch_cifar10()
    np.testing.assert_array_equal(data.images, made_up[0])
    assert data.source == str(tmp_path / "xdg" / "skhash" / "cifar10" / "cifar-10-python.tar.gz")


def test_absent(made_up, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"CIFAR-10 was not found(.|\n)*cifar-10-batches-py/data_batch_1"):
        fetch_cifar10(data_home=tmp_path, download=False)


def damage_batch(tmp_path, change):
    path = tmp_path / "cifar-10-batches-py" / "data_batch_3"
    path.write_bytes(pickle.dumps(change(pickle.loads(path.read_bytes())), protocol=2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda batch: batch | {"labels": [*range(9), 10]}, "holds labels other than the integers from 0 to 9"),
        (lambda batch: batch | {"labels": [*range(9), -1]}, "holds labels other than"),
        (lambda batch: batch | {"labels": [0.5] * 10}, "holds labels other than"),
        (lambda batch: batch | {"labels": [1] * 9}, r"labels of shape \(9,\); expected \(10, 3072\) and \(10,\)"),
        (lambda batch: batch | {"data": batch["data"][:9]}, r"holds pixels of shape \(9, 3072\)"),
        (lambda batch: [], "is not a valid batch of CIFAR-10"),
    ],
)
def test_damaged_python_batches(made_up, tmp_path, change, message):
    write_python_batches(tmp_path / "cifar-10-batches-py", made_up)
    damage_batch(tmp_path, change)
    with pytest.raises(ValueError, match=f"data_batch_3 .*{message}"):
        fetch_cifar10(data_home=tmp_path, download=False)
    assert len(fetch_cifar10(data_home=tmp_path, subset="test", download=False).images) == ROWS


def test_missing_batch(made_up, tmp_path):
    write_binary_batches(tmp_path, made_up)
    (tmp_path / "data_batch_2.bin").unlink()
    with pytest.raises(ValueError, match=r"data_batch_2.bin is missing, although other files exist"):
        fetch_cifar10(data_home=tmp_path, download=False)


def test_truncated_binary_batch(made_up, tmp_path):
    write_binary_batches(tmp_path, made_up)
    path = tmp_path / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-3073])
    with pytest.raises(
        ValueError, match=r"test_batch.bin has a size of 27657 bytes; expected 30730 .10 records of 3073 bytes"
    ):
        fetch_cifar10(data_home=tmp_path, download=False)


def test_damaged_archive(made_up, tmp_path):
    path = tmp_path / "cifar-10-python.tar.gz"
    write_archive(path, made_up)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], content[:1000] + b"\0" * 1000 + content[2000:], b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"cifar-10-python.tar.gz (is damaged .*|lacks data_batch_.*); expected (a|the) complete"
        ):
            fetch_cifar10(data_home=tmp_path, download=False)
    (tmp_path / "unpacked" / "data_batch_4").unlink()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "unpacked", "cifar-10-batches-py")
    with pytest.raises(
        ValueError, match=r"cifar-10-python.tar.gz lacks data_batch_4; expected the complete archive from"
    ):
        fetch_cifar10(data_home=tmp_path, download=False)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((28, 32, 3), np.uint8), r"x.png has shape \(28, 32, 3\); expected \(32, 32, 3\)"),
        (None, "x.png is not an image file that Pillow can read"),
    ],
)
def test_damaged_image_file(made_up, tmp_path, image, message):
    write_class_folders(tmp_path, made_up)
    path = tmp_path / "train" / "cat" / "x.png"
    path.write_bytes(b"\x89PNG nonsense")
    if image is not None:
        Image.fromarray(image).save(path)
    with pytest.raises(ValueError, match=message):
        fetch_cifar10(data_home=tmp_path, download=False)


def test_gray_image_files_become_color(made_up, tmp_path):
    write_class_folders(tmp_path, made_up)
    Image.fromarray(made_up[0][0, :, :, 0]).save(tmp_path / "test" / "airplane" / "000.png")
    images, _ = fetch_cifar10(data_home=tmp_path, subset="test", download=False, return_X_y=True)
    np.testing.assert_array_equal(images[0], made_up[0][0][:, :, [0, 0, 0]])


def test_transparent_and_deep_image_files_follow_the_rule_of_all_images(made_up, tmp_path):
    write_class_folders(tmp_path, made_up)
    clear = np.zeros((32, 32, 4), np.uint8)
    Image.fromarray(clear).save(tmp_path / "test" / "airplane" / "000.png")
    images, _ = fetch_cifar10(data_home=tmp_path, subset="test", download=False, return_X_y=True)
    assert images[0].min() == 255
    Image.fromarray(np.full((32, 32), 4096, np.uint16)).save(tmp_path / "test" / "airplane" / "000.png")
    images, _ = fetch_cifar10(data_home=tmp_path, subset="test", download=False, return_X_y=True)
    assert set(images[0].ravel()) == {16}


def test_empty_class_folder(made_up, tmp_path):
    write_class_folders(tmp_path, made_up)
    for path in (tmp_path / "test" / "ship").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(ValueError, match=r"ship holds no images; expected files named .png, .jpg"):
        fetch_cifar10(data_home=tmp_path, download=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": np.zeros(59, np.uint8)}, "holds 59 labels, 60 test flags and 60 images that end at byte"),
        ({"blob": np.zeros(9, np.uint8)}, "of 9; expected equal numbers and all bytes used"),
        ({"classes": np.array(["cat"] * 10)}, r"holds the classes \['cat', .*expected \['airplane'"),
        ({"y": np.full(60, 10, np.uint8)}, "holds labels from 10 to 10; expected 0 to 9"),
        (
            {"end": np.array([*range(59, 0, -1), 0]), "blob": np.zeros(0, np.uint8)},
            "image 10 of .* is not an image file that Pillow can read",
        ),
    ],
)
def test_damaged_npz(made_up, tmp_path, changes, message):
    write_npz(tmp_path / "cifar10_jpeg.npz", made_up, **changes)
    with pytest.raises(ValueError, match=message):
        fetch_cifar10(data_home=tmp_path, download=False)


def test_truncated_npz(made_up, tmp_path):
    path = tmp_path / "cifar10_jpeg.npz"
    write_npz(path, made_up)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        ValueError, match=r"cifar10_jpeg.npz could not be read .*; expected an .npz file with blob, end"
    ):
        fetch_cifar10(data_home=tmp_path, download=False)
    np.savez(path, blob=np.zeros(3))
    with pytest.raises(
        ValueError, match=r"cifar10_jpeg.npz could not be read .*; expected an .npz file with blob, end"
    ):
        fetch_cifar10(data_home=tmp_path, download=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blob": np.zeros((2, 2), np.uint8)}, "of one dimension"),
        ({"end": np.zeros(0, int), "y": np.zeros(0, int), "test": np.zeros(0, bool)}, "that are not empty"),
        ({"y": np.zeros(60)}, "types uint8, int64, float64, bool; expected uint8, integers, integers, bool"),
        ({"end": np.arange(60.0)}, "expected uint8, integers, integers, bool"),
        ({"y": np.full(60, -1)}, "holds labels from -1 to -1; expected 0 to 9"),
        ({"end": np.arange(60, dtype=np.uint64) * 2**58}, "that end at byte"),
        ({"classes": np.array(3)}, "holds the classes 3"),
    ],
)
def test_npz_of_other_arrays(made_up, tmp_path, changes, message):
    write_npz(tmp_path / "cifar10_jpeg.npz", made_up, **changes)
    with pytest.raises(ValueError, match=message):
        fetch_cifar10(data_home=tmp_path, download=False)
