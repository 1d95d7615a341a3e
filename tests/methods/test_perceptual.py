"""PerceptualHasher: the same code for an image in any form, without fit, on any number of threads."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skhash import HammingIndex, PerceptualHasher, find_duplicates
from skhash.perceptual import KINDS, read_items

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def colors():
    """Draw six smooth color images."""
    y, x = np.mgrid[:40, :56]
    waves = [[np.sin(y / (4 + k) + k + c) + np.cos(x / (3 + k) - c) for c in range(3)] for k in range(6)]
    return np.rint(127.5 + 60 * np.moveaxis(np.array(waves), 1, -1)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(colors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    for number, image in enumerate(colors):
        Image.fromarray(image).save(folder / ("more" if number > 3 else ".") / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_text("no picture")
    (folder / "loop").symlink_to(folder)
    return folder


def paths_of(folder):
    return [*(folder / f"{number}.png" for number in range(4)), *(folder / "more" / f"{n}.png" for n in (4, 5))]


class Images:
    """A Dataset by its two methods."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        return self.images[number], 7


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_has_the_same_codes(kind, colors, folder):
    import torch

    hasher = PerceptualHasher(kind, bits=36)
    expected = hasher.transform(colors)
    assert expected.shape == (6, 36)
    assert len(np.unique(expected, axis=0)) > 3
    paths = paths_of(folder)
    pictures = [Image.fromarray(image) for image in colors]
    forms = {
        "channels first": colors.transpose(0, 3, 1, 2),
        "16 bits": colors.astype(np.uint16) * 257,
        "float64": colors / 255,
        "float32, channels first": (colors / 255).astype(np.float32).transpose(0, 3, 1, 2),
        "tensor": torch.from_numpy(colors.transpose(0, 3, 1, 2).copy()),
        "list of arrays": list(colors),
        "list of tensors": list(torch.from_numpy(colors.transpose(0, 3, 1, 2) / 255.0)),
        "PIL": pictures,
        "opaque": np.concatenate([colors, np.full_like(colors[..., :1], 255)], axis=3),
        "paths": paths,
        "str": [str(path) for path in paths],
        "mixed": [paths[0], *pictures[1:]],
        "folder": folder,
        "pattern": str(folder / "**" / "?.png"),
        "array": np.array([str(path) for path in paths]),
        "column": np.array(paths, object)[:, None],
        "series": pd.Series([str(path) for path in paths], index=list("abcdef")),
        "frame": pd.DataFrame({"path": [str(path) for path in paths]}),
        "polars": pl.Series([str(path) for path in paths]),
        "polars frame": pl.DataFrame({"path": [str(path) for path in paths]}),
        "Dataset": Images(pictures),
        "Dataset of tensors": Images(list(torch.from_numpy(colors.transpose(0, 3, 1, 2)))),
    }
    for name, X in forms.items():
        np.testing.assert_array_equal(hasher.transform(X), expected, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_gray_images_and_rows_of_numbers(kind, colors):
    hasher = PerceptualHasher(kind, bits=16)
    gray = np.ascontiguousarray(colors[:, :36, :36, 0])
    expected = hasher.transform(gray)
    rows = gray.reshape(6, -1)  # 36 x 36 is a square
    for X in (gray[..., None], gray[:, None], rows, rows.astype(int), rows / 255, pd.DataFrame(rows / 255)):
        np.testing.assert_array_equal(hasher.transform(X), expected)
    line = np.ascontiguousarray(colors[:, :1, :, 0])
    np.testing.assert_array_equal(hasher.transform(line[:, 0]), hasher.transform(line))  # 56 is none
    np.testing.assert_array_equal(hasher.transform(rows > 100), hasher.transform(gray > 100))


@pytest.mark.parametrize("kind", KINDS)
def test_floats_beyond_the_unit_interval_are_compared_as_they_are(kind):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, 32, 32))
    hasher = PerceptualHasher(kind, bits=64)
    codes = hasher.transform(images)
    assert 0.2 < codes.mean() < 0.8
    np.testing.assert_array_equal(hasher.transform(images * 2.0), codes)
    np.testing.assert_array_equal(hasher.transform(images * 2.0**121), codes)  # nearly the largest of single precision


def test_where_both_ends_could_be_channels_arrays_have_them_last_and_tensors_first():
    import torch

    hasher = PerceptualHasher("average", bits=4)
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 20, 4), np.uint8)
    as_array = [hasher.transform([image[..., :3]])[0] for image in images[..., :3]]
    np.testing.assert_array_equal(hasher.transform(images[..., :3]), as_array)  # 3 x 20 pixels
    as_tensor = [hasher.transform([image.transpose(1, 2, 0)])[0] for image in images]
    np.testing.assert_array_equal(hasher.transform(torch.from_numpy(images)), as_tensor)  # 20 x 4 pixels
    np.testing.assert_array_equal(hasher.transform(list(torch.from_numpy(images))), as_tensor)


def test_lists_may_have_images_of_several_sizes(colors):
    hasher = PerceptualHasher()
    images = [colors[0], colors[1, :20], colors[2, ..., 0]]
    expected = [hasher.transform([image])[0] for image in images]
    np.testing.assert_array_equal(hasher.transform(images), expected)


def test_transparent_arrays_are_composited(colors):
    alpha = np.full_like(colors[..., :1], 255)
    alpha[:, :20] = 0
    shown = colors.copy()
    shown[:, :20] = (0, 0, 255)
    hasher = PerceptualHasher(background="blue")
    np.testing.assert_array_equal(hasher.transform(np.concatenate([colors, alpha], axis=3)), hasher.transform(shown))
    assert (hasher.transform(shown) != PerceptualHasher().transform(shown)).sum() == 0
    white = PerceptualHasher().transform(np.concatenate([colors, alpha], axis=3))
    assert (white != hasher.transform(shown)).any()


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_threads_change_nothing(n_jobs, colors):
    many = np.concatenate([np.roll(colors, shift, axis=2) for shift in range(0, 50)])  # more than one block
    expected = PerceptualHasher("average").transform(many)
    np.testing.assert_array_equal(PerceptualHasher("average", n_jobs=n_jobs).transform(many), expected)


def test_no_fit_is_needed_and_predict_asks_for_one(colors):
    hasher = PerceptualHasher()
    codes = hasher.transform(colors)
    np.testing.assert_array_equal(hasher.fit_transform(colors), codes)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(hasher)).transform(colors), codes)
    with pytest.raises(NotFittedError):
        PerceptualHasher().predict(colors)
    hasher.fit(np.repeat(colors[:3], 5, axis=0), np.repeat(["a", "b", "c"], 5))
    assert hasher.predict(colors[1:3]).tolist() == ["b", "c"]
    with pytest.raises(ValueError, match="'kind' parameter"):
        PerceptualHasher("dash").transform(colors)
    with pytest.raises(ValueError, match="background must be"):
        PerceptualHasher(background="nothing").transform(colors)


def test_in_a_pipeline_with_an_index(folder, colors):
    pipeline = make_pipeline(PerceptualHasher("phash"), HammingIndex())
    pipeline.fit(folder)
    distances, rows = pipeline[-1].kneighbors(pipeline[0].transform(colors[[4]]), 1)
    assert (distances.tolist(), rows.tolist()) == ([[0]], [[4]])


def test_a_fit_on_images_forgets_features(colors):
    hasher = PerceptualHasher().fit([[0.0, 1.0], [1.0, 0.5]])
    assert hasher.n_features_in_ == 2
    with pytest.raises(ValueError, match="3 features"):
        hasher.transform([[1.0, 2.0, 3.0]])
    hasher.fit(colors)
    assert not hasattr(hasher, "n_features_in_")
    assert hasher.transform([[1.0, 2.0, 3.0]]).shape == (1, 64)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((2, 5, 6, 7)), ValueError, r"X has shape \(2, 5, 6, 7\)"),
        (np.zeros((2, 3, 4, 5, 6)), ValueError, "X has shape"),
        (np.zeros((0, 5, 5)), ValueError, "0 sample"),
        (np.zeros((2, 0, 5)), ValueError, r"X\[0\] has shape"),
        ([np.zeros((5, 6, 7))], ValueError, r"X\[0\] has shape .* 1, 3 or 4 channels"),
        ([np.zeros((5, 6)), np.zeros(3)], ValueError, r"X\[1\] has shape \(3,\)"),
        (["a.png", 3], ValueError, r"X\[1\] is int; expected a path"),
        (np.full((1, 4, 4), np.nan), ValueError, r"X\[0\] contains NaN"),
        (np.full((1, 4, 4), 300), ValueError, "300"),
        ({"a": 1}, TypeError, "X has type dict"),
        ((image for image in []), TypeError, "X has type generator"),
        (3, TypeError, "X has type int"),
        (__file__, TypeError, "is the single path"),
        ("no/such/folder", ValueError, "no image files"),
        ([], ValueError, "X has shape"),
        (["no/such/file.png"], FileNotFoundError, "no/such/file.png"),
    ],
)
def test_errors_say_what_is_accepted(X, error, message):
    with pytest.raises(error, match=message):
        PerceptualHasher().transform(X)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    with pytest.raises(ValueError, match=r"bad\.png"):
        PerceptualHasher().transform(tmp_path)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Save a large photo as JPEG, turned by its EXIF data, as CMYK, as PNG, and under a wrong name."""
    folder = tmp_path_factory.mktemp("large")
    y, x = np.mgrid[:1200, :1700]
    waves = [128 + 60 * np.sin(x / (90 + 40 * c) + c) * np.cos(y / (150 - 30 * c)) for c in range(3)]
    image = Image.fromarray(np.stack(waves, axis=2).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "a.jpg", quality=95)
    image.transpose(Image.Transpose.ROTATE_90).save(folder / "b.JPEG", quality=95, exif=exif)
    image.convert("CMYK").save(folder / "c.jpg", quality=95)
    image.save(folder / "d.png")
    image.save(folder / "e.jpg", "PNG")
    (folder / "f.jpg").write_bytes((folder / "a.jpg").read_bytes()[:9000])
    return folder


def test_draft_decodes_large_jpeg_files_at_a_smaller_size(large):
    items = read_items(sorted(large.glob("[a-e].*")))
    assert [items.read(n, at_least=512).size for n in range(5)] == [(850, 600)] * 3 + [(1700, 1200)] * 2
    assert [items.read(n, at_least=100).size for n in range(5)] == [(213, 150)] * 3 + [(1700, 1200)] * 2
    assert [items.read(n, at_least=1201).size for n in range(5)] == [(1700, 1200)] * 5
    for kind in KINDS:
        whole, draft = (PerceptualHasher(kind, draft=draft).transform(items.items) for draft in (False, True))
        assert ((whole != draft).sum(axis=1) <= [2, 2, 2, 0, 0]).all()
    pixels = np.asarray(items.read(0)).astype(int)
    reduced = np.asarray(items.read(1, at_least=512)).astype(int)
    assert np.abs(reduced - pixels.reshape(600, 2, 850, 2, 3).mean(axis=(1, 3))).max() < 12


@pytest.mark.parametrize("draft", [False, True])
def test_draft_is_used_on_request_and_by_duplicates(draft, large, monkeypatch):
    from PIL.JpegImagePlugin import JpegImageFile

    sizes = []
    monkeypatch.setattr(JpegImageFile, "draft", lambda self, mode, size: sizes.append(size))
    PerceptualHasher(draft=draft).transform([large / "a.jpg"])
    assert sizes == [(512, 512)] * draft
    find_duplicates([large / "a.jpg"], PerceptualHasher(draft=draft))
    assert sizes == [(512, 512)] * (2 * draft)
    find_duplicates([large / "a.jpg"])
    assert sizes == [(512, 512)] * (2 * draft + 1)


def test_draft_does_not_open_what_is_too_large(large, monkeypatch):
    from PIL import Image as module

    monkeypatch.setattr(module, "MAX_IMAGE_PIXELS", 2_000_000)
    for draft in (False, True):
        with (
            pytest.warns(module.DecompressionBombWarning),
            pytest.raises(ValueError, match="larger than Pillow's limit"),
        ):
            PerceptualHasher(draft=draft).transform([large / "a.jpg"])


def test_a_damaged_file_is_named_with_draft_too(large):
    for draft in (False, True):
        with pytest.raises(ValueError, match=r"f\.jpg' is damaged: image file is truncated"):
            PerceptualHasher(draft=draft).transform([large / "f.jpg"])
        with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
            PerceptualHasher(draft=draft).transform([large / "none.jpg"])
