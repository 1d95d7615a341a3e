"""Collections to and from a folder, with the facts about their index: at once, or a block at a time in bounded memory.

This module does not know the estimator: it saves a `Collection` and `IndexFacts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.collection._collection import Collection
from skhash.index.collection._labels import checked
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._attachments import read_attachments
from skhash.index.storage._format import IndexWriter, read_current, read_index, read_index_vectors
from skhash.index.storage._header import read_header, read_index_header

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from skhash.index.storage._header import IndexKind
    from skhash.utils import Labels

__all__ = ["IndexFacts", "SavedIndex", "add_blocks", "append_to", "create", "live_blocks", "open_current"]

_COPIED_AT_ONCE = 2**20
_BYTES_AT_ONCE = 2**26  # of vectors, whose rows are much longer than codes


@dataclass(frozen=True)
class IndexFacts:
    """Entries of the header that describe an index beside its data.

    Parameters
    ----------
    bits : int
        Code length. Of embeddings, 64 times the number of words that a code with its factors has.
    parameters : dict
        Parameters of the estimator by name.
    feature_names : list of str, default=None
        Column names, if the codes were a data frame.
    """

    bits: int
    parameters: dict[str, Any]
    feature_names: list[str] | None = None


@dataclass(frozen=True)
class SavedIndex:
    """Contents of a folder in one state.

    Parameters
    ----------
    collection : Collection
        Codes, labels, ids and vectors.
    facts : IndexFacts
        The facts about the index.
    library : str
        Version of skhash that wrote them.
    crc32 : str
        Checksum of the header, which differs between states of the folder.
    attachments : dict of str to ndarray, default={}
        Small arrays by name, in memory and checked.
    extra : dict, default={}
        Other facts, as JSON keeps them.
    """

    collection: Collection
    facts: IndexFacts
    library: str
    crc32: str
    attachments: dict[str, NDArray[Any]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@contextmanager
def create(path: str | os.PathLike[str], kind: IndexKind = "hamming") -> Iterator[IndexWriter]:
    """Lock a folder, new or with an index that the writer's `commit` replaces, and yield the writer.

    If that fails, a folder that is created here is removed.
    """
    with _folder.prepared(path) as folder, IndexWriter(folder, kind=kind) as writer:
        yield writer


@contextmanager
def append_to(path: str | os.PathLike[str], kind: IndexKind = "hamming") -> Iterator[tuple[IndexWriter, SavedIndex]]:
    """Lock the folder of a saved index; yield a writer that continues it, and the index, mapped into memory."""
    folder = Path(path)
    read_header(folder, kind)  # a folder that does not exist cannot be locked
    with _folder.locked(folder):
        header = read_index_header(folder, kind)
        with IndexWriter(folder, header, kind) as writer:
            yield writer, _read(folder, header, mmap=True)


def open_current(folder: Path, mmap: bool = True, kind: IndexKind = "hamming") -> SavedIndex:
    """Open the current contents of a folder, even while others save to it.

    Parameters
    ----------
    folder : Path
        The folder of a saved index.
    mmap : bool, default=True
        Whether to map the data into memory rather than to read it and compare its checksums. Attachments are always
        read and compared.
    kind : {"hamming", "embedding"}, default="hamming"
        The kind of the index.

    Returns
    -------
    saved : SavedIndex
        One state of the folder.

    Raises
    ------
    FileNotFoundError
        If the folder, its header or a file that the header names is missing.
    ValueError
        If the folder is not a saved index of this kind, of a newer version, or damaged.
    """
    return read_current(folder, lambda header: _read(folder, header, mmap), kind)


def live_blocks(
    collection: Collection,
) -> Iterator[tuple[NDArray[np.uint64], Labels | None, NDArray[Any] | None, NDArray[Any] | None]]:
    """Yield codes, labels, ids and vectors of the rows that are not removed; without a copy if that is all of them."""
    vectors, step = collection.vectors, _COPIED_AT_ONCE
    if vectors is not None:
        step = max(1, min(step, _BYTES_AT_ONCE // (vectors.shape[1] * vectors.itemsize)))
    if collection.live_mask is None:
        is_row = collection.ids is None and collection.next_id == len(collection)
        labels = None if collection.labels is None else checked(collection.labels)
        yield collection.codes, labels, None if is_row else collection.ids_of(collection.live_rows()), vectors
        return
    for start in range(0, len(collection.live_mask), step):
        rows = start + np.flatnonzero(collection.live_mask[start : start + step])
        labels = None if collection.labels is None else checked(collection.labels[rows])
        yield collection.codes[rows], labels, collection.ids_of(rows), None if vectors is None else vectors[rows]


def add_blocks(
    writer: IndexWriter,
    blocks: Iterable[Any],
    read: Callable[[Any, bool], NDArray[np.uint64] | tuple[NDArray[np.uint64], NDArray[Any] | None]],
    known: Collection | None = None,
) -> Collection | None:
    """Write blocks of codes, each checked against those before it.

    Parameters
    ----------
    writer : IndexWriter
        Writes them; the caller commits.
    blocks : iterable of codes or of tuples (codes, labels) or (codes, labels, ids)
        The blocks.
    read : callable
        Takes the codes of a block and whether they are the first ones; returns packed codes, or a tuple of packed codes
        and the vectors to keep beside them.
    known : Collection, default=None
        The collection that the blocks continue; None for a new one.

    Returns
    -------
    last : Collection or None
        The last block, whose classes and next id are those of all blocks; `known` without blocks.

    Raises
    ------
    ValueError, TypeError
        If a block is none, or does not fit to those before; with a note that names its number.
    """
    counted = known is None or known.ids is None  # counted ids are the rows as long as none was removed: not written
    for number, block in enumerate(blocks):
        try:
            X, y, ids = _parts_of(block)
            found = read(X, known is None)
            codes, vectors = found if isinstance(found, tuple) else (found, None)
            change = Collection.build if known is None else _without_rows(known).add
            known = change(codes, y, ids, vectors)
            kept_ids = None if counted and known.next_id is not None else known.ids
            writer.add(known.codes, known.labels, kept_ids, known.vectors)
        except (TypeError, ValueError) as error:
            error.add_note(f"This was block {number} of blocks.")
            if _is_list_of_parts(block):
                error.add_note("A list is read as codes; a block with labels is a tuple: (codes, labels).")
            raise
    return known


def _parts_of(block: Any) -> tuple[Any, Any, Any]:
    """Return codes, labels and ids of a block, None for what it does not have."""
    if not isinstance(block, tuple):
        return block, None, None
    if not 1 <= len(block) <= 3:
        raise ValueError(
            f"blocks must be codes, or tuples (codes, labels) or (codes, labels, ids), got a tuple of {len(block)}."
        )
    X, y, ids = (*block, None, None)[:3]
    return X, y, ids


def _is_list_of_parts(block: Any) -> bool:
    """Check whether a block is a list that begins with a matrix instead of a code."""
    first = block[0] if isinstance(block, list) and block else None
    return getattr(first, "ndim", 0) == 2 or (isinstance(first, list) and bool(first) and isinstance(first[0], list))


def _read(folder: Path, header: dict[str, Any], mmap: bool) -> SavedIndex:
    """Read the data that a header describes."""
    facts = IndexFacts(header["bits"], header["parameters"], header["feature_names"])
    vectors = read_index_vectors(folder, header, mmap)
    collection = Collection(*read_index(folder, header, mmap), header["next_id"], vectors=vectors)
    has_more = header["version"] > 1
    attachments = read_attachments(folder, header["attachments"]) if has_more else {}
    extra = header["extra"] if has_more else {}
    return SavedIndex(collection, facts, header["library"], header["crc32"], attachments, extra)


def _without_rows(collection: Collection) -> Collection:
    """Return the kinds of ids, labels and vectors, the classes and the next id, to check the next block by."""
    labels = None if collection.labels is None else collection.labels[:0]
    ids = None if collection.ids is None else collection.ids[:0]
    vectors = None if collection.vectors is None else collection.vectors[:0]
    return Collection(collection.codes[:0], labels, ids, collection.next_id, vectors=vectors)
