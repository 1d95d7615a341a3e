"""A folder of raw data files under one header: what is written is there whole or not at all, and damage is noticed.

`header.json` names the data files, their sizes and the CRC-32 of each chunk of them, and ends in its own. Replacing it
is the one step that makes a change real: before, new data files and bytes behind the end of old ones belong to nobody.
"""

import json
import os
import re
import secrets
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: writers are not kept apart there
    fcntl = None

__all__ = ["Writer", "check", "check_size", "commit", "locked", "prepare", "read", "read_header", "sweep"]

HEADER = "header.json"
CHUNK = 2**24
_DATA_NAME = re.compile(r"[a-z]+-[0-9a-f]{16}\.bin")
_HEADER_END = '"crc32": "{:08x}"\n}}\n'


class Writer:
    """Write a data file, or behind the end of one; nothing counts before `commit`.

    Parameters
    ----------
    folder : Path
        The folder.
    role : str
        First part of the file's name, lower-case letters.
    entry : dict, default=None
        Entry of the file to continue; None begins a new file.
    """

    def __init__(self, folder, role, entry=None):
        self.size, self._crcs = 0, []
        self._name = f"{role}-{secrets.token_hex(8)}.bin"
        if entry is not None:
            self.size, self._crcs, self._name = entry["size"], _split_crcs(entry["crc32"]), entry["name"]
        self._file = open(folder / self._name, "xb" if entry is None else "r+b")  # noqa: SIM115
        self._file.truncate(self.size)  # what an interrupted change may have left
        self._file.seek(self.size)

    def write(self, data):
        """Append a C-contiguous array or bytes."""
        data = memoryview(data)
        data = data.cast("B") if data.nbytes else b""
        while data:
            filled = self.size % CHUNK
            piece = data[: CHUNK - filled]
            self._crcs.append(zlib.crc32(piece, self._crcs.pop() if filled else 0))
            self._file.write(piece)
            self.size += len(piece)
            data = data[len(piece) :]

    def finish(self):
        """Bring the file to the disk and give its entry for the header."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        return {"name": self._name, "size": self.size, "crc32": "".join(f"{crc:08x}" for crc in self._crcs)}

    def close(self):
        """Close the file, finished or not."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def prepare(path):
    """Make the folder, if it is missing, and refuse one that holds anything but an index or the rest of one."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    foreign = [name for name in sorted(os.listdir(folder)) if not _is_ours(name)]
    if foreign and not (folder / HEADER).exists():
        raise ValueError(f"{folder} holds other files, such as {foreign[0]!r}; expected a new folder or a saved index.")
    return folder


@contextmanager
def locked(folder):
    """Keep other writers out; the lock ends with the process, however that ends."""
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


def commit(folder, header):
    """Make the files that `header` names the contents of the folder."""
    start = json.dumps(header, indent=1, default=_plain).removesuffix("\n}") + ",\n "
    _sync_folder(folder)
    temporary = folder / f"{HEADER}.tmp"
    with open(temporary, "wb") as file:
        file.write((start + _HEADER_END.format(zlib.crc32(start.encode()))).encode())
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, folder / HEADER)
    _sync_folder(folder)


def sweep(folder):
    """Remove the data files that the header does not name: what replaced and interrupted changes left behind."""
    path = folder / HEADER
    header = path.read_bytes() if path.exists() else b""
    for name in os.listdir(folder):
        if _DATA_NAME.fullmatch(name) and name.encode() not in header:
            with suppress(OSError):  # Windows keeps files that are mapped; the next sweep tries again
                os.unlink(folder / name)


def read_header(folder, format_name, version):
    """Read the header; `ValueError` or `FileNotFoundError` if it is missing, foreign, of a newer version or damaged."""
    folder = Path(folder)
    path = folder / HEADER
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file, expected the folder of a saved index.")
    if not path.exists():
        raise FileNotFoundError(f"{folder} is no saved index, or the first save to it was not finished: no {HEADER}.")
    raw = path.read_bytes()
    try:
        header = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"{path} is damaged: not JSON ({error}).") from None
    found = header.get("format") if isinstance(header, dict) else header
    if found != format_name:
        raise ValueError(f"{path} is damaged or of another kind: expected format {format_name!r}, got {found!r}.")
    if header.get("version") != version:
        raise ValueError(
            f"{path} has version {header.get('version')!r} of the format, written by {header.get('library')!r}; "
            f"expected version {version}. Use a release of skhash that reads it."
        )
    size = len(_HEADER_END.format(0))
    start, end = raw[:-size], raw[-size:]
    if end != _HEADER_END.format(zlib.crc32(start)).encode():
        raise ValueError(f"{path} is damaged: expected CRC-32 {zlib.crc32(start):08x}, got {header.get('crc32')!r}.")
    return header


def read(folder, entry, mmap=False):
    """Read a data file's bytes: mapped, with only its size checked, or into memory, with all its checksums checked."""
    path = check_size(folder, entry)
    if mmap and entry["size"]:
        return np.asarray(np.memmap(path, np.uint8, "r", shape=(entry["size"],)))
    with open(path, "rb") as file:
        data = np.empty(entry["size"], np.uint8)
        if file.readinto(data) != entry["size"]:
            raise ValueError(f"{path} was cut while it was read.")
    _check_chunks(path, entry, (data[start : start + CHUNK] for start in range(0, entry["size"], CHUNK)))
    return data


def check(folder, entry):
    """Compare a data file with its checksums, a chunk at a time in memory."""
    path = check_size(folder, entry)
    with open(path, "rb") as file:
        sizes = (min(CHUNK, entry["size"] - start) for start in range(0, entry["size"], CHUNK))
        _check_chunks(path, entry, (file.read(size) for size in sizes))


def check_size(folder, entry):
    """Path of a data file that is at least as long as its entry says; more is the rest of an interrupted change."""
    name, size = entry["name"], entry["size"]
    if not _DATA_NAME.fullmatch(name):  # never leaves the folder, whatever the header says
        raise ValueError(f"{folder / HEADER} names a data file {name!r}; expected a name like 'codes-<16 digits>.bin'.")
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; {HEADER} expects it with {size} bytes.")
    found = path.stat().st_size
    if found < size:
        raise ValueError(f"{path} is truncated: expected {size} bytes, got {found}.")
    return path


def _check_chunks(path, entry, chunks):
    for number, (chunk, expected) in enumerate(zip(chunks, _split_crcs(entry["crc32"]), strict=True)):
        found = zlib.crc32(chunk)
        if found != expected:
            start = number * CHUNK
            raise ValueError(
                f"{path} is damaged in chunk {number} (bytes {start} to {min(start + CHUNK, entry['size']) - 1}): "
                f"expected CRC-32 {expected:08x}, got {found:08x}."
            )


def _split_crcs(digits):
    return [int(digits[i : i + 8], 16) for i in range(0, len(digits), 8)]


def _plain(value):
    """Numbers of numpy as JSON's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be saved.")


def _is_ours(name):
    return name in (HEADER, f"{HEADER}.tmp") or _DATA_NAME.fullmatch(name) is not None


def _sync_folder(folder):
    """Bring the names in a folder to the disk, where the system can (Windows does by itself)."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
