"""Read the text files of data sets, with errors that name the file and the line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file without their line ends, and without blank lines at the end of the file."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, although other files of the data set exist.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a UTF-8 text file ({error}).") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def read_columns(path: Path, names: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return line number and the named fields of each row of a CSV file without quoted fields."""
    # The `csv` module has a limit of 128 KiB per field, which lists of images exceed.
    lines = read_lines(path)
    header = lines[0].split(",") if lines else []
    if not set(names) <= set(header):
        raise ValueError(f"{path} has the columns {header}; expected {list(names)}.")
    positions = [header.index(name) for name in names]
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split(",")
        if len(fields) != len(header):
            raise ValueError(f"{path}, line {number}: expected {len(header)} fields, got {len(fields)}.")
        rows.append((number, [fields[position].strip() for position in positions]))
    return rows


def digits_to_matrix(rows: Iterable[str], n_columns: int) -> NDArray[np.uint8]:
    """Convert strings of `n_columns` digits each into a matrix of uint8."""
    return np.frombuffer("".join(rows).encode("ascii"), np.uint8).reshape(-1, n_columns) - np.uint8(ord("0"))
