"""Changes of an index after `fit`: codes are added, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState
from skhash.utils import fit_context

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from skhash.index.collection._collection import Collection
    from skhash.index.collection._ids import IdsLike
    from skhash.utils import CodesLike

__all__ = ["UpdateMixin"]


class UpdateMixin(_IndexState):
    """The methods of `HammingIndex` that change its codes. All are atomic: on error the index is unchanged."""

    def partial_fit(self, X: CodesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Append codes; `add` is another name for it.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels of the same kind as in `fit`, passed always or never. Single labels may have new classes.
        ids : array-like of shape (n_samples,), default=None
            Ids of the same kind as in `fit`, which are not in the index; passed always or never. Without them, the
            index continues to count from the last id that it ever assigned.

        Returns
        -------
        self : HammingIndex
            The index.
        """
        if "_snapshot" not in vars(self):
            return self._begin(X, y, ids)
        codes = self._read_codes(X, reset=False)
        self._snapshot = self._snapshot.with_collection(self._collection.add(codes, y, ids))
        return self

    def add(self, X: CodesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Append codes; another name for `partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels of the same kind as in `fit`, passed always or never. Single labels may have new classes.
        ids : array-like of shape (n_samples,), default=None
            Ids of the same kind as in `fit`, which are not in the index; passed always or never. Without them, the
            index continues to count from the last id that it ever assigned.

        Returns
        -------
        self : HammingIndex
            The index.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex(n_neighbors=1).fit([[0, 0, 0], [1, 1, 1]], ids=["black", "white"])
        >>> index.add([[0, 1, 0]], ids=["green"]).remove(["black"]).kneighbors([[0, 0, 0]])
        (array([[1]], dtype=int32), array([['green']], dtype=object))
        >>> len(index), "black" in index
        (2, False)
        """
        return self.partial_fit(X, y, ids=ids)

    def remove(self, ids: IdsLike) -> Self:
        """Remove codes.

        Parameters
        ----------
        ids : array-like of shape (n_removed,)
            Ids of indexed codes, each once. A counted id is never assigned again; a user-defined one may be added
            again, at the end.

        Returns
        -------
        self : HammingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is passed twice.

        Notes
        -----
        Searches skip removed codes. When these are more than a quarter of all, they are dropped as by `compact`, unless
        the codes are in a memory map.
        """
        self._check_fitted()
        return self._keep_fewer(self._collection.remove(ids))

    def update(self, ids: IdsLike, X: CodesLike, y: ArrayLike | None = None) -> Self:
        """Replace codes; each keeps its id and its position in the order.

        Parameters
        ----------
        ids : array-like of shape (n_samples,)
            Ids of indexed codes, each once.
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            The new codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            The new labels; None keeps the old ones.

        Returns
        -------
        self : HammingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is passed twice.

        Notes
        -----
        An update copies the codes, for arrays passed to `fit` and those that a search may read at this moment are never
        written to: replace many codes at once rather than one by one.
        """
        self._check_fitted()
        codes = self._read_codes(X, reset=False)
        return self._keep(self._collection.update(ids, codes, y))

    def compact(self) -> Self:
        """Reclaim the memory of removed codes. Search results do not change.

        Returns
        -------
        self : HammingIndex
            The index. Counted ids need 8 bytes per code from now on, unless only the last codes were removed.
        """
        self._check_fitted()
        return self._keep_fewer(self._collection.compact())

    @fit_context(prefer_skip_nested_validation=True)
    def _begin(self, X: CodesLike, y: ArrayLike | None, ids: IdsLike | None) -> Self:
        """Index the first codes; the parameters are checked here only, as by `fit`."""
        return self._build(X, y, ids)

    def _keep_fewer(self, collection: Collection) -> Self:
        """Store what is left of the collection, with the same engine if the rows are the same."""
        if collection.codes is not self._collection.codes:
            return self._keep(collection)
        self._snapshot = self._snapshot.with_collection(collection)
        return self

    def __len__(self) -> int:
        """Return the number of codes."""
        self._check_fitted()
        return len(self._collection)

    def __contains__(self, label: object) -> bool:
        """Check whether a code with this id is in the index."""
        self._check_fitted()
        return label in self._collection

    @on_snapshot
    def memory_usage(self) -> dict[str, int]:
        """Compute the bytes that the index takes.

        Returns
        -------
        usage : dict of str to int
            "codes", "ids" and "labels", with spare capacity where codes were added; "tombstones", the deletion mask of
            a byte per code after a removal; "lookup", which finds user-defined ids, after the first use, or from `fit`
            on where they are no integers; "tables" and "distinct_codes", which searches have built beside the codes.
            Python objects, to which ids other than int64 refer, are not counted; memory maps are, as if they were in
            memory.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> HammingIndex().fit([[0, 1, 0], [1, 1, 0]]).memory_usage()["codes"]
        16
        """
        self._check_fitted()
        return {**self._get_engine().memory_usage(), **self._collection.memory_usage()}
