"""The life of a store: opening, transactions, errors, closing; what the public methods share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np
from sklearn.utils import check_scalar

from skhash.codes import as_packed
from skhash.stores._errors import StoreError
from skhash.stores._hooks import StoreHooks
from skhash.stores._schema import Schema, check_name, name_some, read_columns
from skhash.utils import check_option

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from skhash.utils import CodesLike

__all__ = ["StoreBase", "known_error"]


class StoreBase(StoreHooks):
    """The state of a store, and what calls hooks: the base of the chapters of `CodeStore`."""

    def __init__(
        self,
        bits: int | None = None,
        *,
        table: str = "codes",
        columns: Mapping[str, Any] | None = None,
        n_neighbors: int = 5,
        radius: int = 2,
        bitorder: Literal["little", "big"] = "little",
        verbose: bool = False,
    ) -> None:
        self.table = check_name(table, "table")
        self.n_neighbors = int(check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1))
        self.radius = int(check_scalar(radius, "radius", Integral, min_val=0))
        check_option("bitorder", bitorder, ("little", "big"))
        self.bitorder: Literal["little", "big"] = bitorder
        self.verbose = verbose
        self._local = threading.local()
        self._is_closed = False
        self._process = os.getpid()
        wanted = None if columns is None else read_columns(columns)
        if bits is not None:
            bits = int(check_scalar(bits, "bits", Integral, min_val=1))
        try:
            self._open(bits, wanted)
        except BaseException:
            self.close()
            raise

    def _open(self, bits: int | None, columns: dict[str, str] | None) -> None:
        """Connect, and create the table or compare it with what was asked for."""
        with self._calling("open"):
            schema = self._load()
            if schema is None and bits is not None:
                self._schema = Schema(bits, columns or {})
                self._create(self._schema)
                schema = self._load()
        if schema is None:
            raise ValueError(f"There is no table {self.table!r} in {self._describe()}; pass bits= to create it.")
        self._schema = schema
        for name, asked, known in (("bits", bits, schema.bits), ("columns", columns, schema.columns)):
            if asked is not None and asked != known:
                where = f"table {self.table!r} in {self._describe()}"
                raise ValueError(f"{name}={asked!r}, but {where} has {name}={known!r}.")

    @property
    def bits(self) -> int:
        """Code length."""
        return self._schema.bits

    @property
    def columns(self) -> dict[str, str]:
        """Columns of metadata and their types."""
        return dict(self._schema.columns)

    @contextmanager
    def transaction(self) -> Iterator[Self]:
        """Combine several changes: all of them are stored at the end of the block, or none if it raises.

        Searches of this thread see the changes at once, others when the block has ended. A transaction within another
        is a part of it. If an engine refuses one of the changes, the block must be repeated as a whole.

        Yields
        ------
        store : CodeStore
            The store.
        """
        state = vars(self._local)
        if state.get("depth"):
            yield self
            return
        with self._calling("change"):
            self._begin()
        state.update(depth=1, failed=False)
        try:
            yield self
            if state["failed"]:
                raise StoreError(
                    f"A change of table {self.table!r} failed within this transaction, so that none of its changes was "
                    "stored. Repeat the whole transaction."
                )
        except BaseException:
            state["depth"] = 0
            self._rollback()
            raise
        state["depth"] = 0
        try:
            with self._calling("store changes of"):
                self._commit()
        except BaseException:
            self._rollback()
            raise

    def drop(self) -> None:
        """Remove the table with all codes. The store can only be closed then; open a new one to create it again."""
        with self._calling("drop"):
            self._destroy()

    def close(self) -> None:
        """Close all connections of this store. A second call does nothing."""
        self._is_closed = True
        if os.getpid() == self._process:  # a child process must not end the connections of its parent
            self._disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._describe()}, table={self.table!r}, bits={self._schema.bits})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: connections belong to one process, and an address may contain a password."""
        raise TypeError(f"{type(self).__name__} cannot be pickled; open the store in each process.")

    @contextmanager
    def _calling(self, doing: str) -> Iterator[None]:
        """Convert the errors of an engine to the library's; messages name the table and what was tried."""
        if self._is_closed:
            raise StoreError(f"Cannot {doing} table {self.table!r}: the store is closed. Open a new one.")
        if os.getpid() != self._process:
            raise StoreError(
                f"Cannot {doing} table {self.table!r}: the store was opened in another process. Open one in each."
            )
        try:
            yield
            return
        except StoreError:
            raise
        except Exception as error:
            meaning = self._translate(error, doing)
            if meaning is None:
                raise
        raise meaning from None  # what a driver says is part of the message, as far as it helps

    @contextmanager
    def _changing(self, doing: str) -> Iterator[None]:
        """Begin a transaction, or a part of the one that this thread has begun; which has failed if this part fails."""
        state = vars(self._local)
        if state.get("depth") and state["failed"]:
            raise StoreError(
                f"Cannot {doing} table {self.table!r}: an earlier change of this transaction failed. Repeat the whole "
                "transaction."
            )
        with self.transaction():
            try:
                with self._calling(doing):
                    yield
            except BaseException:
                state["failed"] = True
                raise

    def _refuse(self, doing: str, why: str) -> str:
        """Return the beginning of a message: what was tried with which table, and where it is."""
        return f"Cannot {doing} table {self.table!r} in {self._describe()}: {why}"

    def _read_codes(self, X: CodesLike) -> NDArray[np.uint64]:
        """Read codes in any form as packed words."""
        words, _ = as_packed(X, self._schema.bits, bitorder=self.bitorder)
        if len(words) == 0:
            raise ValueError(f"Found array with 0 sample(s) (shape={words.shape}) while a minimum of 1 is required.")
        return words

    def _fetch_in_order(self, ids: NDArray[np.int64]) -> tuple[NDArray[np.uint64], dict[str, NDArray[Any]]]:
        """Return codes and metadata of ids, in their order, or raise ValueError for unknown ones."""
        unique = np.unique(ids)
        found, words, columns = self._fetch(unique)
        if len(found) != len(unique):
            self._raise_unknown(ids, found)
        order = np.argsort(found)[np.searchsorted(unique, ids)]
        return words[order], {name: column[order] for name, column in columns.items()}

    def _raise_unknown(self, ids: NDArray[np.int64], found: NDArray[np.int64]) -> NoReturn:
        """Raise ValueError that names ids which are not in the store."""
        unknown = ids[~np.isin(ids, found)]
        raise ValueError(f"ids must be ids of stored codes, but {name_some(unknown)} not in table {self.table!r}.")


def known_error(ids: NDArray[np.int64], table: str) -> ValueError:
    """Return the error for new codes whose ids are in the store already."""
    return ValueError(f"ids of new codes must be new, but {name_some(ids)} in table {table!r} already.")
