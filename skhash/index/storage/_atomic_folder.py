"""A folder of raw data files under one header: changes are atomic, and damage is detected.

`header.json` names the data files with their sizes and the CRC-32 of each chunk of 16 MiB, and ends with its own.
Data files have names that were never used before, or are appended to beyond the sizes that the header states. Replacing
the header is the only commit point: until then, new data files and appended bytes do not count, and the next writer
removes them.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import zlib
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from skhash.bitops import crc32
from skhash.index.storage._mapping import map_file
from skhash.utils import sync_folder

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from numpy.typing import NDArray

try:
    import fcntl
except ImportError:  # Windows: writers do not exclude each other there
    fcntl = None

__all__ = [
    "Writer",
    "check",
    "check_size",
    "commit",
    "locked",
    "plain",
    "prepare",
    "prepared",
    "read",
    "read_header",
    "sweep",
]

HEADER = "header.json"
CHUNK = 2**24
_ATTEMPTS = 100  # at a folder that other writers make and remove
_PIECE = 2**22  # bytes written at once
_DATA_NAME = re.compile(r"[a-z]+-[0-9a-f]{16}\.bin")
_HEADER_END = '"crc32": "{:08x}"\n}}\n'


class Writer:
    """Write a new data file or append to one; nothing counts before `commit`.

    Parameters
    ----------
    folder : Path
        The folder.
    role : str
        First part of the file's name, lower-case letters.
    entry : dict, default=None
        Entry of the file to continue; None begins a new file.
    """

    size: int

    def __init__(self, folder: Path, role: str, entry: dict[str, Any] | None = None) -> None:
        self.size = 0
        self._crcs: list[int] = []
        self._name = f"{role}-{secrets.token_hex(8)}.bin"
        if entry is not None:
            self.size, self._crcs, self._name = entry["size"], _split_crcs(entry["crc32"]), entry["name"]
        self._path, self._start = folder / self._name, self.size
        self._file = open(self._path, "xb" if entry is None else "r+b")  # noqa: SIM115
        self._file.truncate(self.size)  # what an interrupted change may have left
        self._file.seek(self.size)

    def write(self, data: NDArray[Any] | bytes) -> None:
        """Append a C-contiguous array or bytes."""
        view = memoryview(cast("Any", data))
        left = view.cast("B") if view.nbytes else memoryview(b"")
        if len(left) >= CHUNK:
            self._reserve(len(left))
        while left:
            filled = self.size % CHUNK
            piece = left[: min(CHUNK - filled, _PIECE)]
            self._crcs.append(crc32(piece, self._crcs.pop() if filled else 0))
            self._file.write(piece)  # from the cache, to which the checksum brought it
            self.size += len(piece)
            left = left[len(piece) :]

    def _reserve(self, size: int) -> None:
        """Reserve space on the disk at once, which takes less time than piece by piece.

        A failure is left to the writing, whose error says why; after one, `discard` gives the space back.
        """
        if hasattr(os, "posix_fallocate"):
            self._file.flush()
            with suppress(OSError):
                os.posix_fallocate(self._file.fileno(), self.size, size)

    def finish(self) -> dict[str, Any]:
        """Flush the file to the disk and return its entry for the header."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        return {"name": self._name, "size": self.size, "crc32": "".join(f"{crc:08x}" for crc in self._crcs)}

    def close(self) -> None:
        """Close the file, finished or not."""
        self._file.close()

    def discard(self) -> None:
        """Close the file and remove what was appended; a new file is left to `sweep`."""
        with suppress(OSError):  # also when there is no space left to flush to
            self._file.close()
        with suppress(OSError):
            os.truncate(self._path, self._start)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def prepare(path: str | os.PathLike[str]) -> Path:
    """Create the folder if it is missing; raise ValueError if it holds other files than an index or parts of one."""
    folder = Path(path)
    missing = _missing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for created in missing:  # a finished first save must survive a power failure, and so must the names above it
        sync_folder(created.parent)
    foreign = [name for name in sorted(os.listdir(folder)) if not _is_ours(name)]
    if foreign and not (folder / HEADER).exists():
        raise ValueError(f"{folder} holds other files, such as {foreign[0]!r}, expected a new folder or a saved index.")
    return folder


@contextmanager
def prepared(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Prepare a folder and lock it; after an error, remove the folders that were created for it and are empty."""
    folder, handle = Path(path), None
    created: list[Path] = []
    try:
        for _ in range(_ATTEMPTS):
            created = max(created, _missing(folder), key=len)
            with suppress(FileNotFoundError):  # another writer had made the folder, failed, and has removed it
                prepare(folder)
                handle = _lock(folder)
                if _is_at(folder, handle):
                    break
                _unlock(handle)
                handle = None
        else:
            raise FileNotFoundError(f"{folder} could not be made, or others remove it again and again.")
        yield folder
    except BaseException:
        _remove_empty(created)  # while other writers wait
        raise
    finally:
        _unlock(handle)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder against other writers; the system releases the lock when the process ends, even if killed."""
    handle = _lock(folder)
    try:
        yield
    finally:
        _unlock(handle)


def commit(folder: Path, header: dict[str, Any]) -> None:
    """Make the files that `header` names the contents of the folder."""
    start = json.dumps(header, indent=1, default=plain).removesuffix("\n}") + ",\n "
    sync_folder(folder)  # the names of new data files must be on the disk before the header that names them
    temporary = folder / f"{HEADER}.tmp"
    with open(temporary, "wb") as file:
        file.write((start + _HEADER_END.format(zlib.crc32(start.encode()))).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / HEADER)
    sync_folder(folder)


def sweep(folder: Path) -> None:
    """Remove the data files that the header does not name: those of replaced and of interrupted changes."""
    path = folder / HEADER
    header = path.read_bytes() if path.exists() else b""
    for name in os.listdir(folder):
        if _DATA_NAME.fullmatch(name) and name.encode() not in header:
            with suppress(OSError):  # Windows keeps files that are mapped; the next sweep tries again
                os.unlink(folder / name)


def read_header(
    folder: str | os.PathLike[str], format_name: str, version: int, others: Container[str] = ()
) -> dict[str, Any]:
    """Read the header.

    Parameters
    ----------
    folder : path-like
        The folder.
    format_name : str
        Required name of the format.
    version : int
        Newest version of the format that is accepted.
    others : container of str, default=()
        Names of other formats, each `"skhash."` and the class that reads it, for a message that says so.

    Returns
    -------
    header : dict
        The header.

    Raises
    ------
    FileNotFoundError
        If the folder or the header is missing.
    ValueError
        If the header is of another format or version, or damaged.
    """
    folder = Path(folder)
    path = folder / HEADER
    try:  # at once: a save may remove the folder between a look at it and the next
        raw = path.read_bytes()
    except OSError:
        if path.is_dir():
            raise ValueError(f"{path} is a folder, expected a file.") from None
        if folder.is_dir():
            if path.exists():
                raise
            raise FileNotFoundError(
                f"{folder} is not a saved index, or the first save to it was not finished: no {HEADER}."
            ) from None
        if folder.exists():
            raise ValueError(f"{folder} is a file, expected the folder of a saved index.") from None
        raise FileNotFoundError(f"No such directory: {folder}.") from None
    try:
        header = json.loads(raw)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{path} is damaged: not JSON ({error}).") from None
    found = header.get("format") if isinstance(header, dict) else header
    if found != format_name and isinstance(found, str) and found in others:
        other, own = found.removeprefix("skhash."), format_name.removeprefix("skhash.")
        raise ValueError(f"{folder} holds an index of the class {other}: use {other}.open, not {own}.open.")
    if found != format_name:
        raise ValueError(f"{path} is damaged or of another kind: expected format {format_name!r}, got {found!r}.")
    if type(header.get("version")) is not int or not 1 <= header["version"] <= version:
        raise ValueError(
            f"{path} has version {header.get('version')!r} of the format, written by {header.get('library')!r}; "
            f"expected version {'1' if version == 1 else f'1 to {version}'}. Use a release of skhash that reads it."
        )
    size = len(_HEADER_END.format(0))
    start, end = raw[:-size], raw[-size:]
    if end != _HEADER_END.format(zlib.crc32(start)).encode():
        raise ValueError(f"{path} is damaged: expected CRC-32 {zlib.crc32(start):08x}, got {header.get('crc32')!r}.")
    return header


def read(folder: Path, entry: dict[str, Any], mmap: bool = False) -> NDArray[np.uint8]:
    """Read the bytes of a data file: mapped, which checks only the size, or into memory, which checks all checksums."""
    path = check_size(folder, entry)
    if mmap and entry["size"]:
        return map_file(path, entry["size"])
    with open(path, "rb") as file:
        data = np.empty(entry["size"], np.uint8)
        if file.readinto(cast("Any", data)) != entry["size"]:
            raise ValueError(f"{path} was truncated while it was read.")
    _check_chunks(path, entry, (data[start : start + CHUNK] for start in range(0, entry["size"], CHUNK)))
    return data


def check(folder: Path, entry: dict[str, Any]) -> None:
    """Compare a data file with its checksums, holding one chunk in memory at a time."""
    path = check_size(folder, entry)
    with open(path, "rb") as file:
        sizes = (min(CHUNK, entry["size"] - start) for start in range(0, entry["size"], CHUNK))
        _check_chunks(path, entry, (file.read(size) for size in sizes))


def check_size(folder: Path, entry: dict[str, Any]) -> Path:
    """Return the path of a data file after checking its size; bytes beyond it are those of an interrupted change."""
    name, size = entry["name"], entry["size"]
    if not _DATA_NAME.fullmatch(name):  # no header can lead out of the folder
        raise ValueError(f"{folder / HEADER} names a data file {name!r}, expected a name like 'codes-<16 digits>.bin'.")
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing, but {HEADER} names it with {size} bytes.")
    found = path.stat().st_size
    if found < size:
        raise ValueError(f"{path} is truncated: expected {size} bytes, got {found}.")
    return path


def _check_chunks(path: Path, entry: dict[str, Any], chunks: Iterable[Any]) -> None:
    """Compare the chunks of a file with their checksums."""
    for number, (chunk, expected) in enumerate(zip(chunks, _split_crcs(entry["crc32"]), strict=True)):
        found = crc32(chunk)
        if found != expected:
            start = number * CHUNK
            raise ValueError(
                f"{path} is damaged in chunk {number} (bytes {start} to {min(start + CHUNK, entry['size']) - 1}): "
                f"expected CRC-32 {expected:08x}, got {found:08x}."
            )


def _split_crcs(digits: str) -> list[int]:
    """Return the checksums of chunks from their hexadecimal digits, eight for each."""
    return [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]


def _missing(folder: Path) -> list[Path]:
    """Return the folder and its parents, innermost first, as far as they do not exist."""
    return [parent for parent in (folder, *folder.parents) if not parent.exists()]


def _remove_empty(folders: list[Path]) -> None:
    """Remove empty folders, innermost first; what an unfinished commit may have left does not count."""
    if folders:
        with suppress(OSError):
            (folders[0] / f"{HEADER}.tmp").unlink()
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _lock(folder: Path) -> int | None:
    """Wait for the lock and return the handle that holds it, None on Windows."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
    except BaseException:  # Ctrl-C
        os.close(handle)
        raise
    return handle


def _unlock(handle: int | None) -> None:
    """Release a lock."""
    if handle is not None:
        os.close(handle)


def _is_at(folder: Path, handle: int | None) -> bool:
    """Check whether a handle is that of the folder with this name."""
    try:
        return handle is None or os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False


def plain(value: object) -> Any:
    """Return a number of numpy as one of Python, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be saved.")


def _is_ours(name: str) -> bool:
    """Check whether a file name is one that this module writes."""
    return name in (HEADER, f"{HEADER}.tmp") or _DATA_NAME.fullmatch(name) is not None
