"""The state of `EmbeddingIndex`, and how it reads vectors."""

from __future__ import annotations

import sys
import warnings
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from skhash.index.collection._collection import Collection
from skhash.index.embedding._learning import Statistics, learn_quantizer
from skhash.index.embedding._stored import Copies, Read, Stored, read_vectors
from skhash.utils import is_plain, local_random_state, restore_on_error, unwrap_features

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.index.embedding._quantizer import Quantizer
    from skhash.utils import RandomStateLike

__all__ = ["_EmbeddingState"]


class _EmbeddingState(BaseEstimator):
    """Records of vectors with their quantizer, the base class of every mixin of `EmbeddingIndex`.

    Attributes
    ----------
    _stored : Stored
        Set by `fit`, and replaced as a whole by each change.
    _statistics : Statistics
        Of the vectors passed to `learn`, until the first vectors are indexed.
    """

    n_neighbors: int
    metric: Literal["cosine", "euclidean", "inner_product"]
    bytes_per_vector: int | None
    rescore: Literal["int8", "float16", "float32"] | None
    oversampling: float
    query_bits: int | Literal["auto"]
    max_samples: int | None
    n_jobs: int | None
    random_state: RandomStateLike
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    _stored: Stored
    _statistics: Statistics

    @property
    def _collection(self) -> Collection:
        """The records with ids and labels. Read it once, or in a method `on_snapshot`: a change replaces it."""
        return self._stored.collection

    @property
    def ids_(self) -> NDArray[Any]:
        """The ids of the vectors."""
        collection = self._collection
        return collection.ids_of(collection.live_rows())

    @property
    def n_samples_fit_(self) -> int:
        """Number of vectors."""
        return len(self._collection)

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes; the attribute does not exist without labels."""
        labels = self._collection.labels
        if labels is None:
            raise AttributeError("EmbeddingIndex was fitted without labels, so it has no classes_.")
        return labels.classes

    @property
    def bytes_per_vector_(self) -> int:
        """Bytes of a record, the factor and the offset included."""
        return 8 * self._stored.quantizer.layout.n_words

    @property
    def bits_per_axis_(self) -> NDArray[np.int64]:
        """The number of bits of each principal axis, without those that are dropped."""
        return self._stored.quantizer.layout.bits

    def _check_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        if "_stored" not in vars(self):
            check_is_fitted(self)

    def __getstate__(self) -> dict[str, Any]:
        # Of a pickle, or of a shallow copy, which must not share memory that is written to.
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        if "_stored" in state:
            state["_stored"] = state["_stored"].with_collection(state["_stored"].collection.share())
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return "_stored" in vars(self)

    def _validate(self, X: Any, *, reset: bool) -> NDArray[Any]:
        """Return vectors in any form as a matrix of numbers, of which values are not looked at yet."""
        if not reset and is_plain(X, self):
            return X
        X = unwrap_features(X)
        array: Any = validate_data(self, X, reset=reset, ensure_all_finite=False)
        return array if array.dtype.kind in "fiu" else array.astype(np.float32)

    def _build(self, X: Any, y: ArrayLike | None, ids: IdsLike | None, statistics: Statistics | None = None) -> Self:
        """Replace the indexed vectors; on error the estimator is unchanged."""
        with restore_on_error(self):
            X = self._validate(X, reset=statistics is None)
            quantizer, copies = self._learn(X, statistics)
            read = _read(X, quantizer, copies)
            self._stored = Stored(Collection.build(read.records, y, ids, read.copies), quantizer, copies)
            vars(self).pop("_statistics", None)
        return self

    def _learn(self, X: NDArray[Any], statistics: Statistics | None = None) -> tuple[Quantizer, Copies]:
        """Learn from vectors, or from those of the statistics: with the same seed the result is the same."""
        if statistics is None:
            statistics = self._no_statistics(X).extended(X, self.metric, self._sampled(X))
        random_state = local_random_state(self.random_state)
        quantizer = learn_quantizer(statistics, self.metric, self._bytes(), random_state)
        return quantizer, Copies.learn(self.rescore, statistics.sample.rows, self.metric)

    def _no_statistics(self, X: NDArray[Any]) -> Statistics:
        return Statistics.empty(X.shape[1], local_random_state(self.random_state))

    def _sampled(self, X: NDArray[Any]) -> NDArray[np.int64] | None:
        """Return the rows to learn from, evenly spaced; None for all."""
        if self.max_samples is None or len(X) <= self.max_samples:
            return None
        return np.linspace(0, len(X) - 1, self.max_samples).astype(np.int64)

    def _bytes(self) -> int | None:
        if self.bytes_per_vector is not None and self.bytes_per_vector % 8:
            raise ValueError(f"bytes_per_vector must be a multiple of 8, got {self.bytes_per_vector}.")
        return None if self.bytes_per_vector is None else int(self.bytes_per_vector)

    def _read(self, X: Any) -> Read:
        """Return the records and copies of more vectors."""
        return _read(self._validate(X, reset=False), self._stored.quantizer, self._stored.copies)

    def _n_planes(self) -> int:
        """Return the bits per element of a query."""
        if self.query_bits != "auto":
            check_scalar(self.query_bits, "query_bits", Integral, min_val=1, max_val=8)
            return int(self.query_bits)
        levels = len(self._stored.quantizer.layout.sizes)
        return 4 if levels == 1 else 6 if levels <= 4 else 8


def _read(X: NDArray[Any], quantizer: Quantizer, copies: Copies) -> Read:
    """Return the records and copies of vectors; warn if their scores will be far off."""
    read = read_vectors(X, quantizer, copies)
    if read.n_clipped_copies:
        warnings.warn(
            f"{read.n_clipped_copies} of {len(X)} vectors have values far beyond the range of the int8 copies, "
            "which the index has learned from other vectors, and their distances will be wrong: fit the index on "
            "vectors of all kinds, or use rescore='float16'.",
            stacklevel=_stacklevel(),
        )
    if read.n_clipped:
        warnings.warn(
            f"{read.n_clipped} of {len(X)} vectors are much farther from the mean than those that the index has "
            "learned from, and estimates of their distances are too far off to rank them: fit the index on vectors "
            "of all kinds, or use rescore.",
            stacklevel=_stacklevel(),
        )
    return read


def _stacklevel() -> int:
    """Return the level of the user's line: several methods read vectors, at different depths."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in ("skhash", "sklearn"):
        level, frame = level + 1, frame.f_back
    return level
