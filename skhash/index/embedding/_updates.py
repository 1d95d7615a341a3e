"""Changes of an embedding index after `fit`: vectors are added, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.index.embedding._state import _EmbeddingState
from skhash.utils import fit_context, restore_on_error

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import SamplesLike

__all__ = ["UpdateMixin"]


class UpdateMixin(_EmbeddingState):
    """The methods of `EmbeddingIndex` that change it. All are atomic: on error the index is unchanged."""

    @fit_context(prefer_skip_nested_validation=True)
    def learn(self, X: SamplesLike) -> Self:
        """Learn mean and axes from training vectors that need not be indexed; call it once for each chunk of them.

        The first `partial_fit` or `add` afterwards uses them instead of learning from the vectors that it indexes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training vectors.

        Returns
        -------
        self : EmbeddingIndex
            The index, without vectors yet.

        Raises
        ------
        ValueError
            If the index has vectors: their records depend on what it has learned.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> X = np.random.default_rng(0).normal(size=(3000, 64))
        >>> index = EmbeddingIndex(random_state=0)
        >>> for start in range(0, 2000, 500):
        ...     index = index.learn(X[start : start + 500])
        >>> len(index.add(X[2000:]))
        1000
        """
        if "_stored" in vars(self):
            raise ValueError(
                "learn must come before the first vectors are indexed, because records depend on it: use a new "
                "EmbeddingIndex, or fit."
            )
        statistics = getattr(self, "_statistics", None)
        with restore_on_error(self):
            array = self._validate(X, reset=statistics is None)
            if statistics is None:
                statistics = self._no_statistics(array)
            self._statistics = statistics.extended(array, self.metric)
        return self

    def partial_fit(self, X: SamplesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Append vectors; `add` is another name for it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors. The first ones are also those that the index learns from, unless `learn` was called.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels of the same kind as in `fit`, passed always or never. Single labels may have new classes.
        ids : array-like of shape (n_samples,), default=None
            Ids of the same kind as in `fit`, which are not in the index; passed always or never. Without them, the
            index continues to count from the last id that it ever assigned.

        Returns
        -------
        self : EmbeddingIndex
            The index.
        """
        if "_stored" not in vars(self):
            return self._begin(X, y, ids)
        read = self._read(X)
        self._stored = self._stored.with_collection(self._collection.add(read.records, y, ids, read.copies))
        return self

    def add(self, X: SamplesLike, y: ArrayLike | None = None, *, ids: IdsLike | None = None) -> Self:
        """Append vectors; another name for `partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Vectors. The first ones are also those that the index learns from, unless `learn` was called.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Labels of the same kind as in `fit`, passed always or never. Single labels may have new classes.
        ids : array-like of shape (n_samples,), default=None
            Ids of the same kind as in `fit`, which are not in the index; passed always or never. Without them, the
            index continues to count from the last id that it ever assigned.

        Returns
        -------
        self : EmbeddingIndex
            The index.
        """
        return self.partial_fit(X, y, ids=ids)

    def remove(self, ids: IdsLike) -> Self:
        """Remove vectors.

        Parameters
        ----------
        ids : array-like of shape (n_removed,)
            Ids of indexed vectors, each once. A counted id is never assigned again; a user-defined one may be added
            again, at the end.

        Returns
        -------
        self : EmbeddingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is passed twice.
        """
        self._check_fitted()
        self._stored = self._stored.with_collection(self._collection.remove(ids))
        return self

    def update(self, ids: IdsLike, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Replace vectors; each keeps its id and its position in the order.

        Parameters
        ----------
        ids : array-like of shape (n_samples,)
            Ids of indexed vectors, each once.
        X : array-like of shape (n_samples, n_features)
            The new vectors.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            The new labels; None keeps the old ones.

        Returns
        -------
        self : EmbeddingIndex
            The index.

        Raises
        ------
        ValueError
            If an id is not in the index, or is passed twice.

        Notes
        -----
        An update copies all records, because a search may read the old ones at this moment: replace many vectors at
        once rather than one by one.
        """
        self._check_fitted()
        read = self._read(X)
        self._stored = self._stored.with_collection(self._collection.update(ids, read.records, y, read.copies))
        return self

    def compact(self) -> Self:
        """Reclaim the memory of removed vectors. Search results do not change.

        Returns
        -------
        self : EmbeddingIndex
            The index.
        """
        self._check_fitted()
        self._stored = self._stored.with_collection(self._collection.compact())
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def _begin(self, X: SamplesLike, y: ArrayLike | None, ids: IdsLike | None) -> Self:
        """Index the first vectors; the parameters are checked here only, as by `fit`."""
        return self._build(X, y, ids, getattr(self, "_statistics", None))

    def __len__(self) -> int:
        """Return the number of vectors."""
        self._check_fitted()
        return len(self._collection)

    def __contains__(self, label: object) -> bool:
        """Check whether a vector with this id is in the index."""
        self._check_fitted()
        return label in self._collection

    def memory_usage(self) -> dict[str, int]:
        """Compute the bytes that the index takes.

        Returns
        -------
        usage : dict of str to int
            "records", "vectors" (copies for `rescore`), "ids", "labels", "tombstones", "lookup" and "quantizer", with
            spare capacity where vectors were added. Memory maps count as if they were in memory.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash import EmbeddingIndex
        >>> EmbeddingIndex(bytes_per_vector=16).fit(np.eye(100)).memory_usage()["records"]
        1600
        """
        self._check_fitted()
        usage: dict[str, Any] = dict(self._collection.memory_usage())
        quantizer = self._stored.quantizer
        learned = (quantizer.mean, quantizer.components, quantizer.half_steps, self._stored.copies.scales)
        records = usage.pop("codes")
        return {"records": records, **usage, "quantizer": sum(array.nbytes for array in learned)}
