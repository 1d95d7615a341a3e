"""Hooks that a backend implements: some twenty small operations, which know one engine and nothing else.

`CodeStore` reads and checks all arguments, completes and orders results, splits what is large, opens transactions and
turns an engine's errors into the library's. A hook gets what is already checked: ids as int64, codes as packed words,
metadata as one array for each column of the schema, filters as `Condition`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skhash.stores._schema import Schema
    from skhash.stores._where import Condition

__all__ = ["Hits", "StoreHooks"]


class Hits(NamedTuple):
    """Codes that were found, in any order: three arrays of one length.

    Parameters
    ----------
    query : ndarray of int64
        Number of the query, from 0.
    distance : ndarray of int32
        Hamming distance.
    id : ndarray of int64
        Id of the code.
    """

    query: NDArray[np.int64]
    distance: NDArray[np.int32]
    id: NDArray[np.int64]


class StoreHooks(ABC):
    """The operations of one engine, see this module.

    Every hook may raise the errors of its engine: `_translate` says what they mean. `_schema` is set when `_create` or
    `_load` has been called.
    """

    # Whether `_nearest` decides ties at the last neighbor by the smallest id. Otherwise it may return any of the codes
    # at that distance, and `CodeStore` asks `_within` for all of them.
    ties_by_id: ClassVar[bool] = True
    # The largest numbers that one call of a hook gets.
    max_queries: ClassVar[int] = 100
    max_rows: ClassVar[int] = 2**18

    table: str
    _schema: Schema

    @abstractmethod
    def _load(self) -> Schema | None:
        """Connect, and read what `_create` wrote; None if there is no such table. Called once, by `__init__`."""

    @abstractmethod
    def _create(self, schema: Schema) -> None:
        """Create an empty table, and keep `schema.to_json()` with it. If another process was faster, do nothing."""

    @abstractmethod
    def _destroy(self) -> None:
        """Drop the table with all that belongs to it."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close all connections, of all threads. May be called twice."""

    @abstractmethod
    def _describe(self) -> str:
        """Return where the data is, for messages and `repr`: a path, a host. Never a password."""

    @abstractmethod
    def _translate(self, error: Exception, doing: str) -> Exception | None:
        """Return the error of the library that an error of the engine means, or None to let it pass.

        `doing` is what was tried, such as "add codes to"; `_refuse` makes the beginning of a message of it. A lost
        connection must be forgotten here, so that the next call connects again.
        """

    @abstractmethod
    def _begin(self) -> None:
        """Begin a transaction of this thread. Hooks of the same thread then belong to it; there are no nested ones."""

    @abstractmethod
    def _commit(self) -> None:
        """Store all changes since `_begin`, or none and raise."""

    @abstractmethod
    def _rollback(self) -> None:
        """Undo all changes since `_begin`. Called after errors too: it must not raise if the connection is lost."""

    @abstractmethod
    def _reserve(self, n: int, least: int | None = None) -> int:
        """Return the first of `n` consecutive ids that were never reserved before, by any process; the first is 0.

        With `least`, later calls return at least this number; `n` is 0 then. Numbers of transactions that were undone
        need not be used again.
        """

    @abstractmethod
    def _insert(
        self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]], counted: bool
    ) -> None:
        """Store new codes, fast, within a transaction.

        Unless `counted`, ids may be stored already: then raise `known_error(ids, self.table)` of `_base.py` for those
        that are.
        """

    @abstractmethod
    def _delete(self, ids: NDArray[np.int64]) -> int:
        """Remove codes within a transaction, and return how many there were."""

    @abstractmethod
    def _fetch(
        self, ids: NDArray[np.int64], what: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], dict[str, NDArray[Any]]]:
        """Return those of the ids that are stored, with codes and metadata, in any order; unless `what`, ids only.

        Words are of shape (n, n_words), (n, 0) unless `what`; columns are as `_insert` gets them, {} unless `what`.
        """

    @abstractmethod
    def _count(self, where: tuple[Condition, ...]) -> int:
        """Return the number of codes for which all conditions hold."""

    @abstractmethod
    def _nearest(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        """Return the `k` nearest codes of each query, or all if there are fewer; exactly. See `ties_by_id`."""

    @abstractmethod
    def _within(self, words: NDArray[np.uint64], radii: NDArray[np.int32], where: tuple[Condition, ...]) -> Hits:
        """Return all codes within its radius of each query."""

    def _nearest_approximate(self, words: NDArray[np.uint64], k: int, where: tuple[Condition, ...]) -> Hits:
        """Return at most `k` near codes of each query, by an index that may miss some; only if the engine has one."""
        raise ValueError(f"approximate=True: {type(self).__name__} has only exact searches; use approximate=False.")

    def _replace(self, ids: NDArray[np.int64], words: NDArray[np.uint64], columns: dict[str, NDArray[Any]]) -> None:
        """Replace codes that are stored, with all their metadata, within a transaction."""
        self._delete(ids)
        self._insert(ids, words, columns, counted=True)
