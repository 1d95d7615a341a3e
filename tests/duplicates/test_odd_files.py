"""A folder of odd files: each has a defined result, and none ends the run."""

import struct
import warnings
import zlib

import numpy as np
import pytest

from skhash import find_duplicates

Image = pytest.importorskip("PIL.Image")


def png_header(width, height):
    """Return a PNG file that says how large it is and has no pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(4)
    pixels = rng.integers(0, 256, (6, 8, 3), np.uint8)
    image = Image.fromarray(pixels).resize((120, 80), Image.Resampling.BICUBIC)
    gray = image.convert("L")
    image.save(tmp_path / "plain.png")
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    Image.fromarray(np.asarray(gray).astype(np.uint16) * 257).save(tmp_path / "wide.png")
    Image.fromarray(np.asarray(gray).astype(np.float32)).save(tmp_path / "float.tif")
    image.save(tmp_path / "animated.gif", save_all=True, append_images=[Image.new("RGB", (120, 80))] * 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned to the right
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    image.save(tmp_path / "broken exif.jpg", quality=95, exif=b"Exif\x00\x00nonsense")
    alpha = Image.new("L", image.size, 255)
    alpha.paste(0, (0, 0, 60, 80))
    transparent = image.copy()
    transparent.putalpha(alpha)
    transparent.save(tmp_path / "transparent.png")
    shown = Image.new("RGB", image.size, "white")
    shown.paste(image, mask=alpha)
    shown.save(tmp_path / "transparent shown.jpg", quality=95)
    Image.new("RGB", (1, 1), "red").save(tmp_path / "pixel.png")
    (tmp_path / "truncated.jpg").write_bytes((tmp_path / "turned.jpg").read_bytes()[:1500])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 10_000))
    (tmp_path / "loop").symlink_to(tmp_path)
    return tmp_path


def test_every_odd_file_has_a_defined_result(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_duplicates(folder)
    groups = {frozenset(name.rpartition("/")[2] for name in group) for group in found.groups}
    assert groups == {
        frozenset(["plain.png", "cmyk.jpg", "wide.png", "float.tif", "animated.gif", "turned.jpg", "broken exif.jpg"]),
        frozenset(["transparent.png", "transparent shown.jpg"]),
    }
    skipped = {name.rpartition("/")[2]: reason for name, reason in found.skipped}
    assert skipped.keys() == {"truncated.jpg", "empty.png", "text.jpg", "bomb.png"}
    assert all(name in reason for name, reason in skipped.items())
    assert "larger than Pillow's limit" in skipped["bomb.png"]
    assert found.n_pictures == 10
