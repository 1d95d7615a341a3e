"""A folder of pictures as an index on disk that is brought up to date."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from tqdm.auto import tqdm

from skhash.cli._alone import LEFT, alone_in
from skhash.codes import unpack_codes
from skhash.duplicates import Encoded, Picture, encode_pictures, make_hasher
from skhash.index import HammingIndex
from skhash.methods import PerceptualHasher
from skhash.perceptual import ImageItems, list_pictures
from skhash.utils import atomic_replace

if TYPE_CHECKING:
    from typing import Self

_VERSION = 1


class PictureIndex:
    """An index of the pictures of a folder, in a folder of its own.

    That folder contains `settings.json` (where the pictures are, kind of hash, code length), `codes`, a saved
    `HammingIndex` whose ids are paths relative to the folder of pictures, and `files.jsonl`, a list for each file: its
    path, bytes, date in nanoseconds since 1970, width, height, and null or why it could not be read. Codes are
    committed before the lines of their files are written, and a file counts as read if it has both; so an interruption
    at any moment loses at most the last batch.

    Parameters
    ----------
    path : Path
        Folder of the index.
    root : Path
        Folder of the pictures.
    hasher : PerceptualHasher
        The hash.
    """

    def __init__(self, path: Path, root: Path, hasher: PerceptualHasher) -> None:
        self.path, self.root, self.hasher = path, root, hasher

    @classmethod
    def create(
        cls, path: str | os.PathLike[str], root: str | os.PathLike[str], kind: str, bits: int | None = None
    ) -> Self:
        """Create an index without pictures.

        Parameters
        ----------
        path : str or Path
            Folder of the index: new or empty.
        root : str or Path
            Folder of the pictures.
        kind : str
            Kind of `PerceptualHasher`.
        bits : int, default=None
            Code length; None means 64, or 128 for "phash+dhash".

        Returns
        -------
        index : PictureIndex
            The index.

        Raises
        ------
        ValueError
            If the folder contains files.
        """
        index = cls(Path(path), Path(root).resolve(), make_hasher(kind))
        if bits is not None:
            index.hasher.set_params(bits=bits)
        index.path.mkdir(parents=True, exist_ok=True)
        with alone_in(index.path):
            if any(not LEFT.fullmatch(entry.name) for entry in index.path.iterdir()):
                raise ValueError(
                    f"{str(index.path)!r} is not an index of pictures and not empty; choose another folder."
                )
            settings = {"version": _VERSION, "root": str(index.root), "kind": kind, "bits": index.hasher.bits}
            with atomic_replace(index.path / "settings.json") as file:
                file.write(json.dumps(settings, indent=1).encode())
        return index

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open an index.

        Parameters
        ----------
        path : str or Path
            Folder of the index.

        Returns
        -------
        index : PictureIndex
            The index.

        Raises
        ------
        ValueError
            If the folder does not exist, or is not an index of pictures.
        """
        if not os.path.lexists(path):
            raise ValueError(f"{os.fspath(path)!r} does not exist; make it with: skhash index FOLDER --out INDEX")
        try:
            settings = json.loads((Path(path) / "settings.json").read_text(encoding="utf-8"))
            version, root, kind, bits = (settings[name] for name in ("version", "root", "kind", "bits"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ValueError(
                f"{os.fspath(path)!r} is not an index of pictures; make one with: skhash index FOLDER --out INDEX"
            ) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{os.fspath(path)!r} is not an index of pictures: its settings.json is damaged, or that of another "
                f"program ({error!r})."
            ) from error
        if version != _VERSION:
            raise ValueError(f"{os.fspath(path)!r} has version {version}; this release reads version {_VERSION}.")
        return cls(Path(path), Path(root), make_hasher(kind).set_params(bits=bits))

    @property
    def codes(self) -> HammingIndex | None:
        """The codes, mapped into memory; None if there is no picture."""
        folder = self.path / "codes"
        return HammingIndex.open(folder) if (folder / "header.json").exists() else None

    def update(
        self, *, n_jobs: int | None = None, progress: bool = False, batch: int = 5000, seconds: float = 20.0
    ) -> dict[str, int]:
        """Read the files that are new or changed, and remove those that are gone.

        Parameters
        ----------
        n_jobs : int, default=None
            Number of threads.
        progress : bool, default=False
            Whether to show a progress bar on the standard error stream.
        batch : int, default=5000
            Number of files after which a commit is due.
        seconds : float, default=20
            Time after which a commit is due.

        Returns
        -------
        counts : dict of int
            Number of pictures that were "read" and "removed" and are "unchanged", and of files that were "skipped" now
            or before.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts. What was read until then is in the index; the message says how many pictures.
        OSError
            If another process updates the index.
        """
        with alone_in(self.path):
            return self._update(n_jobs, progress, batch, seconds)

    def _update(self, n_jobs: int | None, progress: bool, batch: int, seconds: float) -> dict[str, int]:
        found, known, codes = self._list(), self._read_files(), self.codes
        indexed = set() if codes is None else set(codes.ids_.tolist())
        current = {
            name: entry
            for name, entry in known.items()
            if found.get(name) == entry[:2] and (entry[-1] is not None or name in indexed)
        }
        stale = [name for name in indexed if name not in current]
        if codes is not None and stale:
            codes.remove(stale).save(self.path / "codes")
        if known != current:
            self._write_files(current)
        codes = None  # a map of files that are about to grow
        counts = {
            "read": 0,
            "unchanged": sum(entry[-1] is None for entry in current.values()),
            "removed": sum(name not in found for name in stale),
            "skipped": sum(entry[-1] is not None for entry in current.values()),
        }
        todo = [name for name in found if name not in current]
        try:
            for n_read, n_skipped in self._read(todo, found, n_jobs, progress, batch, seconds):
                counts["read"] += n_read
                counts["skipped"] += n_skipped
        except KeyboardInterrupt:
            n_done = counts["read"] + counts["unchanged"]
            raise KeyboardInterrupt(
                f"{n_done} of {len(found)} pictures are in the index; the same command continues"
            ) from None
        return counts

    def skipped(self) -> list[tuple[str, str]]:
        """Return the files that could not be read.

        Returns
        -------
        skipped : list of (str, str)
            Paths, and why.
        """
        entries = self._read_files().items()
        return [(str(self.root / name), entry[-1]) for name, entry in entries if entry[-1] is not None]

    def encoded(self) -> tuple[Encoded, ImageItems]:
        """Return what was read, as `DuplicateFinder.fit_encoded` takes it.

        Returns
        -------
        encoded : Encoded
            Pictures, in the order of their paths, and codes.
        items : ImageItems
            The files.
        """
        codes, files = self.codes, self._read_files()
        numbers = {} if codes is None else {name: number for number, name in enumerate(codes.ids_.tolist())}
        names = sorted(name for name in numbers if name in files)
        pictures = [
            Picture(str(self.root / name), width, height, n_bytes, modified / 1e9)
            for name in names
            for n_bytes, modified, width, height, _ in [files[name]]
        ]
        packed = np.empty((0, 1), np.uint64) if codes is None else codes.codes_[[numbers[name] for name in names]]
        bits = unpack_codes(packed, self.hasher.bits) if len(packed) else np.empty((0, self.hasher.bits), np.uint8)
        items = ImageItems([picture.name for picture in pictures])
        return Encoded(pictures, list(range(len(pictures))), bits, list(self.skipped())), items

    def search(self, image: Any, k: int) -> list[tuple[str, int]]:
        """Find the pictures that are most like an image.

        Parameters
        ----------
        image : str, Path, PIL.Image.Image or ndarray
            The image.
        k : int
            Number of pictures, at most.

        Returns
        -------
        matches : list of (str, int)
            Paths and distances, the nearest first.
        """
        codes = self.codes
        if codes is None or len(codes) == 0:
            return []
        distances, names = codes.kneighbors(self.hasher.transform([image]), min(k, len(codes)))
        return [(str(self.root / name), int(d)) for name, d in zip(names[0], distances[0], strict=True)]

    def _list(self) -> dict[str, tuple[int, int]]:
        """Return size and date of every picture, by its path relative to the folder."""
        found = {}
        for path in list_pictures(self.root):
            try:
                status = os.stat(path)
            except FileNotFoundError:  # removed since the folder was listed
                continue
            found[os.path.relpath(path, self.root)] = status.st_size, status.st_mtime_ns
        return found

    def _read(
        self, todo: list[str], found: dict[str, Any], n_jobs: int | None, progress: bool, batch: int, seconds: float
    ) -> Iterator[tuple[int, int]]:
        """Read and commit files; yield how many pictures and how many skipped files were committed."""
        items = ImageItems([str(self.root / name) for name in todo])
        n_threads = effective_n_jobs(n_jobs)  # pyright: ignore[reportArgumentType]  None is valid
        step, start, done = 16 * n_threads, 0, 0
        parts: list[Encoded] = []
        due = time.monotonic() + seconds
        with tqdm(total=len(todo), unit="picture", disable=not progress, file=sys.stderr) as bar:
            try:
                while start < len(todo):
                    rows = range(start, min(start + step, len(todo)))
                    parts.append(encode_pictures(items, todo, rows, self.hasher, n_jobs=n_jobs))
                    start = rows.stop
                    bar.update(len(rows))
                    if start - done >= batch or time.monotonic() > due or start == len(todo):
                        committing, parts, done = parts, [], start
                        yield self._commit(committing, found)
                        due = time.monotonic() + seconds
            except KeyboardInterrupt:
                if parts:
                    yield self._commit(parts, found)
                raise

    def _commit(self, parts: list[Encoded], found: dict[str, Any]) -> tuple[int, int]:
        """Append codes and then the lines of their files."""
        pictures = [picture for part in parts for picture in part.pictures]
        skipped = [(str(name), why) for part in parts for name, why in part.skipped]
        folder = self.path / "codes"
        if pictures:
            ids = np.array([picture.name for picture in pictures], object)
            block = np.concatenate([part.codes for part in parts]), None, ids
            if (folder / "header.json").exists():
                HammingIndex.append_blocks(folder, [block])
            else:
                HammingIndex.from_blocks(folder, [block])
        lines = [[each.name, *found[str(each.name)], each.width, each.height, None] for each in pictures]
        lines += [[name, *found[name], None, None, why] for name, why in skipped]
        with open(self.path / "files.jsonl", "a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                file.write(b"" if file.read() == b"\n" else b"\n")  # the last line was cut off
            file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            file.flush()
            os.fsync(file.fileno())
        return len(pictures), len(skipped)

    def _read_files(self) -> dict[str, Any]:
        """Return the entries of the files that were read, by name; a line that was cut off is left out."""
        path = self.path / "files.jsonl"
        entries = {}
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                name, *entry = json.loads(line)
            except ValueError:
                continue
            entries[name] = tuple(entry)
        return entries

    def _write_files(self, entries: dict[str, Any]) -> None:
        with atomic_replace(self.path / "files.jsonl") as file:
            for name, entry in entries.items():
                file.write((json.dumps([name, *entry]) + "\n").encode())
