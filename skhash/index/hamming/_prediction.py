"""What an index does with labels: predict by a vote of the neighbours, and score rankings."""

from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skhash.index.collection._labels import vote
from skhash.index.hamming._state import _IndexState

__all__ = ["LabelledMixin"]


def _was_given_labels(index):
    """Hold before `fit` (so that `predict` asks to be fitted) and after a `fit` with labels."""
    if hasattr(index, "_collection") and index._collection.labels is None:
        raise AttributeError("HammingIndex was fitted without labels, so it cannot predict or score; use fit(X, y).")
    return True


class LabelledMixin(_IndexState):
    """The methods of `HammingIndex` that need labels."""

    @available_if(_was_given_labels)
    def predict(self, X):
        """Predict labels by a vote of the `n_neighbors` nearest codes (of all, if there are fewer).

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, or None
            Queries. None are the indexed codes, none of which votes for itself.

        Returns
        -------
        labels : ndarray of shape (n_queries,) or (n_queries, n_classes)
            The class that most of the neighbours have; of equally frequent classes, the one whose first neighbour by
            (distance, row) comes first. For multi-hot labels a 0 / 1 matrix of uint8: all labels that at least half of
            the neighbours have.
        """
        check_is_fitted(self)
        _, rows = self._nearest(X, max(1, min(self.n_neighbors, self.n_samples_fit_ - (X is None))))
        return vote(self._collection.labels, rows).decode()

    @available_if(_was_given_labels)
    def score(self, X, y, **options):
        """Compute the mean average precision of ranking all indexed codes for each query.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`
            Queries.
        y : array-like of shape (n_queries,) or (n_queries, n_classes)
            Their labels.
        **options
            Keyword arguments of `skhash.metrics.mean_average_precision`, such as `R=1000`.

        Returns
        -------
        score : float
            From 0 to 1; without options mAP@all with the defaults of `mean_average_precision`.
        """
        from skhash.metrics import mean_average_precision

        check_is_fitted(self)
        queries = self._read_codes(X, reset=False)
        labels = self.labels_.decode()
        options = {"n_jobs": self.n_jobs, **options}
        return mean_average_precision(queries, self.codes_, y, labels, bits=self.bits_, **options)
