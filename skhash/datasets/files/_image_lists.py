"""Read published splits from image lists in HashNet's format: `train.txt`, `test.txt` and `database.txt`.

Each line holds the name of an image, then its labels: a column of 0 or 1 for every label, or the number of its class.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skhash.datasets.files._text_files import digits_to_matrix, read_lines
from skhash.datasets.splits._protocols import PROTOCOLS
from skhash.datasets.splits._split import RetrievalSplit

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FILES = {"query": "test.txt", "database": "database.txt", "train": "train.txt"}
LISTS_EXPECTED = "train.txt, test.txt and database.txt"


def has_image_lists(folder: Path) -> bool:
    """Check whether a folder holds image lists."""
    return (folder / _FILES["database"]).is_file()


def read_image_lists(
    folder: Path, n_labels: int, protocol: str, *, class_numbers: bool = False
) -> tuple[NDArray[np.str_], NDArray[np.uint8], RetrievalSplit]:
    """Return names, multi-hot labels and the split of the image lists in a folder.

    Every line of `test.txt` gets a row of its own. An image that is in both other lists has one row. So a query that
    the other lists name, too, appears in a second row as an identical copy, which the leakage guard finds.
    """
    lists = {part: _read_list(folder / file, n_labels, class_numbers) for part, file in _FILES.items()}
    entries = list(lists["query"])
    parts: dict[str, list[int]] = {"query": list(range(len(entries)))}
    row_of: dict[str, int] = {}
    for part in ("database", "train"):
        parts[part] = []
        for entry in lists[part]:
            row = row_of.setdefault(entry[0], len(entries))
            if row == len(entries):
                entries.append(entry)
            elif entries[row] != entry:
                raise ValueError(
                    f"{folder / _FILES[part]} has other labels for {entry[0]} than an earlier line of the lists; "
                    "expected the same labels wherever an image is listed."
                )
            parts[part].append(row)
    names, labels = zip(*entries, strict=True)
    split = RetrievalSplit(
        parts["query"], parts["train"], parts["database"], protocol=protocol, R=PROTOCOLS[protocol].R
    )
    return np.array(names), digits_to_matrix(labels, n_labels), split


def join_image_folder(
    names: NDArray[np.str_], folder: str | Path, image_folder: str | os.PathLike[str] | None
) -> NDArray[np.str_]:
    """Return the full names of images.

    Relative names are joined to `image_folder`, or to `folder` if that is None. Absolute names come from the machine
    on which the list was written: their common folder is replaced by `image_folder`, if that is given.
    """
    full_names: list[str] = names.tolist()
    if image_folder is not None:
        absolute = {posixpath.dirname(name) for name in full_names if posixpath.isabs(name)}
        shared = posixpath.commonpath(absolute) if absolute else ""
        full_names = [posixpath.relpath(name, shared) if posixpath.isabs(name) else name for name in full_names]
        folder = Path(image_folder).expanduser()
    return np.array([os.path.join(folder, name) for name in full_names])


def refuse_counts(folder: Path, **counts: int | None) -> None:
    """Raise ValueError if counts of a split are given where published lists define it."""
    for name, count in counts.items():
        if count is not None:
            raise ValueError(
                f"{name}={count} cannot be used, because the image lists in {folder} define the split; leave {name} "
                "out, or pass a folder of the original files as data_home."
            )


def _read_list(path: Path, n_labels: int, class_numbers: bool) -> list[tuple[str, str]]:
    """Return name and labels, as a string of 0 and 1, of each line of an image list."""
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        name, *columns = line.split() or [""]
        digits = "".join(columns)
        if class_numbers and len(columns) == 1 and digits.isdecimal() and int(digits) < n_labels:
            digits = "0" * int(digits) + "1" + "0" * (n_labels - 1 - int(digits))
        elif not (len(columns) == len(digits) == n_labels and set(digits) <= {"0", "1"}):
            wanted = f"{n_labels} columns of 0 or 1"
            wanted += f", or a class from 0 to {n_labels - 1}" if class_numbers else ""
            raise ValueError(f"{path}, line {number}: expected a name, then {wanted}; got {_shorten(line)!r}.")
        entries.append((name, digits))
    if not entries:
        raise ValueError(f"{path} is empty; expected the name of an image in each line.")
    return entries


def _shorten(line: str) -> str:
    return line if len(line) <= 80 else f"{line[:40]} ... {line[-30:]} ({len(line.split()) - 1} columns)"
