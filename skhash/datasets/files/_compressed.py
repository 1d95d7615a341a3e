"""Read compressed files of data sets up to a limit: a small file may unpack to more than the memory holds."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BYTES = 2**28  # the largest file, train of CIFAR-100, has 155 MB
MAX_MEMBERS = 1000
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


class _BoundedReads(gzip.GzipFile):
    """A `.gz` file of which no single read is large, such as that of a name or a comment in an archive."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= MAX_BYTES:
            raise tarfile.ReadError(f"a part of it has more than {MAX_BYTES} bytes")
        return super().read(size)


def read_tar(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Read files of a `.tar.gz` archive by name, those that it has; raise ValueError if it is damaged."""
    found = {}
    try:
        with _BoundedReads(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for number, member in enumerate(archive):
                # `tarfile` keeps them all, and an archive of 1 MB can hold 400,000; typeshed does not know the list.
                archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
                if number >= MAX_MEMBERS:
                    raise tarfile.ReadError(f"it has more than {MAX_MEMBERS} members")
                if member.name in names and member.isfile():
                    found[member.name] = _read_member(archive, member, path)
    except FileNotFoundError:
        raise
    except (tarfile.TarError, EOFError, MemoryError, OverflowError, zlib.error, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}); expected a complete .tar.gz archive.") from error
    return found


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> bytes:
    """Read a file of an archive."""
    _check_size(path, member.name, member.size)
    file = archive.extractfile(member)
    assert file is not None  # it is no folder or link
    return file.read()


def read_gzip(path: Path) -> bytes:
    """Read a `.gz` file; raise ValueError if it is damaged."""
    try:
        with gzip.open(path) as file:
            data = file.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({error}); expected a complete gzip file.") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} unpacks to more than {MAX_BYTES} bytes; expected less.")
    return data


def read_npz(path: Path, names: Sequence[str]) -> list[Any]:
    """Read arrays of an `.npz` file by name; raise ValueError if it is damaged or lacks one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_array(archive, archive.getinfo(f"{name}.npy"), path) for name in names]
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged file can raise any exception
        expected = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        raise ValueError(f"{path} could not be read ({error}); expected an .npz file with {expected}.") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    """Read an array of an `.npz` file."""
    _check_size(path, member.filename, member.file_size)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack without a limit
        raise ValueError(f"{member.filename} is compressed by method {member.compress_type}, expected 0 or 8")
    with archive.open(member) as file:
        data = file.read(member.file_size)
    header = io.BytesIO(data)
    shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(header)](header)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(f"{member.filename} has type {dtype} and shape {shape}, expected numbers or text")
    return np.frombuffer(data, dtype, offset=header.tell()).reshape(shape, order="F" if is_fortran else "C")


def _check_size(path: Path, name: str, size: int) -> None:
    """Raise ValueError for a file that is larger than any of a data set."""
    if size > MAX_BYTES:
        raise ValueError(f"{path} holds {name} of {size} bytes; expected at most {MAX_BYTES}.")
