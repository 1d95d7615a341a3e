"""Published splits as image lists of HashNet's form: `train.txt`, `test.txt` and `database.txt`.

Each line names an image, and then its labels: a column of 0 or 1 for every label, or the number of its class.
"""

import os
import posixpath
from pathlib import Path

import numpy as np

from skhash.datasets._protocols import PROTOCOLS
from skhash.datasets._split import RetrievalSplit
from skhash.datasets._text_files import digits_to_matrix, read_lines

_FILES = {"query": "test.txt", "database": "database.txt", "train": "train.txt"}
LISTS_EXPECTED = "train.txt, test.txt and database.txt"


def find_lists(folder):
    """Whether the folder holds image lists."""
    return (folder / _FILES["database"]).is_file()


def read_image_lists(folder, n_labels, protocol, *, class_numbers=False):
    """Names, multi-hot labels and the split of the image lists in a folder.

    Every line of `test.txt` has a row of its own; the other lists share the rows of the images that are in both. So a
    query that the others name, too, is there twice, as an identical copy: what the leakage guard looks for.
    """
    lists = {part: _read_list(folder / file, n_labels, class_numbers) for part, file in _FILES.items()}
    entries, parts = list(lists["query"]), {"query": range(len(lists["query"]))}
    row_of = {}
    for part in ("database", "train"):
        parts[part] = []
        for entry in lists[part]:
            row = row_of.setdefault(entry[0], len(entries))
            if row == len(entries):
                entries.append(entry)
            elif entries[row] != entry:
                raise ValueError(f"{entry[0]} has other labels in {_FILES[part]} than before, in {folder}.")
            parts[part].append(row)
    names, labels = zip(*entries, strict=True)
    split = RetrievalSplit(**parts, protocol=protocol, R=PROTOCOLS[protocol].R)
    return np.array(names), digits_to_matrix(labels, n_labels), split


def join_image_folder(names, folder, image_folder):
    """Full names of images as an array of strings.

    Relative names are below `image_folder`, or `folder` where that is None. Absolute ones are those of the machine that
    the list was written on: the folder that they share is replaced by `image_folder`, if it is given.
    """
    names = names.tolist()
    if image_folder is not None:
        absolute = {posixpath.dirname(name) for name in names if posixpath.isabs(name)}
        shared = posixpath.commonpath(absolute) if absolute else ""
        names = [posixpath.relpath(name, shared) if posixpath.isabs(name) else name for name in names]
        folder = Path(image_folder).expanduser()
    return np.array([os.path.join(folder, name) for name in names])


def _read_list(path, n_labels, class_numbers):
    """Name and labels, as a string of 0 and 1, of each line of an image list."""
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        name, *columns = line.split() or [""]
        digits = "".join(columns)
        if class_numbers and len(columns) == 1 and digits.isdecimal() and int(digits) < n_labels:
            digits = "0" * int(digits) + "1" + "0" * (n_labels - 1 - int(digits))
        elif not (len(columns) == len(digits) == n_labels and set(digits) <= {"0", "1"}):
            wanted = f"{n_labels} columns of 0 or 1"
            wanted += f", or a class from 0 to {n_labels - 1}," if class_numbers else ""
            raise ValueError(f"{path}, line {number}: expected a name and then {wanted} but got {_shorten(line)!r}.")
        entries.append((name, digits))
    if not entries:
        raise ValueError(f"{path} names no image.")
    return entries


def _shorten(line):
    return line if len(line) <= 80 else f"{line[:40]} ... {line[-30:]} ({len(line.split()) - 1} columns)"


def refuse_counts(folder, **counts):
    """Refuse counts of a split where published lists give it."""
    for name, count in counts.items():
        if count is not None:
            raise ValueError(
                f"{name}={count} was given, but the image lists in {folder} are a split already; leave {name} out, or "
                "name a folder of the original files as data_home."
            )
