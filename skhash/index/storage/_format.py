"""What a `HammingIndex` is on disk: a folder of raw little-endian arrays, and a header that describes them.

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
"""

import json
from math import prod

import numpy as np

from skhash import __version__
from skhash.index.collection._ids import check_unique
from skhash.index.storage import _atomic_folder as _folder
from skhash.utils import Labels

__all__ = ["IndexWriter", "check_index", "read_index", "read_index_header"]

FORMAT, VERSION = "skhash.HammingIndex", 1
_CLASS_KINDS = ["bool", "float16", "float32", "float64", "object", "str"]
_CLASS_KINDS += [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
_RECODED_AT_ONCE = 2**20


class IndexWriter:
    """Bring codes with their labels and ids to a folder, a block at a time; nothing is real before `commit`.

    Parameters
    ----------
    folder : Path
        The folder, locked by the caller.
    header : dict, default=None
        Header of the index to continue; None begins a new one.
    """

    def __init__(self, folder, header=None):
        self._folder, self._writers = folder, {}
        self._files = {} if header is None else header["files"]
        self._forms = {role: (entry["dtype"], entry["shape"][1:]) for role, entry in self._files.items()}
        self.n = 0 if header is None else header["n"]
        # In order of appearance, which the positions in the file follow until `commit`.
        self._classes = read_classes(folder, self._files["classes"]) if "classes" in self._files else None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for writer in self._writers.values():
            writer.close()
        _folder.sweep(self._folder)

    def add(self, codes, labels=None, ids=None):
        """Append packed codes; `Labels` and ids (int64 or object) come always or never."""
        self._write("codes", codes, "<u8")
        if labels is not None and labels.multilabel:
            self._write("labels", labels.codes, "|u1")
        elif labels is not None:
            self._write("labels", self._positions(labels.classes)[labels.codes], "<i8")
        if ids is not None:
            self._write("ids", ids, "json" if ids.dtype == object else "<i8")
        self.n += len(codes)

    def commit(self, *, check_ids, **facts):
        """Make it the contents of the folder; `facts` are what else the header tells."""
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
        _folder.commit(self._folder, {**about, **facts, "files": files})

    def _write(self, role, rows, dtype):
        """Append to one of the files, whose first rows set its dtype."""
        dtype, _ = self._forms.setdefault(role, (dtype, list(rows.shape[1:])))
        if dtype == "<i8" and rows.dtype == object:
            raise TypeError(f"ids must be integers, as those before are; got {rows[0]!r}.")
        if role not in self._writers:
            self._writers[role] = _folder.Writer(self._folder, role, self._files.get(role))
        self._writers[role].write(_to_lines(rows) if dtype == "json" else np.ascontiguousarray(rows, dtype))

    def _positions(self, classes):
        """Where classes stand in the order of appearance, to which new ones are added."""
        known = classes[:0] if self._classes is None else self._classes
        self._classes = np.concatenate([known, classes[~np.isin(classes, known)]])
        order = np.argsort(self._classes)
        return order[np.searchsorted(self._classes, classes, sorter=order)]

    def _recode(self, entry, ranks):
        """Copy the file of labels with other positions."""
        old = _folder.read(self._folder, entry, mmap=True).view("<i8")
        with _folder.Writer(self._folder, "labels") as writer:
            for start in range(0, len(old), _RECODED_AT_ONCE):
                writer.write(ranks[old[start : start + _RECODED_AT_ONCE]].astype("<i8"))
            return {**entry, **writer.finish()}

    def _write_classes(self, classes):
        with _folder.Writer(self._folder, "classes") as writer:
            writer.write(_to_lines(classes))
            kind = "str" if classes.dtype.kind in "UT" else classes.dtype.name
            return {"dtype": "json", "shape": [len(classes)], "kind": kind, **writer.finish()}


def read_index_header(folder):
    """Read a header and check that what it says fits together and fits the files' sizes; no data is read."""
    header = _folder.read_header(folder, FORMAT, VERSION)
    try:
        _check_header(folder, header)
        _ = [header[fact] for fact in ("next_id", "parameters", "feature_names")]
    except (AttributeError, KeyError, TypeError) as error:  # no writer's work, but a checksum is easily computed
        raise ValueError(f"{folder}: the header is incomplete or malformed ({error!r}).") from error
    return header


def _check_header(folder, header):
    """Check what a header says of the files against itself and against the files' sizes."""
    n, bits, files = header["n"], header["bits"], header["files"]
    if not isinstance(n, int) or not isinstance(bits, int) or n < 0 or bits < 1:
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
            f"{folder}: the header names files of {sorted(files)}; expected codes and, if any, ids and labels, with "
            "classes for single labels only."
        )
    for role, entry in files.items():
        _check_form(folder, role, entry, expected[role])
        _folder.check_size(folder, entry)


def _check_form(folder, role, entry, expected):
    """Compare dtype and shape with what a file of this role has, and its size with what they need."""
    dtype, shape, size = entry["dtype"], entry["shape"], entry["size"]
    if not any(dtype == known and rows in (None, shape) for known, rows in expected):
        accepted = " or ".join(f"{known} of shape {rows}" for known, rows in expected)
        raise ValueError(f"{folder}: the header says {role} are {dtype} of shape {shape}; expected {accepted}.")
    if dtype != "json" and size != prod(shape) * int(dtype[-1]):
        raise ValueError(
            f"{folder}: the header says {role} of shape {shape} have {size} bytes; "
            f"expected {prod(shape) * int(dtype[-1])}."
        )


def read_index(folder, header, mmap):
    """Read codes, labels and ids (None where there are none): mapped, or into memory with all checksums checked."""
    files = header["files"]
    arrays = {role: _read_array(folder, entry, mmap) for role, entry in files.items() if role != "classes"}
    labels = None
    if "labels" in arrays:
        found = arrays["labels"]
        classes = read_classes(folder, files["classes"]) if found.ndim == 1 else np.arange(found.shape[1])
        labels = Labels(found, classes)
    return arrays["codes"], labels, arrays.get("ids")


def check_index(folder):
    """Compare all files with their checksums."""
    for entry in read_index_header(folder)["files"].values():
        _folder.check(folder, entry)


def read_classes(folder, entry):
    """Read the classes of single labels."""
    if entry["kind"] not in _CLASS_KINDS:
        raise ValueError(f"{folder}: expected classes of a kind in {_CLASS_KINDS}, got {entry['kind']!r}.")
    return np.array(_from_lines(folder, entry), dtype=np.dtype(entry["kind"]))


def _read_array(folder, entry, mmap):
    if entry["dtype"] == "json":
        return np.fromiter(_from_lines(folder, entry), object)
    data = _folder.read(folder, entry, mmap).view(entry["dtype"]).reshape(entry["shape"])
    return data.astype(data.dtype.newbyteorder("="), copy=False)


def _to_lines(values):
    """Labels as JSON, one per line, so that more can follow."""
    return "".join(f"{json.dumps(_to_json(value))}\n" for value in values.tolist()).encode()


def _to_json(value):
    """Check that a label comes back from JSON as it was."""
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


def _from_lines(folder, entry):
    """Read labels from JSON, as many as there must be."""
    lines = _folder.read(folder, entry).tobytes().removesuffix(b"\n").replace(b"\n", b",")
    values = [_from_json(value) for value in json.loads(b"[" + lines + b"]")]
    if len(values) != entry["shape"][0]:
        raise ValueError(f"{folder / entry['name']}: expected {entry['shape'][0]} values, got {len(values)}.")
    return values


def _from_json(value):
    return tuple(_from_json(part) for part in value) if isinstance(value, list) else value
