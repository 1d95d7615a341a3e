"""The header of a saved index: kinds, versions, and what its entries may be."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any

from skhash.index.collection._vectors import VECTOR_DTYPES
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._attachments import DTYPES, MAX_NDIM, is_name

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal, TypeAlias

    IndexKind: TypeAlias = Literal["hamming", "embedding"]

__all__ = ["CLASS_KINDS", "FORMATS", "VECTOR_FORMS", "VERSION", "entries_of", "read_header", "read_index_header"]

FORMATS = {"hamming": "skhash.HammingIndex", "embedding": "skhash.EmbeddingIndex"}
VERSION = 2
CLASS_KINDS = ["bool", "float16", "float32", "float64", "object", "str"]
CLASS_KINDS += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
VECTOR_FORMS = [f"{'|i' if dtype.kind == 'i' else '<f'}{dtype.itemsize}" for dtype in VECTOR_DTYPES]


def read_header(folder: Path, kind: IndexKind) -> dict[str, Any]:
    """Read a header, of which only kind, version and checksum are checked."""
    return _folder.read_header(folder, FORMATS[kind], VERSION, FORMATS.values())


def read_index_header(folder: Path, kind: IndexKind = "hamming") -> dict[str, Any]:
    """Read a header and check it against itself and against the sizes of the files; no data is read."""
    header = read_header(folder, kind)
    try:
        _check_header(folder, header)
        _ = [header[fact] for fact in ("next_id", "parameters", "feature_names")]
        _check_facts(folder, header)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
    ) as error:  # no writer of ours, but anyone can compute a checksum
        raise ValueError(f"{folder}: the header is incomplete or malformed ({error!r}).") from error
    return header


def _check_header(folder: Path, header: dict[str, Any]) -> None:
    """Check the entries about files against each other and against the sizes of the files."""
    n, bits, files = header["n"], header["bits"], header["files"]
    if type(n) is not int or type(bits) is not int or not 0 <= n < 2**62 or not 1 <= bits < 2**31:
        raise ValueError(f"{folder}: expected integers n >= 0 and bits >= 1, got n={n!r}, bits={bits!r}.")
    columns = files["labels"]["shape"][1:] if "labels" in files else []
    expected = {
        "codes": [("<u8", [n, -(-bits // 64)])],
        "ids": [("<i8", [n]), ("json", [n])],
        "labels": [("|u1", [n, *columns])] if columns else [("<i8", [n])],
        "classes": [("json", None)],
    }
    if header["version"] == 1 and header["format"] != FORMATS["hamming"]:
        raise ValueError(f"{folder}: an index of the format {header['format']!r} has version 2, got 1.")
    if header["version"] > 1 and "vectors" in files:
        expected["vectors"] = [(form, [n, *files["vectors"]["shape"][1:]]) for form in VECTOR_FORMS]
    single = "labels" in files and not columns
    if "codes" not in files or single != ("classes" in files) or not set(files) <= set(expected):
        raise ValueError(
            f"{folder}: the header names files of {sorted(files)}, expected codes and, if any, ids and labels, with "
            "classes for single labels only, and vectors in version 2."
        )
    for role, entry in files.items():
        _check_entry(folder, role, entry, expected[role])
    if header["version"] > 1:
        _check_more(folder, header)


def _check_more(folder: Path, header: dict[str, Any]) -> None:
    """Check the entries that version 2 has beside those of version 1."""
    attached, extra = header["attachments"], header["extra"]
    if not isinstance(attached, dict) or not isinstance(extra, dict):
        raise ValueError(f"{folder}: expected objects attachments and extra, got {attached!r} and {extra!r}.")
    for name, entry in attached.items():
        if not is_name(name) or len(entry["shape"]) > MAX_NDIM or any(not 0 <= side < 2**31 for side in entry["shape"]):
            raise ValueError(
                f"{folder}: expected attachments with names of at most 64 letters, digits and '_', and sides below "
                f"2^31 in at most {MAX_NDIM} dimensions, got {name!r} of shape {entry['shape']!r}."
            )
        _check_entry(folder, f"attachment {name}", entry, [(dtype, None) for dtype in DTYPES])
    names = [entry["name"] for entry in entries_of(header)]
    if len(set(names)) < len(names):  # or a small header could ask for the same file many times
        raise ValueError(f"{folder}: expected another file for each entry, got {sorted(names)}.")


def _check_entry(folder: Path, role: str, entry: dict[str, Any], expected: list[tuple[str, Any]]) -> None:
    """Check an entry of the header against what it may be and against the size of its file."""
    _check_form(folder, role, entry, expected)
    _folder.check_size(folder, entry)
    if not _is_checksum(entry["crc32"], 8 * -(-entry["size"] // _folder.CHUNK)):
        raise ValueError(f"{folder}: expected a crc32 of 8 hexadecimal digits per chunk, got {entry['crc32']!r}.")


def entries_of(header: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of all files that a header names."""
    attached = header["attachments"] if header["version"] > 1 else {}
    return [*header["files"].values(), *attached.values()]


def _check_facts(folder: Path, header: dict[str, Any]) -> None:
    """Check the types of the other entries."""
    next_id, names, parameters = header["next_id"], header["feature_names"], header["parameters"]
    if next_id is None and "ids" not in header["files"]:
        raise ValueError(f"{folder}: expected an integer next_id or a file of ids, got neither.")
    if next_id is not None and (type(next_id) is not int or not header["n"] <= next_id < 2**63):
        raise ValueError(f"{folder}: expected next_id null or an integer >= n, got {next_id!r}.")
    is_of_bits = header["format"] == FORMATS["hamming"]  # names of embeddings are those of their features
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{folder}: expected feature_names null or a list of strings, got {names!r}.")
    if names is not None and is_of_bits and len(names) != header["bits"]:
        raise ValueError(f"{folder}: expected feature_names null or {header['bits']} strings, got {names!r}.")
    if not isinstance(parameters, dict) or not isinstance(header["library"], str):
        raise ValueError(f"{folder}: expected an object of parameters and the text library, got {parameters!r}.")


def _check_form(folder: Path, role: str, entry: dict[str, Any], expected: list[tuple[str, Any]]) -> None:
    """Compare dtype and shape with those of a file of this role, and its size with theirs."""
    dtype, shape, size = entry["dtype"], entry["shape"], entry["size"]
    if not isinstance(shape, list) or not all(type(number) is int and number >= 0 for number in (size, *shape)):
        raise ValueError(f"{folder}: expected a size and a shape of integers >= 0 of {role}, got {size!r}, {shape!r}.")
    if role == "classes" and (entry["kind"] not in CLASS_KINDS or len(shape) != 1):
        raise ValueError(f"{folder}: expected classes of a kind in {CLASS_KINDS}, got {entry['kind']!r}, {shape!r}.")
    if not any(dtype == known and rows in (None, shape) for known, rows in expected):
        accepted = " or ".join(known if rows is None else f"{known} of shape {rows}" for known, rows in expected)
        raise ValueError(f"{folder}: the header says {role} are {dtype} of shape {shape}, expected {accepted}.")
    if role == "vectors" and not (len(shape) == 2 and 0 < shape[1] < 2**31):
        raise ValueError(f"{folder}: expected vectors of shape [n, n_columns], n_columns >= 1, got {shape!r}.")
    if dtype != "json" and size != prod(shape) * int(dtype[-1]):
        raise ValueError(
            f"{folder}: the header says {role} of shape {shape} have {size} bytes, "
            f"expected {prod(shape) * int(dtype[-1])}."
        )


def _is_checksum(digits: object, n_digits: int) -> bool:
    """Check whether a value is text of hexadecimal digits."""
    return isinstance(digits, str) and len(digits) == n_digits and re.fullmatch("[0-9a-f]*", digits) is not None
