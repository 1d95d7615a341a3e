"""The format of a saved index: a folder of raw little-endian arrays, and a header that describes them.

The header `header.json` (see `_atomic_folder` and `_header`) has the entries `format` (of the kind "hamming" or
"embedding"), `version`, `library` (the version of skhash that wrote it), `n` (number of codes), `next_id` (id of the
next code if the index counts ids, else null), `bits`, `parameters`, `feature_names` (or null), `files` and `crc32`.
`files` maps each role to `dtype`, `shape`, `name`, `size` and `crc32` of its file (and `kind`, the dtype of classes).
The roles:

======== ========================= ====================================================================================
file     dtype and shape           contents
======== ========================= ====================================================================================
codes    `<u8`, (n, words)         packed words
labels   `<i8`, (n,)               positions in the classes, for single labels
labels   `|u1`, (n, n_classes)     0 / 1, for multi-hot labels
classes  JSON, one value per line  the classes, sorted; only for single labels
ids      `<i8`, (n,)               ids that are integers
ids      JSON, one value per line  other ids
vectors  `|i1`, `<f2` or `<f4`,    vectors that are kept beside the codes; version 2 only
         (n, n_columns)
======== ========================= ====================================================================================

Without a file of ids, the id of a code is its row. Headers of version 2 also have the entries `attachments` and `extra`
(see `_attachments`). A "hamming" folder has version 2 only where it needs it, so that older releases read the others.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash import __version__
from skhash.index.collection._ids import check_integers, check_unique
from skhash.index.collection._labels import check_positions, checked
from skhash.index.collection._vectors import VECTOR_DTYPES, read_more_vectors, read_vectors
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._attachments import plain_extra, write_attachments
from skhash.index.storage._header import (
    CLASS_KINDS,
    FORMATS,
    VECTOR_FORMS,
    VERSION,
    entries_of,
    read_header,
    read_index_header,
)
from skhash.utils import Labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeVar

    from numpy.typing import NDArray

    from skhash.index.storage._header import IndexKind

    Result = TypeVar("Result")

__all__ = ["IndexWriter", "check_index", "read_current", "read_index", "read_index_header", "read_index_vectors"]

_RECODED_AT_ONCE = 2**20
_CONVERTED_AT_ONCE = 2**24  # bytes of vectors that are not contiguous


class IndexWriter:
    """Write codes with their labels, ids and vectors to a folder, a block at a time; nothing counts before `commit`.

    Parameters
    ----------
    folder : Path
        The folder, locked by the caller.
    header : dict, default=None
        Header of the index to continue; None begins a new one.
    kind : {"hamming", "embedding"}, default="hamming"
        The kind of the index.
    """

    n: int

    def __init__(self, folder: Path, header: dict[str, Any] | None = None, kind: IndexKind = "hamming") -> None:
        self._folder, self._kind, self._is_empty = folder, kind, header is None
        self._attached: dict[str, Any] = {}
        self._extra: dict[str, Any] = {}
        if header is not None and header["version"] > 1:
            self._attached, self._extra = header["attachments"], header["extra"]
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

    def add(
        self,
        codes: NDArray[np.uint64],
        labels: Labels | None = None,
        ids: NDArray[Any] | None = None,
        vectors: NDArray[Any] | None = None,
    ) -> None:
        """Append packed codes; `labels`, `ids` (int64 or object) and `vectors` are passed always or never."""
        vectors = self._read_vectors(vectors, len(codes))
        self._is_empty = False
        self._write("codes", codes, "<u8")
        if labels is not None and labels.multilabel:
            self._write("labels", labels.codes, "|u1")
        elif labels is not None:
            self._write("labels", self._positions(labels.classes)[labels.codes], "<i8")
        if ids is not None:
            self._write("ids", ids, "json" if ids.dtype == object else "<i8")
        if vectors is not None:
            step = len(vectors) or 1 if vectors.flags.c_contiguous else _CONVERTED_AT_ONCE // vectors[:1].nbytes or 1
            for start in range(0, max(1, len(vectors)), step):
                self._write("vectors", vectors[start : start + step], VECTOR_FORMS[VECTOR_DTYPES.index(vectors.dtype)])
        self.n += len(codes)

    def commit(
        self,
        *,
        check_ids: bool,
        attachments: Mapping[str, NDArray[Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
        **facts: Any,
    ) -> None:
        """Make the blocks the contents of the folder.

        Parameters
        ----------
        check_ids : bool
            Whether to check that ids are unique.
        attachments : mapping of str to ndarray of float32, float64, int64, uint64 or uint8, default=None
            Small arrays by name. None keeps those of the index that is continued.
        extra : mapping of str to values of JSON, default=None
            Other facts. None keeps those of the index that is continued.
        **facts
            The other entries of the header.
        """
        files = dict(self._files)
        extra = self._extra if extra is None else plain_extra(extra)
        attached = self._attached if attachments is None else write_attachments(self._folder, attachments)
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
        is_first = self._kind == "hamming" and not ("vectors" in files or attached or extra)
        version = 1 if is_first else VERSION
        about = {"format": FORMATS[self._kind], "version": version, "library": __version__, "n": self.n}
        more = {} if is_first else {"attachments": attached, "extra": extra}
        self._committed = True  # before the header is replaced, for an interruption may come right after that
        _folder.commit(self._folder, {**about, **facts, "files": files, **more})

    def _read_vectors(self, vectors: NDArray[Any] | None, n: int) -> NDArray[Any] | None:
        """Check the vectors of a block against those before."""
        if self._is_empty:
            return read_vectors(vectors, n)
        dtype, columns = self._forms.get("vectors", ("", []))
        known = np.empty((0, *columns), VECTOR_DTYPES[VECTOR_FORMS.index(dtype)]) if dtype else None
        return read_more_vectors(known, vectors, n)

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


def read_index(
    folder: Path, header: dict[str, Any], mmap: bool
) -> tuple[NDArray[np.uint64], Labels | None, NDArray[Any] | None]:
    """Read codes, labels and ids (or None): mapped, or into memory with all checksums checked."""
    files = header["files"]
    roles = ("codes", "ids", "labels")
    arrays = {role: _read_array(folder, files[role], mmap) for role in roles if role in files}
    labels = None
    if "labels" in arrays:
        found = arrays["labels"]
        classes = read_classes(folder, files["classes"]) if found.ndim == 1 else np.arange(found.shape[1])
        labels = Labels(found, classes)
        if found.size <= _RECODED_AT_ONCE:  # more would take long to read, and are checked when they are used
            checked(labels)
    return arrays["codes"], labels, arrays.get("ids")


def read_index_vectors(folder: Path, header: dict[str, Any], mmap: bool) -> NDArray[Any] | None:
    """Read the vectors, None without any: mapped, or into memory with all checksums checked."""
    entry = header["files"].get("vectors")
    return None if entry is None else _read_array(folder, entry, mmap)


def check_index(folder: Path, kind: IndexKind = "hamming") -> None:
    """Compare all files with their checksums, even while others save to the folder."""

    def check(header: dict[str, Any]) -> None:
        for entry in entries_of(header):
            _folder.check(folder, entry)

    read_current(folder, check, kind)


def read_current(folder: Path, read: Callable[[dict[str, Any]], Result], kind: IndexKind = "hamming") -> Result:
    """Call `read` with the header, and again with a newer one if a save has replaced the files in between."""
    failed_with = None
    while True:
        try:
            return read(read_index_header(folder, kind))
        except FileNotFoundError:
            # With the same header once more the files are missing.
            current = read_header(folder, kind)
            if current == failed_with:
                raise
            failed_with = current


def read_classes(folder: Path, entry: dict[str, Any]) -> NDArray[Any]:
    """Read the classes of single labels."""
    if entry["kind"] not in CLASS_KINDS:
        raise ValueError(f"{folder}: expected classes of a kind in {CLASS_KINDS}, got {entry['kind']!r}.")
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
