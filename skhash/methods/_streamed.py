"""Base classes of hashers of features that learn from a summary of their training data, which may come in chunks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_consistent_length, validate_data

from skhash.base import BaseHasher, gather
from skhash.bitops import SignProjection
from skhash.summaries import PrincipalCovariance, RunningMean, Sample, SparseRows, double_blocks
from skhash.utils import (
    are_labels,
    check_unchanged,
    fit_context,
    is_plain,
    read_labels,
    restore_on_error,
    unwrap_features,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.index import HammingIndex
    from skhash.utils import SamplesLike

_FEATURE_ATTRIBUTES = ("n_features_in_", "feature_names_in_")


@dataclass(frozen=True, eq=False)
class Summary:
    """The part of its training data that a hasher keeps.

    Parameters
    ----------
    moments : RunningMean or PrincipalCovariance
        Moments of all samples.
    sample : Sample, default=None
        A uniform sample of them.
    drawn : ndarray, default=None
        Random numbers that the method drew before the first sample.
    """

    moments: RunningMean | PrincipalCovariance
    sample: Sample | None = None
    drawn: NDArray[Any] | None = None

    @property
    def covariance(self) -> PrincipalCovariance:
        """The moments, of a method that needs a covariance."""
        assert isinstance(self.moments, PrincipalCovariance)
        return self.moments

    @property
    def sampled_rows(self) -> NDArray[Any]:
        """The rows of the sample, of a method that needs one."""
        assert self.sample is not None
        assert self.sample.rows is not None
        return self.sample.rows

    @property
    def drawn_first(self) -> NDArray[Any]:
        """The random numbers, of a method that needs some."""
        assert self.drawn is not None
        return self.drawn

    def extended(self, X: NDArray[Any]) -> Summary:
        """Return the summary of the samples so far and of `X`."""
        sample = None if self.sample is None else self.sample.extended(X)
        return replace(self, moments=self.moments.extended(X), sample=sample)


class StreamedHasher(BaseHasher):
    """Base class of hashers of features that learn from a `Summary`.

    A subclass supplies `_start` and `_learn`. Labels are not used in training: `y` is only
    kept for `predict`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    bits: int
    components_: NDArray[np.float64]
    mean_: NDArray[np.float64]
    n_samples_seen_: int
    label_index_: HammingIndex | None
    classes_: NDArray[Any]

    _min_samples = 1

    # Summary of the training data so far, whether it is pickled, and the parameters of the first call.
    _summary: Summary
    _pickles_summary: bool
    _made_with: dict[str, Any]

    # Hooks -----------------------------------------------------------------------------------------------------------

    @abstractmethod
    def _start(self, n_features: int) -> Summary:
        """Draw what is random before any data are seen, and return an empty `Summary`."""

    @abstractmethod
    def _learn(self, summary: Summary) -> None:
        """Set `components_`, `mean_` and the method's other attributes from a summary."""

    # Public API ------------------------------------------------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Learn the hash function.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features. They are read block by block: a memory-mapped array may be larger than memory, and a
            sparse matrix never becomes dense as a whole.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix: ignored in training, kept with the training codes for `predict`.

        Returns
        -------
        self : object
            The fitted hasher.
        """
        with restore_on_error(self, _FEATURE_ATTRIBUTES):
            self._train(X, y, None)
        self._pickles_summary = False
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: SamplesLike, y: ArrayLike | None = None) -> Self:
        """Learn from one more chunk of the training data.

        The hash function is that of all samples so far, those of an earlier `fit` included, as if `fit` had been given
        all of them at once. Every call computes it again, so a few large chunks are faster than many small ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The hasher. Attributes of training codes, such as the votes in `predict`, are those of the last call's
            samples.

        Raises
        ------
        ValueError
            If a parameter other than `random_state` has changed since the first call, or if the hasher was fitted by
            `fit` and then pickled or copied: the summary of the training data is kept in memory after `fit`, but
            pickled only after `partial_fit`.
        """
        self._train(X, y, self._summary_to_continue())
        self._pickles_summary = True
        return self

    # Implementation --------------------------------------------------------------------------------------------------

    def _train(self, X: SamplesLike, y: ArrayLike | None, summary: Summary | None) -> None:
        features = self._validate(X, reset=summary is None)
        if y is not None:
            check_consistent_length(features, y)
        if y is not None and are_labels(y):
            read_labels(y)  # raises before anything is learned
        summary = self._start(features.shape[1]) if summary is None else summary
        n_samples = summary.moments.n_samples + len(features)
        if n_samples < self._min_samples:
            raise ValueError(
                f"{type(self).__name__} needs at least {self._min_samples} training samples, got n_samples={n_samples}."
            )
        for block in features.blocks() if isinstance(features, SparseRows) else [features]:
            summary = summary.extended(block)
        self._learn(summary)
        self.n_samples_seen_ = summary.moments.n_samples
        self._summary, self._made_with = summary, self._lasting_parameters()
        self._remember_labels(features, y)

    def _summary_to_continue(self) -> Summary | None:
        """Return the summary of the samples so far, None if there are no samples yet."""
        if not hasattr(self, "n_samples_seen_"):
            return None
        if not hasattr(self, "_summary"):
            raise ValueError(
                f"This {type(self).__name__} was fitted by fit and then pickled or copied, which leaves out the "
                "summary that partial_fit needs. Call partial_fit instead of fit from the beginning."
            )
        check_unchanged(
            self._made_with,
            self._lasting_parameters(),
            when="when the first samples were seen",
            advice="partial_fit cannot continue. Call fit to start again.",
        )
        return self._summary

    def _lasting_parameters(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_params().items() if name != "random_state"}

    def __getstate__(self) -> dict[str, Any]:
        # A copy: since Python 3.11, `object.__getstate__` may return `__dict__` itself.
        state = dict(cast("dict[str, Any]", super().__getstate__()))
        state.pop("_signs", None)
        if not state.get("_pickles_summary", True):
            state.pop("_summary", None)
        return state

    def _validate(self, X: Any, reset: bool = False) -> NDArray[Any]:
        if not reset and is_plain(X, self):
            return X
        X = unwrap_features(X)
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"{type(self).__name__} takes features of shape (n_samples, n_features), got X of shape "
                f"{tuple(X.shape)}: flatten the images, or train a deep hasher on them."
            )
        # Any numeric type: blocks are converted one by one.
        X = validate_data(self, X, accept_sparse="csr", reset=reset)
        return cast("NDArray[Any]", SparseRows(X) if issparse(X) else X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearHasher(StreamedHasher):
    """Base class of linear hashers: bit `k` is the sign of `(x - mean_) @ components_[k]`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    _signs: SignProjection  # of the current components

    def _project(self, samples: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
        for z, _ in project(samples, self.mean_, self.components_):
            yield z

    def _encode(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        if isinstance(samples, SparseRows):
            blocks = (self._encode(block) for block in samples.blocks())
            return gather(blocks, len(samples))
        signs = vars(self).get("_signs")
        if signs is None or signs.components is not self.components_ or signs.mean is not self.mean_:
            signs = self._signs = SignProjection(self.mean_, self.components_)
        return signs.bits(samples, self._check_finite)

    def _validate_to_encode(self, X: Any) -> NDArray[Any]:
        return X if is_plain(X, self, finite=False) else self._validate(X)

    def _check_finite(self, samples: NDArray[Any]) -> None:
        assert_all_finite(samples, estimator_name=type(self).__name__, input_name="X")


def project(
    X: NDArray[Any], mean: NDArray[np.float64], components: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield projections of centered samples, block by block.

    Matrix products round differently for different block sizes and numbers of threads. A value that is zero up to this
    rounding must not get a random sign: it is set to zero.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Samples.
    mean : ndarray of shape (n_features,)
        Mean that is subtracted from the samples.
    components : ndarray of shape (n_components, n_features)
        Directions.

    Yields
    ------
    z : ndarray of shape (rows, n_components)
        Projections.
    noise : ndarray of shape (rows, n_components)
        Largest rounding error of the projections.
    """
    relative = X.shape[1] * np.finfo(np.float64).eps * np.linalg.norm(components, axis=1)
    for block in double_blocks(X):
        block -= mean
        z = block @ components.T
        noise = np.linalg.norm(block, axis=1)[:, None] * relative
        z[np.abs(z) <= noise] = 0.0
        yield z, noise
