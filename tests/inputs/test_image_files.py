"""Folders as samples, and pixels that are decoded once."""

import pickle
from collections import Counter

import numpy as np
import pytest

from skhash import OrthoHasher
from skhash.inputs import ImageFiles, SampleSubset, read_images

image_module = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        size = (9, 8) if number % 2 else (8, 9)
        image_module.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(
            tmp_path / "photos" / f"{number:02}.png"
        )
    return tmp_path / "photos"


@pytest.fixture
def decoded(monkeypatch):
    """Count how often each file is decoded."""
    counts, read = Counter(), ImageFiles._read

    def count(self, item):
        counts[str(item)] += 1
        return read(self, item)

    monkeypatch.setattr(ImageFiles, "_read", count)
    return counts


def test_a_folder_a_path_and_a_pattern_stand_for_their_sorted_files(folder):
    paths = sorted(folder.iterdir())
    expected = read_images(paths, size=8).batch(range(12))
    for form in (folder, str(folder), str(folder / "*.png"), folder / "*.png"):
        assert (read_images(form, size=8).batch(range(12)) == expected).all()
    y = np.arange(12) % 2
    hasher = OrthoHasher(bits=16, image_size=8, max_epochs=1, random_state=0)
    assert np.array_equal(hasher.fit(str(folder), y).transform(folder), hasher.fit(paths, y).transform(paths))
    with pytest.raises(ValueError, match=r"X: no image files in '.*nowhere'"):
        hasher.fit(str(folder / "nowhere"), y)


def test_damaged_files_are_named_before_training(folder, decoded):
    (folder / "07.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"07\.png' is not an image file"):
        OrthoHasher(bits=16, image_size=8).fit(folder, np.arange(12) % 2)
    assert not decoded


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_kept_pixels_are_those_of_decoding(folder, channels, n_jobs):
    plain = ImageFiles(sorted(folder.iterdir()), (channels, 6, 7))
    kept = ImageFiles(plain.items, plain.sample_shape, cache_limit=5 * channels * 42 + 1, n_jobs=n_jobs)
    for rows in (range(3), [4, 4, 1], np.array([11, 0, 5, 7]), range(12)):
        for _ in range(2):
            expected, got = plain.batch(rows), kept.batch(rows)
            assert (got == expected).all()
            assert got.stride() == expected.stride()


def test_the_limit_counts_bytes(folder, decoded):
    files = ImageFiles(sorted(folder.iterdir()), (3, 6, 7), cache_limit=5 * 3 * 42)
    for _ in range(3):
        files.batch(range(12))
    assert sorted(decoded.values()) == [1] * 5 + [3] * 7
    none = ImageFiles(files.items, (3, 6, 7), cache_limit=3 * 42 - 1)
    decoded.clear()
    for _ in range(3):
        SampleSubset(none, np.arange(12)).batch([0, 0, 3])
    assert sorted(decoded.values()) == [3, 3]


def test_training_decodes_each_file_once_and_transform_keeps_nothing(folder, decoded):
    y = np.arange(12) % 2
    hasher = OrthoHasher(bits=16, image_size=8, max_epochs=4, random_state=0).fit(folder, y)
    assert set(decoded.values()) == {1}
    files = read_images(folder, size=8, cache_limit=0)
    decoded.clear()
    again = OrthoHasher(bits=16, image_size=8, max_epochs=4, random_state=0).fit(files, y)
    assert min(decoded.values()) >= 4
    files = read_images(folder, size=8, cache_limit=10**6)
    decoded.clear()
    assert np.array_equal(hasher.transform(files), again.transform(files))
    assert set(decoded.values()) == {1}


def test_kept_pixels_are_not_pickled(folder):
    files = ImageFiles(sorted(folder.iterdir()), (3, 100, 100), cache_limit=10**7)
    files.batch(range(12))
    assert len(pickle.dumps(files)) < 10_000
    assert (pickle.loads(pickle.dumps(files)).batch([3]) == files.batch([3])).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(6, 4, 5, 3), (6, 3, 4, 5), (6, 4, 5)])
def test_memory_maps_are_not_copied(tmp_path, dtype, shape):
    values = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    np.save(tmp_path / "images.npy", values)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    samples = read_images(mapped)
    assert np.shares_memory(samples.data, mapped)
    assert (samples.batch([1, 4]) == read_images(values).batch([1, 4])).all()


def test_columns_of_arrow(folder):
    pyarrow = pytest.importorskip("pyarrow")
    paths = [str(path) for path in sorted(folder.iterdir())]
    for column in (pyarrow.array(paths), pyarrow.chunked_array([paths[:5], paths[5:]]), pyarrow.table({"a": paths})):
        assert (read_images(column, size=8).batch(range(12)) == read_images(paths, size=8).batch(range(12))).all()
