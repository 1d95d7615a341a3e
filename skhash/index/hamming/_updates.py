"""The life of an indexed collection after `fit`: codes come, change and go."""

from sklearn.utils.validation import check_is_fitted

from skhash.index.hamming._state import _IndexState
from skhash.utils import fit_context

__all__ = ["UpdateMixin"]


class UpdateMixin(_IndexState):
    """The methods of `HammingIndex` that change what it holds; one that raises has changed nothing."""

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, ids=None):
        """Index more codes; `add` is another name for it.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels, of the same kind as before; given always or never. Single labels may bring new classes.
        ids : array-like of shape (n_samples,), default=None
            Their ids, of the same kind as before, which are not in the index; given always or never. Without, ids
            count on from the last one that was ever given.

        Returns
        -------
        self : HammingIndex
            The index.
        """
        if not hasattr(self, "_collection"):
            return self._build(X, y, ids)
        codes = self._read_codes(X, reset=False)
        collection, engine = self._collection.add(codes, y, ids), self._get_engine()
        engine.extend(collection.codes)
        return self._keep(collection, engine)

    def add(self, X, y=None, *, ids=None):
        """Index more codes; another name for `partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels, of the same kind as before; given always or never. Single labels may bring new classes.
        ids : array-like of shape (n_samples,), default=None
            Their ids, of the same kind as before, which are not in the index; given always or never. Without, ids
            count on from the last one that was ever given.

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

    def remove(self, ids):
        """Remove codes.

        Parameters
        ----------
        ids : array-like of shape (n_removed,)
            Ids of indexed codes, each once. An id that the index gave never comes again; one of the user's may, by
            `add`, at the end.

        Returns
        -------
        self : HammingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is there twice.

        Notes
        -----
        Removed codes are passed over in searches. When they are more than a quarter of all, they are given up
        as by `compact`, unless the codes are in a memory map.
        """
        check_is_fitted(self)
        return self._keep_fewer(self._collection.remove(ids))

    def update(self, ids, X, y=None):
        """Replace codes; each keeps its id and its place in the order.

        Parameters
        ----------
        ids : array-like of shape (n_samples,)
            Ids of indexed codes, each once.
        X : array-like of shape (n_samples, bits) or in another form of `skhash.codes`
            Their new codes.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Their new labels; None keeps those that are there.

        Returns
        -------
        self : HammingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is there twice.

        Notes
        -----
        Arrays that `fit` was given are never written to: the first update copies the codes.
        """
        check_is_fitted(self)
        codes = self._read_codes(X, reset=False)
        return self._keep(self._collection.update(ids, codes, y))

    def compact(self):
        """Give up the room of removed codes; no answer changes.

        Returns
        -------
        self : HammingIndex
            The index. If the user gave no ids, it needs 8 bytes per code for them from now on, unless it was the last
            codes that were removed.
        """
        check_is_fitted(self)
        return self._keep_fewer(self._collection.compact())

    def _keep_fewer(self, collection):
        """Hold what is left, with the same engine if the rows are."""
        return self._keep(collection, self._get_engine() if collection.codes is self._collection.codes else None)

    def __len__(self):
        """Number of codes."""
        check_is_fitted(self)
        return len(self._collection)

    def __contains__(self, label):
        """Whether a code with this id is in the index."""
        check_is_fitted(self)
        return label in self._collection

    def memory_usage(self):
        """Tell how many bytes the index takes.

        Returns
        -------
        usage : dict of str to int
            "codes", "ids" and "labels", with room for more where codes were added; "tombstones", a byte per code after
            a removal; "lookup", to find the user's ids, after the first question for one; "tables" and
            "distinct_codes", what the search has built beside the codes. Python objects, to which ids other than int64
            refer, are not counted; memory maps are, as if they were in memory.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> HammingIndex().fit([[0, 1, 0], [1, 1, 0]]).memory_usage()["codes"]
        16
        """
        check_is_fitted(self)
        return {**self._get_engine().memory_usage(), **self._collection.memory_usage()}
