"""Folders as samples, and pixels that are decoded once."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from skhash import HammingIndex, LSHHasher, OrthoHasher, PerceptualHasher, make_search_pipeline
from skhash.duplicates._encoding import encode_pictures
from skhash.features import FeatureExtractor
from skhash.inputs import ImageFiles, SampleSubset, read_images
from skhash.perceptual import read_items

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
    with pytest.raises(ValueError, match=r"X: no image files in '.*nowhere', which does not exist; expected"):
        hasher.fit(str(folder / "nowhere"), y)


def test_damaged_files_are_named_before_training(folder, decoded):
    (folder / "07.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"07\.png' is not an image file"):
        OrthoHasher(bits=16, image_size=8).fit(folder, np.arange(12) % 2)
    assert not decoded


def test_missing_files_are_named_with_the_argument(folder, monkeypatch):
    paths = [*sorted(folder.iterdir()), folder / "nowhere.png"]
    hasher = OrthoHasher(bits=16, image_size=8, max_epochs=1, random_state=0)
    with pytest.raises(FileNotFoundError, match=r"^X: '/.*nowhere\.png' does not exist; expected an image file"):
        hasher.fit(paths, np.arange(13) % 2)
    search = make_search_pipeline(PerceptualHasher(), HammingIndex()).fit(paths[:-1])
    monkeypatch.chdir(folder)
    message = rf"^X: 'nowhere\.png' does not exist in the current folder, '{folder}'; expected an image file"
    for call in (search.kneighbors, hasher.fit(paths[:-1], np.arange(12) % 2).transform):
        with pytest.raises(FileNotFoundError, match=message):
            call(["nowhere.png"])


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


@pytest.fixture
def photos(tmp_path):
    """Save photos of 480 x 640 pixels as JPEG files, and one of them as PNG."""
    y, x = np.mgrid[:480, :640]
    for number in range(6):
        waves = [128 + 90 * np.sin(x / (9 + number) + c) * np.cos(y / (15 - 3 * c)) for c in range(3)]
        image = image_module.fromarray(np.stack(waves, axis=2).astype(np.uint8))
        image.save(tmp_path / f"{number}.jpg", quality=95)
    image.save(tmp_path / "6.png")
    return sorted(map(str, tmp_path.iterdir()))


@pytest.mark.parametrize(("size", "decoded"), [(60, (120, 160)), ((40, 118), (240, 320)), (300, (480, 640))])
def test_draft_leaves_twice_the_size(photos, size, decoded, monkeypatch):
    from PIL.Image import Image

    sizes = []
    resize = Image.resize
    monkeypatch.setattr(Image, "resize", lambda self, *args, **options: sizes.append(self.size) or resize(self, *args))
    whole, draft = (read_images(photos, size=size, draft=draft).batch(range(7)).numpy() for draft in (False, True))
    assert {size[::-1] for size in sizes[7:13]} == {decoded}
    assert sizes[13] == (640, 480)  # a PNG file has no smaller form
    np.testing.assert_array_equal(whole[6], draft[6])
    assert (whole[:6] == draft[:6]).all() == (decoded == (480, 640))
    assert np.abs(whole - draft).mean() < 3 / 255


def test_a_hasher_decodes_as_it_did_in_fit(photos):
    options = {"bits": 16, "image_size": 32, "max_epochs": 1, "random_state": 0}
    hasher = OrthoHasher(draft=True, **options).fit(photos, np.arange(7) % 2)
    z = hasher.decision_function(photos)
    assert (OrthoHasher(**options).fit(photos, np.arange(7) % 2).decision_function(photos) != z).any()
    np.testing.assert_array_equal(hasher.decision_function(read_images(photos, size=32, draft=True)), z)
    with pytest.raises(ValueError, match="X has draft=False, but the hasher has draft=True"):
        hasher.transform(read_images(photos, size=32))
    np.testing.assert_array_equal(hasher.set_params(draft=False).decision_function(photos), z)


def test_duplicates_decode_as_the_hasher_does(photos, monkeypatch):
    from PIL.JpegImagePlugin import JpegImageFile

    sizes, reduce = [], JpegImageFile.draft
    monkeypatch.setattr(JpegImageFile, "draft", lambda self, mode, size: sizes.append(size) or reduce(self, mode, size))
    options = {"bits": 16, "image_size": 32, "max_epochs": 1, "random_state": 0}
    alone = OrthoHasher(draft=True, **options).fit(photos, np.arange(7) % 2)
    flat = torch.nn.Flatten()
    piped = make_pipeline(FeatureExtractor(flat, image_size=32, draft=True), LSHHasher(64, random_state=0)).fit(photos)
    for hasher in (alone, piped):
        sizes.clear()
        encoded = encode_pictures(read_items(photos), photos, range(7), hasher, errors="raise")
        assert sizes == [(64, 64)] * 6
        np.testing.assert_array_equal(encoded.codes, hasher.transform(photos))
        assert [(picture.width, picture.height) for picture in encoded.pictures] == [(640, 480)] * 7


def test_features_in_the_cache_belong_to_a_way_of_decoding(photos, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")

    def compute(draft, cache):
        return FeatureExtractor(torch.nn.Flatten(), image_size=32, draft=draft, cache=cache).fit_transform(photos)

    whole, draft = compute(False, cache), compute(True, cache)
    np.testing.assert_array_equal(draft, compute(True, None))
    assert (whole != draft).any()
