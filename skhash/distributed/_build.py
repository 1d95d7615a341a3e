"""An index that workers build from Dask arrays: a folder of saved parts, which one file makes valid at the end."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index import EmbeddingIndex, HammingIndex
from skhash.utils import atomic_replace, import_optional, is_dask, sync_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows: two builds of one folder do not exclude each other there
    fcntl = None

__all__ = ["begin_build", "build_index", "commit", "describe_part", "header_crc32", "saved_parts"]

MANIFEST = "shards.json"
_FORMAT, _VERSION = "skhash.shards", 1
_PART = re.compile(r"part-[0-9a-f]{16}-\d{6}")
_UNFINISHED = re.compile(rf"{re.escape(MANIFEST)}\.[0-9a-f]{{16}}\.tmp")


def build_index(
    path: str | os.PathLike[str],
    X: Any,
    y: Any = None,
    *,
    ids: Any = None,
    n_parts: int | None = None,
    index_type: type = HammingIndex,
    compute: bool = True,
    **parameters: Any,
) -> Any:
    """Build a sharded index from Dask arrays: each task writes a part, and one file makes them valid at the end.

    Until the last part is written the folder contains the old index, or none, even if workers or this process are
    killed. Build it again then: parts of an interrupted build are removed by the next one that ends.

    Parameters
    ----------
    path : str or path-like
        The folder: new, empty, or a sharded index, which is replaced. All workers must reach it by this path.
    X : dask.array.Array of shape (n_samples, n_columns)
        Codes in a form of `skhash.codes`, such as ``hasher.transform(dask_array)``; vectors for an `EmbeddingIndex`.
    y : array-like or dask.array.Array of shape (n_samples,) or (n_samples, n_classes), default=None
        Labels.
    ids : array-like or dask.array.Array of shape (n_samples,), default=None
        Ids, all different. None means 0 to n_samples - 1 over all parts.
    n_parts : int, default=None
        Number of parts, of about the same size. None makes a part of each block of rows.
    index_type : {HammingIndex, EmbeddingIndex}, default=HammingIndex
        The class of the parts.
    compute : bool, default=True
        Whether to build now, with Dask's current client or scheduler. With False the result is a `dask.delayed.Delayed`
        that builds when it is computed.
    **parameters
        Parameters of the index, such as `bits=`; for an `EmbeddingIndex` also `training=`, an array of vectors from
        which all parts learn the same (then their results are those of one index).

    Returns
    -------
    parts : list of str or dask.delayed.Delayed
        Paths of the parts in order, for `ShardedHammingIndex` or `DistributedHammingIndex`; `saved_parts` finds them
        again.

    Raises
    ------
    ValueError
        If lengths or ids do not fit, or the folder holds other files. It contains what it contained before then.

    See Also
    --------
    HammingIndex.from_blocks : The same in one process.

    Examples
    --------
    >>> import tempfile
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skhash import ShardedHammingIndex
    >>> from skhash.distributed import build_index, saved_parts
    >>> codes = np.random.default_rng(0).integers(0, 2, (1000, 64), np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     parts = build_index(folder, da.from_array(codes, chunks=(250, 64)))
    ...     print(len(parts), parts == saved_parts(folder))
    ...     ShardedHammingIndex(parts).kneighbors(codes[[700]], 1)
    4 True
    (array([[0]], dtype=int32), array([[700]]))
    """
    delayed = import_optional("dask", extra="dask", purpose="build_index").delayed
    if index_type not in (HammingIndex, EmbeddingIndex):
        raise ValueError(f"index_type must be HammingIndex or EmbeddingIndex, got {index_type!r}.")
    known = index_type()
    unknown = sorted(set(parameters) - set(known.get_params()) - ({"training"} & set(parameters)))
    if unknown or (index_type is HammingIndex and "training" in parameters):
        raise TypeError(f"{index_type.__name__} has no parameters {unknown or ['training']}.")
    known.set_params(**{name: value for name, value in parameters.items() if name != "training"})
    folder, build = begin_build(path)
    blocks = _split(X, y, ids, n_parts)
    options = delayed(parameters, name=f"skhash-parameters-of-{build}", traverse=False)
    written = [
        delayed(_write_part, pure=False)(str(folder / f"{build}-{number:06d}"), index_type, options, *block)
        for number, block in enumerate(blocks)
    ]
    if not compute:
        return delayed(commit, pure=False)(str(folder), written)
    (records,) = import_optional("dask", extra="dask", purpose="build_index").compute(written)
    return commit(str(folder), records)


def saved_parts(path: str | os.PathLike[str]) -> list[str]:
    """Return the parts of a sharded index that `build_index` has written.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    parts : list of str
        Paths of the parts in order, for `ShardedHammingIndex`, `ShardedEmbeddingIndex` or `DistributedHammingIndex`.

    Raises
    ------
    FileNotFoundError
        If the folder is missing, or no build of it was finished.
    ValueError
        If the list of parts is damaged or of a newer version.
    """
    folder = Path(path).absolute()
    if not folder.is_dir():
        raise FileNotFoundError(f"No such directory: {folder}.")
    file = folder / MANIFEST
    if not file.is_file():
        raise FileNotFoundError(f"{folder} is not a sharded index, or its build was not finished: no {MANIFEST}.")
    try:
        manifest = json.loads(file.read_bytes())
        found, version, parts = manifest["format"], manifest["version"], manifest["parts"]
        names = [part["name"] for part in parts]
        crc32 = manifest["crc32"]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{file} is damaged: {type(error).__name__} {error}.") from None
    if found != _FORMAT:
        raise ValueError(f"{file} is of another kind: expected format {_FORMAT!r}, got {found!r}.")
    if version != _VERSION:
        raise ValueError(f"{file} has version {version!r}, expected {_VERSION}. Use a release of skhash that reads it.")
    if crc32 != _crc32(parts) or not all(isinstance(name, str) and _PART.fullmatch(name) for name in names):
        raise ValueError(f"{file} is damaged: its checksum is not that of its parts.")
    return [str(folder / name) for name in names]


def describe_part(path: str, n_samples: int) -> dict[str, Any]:
    """Make the name of a written part durable, and describe it for the list of parts."""
    sync_folder(Path(path).parent)
    return {"name": Path(path).name, "n_samples": n_samples, "crc32": header_crc32(path)}


def begin_build(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """Return a folder for a sharded index, and the beginning of the names of its parts."""
    folder = Path(path).absolute()
    _check_folder(folder)
    return folder, f"part-{secrets.token_hex(8)}"


def header_crc32(path: str | os.PathLike[str]) -> int:
    """Return the checksum of a part's header, which differs between states of a saved index."""
    return zlib.crc32((Path(path) / "header.json").read_bytes())


def _check_folder(folder: Path) -> None:
    """Create a missing folder; raise ValueError if one has other files than those of a sharded index."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = (_PART, _UNFINISHED)
    foreign = [name for name in sorted(os.listdir(folder)) if not any(kind.fullmatch(name) for kind in ours)]
    if foreign and not (folder / MANIFEST).exists():
        raise ValueError(f"{folder} holds other files, such as {foreign[0]!r}, expected a new folder or a sharded one.")


def _split(X: Any, y: Any, ids: Any, n_parts: int | None) -> list[tuple[Any, Any, Any]]:
    """Return the blocks of codes, labels and ids of each part, delayed; None for what there is not."""
    array = import_optional("dask.array", extra="dask", purpose="build_index")
    if not is_dask(X) or type(X).__name__ != "Array" or X.ndim != 2:
        shape = f" of {X.ndim} axes" if hasattr(X, "ndim") else ""
        raise ValueError(f"X must be a Dask array of 2 axes, got {type(X).__name__}{shape}.")
    n = X.shape[0]
    if n_parts is None:
        rows = X.chunks[0]
    elif np.isnan(n):
        raise ValueError("n_parts needs an X of known length: call compute_chunk_sizes(), or leave n_parts out.")
    elif not 1 <= n_parts <= n:
        raise ValueError(f"n_parts must be from 1 to the number of samples, {n}, got {n_parts}.")
    else:
        rows = tuple(np.diff(np.arange(n_parts + 1) * n // n_parts).tolist())
    X = X.rechunk({0: rows, 1: -1}) if n_parts is not None else X.rechunk({1: -1})
    columns = [X.to_delayed().ravel().tolist()]
    for name, values in (("y", y), ("ids", ids)):
        if values is None:
            columns.append([None] * len(rows))
            continue
        if name == "ids" and isinstance(values, (list, tuple)) and not all(isinstance(one, Integral) for one in values):
            values = np.fromiter(values, object, len(values))  # numpy would make texts of [1, "a"]
        values: Any = values if is_dask(values) else np.asarray(values)
        if not np.isnan(n) and not np.isnan(values.shape[0]) and len(values) != n:
            raise ValueError(f"{name} must have one value for each row of X: X has {n}, {name} has {len(values)}.")
        if not is_dask(values):
            if np.isnan(n):
                raise ValueError(
                    f"{name} must be a Dask array with the blocks of X, because the length of X is unknown."
                )
            values = array.from_array(values, chunks=(rows, *values.shape[1:]))
        elif np.isnan(n) or np.isnan(values.shape[0]):
            if values.numblocks[0] != len(rows):
                raise ValueError(f"{name} must have the blocks of X, {len(rows)}, got {values.numblocks[0]}.")
            values = values.rechunk(dict.fromkeys(range(1, values.ndim), -1))
        else:
            values = values.rechunk({0: rows, **dict.fromkeys(range(1, values.ndim), -1)})
        columns.append(values.to_delayed().ravel().tolist())
    return list(zip(*columns, strict=True))


def _write_part(path: str, index_type: Any, parameters: dict[str, Any], X: Any, y: Any, ids: Any) -> dict[str, Any]:
    """Write a part and describe it; a task that is repeated on another worker replaces what it wrote."""
    if X.shape[0] == 0:
        return {"name": None}
    index_type.from_blocks(path, [(X, y, ids)], **parameters)
    record = describe_part(path, len(X))
    ids = None if ids is None else np.asarray(ids)
    if ids is not None and ids.dtype.kind in "iu" and len(ids):
        record["ids"] = [int(ids.min()), int(ids.max())]
    return record


def commit(path: str, records: Sequence[dict[str, Any]]) -> list[str]:
    """Make written parts the contents of the folder."""
    folder = Path(path)
    records = [record for record in records if record["name"] is not None]
    if not records:
        raise ValueError("X has no rows, expected at least one.")
    with _locked(folder):
        for record in records:  # another build may have removed them
            if header_crc32(folder / record["name"]) != record["crc32"]:
                raise ValueError(f"{folder / record['name']} was changed during the build; build again.")
        _check_ids(folder, records)
        parts = [{name: record[name] for name in ("name", "n_samples", "crc32")} for record in records]
        manifest = {"format": _FORMAT, "version": _VERSION, "parts": parts, "crc32": _crc32(parts)}
        with atomic_replace(folder / MANIFEST) as file:
            file.write(json.dumps(manifest, indent=1).encode())
        kept = {part["name"] for part in parts}
        for name in os.listdir(folder):
            if _PART.fullmatch(name) and name not in kept:
                shutil.rmtree(folder / name, ignore_errors=True)  # Windows keeps mapped files until the next build
            elif _UNFINISHED.fullmatch(name):
                (folder / name).unlink(missing_ok=True)
    return [str(folder / part["name"]) for part in parts]


def _check_ids(folder: Path, records: Sequence[dict[str, Any]]) -> None:
    """Raise ValueError if two parts have the same id; each part has compared its own."""
    ranges = [record["ids"] for record in records if "ids" in record]
    if len(ranges) == len(records):
        ranges.sort()
        if all(before[1] < after[0] for before, after in pairwise(ranges)):
            return
    index_type = _type_of(folder / records[0]["name"])
    if _counts_ids(folder / records[0]["name"]):
        return
    ids: list[NDArray[Any]] = [index_type.open(folder / record["name"]).ids_ for record in records]
    if any(part.dtype == object for part in ids):
        if len(set().union(*(part.tolist() for part in ids))) == sum(map(len, ids)):
            return
    else:
        joined = np.concatenate(ids)
        joined.sort()
        if not (joined[1:] == joined[:-1]).any():
            return
    raise ValueError("ids must be unique, but some are in two parts.")


def _header(path: Path) -> dict[str, Any]:
    """Return the header of a saved index."""
    return json.loads((path / "header.json").read_bytes())


def _type_of(path: Path) -> Any:
    """Return the class of a saved index."""
    return EmbeddingIndex if _header(path)["format"] == "skhash.EmbeddingIndex" else HammingIndex


def _counts_ids(path: Path) -> bool:
    """Check whether a saved index counts its ids itself."""
    return _header(path)["next_id"] is not None


def _crc32(parts: Any) -> str:
    """Return the checksum of the list of parts."""
    return f"{zlib.crc32(json.dumps(parts, sort_keys=True).encode()):08x}"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one build at a time end; the system releases the lock when the process ends, even if killed."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
