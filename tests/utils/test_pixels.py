"""The rule for pixels where no hasher takes part: warnings, errors of the system, threads."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from skhash.utils import open_image, read_labels, read_pixels

Image = pytest.importorskip("PIL.Image")


def test_pixels_of_16_bits_that_are_all_below_256_are_reported():
    pixels = np.arange(256, dtype=np.uint16).reshape(1, 1, 16, 16)
    with pytest.warns(UserWarning, match="X has pixels of 16 bits of which none is more than 255"):
        read_pixels(pixels)
    with pytest.warns(UserWarning, match="mode 'I' has pixels of 16 bits of which none is more than 255"):
        open_image(Image.fromarray(pixels[0, 0].astype(np.int32)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_pixels(pixels * 256)
        read_pixels(np.zeros((1, 1, 4, 4), np.uint16))


def test_errors_of_the_system_are_not_called_damage(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        open_image(tmp_path / "file" / "photo.png")
    with pytest.raises(FileNotFoundError):
        open_image(tmp_path / "photo.png")


def test_large_images_are_refused_by_name(tmp_path, monkeypatch):
    Image.new("L", (20, 20)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 399)
    with pytest.raises(ValueError, match=r"large\.png' is larger than Pillow's limit"):
        open_image(tmp_path / "large.png")  # where warnings are errors, as in these tests
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"large\.png' is larger than Pillow's limit \(20 x 20 pixels\)"):
            open_image(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # Pillow's own error ends with a period
    with pytest.raises(ValueError, match=r"large\.png' is larger than Pillow's limit \(.*[^.]\)\. If you trust it"):
        open_image(tmp_path / "large.png")


def test_reading_in_threads_leaves_the_filters_of_warnings_alone(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    before = list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: open_image(tmp_path / "photo.png"), range(100)))
        list(threads.map(lambda _: read_labels(np.arange(100)), range(100)))
    assert warnings.filters == before
