import pytest

from skhash.datasets.files import _image_files

Image = pytest.importorskip("PIL.Image")


def test_huge_images_are_not_decoded(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    Image.new("1", (5000, 4000)).save(path)
    monkeypatch.setattr(Image.Image, "convert", None)
    with pytest.raises(ValueError, match=r"x\.png has shape \(4000, 5000, 3\); expected \(32, 32, 3\)"):
        _image_files._decode(path, path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)
    with pytest.raises(ValueError, match=r"x\.png is larger than Pillow's limit \(.*decompression bomb"):
        _image_files._decode(path, path)
