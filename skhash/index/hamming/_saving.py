"""`HammingIndex` to and from a folder: at once, or a block at a time in bounded memory."""

from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skhash.index.collection._collection import Collection
from skhash.index.hamming._state import _IndexState
from skhash.index.storage import _atomic_folder as _folder
from skhash.index.storage._format import FORMAT, VERSION, IndexWriter, check_index, read_index, read_index_header

_COPIED_AT_ONCE = 2**20
__all__ = ["SavedIndexMixin", "restore"]


class SavedIndexMixin(_IndexState):
    """The methods of `HammingIndex` that have to do with files."""

    def save(self, path):
        """Save the index as the contents of a folder.

        The folder holds the codes, labels and ids as raw little-endian arrays (ids that are no integers, and classes,
        as JSON) and `header.json` with the format's version, sizes and checksums; no pickle. Saving is atomic: until it
        is done an index that the folder held before stays as it was, whatever happens, and afterwards the folder holds
        the new one. Writers of one folder wait for each other, except on Windows.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a saved index, which is replaced.

        Raises
        ------
        ValueError
            If the folder holds other files.
        TypeError
            If ids are of a type that JSON does not have (tuples may be).

        Examples
        --------
        >>> import tempfile
        >>> from skhash import HammingIndex
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     HammingIndex(n_neighbors=1).fit([[0, 0, 0], [0, 1, 1]]).save(f"{folder}/index")
        ...     HammingIndex.open(f"{folder}/index").kneighbors([[1, 1, 1]])
        (array([[1]], dtype=int32), array([[1]]))
        """
        check_is_fitted(self)
        folder = _folder.prepare(path)
        with _folder.locked(folder), IndexWriter(folder) as writer:
            for codes, labels, ids in _live_blocks(self._collection):
                writer.add(codes, labels, ids)
            writer.commit(check_ids=False, next_id=self._collection.next_id, **_facts(self))

    @classmethod
    def open(cls, path, *, mmap=True):
        """Open a saved index.

        Parameters
        ----------
        path : str or path-like
            The folder.
        mmap : bool, default=True
            Whether to map codes, labels and integer ids into memory, so that opening takes milliseconds and the
            operating system reads what searches touch; the header and the sizes of all files are checked. With False
            all is read and compared with its checksums.

        Returns
        -------
        index : HammingIndex
            A fitted index with the parameters of the saved one; `index.set_params(n_jobs=2)` changes them. With
            "auto", a mapped index is always scanned: tables would have to be built in memory.

        Raises
        ------
        FileNotFoundError
            If the folder, its header or a file that the header names is missing.
        ValueError
            If the folder is no saved index, of a newer version, or damaged.
        """
        return open_current(cls, Path(path), mmap)[1]

    @staticmethod
    def verify(path):
        """Compare all files of a saved index with their checksums.

        Parameters
        ----------
        path : str or path-like
            The folder.

        Raises
        ------
        FileNotFoundError
            If the folder, its header or a file that the header names is missing.
        ValueError
            If anything is damaged; names the file, and the chunk of 16 MiB.
        """
        check_index(Path(path))

    @classmethod
    def from_blocks(cls, path, blocks, **parameters):
        """Build a saved index from blocks of codes, holding one block in memory at a time.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a saved index, which is replaced when all is written.
        blocks : iterable of codes or of tuples (codes, labels) or (codes, labels, ids)
            Codes in any form, as for `fit`; labels may be None. Each part comes with every block or with none.
        **parameters
            Parameters of the index, such as `bits=`.

        Returns
        -------
        index : HammingIndex
            The index, mapped into memory.

        Examples
        --------
        >>> import tempfile
        >>> from skhash import HammingIndex
        >>> blocks = ([[0, 0, i], [0, 1, i]] for i in (0, 1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     index = HammingIndex.from_blocks(folder, blocks, n_neighbors=1)
        ...     index.kneighbors([[0, 1, 1]])
        (array([[0]], dtype=int32), array([[3]]))
        """
        index = cls(**parameters)
        index._validate_params()
        folder = _folder.prepare(path)
        with _folder.locked(folder), IndexWriter(folder) as writer:
            last = _add(writer, index, blocks)
            if last is None:
                raise ValueError("blocks is empty; at least one block of codes is needed.")
            writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **_facts(index))
        return cls.open(folder)

    @classmethod
    def append_blocks(cls, path, blocks):
        """Append blocks of codes to a saved index, without writing again what is there.

        All blocks count, or, if this is interrupted, none. Indexes that are open already stay as they are.

        Parameters
        ----------
        path : str or path-like
            The folder of a saved index.
        blocks : iterable of codes or of tuples (codes, labels) or (codes, labels, ids)
            As for `from_blocks`; with labels and ids if the index has them. (The file of single labels, not that of
            codes, is written again for a new class that does not come after all others.)

        Returns
        -------
        index : HammingIndex
            The longer index, mapped into memory.
        """
        folder = Path(path)
        _folder.read_header(folder, FORMAT, VERSION)  # a folder that is none cannot be locked
        with _folder.locked(folder):
            header = read_index_header(folder)
            with IndexWriter(folder, header) as writer:
                index = cls.open(folder)
                last = _add(writer, index, blocks, index._collection)
                writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **_facts(index))
        return cls.open(folder)


def _facts(index):
    """What a header tells of an index beside its data."""
    names = getattr(index, "feature_names_in_", None)
    return {
        "bits": index.bits_,
        "parameters": index.get_params(deep=False),
        "feature_names": None if names is None else names.tolist(),
    }


def open_current(cls, folder, mmap=True):
    """Open what a folder holds now, even while others save to it; give the header and the index."""
    failed_with = None
    while True:
        try:
            header = read_index_header(folder)
            return header, restore(cls, folder, header, mmap)
        except FileNotFoundError:
            # A save may have come between a header and its files; with the same header once more they are missing.
            current = _folder.read_header(folder, FORMAT, VERSION)
            if current == failed_with:
                raise
            failed_with = current


def restore(cls, folder, header, mmap=True):
    """Make a fitted index of a folder whose header was read."""
    unknown = sorted(set(header["parameters"]) - set(cls._get_param_names()))
    if unknown:
        raise ValueError(
            f"The index was saved by skhash {header['library']} with parameters that this release has not: {unknown}."
        )
    index = cls(**header["parameters"])
    index.bits_ = index.n_features_in_ = header["bits"]
    if header["feature_names"] is not None:
        index.feature_names_in_ = np.array(header["feature_names"], dtype=object)
    return index._keep(Collection(*read_index(folder, header, mmap), header["next_id"]))


def _live_blocks(collection):
    """Codes, labels and ids of the rows that are not removed; without a copy if that is all of them."""
    if collection.alive is None:
        is_row = collection.ids is None and collection.next_id == len(collection)
        yield collection.codes, collection.labels, None if is_row else collection.ids_of(collection.live_rows())
        return
    for start in range(0, len(collection.alive), _COPIED_AT_ONCE):
        rows = start + np.flatnonzero(collection.alive[start : start + _COPIED_AT_ONCE])
        labels = None if collection.labels is None else collection.labels[rows]
        yield collection.codes[rows], labels, collection.ids_of(rows)


def _add(writer, index, blocks, known=None):
    """Write blocks, each read as by `fit` or, from the second one on or behind a `known` collection, by `partial_fit`.

    Gives the last block as a collection, whose classes and next id are those of all.
    """
    counted = known is None or known.ids is None  # ids that the collection gives are the rows: no need to write them
    for number, block in enumerate(blocks):
        X, y, ids = (*block, None, None)[:3] if isinstance(block, tuple) else (block, None, None)
        try:
            codes = index._read_codes(X, reset=known is None)
            known = Collection.build(codes, y, ids) if known is None else _without_rows(known).add(codes, y, ids)
            writer.add(known.codes, known.labels, None if counted and known.next_id is not None else known.ids)
        except (TypeError, ValueError) as error:
            error.add_note(f"This was block {number} of blocks.")
            raise
    return known


def _without_rows(collection):
    """What is left to know of codes that are written: kinds, classes, the next id."""
    labels = None if collection.labels is None else collection.labels[:0]
    ids = None if collection.ids is None else collection.ids[:0]
    return Collection(collection.codes[:0], labels, ids, collection.next_id)
