"""`EmbeddingIndex` to and from a folder: at once, or a block at a time in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.index.collection._collection import Collection
from skhash.index.embedding._state import _EmbeddingState
from skhash.index.embedding._stored import Stored, restore
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.storage._blocks import add_blocks, append_to, create, live_blocks, open_current
from skhash.index.storage._format import check_index

if TYPE_CHECKING:
    import os
    from typing import Self

    from numpy.typing import NDArray

    from skhash.index.storage._blocks import SavedIndex

__all__ = ["SavedEmbeddingsMixin"]


class SavedEmbeddingsMixin(_EmbeddingState):
    """The methods of `EmbeddingIndex` that read and write folders."""

    @on_snapshot
    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the index as the contents of a folder, in the format of `HammingIndex.save`.

        The folder contains records, copies of the vectors, labels and ids, and what the index has learned, as raw
        little-endian arrays, and `header.json` with the format's version, sizes and checksums; nothing is pickled.
        Saving is atomic: until it is done, the folder contains the old index, even after a crash.

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
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> X = np.random.default_rng(0).normal(size=(100, 32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     EmbeddingIndex(n_neighbors=2, rescore="float16", random_state=0).fit(X).save(f"{folder}/index")
        ...     EmbeddingIndex.open(f"{folder}/index").kneighbors(X[:2])[1][:, 0]
        array([0, 1])
        """
        self._check_fitted()
        with create(path, "embedding") as writer:
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
            Whether to map records, copies of vectors, labels and integer ids into memory, so that opening takes
            milliseconds and the operating system reads only the parts that searches use. With False everything is read
            and compared with its checksums.

        Returns
        -------
        index : EmbeddingIndex
            A fitted index with the parameters of the saved one; `index.set_params(oversampling=10)` changes them.

        Raises
        ------
        FileNotFoundError
            If the folder, its header or a file that the header names is missing.
        ValueError
            If the folder is not a saved EmbeddingIndex, of a newer version, or damaged.
        """
        return cls._restore(open_current(Path(path), mmap, "embedding"))

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
        check_index(Path(path), "embedding")

    @classmethod
    def from_blocks(
        cls, path: str | os.PathLike[str], blocks: Iterable[Any], *, training: Any = None, **parameters: Any
    ) -> Self:
        """Build a saved index from blocks of vectors, with one block in memory at a time.

        Parameters
        ----------
        path : str or path-like
            The folder: new, empty, or a saved index, which is replaced when all blocks are written.
        blocks : iterable of array-like or of tuples (vectors, labels) or (vectors, labels, ids)
            Vectors, as for `fit`; labels may be None. Labels and ids come with every block or with no block.
        training : array-like of shape (n_samples, n_features), default=None
            Vectors to learn from; None means the first block.
        **parameters
            Parameters of the index, such as `bytes_per_vector=`.

        Returns
        -------
        index : EmbeddingIndex
            The index, mapped into memory.

        Raises
        ------
        ValueError
            If there are no blocks, or a block does not fit to those before; the folder is unchanged then.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> rng = np.random.default_rng(0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     blocks = (rng.normal(size=(500, 64)) for _ in range(4))
        ...     len(EmbeddingIndex.from_blocks(folder, blocks, rescore="int8"))
        2000
        """
        index = cls(**parameters)
        index._validate_params()
        if training is not None:
            index._prepare(training)
        with create(path, "embedding") as writer:
            last = add_blocks(writer, blocks, index._read_block)
            if last is None:
                raise ValueError("blocks is empty, expected at least one block of vectors.")
            writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **index._facts())
        return cls.open(path)

    @classmethod
    def append_blocks(cls, path: str | os.PathLike[str], blocks: Iterable[Any]) -> Self:
        """Append blocks of vectors to a saved index, without rewriting those that it contains.

        Appending is atomic: after an interruption the folder contains no block. Indexes that are open stay as they are.

        Parameters
        ----------
        path : str or path-like
            The folder of a saved index.
        blocks : iterable of array-like or of tuples (vectors, labels) or (vectors, labels, ids)
            As for `from_blocks`; with labels and ids if the index has them.

        Returns
        -------
        index : EmbeddingIndex
            The longer index, mapped into memory.
        """
        with append_to(path, "embedding") as (writer, saved):
            index = cls._restore(saved)
            last = add_blocks(writer, blocks, index._read_block, saved.collection)
            assert last is not None
            writer.commit(check_ids=last.next_id is None, next_id=last.next_id, **index._facts())
        return cls.open(path)

    def _prepare(self, X: Any) -> None:
        """Learn from training vectors, and hold no vectors yet."""
        array = self._validate(X, reset=True)
        quantizer, copies = self._learn(array)
        nothing = np.empty((0, quantizer.layout.n_words), np.uint64)
        self._stored = Stored(Collection.build(nothing), quantizer, copies)

    def _read_block(self, X: Any, is_first: bool) -> tuple[NDArray[np.uint64], NDArray[Any] | None]:
        """Return the records and copies of a block, the first of which teaches the index if nothing has yet."""
        if is_first and "_stored" not in vars(self):
            self._prepare(X)
        read = self._read(X)
        return read.records, read.copies

    def _facts(self) -> dict[str, Any]:
        """Return the facts about this index for a header."""
        arrays, extra = self._stored.attachments()
        names = getattr(self, "feature_names_in_", None)
        parameters = {name: value for name, value in self.get_params(deep=False).items() if name != "random_state"}
        return {
            "bits": 64 * self._stored.quantizer.layout.n_words,
            "parameters": parameters,
            "feature_names": None if names is None else names.tolist(),
            "attachments": arrays,
            "extra": extra,
        }

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
        index._stored = restore(saved.collection, saved.attachments, saved.extra)
        index.n_features_in_ = len(index._stored.quantizer.mean)
        if facts.feature_names is not None:
            if len(facts.feature_names) != index.n_features_in_:
                raise ValueError(
                    f"The saved index is damaged: it has {index.n_features_in_} features and "
                    f"{len(facts.feature_names)} names of features."
                )
            index.feature_names_in_ = np.array(facts.feature_names, dtype=object)
        return index
