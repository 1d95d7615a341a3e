"""Read 32 x 32 color images from class folders of image files, or from the `.npz` file of JPEG images."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.datasets.files._compressed import read_npz
from skhash.utils import measure_image, open_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


def read_class_folders(folder: Path, classes: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images (n, 32, 32, 3) and labels of `folder/<class>/*.png`, by class, sorted by file name."""
    images, labels = [], []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (folder / name).iterdir() if path.suffix.lower() in _SUFFIXES)
        if not paths:
            raise ValueError(f"{folder / name} holds no images; expected files named {', '.join(_SUFFIXES)}.")
        images += [_decode(path, path) for path in paths]
        labels += [label] * len(paths)
    return np.stack(images), np.array(labels)


def read_jpeg_npz(
    path: Path, classes: Sequence[str], parts: Iterable[str]
) -> dict[str, tuple[NDArray[np.uint8], NDArray[Any]]]:
    """Return images and labels of each part ("train", "test") of the JPEG copy, in the order of the file."""
    blob, end, y, is_test, names = read_npz(path, ["blob", "end", "y", "test", "classes"])
    if blob.dtype != np.uint8 or end.dtype.kind not in "iu" or y.dtype.kind not in "iu" or is_test.dtype != bool:
        kinds = ", ".join(str(array.dtype) for array in (blob, end, y, is_test))
        raise ValueError(
            f"{path} holds blob, end, y and test of types {kinds}; expected uint8, integers, integers, bool."
        )
    if not blob.ndim == end.ndim == y.ndim == is_test.ndim == 1 or not len(end):
        raise ValueError(f"{path} holds no images; expected arrays of one dimension that are not empty.")
    if names.tolist() != list(classes):
        raise ValueError(f"{path} holds the classes {names.tolist()}; expected {list(classes)}.")
    if not len(end) == len(y) == len(is_test) or end[-1] != len(blob):
        raise ValueError(
            f"{path} holds {len(y)} labels, {len(is_test)} test flags and {len(end)} images that end at byte "
            f"{end[-1]} of {len(blob)}; expected equal numbers and all bytes used."
        )
    if y.min() < 0 or y.max() >= len(classes):
        raise ValueError(f"{path} holds labels from {y.min()} to {y.max()}; expected 0 to {len(classes) - 1}.")
    end = end.astype(np.int64)
    start, content, loaded = np.r_[0, end[:-1]], memoryview(blob), {}
    for part in parts:
        rows = np.flatnonzero(is_test == (part == "test"))
        images = [_decode(io.BytesIO(content[start[row] : end[row]]), f"image {row} of {path}") for row in rows]
        loaded[part] = np.stack(images), y[rows]
    return loaded


def _decode(file: Path | io.BytesIO, name: object) -> NDArray[np.uint8]:
    """Return one image file as an array of shape (32, 32, 3)."""
    size = measure_image(file, name=str(name))
    if size != (32, 32):  # before it is decoded, for a small file may hold a huge image
        raise ValueError(f"{name} has shape {(*size, 3)}; expected (32, 32, 3).")
    if isinstance(file, io.BytesIO):
        file.seek(0)
    return np.asarray(open_image(file, name=str(name)).convert("RGB"))
