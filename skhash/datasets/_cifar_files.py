"""What the files of CIFAR-10 and CIFAR-100 have in common: batches of flat images, and archives of batches."""

import tarfile
import zlib

import numpy as np

PIXEL_BYTES = 3 * 32 * 32


def read_members(path, folder, names, url):
    """Content of files in a `.tar.gz` archive, by name, without unpacking anything to the disk."""
    wanted = {f"{folder}/{name}": name for name in names}
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name in wanted and member.isfile():
                    found[wanted[member.name]] = archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}); expected a complete .tar.gz archive.") from error
    missing = sorted(set(names) - set(found))
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}; expected the complete archive from {url}.")
    return found


def read_member(path, title):
    """Content and path of one file of a copy of which other files are there."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, though other files are there; expected all of {title}.")
    return path.read_bytes(), path


def parse_records(data, name, *, n_rows, n_labels):
    """Pixels and labels `(n_rows, n_labels)` of the binary layout: records of labels and pixels, a byte each."""
    record = n_labels + PIXEL_BYTES
    size = record * n_rows
    if len(data) != size:
        raise ValueError(f"{name} holds {len(data)} bytes; expected {size}, that is {n_rows} records of {record}.")
    records = np.frombuffer(data, np.uint8).reshape(n_rows, record)
    return records[:, n_labels:], records[:, :n_labels]


def check_batch(pixels, labels, name, *, n_rows, n_classes):
    """Images (n_rows, 32, 32, 3) and labels of one batch."""
    if pixels.shape != (n_rows, PIXEL_BYTES) or labels.shape != (n_rows,):
        raise ValueError(
            f"{name} holds pixels of shape {pixels.shape} and labels of shape {labels.shape}; "
            f"expected ({n_rows}, {PIXEL_BYTES}) and ({n_rows},)."
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(f"{name} holds labels other than the integers from 0 to {n_classes - 1}.")
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def join_batches(batches):
    """Batches one after the other; copied row by row, as numpy would keep the channels in front in memory."""
    images, labels = zip(*batches, strict=True)
    joined = np.empty((sum(map(len, labels)), 32, 32, 3), dtype=np.uint8)
    return np.concatenate(images, out=joined), np.concatenate(labels)
