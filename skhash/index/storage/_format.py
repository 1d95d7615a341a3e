"""The format of a saved `HammingIndex`: a folder of raw little-endian arrays, and a header that describes them.

The header `header.json` (see `_atomic_folder`) has the entries `format`, `version`, `library` (the version of skhash
that wrote it), `n` (number of codes), `next_id` (id of the next code if the index counts ids, else null), `bits`,
`parameters`, `feature_names` (or null), `files` and `crc32`. `files` maps each role to `dtype`, `shape`, `name`, `size`
and `crc32` of its file (and `kind`, the dtype of classes). The roles:

======== ========================= ====================================================================================
file     dtype and shape           contents
======== ========================= ====================================================================================
codes    `<u8`, (n, words)         packed words
labels   `<i8`, (n,)               positions in the classes, for single labels
labels   `|u1`, (n, n_classes)     0 / 1, for multi-hot labels
classes  JSON, one value per line  the classes, sorted; only for single labels
ids      `<i8`, (n,)               ids that are integers
ids      JSON, one value per line  other ids
======== ========================= ====================================================================================

Without a file of ids, the id of a code is its row.
"""

from __future__ import annotations

import json
import re
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash import __version__
from skhash.index.collection._ids import check_integers, check_unique
from skhash.index.collection._labels import check_positions, checked
from skhash.index.storage import _atomic_folder as _folder
from skhash.utils import Labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeVar

    from numpy.typing import NDArray

    Result = TypeVar("Result")

__all__ = ["IndexWriter", "check_index", "read_current", "read_index", "read_index_header"]

FORMAT, VERSION = "skhash.HammingIndex", 1
_CLASS_KINDS = ["bool", "float16", "float32", "float64", "object", "str"]
_CLASS_KINDS += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_RECODED_AT_ONCE = 2**20


class IndexWriter:
    """Write codes with their labels and ids to a folder, a block at a time; nothing counts before `commit`.

    Parameters
    ----------
    folder : Path
        The folder, locked by the caller.
    header : dict, default=None
        Header of the index to continue; None begins a new one.
    """

    n: int

    def __init__(self, folder: Path, header: dict[str, Any] | None = None) -> None:
        self._folder = folder
        self._committed = False
        self._writers: dict[str, _folder.Writer] = {}
        self._files: dict[str, Any] = {} if header is None else header["files"]
        self._forms: dict[str, tuple[str, list[int]]] = {
            role: (entry["dtype"], entry["shape"][1:]) for role, entry in self._files.items()
        }
        self.n = 0 if header is None else header["n"]
        # In order of appearance, because classes may come that sort between those whose positions are written already;
        # `commit` sorts them.
        self._classes = read_classes(folder, self._files["classes"]) if "classes" in self._files else None
        self._known = (
            self.n,
            0 if self._classes is None else len(self._classes),
        )  # rows, which may be damaged, and classes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close() if self._committed else writer.discard()
        _folder.sweep(self._folder)

    def add(self, codes: NDArray[np.uint64], labels: Labels | None = None, ids: NDArray[Any] | None = None) -> None:
        """Append packed codes; `labels` and `ids` (int64 or object) are passed always or never."""
        self._write("codes", codes, "<u8")
        if labels is not None and labels.multilabel:
            self._write("labels", labels.codes, "|u1")
        elif labels is not None:
            self._write("labels", self._positions(labels.classes)[labels.codes], "<i8")
        if ids is not None:
            self._write("ids", ids, "json" if ids.dtype == object else "<i8")
        self.n += len(codes)

    def commit(self, *, check_ids: bool, **facts: Any) -> None:
        """Make the blocks the contents of the folder; `facts` are the other entries of the header."""
        files = dict(self._files)
        for role, writer in self._writers.items():
            dtype, columns = self._forms[role]
            files[role] = {"dtype": dtype, "shape": [self.n, *columns], **writer.finish()}
        if self._classes is not None:
            order = np.argsort(self._classes)
            if (order[1:] < order[:-1]).any():
                files["labels"] = self._recode(files["labels"], np.argsort(order))
            files["classes"] = self._write_classes(self._classes[order])
        if check_ids and "ids" in files:
            ids = _read_array(self._folder, files["ids"], mmap=True)
            if ids.dtype == object or not (ids[1:] > ids[:-1]).all():
                check_unique(ids)
        about = {"format": FORMAT, "version": VERSION, "library": __version__, "n": self.n}
        self._committed = True  # before the header is replaced, for an interruption may come right after that
        _folder.commit(self._folder, {**about, **facts, "files": files})

    def _write(self, role: str, rows: NDArray[Any], dtype: str) -> None:
        """Append to one of the files, whose first rows set its dtype."""
        dtype, _ = self._forms.setdefault(role, (dtype, list(rows.shape[1:])))
        if dtype == "<i8":
            check_integers(rows)
        if role not in self._writers:
            self._writers[role] = _folder.Writer(self._folder, role, self._files.get(role))
        self._writers[role].write(_to_lines(rows) if dtype == "json" else np.ascontiguousarray(rows, dtype))

    def _positions(self, classes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the positions of classes in the order of appearance, to which new ones are added."""
        known = classes[:0] if self._classes is None else self._classes
        self._classes = np.concatenate([known, classes[~np.isin(classes, known)]])
        order = np.argsort(self._classes)
        return order[np.searchsorted(self._classes, classes, sorter=order)]

    def _recode(self, entry: dict[str, Any], ranks: NDArray[np.int64]) -> dict[str, Any]:
        """Copy the file of labels with other positions; return its entry."""
        old = _folder.read(self._folder, entry, mmap=True).view("<i8")
        with _folder.Writer(self._folder, "labels") as writer:
            for start in range(0, len(old), _RECODED_AT_ONCE):
                positions = old[start : start + _RECODED_AT_ONCE]
                check_positions(positions[: max(0, self._known[0] - start)], self._known[1])
                writer.write(ranks[positions].astype("<i8"))
            return {**entry, **writer.finish()}

    def _write_classes(self, classes: NDArray[Any]) -> dict[str, Any]:
        """Write the file of classes; return its entry."""
        with _folder.Writer(self._folder, "classes") as writer:
            writer.write(_to_lines(classes))
            kind = "str" if classes.dtype.kind in "UT" else classes.dtype.name
            return {"dtype": "json", "shape": [len(classes)], "kind": kind, **writer.finish()}


def read_index_header(folder: Path) -> dict[str, Any]:
    """Read a header and check it against itself and against the sizes of the files; no data is read."""
    header = _folder.read_header(folder, FORMAT, VERSION)
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
    single = "labels" in files and not columns
    if "codes" not in files or single != ("classes" in files) or not set(files) <= set(expected):
        raise ValueError(
            f"{folder}: the header names files of {sorted(files)}, expected codes and, if any, ids and labels, with "
            "classes for single labels only."
        )
    for role, entry in files.items():
        _check_form(folder, role, entry, expected[role])
        _folder.check_size(folder, entry)
        if not _is_checksum(entry["crc32"], 8 * -(-entry["size"] // _folder.CHUNK)):
            raise ValueError(f"{folder}: expected a crc32 of 8 hexadecimal digits per chunk, got {entry['crc32']!r}.")


def _check_facts(folder: Path, header: dict[str, Any]) -> None:
    """Check the types of the other entries."""
    next_id, names, parameters = header["next_id"], header["feature_names"], header["parameters"]
    if next_id is None and "ids" not in header["files"]:
        raise ValueError(f"{folder}: expected an integer next_id or a file of ids, got neither.")
    if next_id is not None and (type(next_id) is not int or not header["n"] <= next_id < 2**63):
        raise ValueError(f"{folder}: expected next_id null or an integer >= n, got {next_id!r}.")
    if names is not None and not (len(names) == header["bits"] and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{folder}: expected feature_names null or {header['bits']} strings, got {names!r}.")
    if not isinstance(parameters, dict) or not isinstance(header["library"], str):
        raise ValueError(f"{folder}: expected an object of parameters and the text library, got {parameters!r}.")


def _check_form(folder: Path, role: str, entry: dict[str, Any], expected: list[tuple[str, Any]]) -> None:
    """Compare dtype and shape with those of a file of this role, and its size with theirs."""
    dtype, shape, size = entry["dtype"], entry["shape"], entry["size"]
    if not all(type(number) is int and number >= 0 for number in (size, *shape)):
        raise ValueError(f"{folder}: expected a size and a shape of integers >= 0 of {role}, got {size!r}, {shape!r}.")
    if role == "classes" and (entry["kind"] not in _CLASS_KINDS or len(shape) != 1):
        raise ValueError(f"{folder}: expected classes of a kind in {_CLASS_KINDS}, got {entry['kind']!r}, {shape!r}.")
    if not any(dtype == known and rows in (None, shape) for known, rows in expected):
        accepted = " or ".join(f"{known} of shape {rows}" for known, rows in expected)
        raise ValueError(f"{folder}: the header says {role} are {dtype} of shape {shape}, expected {accepted}.")
    if dtype != "json" and size != prod(shape) * int(dtype[-1]):
        raise ValueError(
            f"{folder}: the header says {role} of shape {shape} have {size} bytes, "
            f"expected {prod(shape) * int(dtype[-1])}."
        )


def _is_checksum(digits: object, n_digits: int) -> bool:
    """Check whether a value is text of hexadecimal digits."""
    return isinstance(digits, str) and len(digits) == n_digits and re.fullmatch("[0-9a-f]*", digits) is not None


def read_index(
    folder: Path, header: dict[str, Any], mmap: bool
) -> tuple[NDArray[np.uint64], Labels | None, NDArray[Any] | None]:
    """Read codes, labels and ids (or None): mapped, or into memory with all checksums checked."""
    files = header["files"]
    arrays = {role: _read_array(folder, entry, mmap) for role, entry in files.items() if role != "classes"}
    labels = None
    if "labels" in arrays:
        found = arrays["labels"]
        classes = read_classes(folder, files["classes"]) if found.ndim == 1 else np.arange(found.shape[1])
        labels = Labels(found, classes)
        if found.size <= _RECODED_AT_ONCE:  # more would take long to read, and are checked when they are used
            checked(labels)
    return arrays["codes"], labels, arrays.get("ids")


def check_index(folder: Path) -> None:
    """Compare all files with their checksums, even while others save to the folder."""

    def check(header: dict[str, Any]) -> None:
        for entry in header["files"].values():
            _folder.check(folder, entry)

    read_current(folder, check)


def read_current(folder: Path, read: Callable[[dict[str, Any]], Result]) -> Result:
    """Call `read` with the header, and again with a newer one if a save has replaced the files in between."""
    failed_with = None
    while True:
        try:
            return read(read_index_header(folder))
        except FileNotFoundError:
            # With the same header once more the files are missing.
            current = _folder.read_header(folder, FORMAT, VERSION)
            if current == failed_with:
                raise
            failed_with = current


def read_classes(folder: Path, entry: dict[str, Any]) -> NDArray[Any]:
    """Read the classes of single labels."""
    if entry["kind"] not in _CLASS_KINDS:
        raise ValueError(f"{folder}: expected classes of a kind in {_CLASS_KINDS}, got {entry['kind']!r}.")
    try:
        return np.array(_from_lines(folder, entry), dtype=np.dtype(entry["kind"]))
    except (OverflowError, TypeError) as error:
        raise ValueError(f"{folder}: the classes are not of the kind {entry['kind']!r} ({error}).") from error


def _read_array(folder: Path, entry: dict[str, Any], mmap: bool) -> NDArray[Any]:
    """Read a data file as an array."""
    if entry["dtype"] == "json":
        return np.fromiter(_from_lines(folder, entry), object)
    data = _folder.read(folder, entry, mmap).view(entry["dtype"]).reshape(entry["shape"])
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _to_lines(values: NDArray[Any]) -> bytes:
    """Encode values as JSON, one per line, so that more can be appended."""
    return "".join(f"{json.dumps(_to_json(value))}\n" for value in values.tolist()).encode()


def _to_json(value: Any) -> Any:
    """Return a value in a form that JSON keeps as it is; raise TypeError if there is no such form."""
    if isinstance(value, tuple):
        return [_to_json(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"An index with the id or class {value!r} of type {type(value).__name__} cannot be saved; "
        "accepted: str, int, float, bool, None and tuples of them."
    )


def _from_lines(folder: Path, entry: dict[str, Any]) -> list[Any]:
    """Read values from JSON, one per line, and check their number."""
    lines = _folder.read(folder, entry).tobytes().removesuffix(b"\n").replace(b"\n", b",")
    try:
        values = [_from_json(value) for value in json.loads(b"[" + lines + b"]")]
    except RecursionError:
        raise ValueError(f"{folder / entry['name']} is damaged: nested too deeply.") from None
    if len(values) != entry["shape"][0]:
        raise ValueError(f"{folder / entry['name']}: expected {entry['shape'][0]} values, got {len(values)}.")
    return values


def _from_json(value: Any) -> Any:
    """Return a value as it was before `_to_json`."""
    return tuple(_from_json(part) for part in value) if isinstance(value, list) else value
