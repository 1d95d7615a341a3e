"""Read the files of CIFAR-10 and CIFAR-100: pickled or binary batches of flat images, and archives of batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.datasets.files._compressed import read_tar
from skhash.datasets.files._safe_pickle import read_pickle

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL_BYTES = 3 * 32 * 32


def read_archive_files(path: Path, folder: str, names: Sequence[str], url: str) -> dict[str, bytes]:
    """Read files of a `.tar.gz` archive, by name, without unpacking anything to the disk."""
    wanted = {f"{folder}/{name}": name for name in names}
    found = {wanted[name]: data for name, data in read_tar(path, [*wanted]).items()}
    missing = sorted(set(names) - set(found))
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; expected the complete archive from {url}.")
    return found


def read_required_file(path: Path, title: str) -> tuple[bytes, Path]:
    """Return content and path of a file that belongs to an incomplete or complete copy of a data set."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, although other files exist; expected all files of {title}.")
    return path.read_bytes(), path


def parse_pickle(
    data: bytes, name: object, *, title: str = "CIFAR-10", labels: str = "labels"
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return pixels and labels of one pickled batch; `labels` is their key in the batch."""

    def build(batch: Any) -> tuple[NDArray[np.uint8], NDArray[Any]]:
        pixels = batch["data"]
        if pixels.dtype != np.uint8:
            raise ValueError(f"an array has type {pixels.dtype.str[1:]!r} instead of 'u1'")
        return pixels, np.asarray(batch[labels])

    expected = f"expected a pickled dict of 'data', an array of uint8, and {labels!r}"
    return read_pickle(data, name, build, what=f"batch of {title}", expected=expected)


def parse_records(
    data: bytes, name: object, *, n_rows: int, n_labels: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels and labels `(n_rows, n_labels)` of the binary layout: records of labels, then pixels, as bytes."""
    record = n_labels + PIXEL_BYTES
    size = record * n_rows
    if len(data) != size:
        raise ValueError(
            f"{name} has a size of {len(data)} bytes; expected {size} ({n_rows} records of {record} bytes)."
        )
    records = np.frombuffer(data, np.uint8).reshape(n_rows, record)
    return records[:, n_labels:], records[:, :n_labels]


def check_batch(
    pixels: NDArray[np.uint8], labels: NDArray[Any], name: object, *, n_rows: int, n_classes: int
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Check one batch and return its images `(n_rows, 32, 32, 3)` and labels."""
    if pixels.shape != (n_rows, PIXEL_BYTES) or labels.shape != (n_rows,):
        raise ValueError(
            f"{name} holds pixels of shape {pixels.shape} and labels of shape {labels.shape}; "
            f"expected ({n_rows}, {PIXEL_BYTES}) and ({n_rows},)."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} holds labels other than the integers from 0 to {n_classes - 1}.")
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def join_batches(
    batches: Iterable[tuple[NDArray[np.uint8], NDArray[Any]]],
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Concatenate batches into C-contiguous images `(n, 32, 32, 3)` and labels."""
    images, labels = zip(*batches, strict=True)
    # The batches are transposed views. Without `out`, numpy would keep the channels first in memory.
    joined = np.empty((sum(map(len, labels)), 32, 32, 3), dtype=np.uint8)
    return np.concatenate(images, out=joined), np.concatenate(labels)
