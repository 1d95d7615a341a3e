"""Changes of a store: codes are added, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from skhash.stores._base import StoreBase
from skhash.stores._schema import column_names, read_ids, read_metadata

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import CodesLike

__all__ = ["ChangesMixin"]


class ChangesMixin(StoreBase):
    """The methods of `CodeStore` that change its codes. All are atomic: on error the store is unchanged."""

    def add(self, X: CodesLike, *, ids: ArrayLike | None = None, metadata: Any = None) -> NDArray[np.int64]:
        """Append codes: all of them, or none if there is an error.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        ids : array-like of int of shape (n_samples,), default=None
            Ids that are not in the store. None means that the store counts on from the largest id that it ever had;
            an id that was counted is never given again.
        metadata : dict of str to array-like, or data frame, default=None
            A value for each code in each column of the store. There are no missing values.

        Returns
        -------
        ids : ndarray of int64 of shape (n_samples,)
            The ids of the codes.

        Raises
        ------
        ValueError
            If `X` does not contain codes of this length, or an id is in the store already or passed twice.
        StoreError
            If the engine fails.
        """
        words = self._read_codes(X)
        n = len(words)
        given = None if ids is None else read_ids(ids, n)
        columns = read_metadata(metadata, self._schema.columns, n)
        with self._changing("add codes to"), tqdm(total=n, unit="code", disable=not self.verbose) as progress:
            if given is None:
                first = self._reserve(n)
                given = np.arange(first, first + n)
            else:
                self._reserve(0, least=int(given.max()) + 1)
            for start in range(0, n, self.max_rows):
                part = slice(start, start + self.max_rows)
                values = {name: column[part] for name, column in columns.items()}
                self._insert(given[part], words[part], values, counted=ids is None)
                progress.update(len(given[part]))
        return given

    def update(self, ids: ArrayLike, X: CodesLike | None = None, *, metadata: Any = None) -> Self:
        """Replace codes, their metadata, or both: all of them, or none if there is an error.

        Parameters
        ----------
        ids : array-like of int of shape (n_samples,)
            Ids of codes in the store, each once.
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`, default=None
            The new codes; None keeps the old ones.
        metadata : dict of str to array-like, or data frame, default=None
            New values for each code, of all columns or of some; None keeps the old ones.

        Returns
        -------
        self : CodeStore
            The store.

        Raises
        ------
        ValueError
            If an id is not in the store, or is passed twice.
        """
        wanted = read_ids(ids)
        words = None if X is None else self._read_codes(X)
        if words is not None and len(words) != len(wanted):
            raise ValueError(f"ids must hold one id per code: X has {len(words)}, ids has {len(wanted)}.")
        names = [] if metadata is None else column_names(metadata)
        some = {name: kind for name, kind in self._schema.columns.items() if name in names}
        if len(some) != len(names):
            raise ValueError(f"metadata must have columns of {sorted(self._schema.columns)}, got {sorted(names)}.")
        columns = read_metadata(metadata, some, len(wanted))
        if words is None and not columns:
            raise ValueError("update needs X, metadata, or both.")
        with self._changing("update codes in"):
            for start in range(0, len(wanted), self.max_rows):
                part = slice(start, start + self.max_rows)
                old_words, old = self._fetch_in_order(wanted[part])
                new = {name: columns[name][part] if name in columns else old[name] for name in self._schema.columns}
                self._replace(wanted[part], old_words if words is None else words[part], new)
        return self

    def remove(self, ids: ArrayLike) -> Self:
        """Remove codes: all of them, or none if there is an error.

        Parameters
        ----------
        ids : array-like of int of shape (n_removed,)
            Ids of codes in the store, each once.

        Returns
        -------
        self : CodeStore
            The store.

        Raises
        ------
        ValueError
            If an id is not in the store, or is passed twice.
        """
        wanted = read_ids(ids)
        with self._changing("remove codes from"):
            for start in range(0, len(wanted), self.max_rows):
                part = wanted[start : start + self.max_rows]
                found, _, _ = self._fetch(part, what=False)
                if len(found) != len(part) or self._delete(part) != len(part):
                    self._raise_unknown(part, found)
        return self
