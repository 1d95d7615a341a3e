"""Read the text files of data sets, so that what is wrong with one is said with its name."""

import numpy as np


def read_lines(path):
    """Lines of a text file, without the ends of the lines and blank lines at the end of the file."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, though other files are there.")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text file ({error}).") from error
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def read_columns(path, names):
    """Line number and the fields with these names of each row of a CSV file without quoted fields.

    The `csv` module has a limit of 128 KiB per field, which lists of images exceed.
    """
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


def digits_to_matrix(rows, n_columns):
    """Matrix of uint8 of strings of `n_columns` digits each."""
    return np.frombuffer("".join(rows).encode("ascii"), np.uint8).reshape(-1, n_columns) - ord("0")
