"""Labels of an index: prediction by a vote of the neighbors, and scores of rankings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.index.collection._labels import checked, vote
from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState
from skhash.utils import available_if

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import CodesLike

__all__ = ["LabeledMixin"]


def _may_have_labels(index: _IndexState) -> bool:
    """Return True before `fit` (so that `predict` raises NotFittedError) and after a `fit` with labels."""
    if hasattr(index, "_collection") and index._collection.labels is None:
        raise AttributeError("HammingIndex was fitted without labels, so it cannot predict or score; use fit(X, y).")
    return True


class LabeledMixin(_IndexState):
    """The methods of `HammingIndex` that need labels."""

    @available_if(_may_have_labels)
    @on_snapshot
    def predict(self, X: CodesLike | None) -> NDArray[Any]:
        """Predict labels by a vote of the `n_neighbors` nearest codes (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, or None
            Queries. None means the indexed codes, which do not vote for themselves.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            The class that most of the neighbors have; of equally frequent classes, the one whose first neighbor by
            (distance, row) comes first. For multi-hot labels a 0 / 1 matrix of uint8: all labels that at least half of
            the neighbors have.
        """
        self._check_fitted()
        labels = self._collection.labels
        assert labels is not None  # or the method would not be available
        _, rows = self._nearest(X, max(1, min(self.n_neighbors, self.n_samples_fit_ - (X is None))))
        return vote(labels, rows).decode()

    @available_if(_may_have_labels)
    @on_snapshot
    def score(self, X: CodesLike, y: ArrayLike, **options: Any) -> float:
        """Compute the mean average precision of ranking all indexed codes for each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Labels of the queries.
        **options
            Keyword arguments of `skhash.metrics.mean_average_precision`, such as `R=1000`.

        Returns
        -------
        score : float
            From 0 to 1; without options mAP@all with the defaults of `mean_average_precision`.

        Warns
        -----
        UserWarning
            If no query has a label of the indexed codes, so that the score is 0.
        """
        from skhash.metrics import mean_average_precision  # here, because metrics import index

        self._check_fitted()
        queries, labels = self._read_codes(X, reset=False), self.labels_
        assert labels is not None  # or the method would not be available
        checked(labels).warn_of_unknown(y)
        options = {"n_jobs": self.n_jobs, **options}
        return mean_average_precision(queries, self.codes_, y, labels.decode(), bits=self.bits_, **options)
