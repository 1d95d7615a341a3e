"""`HammingIndex` to and from a folder: at once, or a block at a time in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState
from skhash.index.storage._blocks import IndexFacts, add_blocks, append_to, create, live_blocks, open_current
from skhash.index.storage._format import check_index

if TYPE_CHECKING:
    import os
    from typing import Self

    from numpy.typing import NDArray

    from skhash.index.storage._blocks import SavedIndex
    from skhash.utils import CodesLike

__all__ = ["SavedIndexMixin"]


class SavedIndexMixin(_IndexState):
    """The methods of `HammingIndex` that read and write folders."""

    @on_snapshot
    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the index as the contents of a folder.

        The folder contains the codes, labels and ids as raw little-endian arrays (ids that are not integers, and
        classes, as JSON) and `header.json` with the format's version, sizes and checksums; nothing is pickled. Saving
        is atomic: until it is done, the folder contains the old index, even after a crash, and from then on the new
        one. Writers of one folder wait for each other, except on Windows.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a saved index, which is replaced.

        Raises
        ------
        ValueError
            If the folder contains other files.
        TypeError
            If ids are of a type that JSON does not have (tuples are accepted).

        Examples
        --------
        >>> import tempfile
        >>> from skhash import HammingIndex
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     HammingIndex(n_neighbors=1).fit([[0, 0, 0], [0, 1, 1]]).save(f"{folder}/index")
        ...     HammingIndex.open(f"{folder}/index").kneighbors([[1, 1, 1]])
        (array([[1]], dtype=int32), array([[1]]))
        """
        self._check_fitted()
        with create(path) as writer:
            for block in live_blocks(self._collection):
                writer.add(*block)
            writer.commit(check_ids=False, next_id=self._collection.next_id, **self._facts())

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, mmap: bool = True) -> Self:
        """Open a saved index.

        Parameters
        ----------
        path : str or path-like
            The folder.
        mmap : bool, default=True
            Whether to map codes, labels and integer ids into memory, so that opening takes milliseconds and the
            operating system reads only the parts that searches use; the header and the sizes of all files are checked.
            With False everything is read and compared with its checksums.

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
            If the folder is not a saved index, of a newer version, or damaged.
        """
        return cls._restore(open_current(Path(path), mmap))

    @staticmethod
    def verify(path: str | os.PathLike[str]) -> None:
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
            If a file is damaged; the message names the file and the chunk of 16 MiB.
        """
        check_index(Path(path))

    @classmethod
    def from_blocks(cls, path: str | os.PathLike[str], blocks: Iterable[Any], **parameters: Any) -> Self:
        """Build a saved index from blocks of codes, with one block in memory at a time.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a saved index, which is replaced when all blocks are written.
        blocks : iterable of codes or of tuples (codes, labels) or (codes, labels, ids)
            Codes in any form, as for `fit`; labels may be None. Labels and ids come with every block or with no block.
        **parameters
            Parameters of the index, such as `bits=`.

        Returns
        -------
        index : HammingIndex
            The index, mapped into memory.

        Raises
        ------
        ValueError
            If there are no blocks, or a block does not fit to those before; the folder is unchanged then.

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
        with create(path) as writer:
            last = add_blocks(writer, blocks, index._read_block)
            if last is None:
                raise ValueError("blocks is empty, expected at least one block of codes.")
            writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **index._facts())
        return cls.open(path)

    @classmethod
    def append_blocks(cls, path: str | os.PathLike[str], blocks: Iterable[Any]) -> Self:
        """Append blocks of codes to a saved index, without rewriting the codes that it contains.

        Appending is atomic: after an interruption the folder contains no block. Indexes that are open stay as they are.

        Parameters
        ----------
        path : str or path-like
            The folder of a saved index.
        blocks : iterable of codes or of tuples (codes, labels) or (codes, labels, ids)
            As for `from_blocks`; with labels and ids if the index has them. The file of single labels, but not that
            of codes, is rewritten for a new class that does not sort after all others.

        Returns
        -------
        index : HammingIndex
            The longer index, mapped into memory.
        """
        with append_to(path) as (writer, saved):
            index = cls._restore(saved)
            last = add_blocks(writer, blocks, index._read_block, saved.collection)
            assert last is not None
            writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **index._facts())
        return cls.open(path)

    @classmethod
    def _restore(cls, saved: SavedIndex) -> Self:
        """Make a fitted index of the contents of a folder."""
        facts = saved.facts
        unknown = sorted(set(facts.parameters) - set(cls._get_param_names()))
        if unknown:
            raise ValueError(
                f"The index was saved by skhash {saved.library} with parameters unknown to this release: {unknown}."
            )
        index = cls(**facts.parameters)
        index._validate_params()
        index.bits_ = index.n_features_in_ = facts.bits
        if facts.feature_names is not None:
            index.feature_names_in_ = np.array(facts.feature_names, dtype=object)
        return index._keep(saved.collection)

    def _facts(self) -> dict[str, Any]:
        """Return the facts about this index for a header."""
        names = getattr(self, "feature_names_in_", None)
        parameters = self.get_params(deep=False)
        if self.bitorder == "little":
            del parameters["bitorder"]  # unknown to releases before it, which can read the index
        return vars(IndexFacts(self.bits_, parameters, None if names is None else names.tolist()))

    def _read_block(self, X: CodesLike, is_first: bool) -> NDArray[np.uint64]:
        """Read the codes of a block, as `fit` reads the first one and `partial_fit` the others."""
        return self._read_codes(X, reset=is_first)
