"""Hashers that know their training data by a summary, so that these may be of any size and come in chunks."""

from abc import abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.validation import check_consistent_length, validate_data

from skhash.base import BaseHasher
from skhash.methods._blocks import double_blocks
from skhash.methods._covariance import RunningCovariance, RunningMean
from skhash.methods._sample import Sample
from skhash.utils import are_labels, fit_context, read_labels


@dataclass(frozen=True, eq=False)
class Summary:
    """What a hasher keeps of its training data.

    Parameters
    ----------
    moments : RunningMean or RunningCovariance
        What is known of all of them.
    sample : Sample, default=None
        Some of them.
    drawn : ndarray, default=None
        What the method drew at random before the first of them.
    """

    moments: RunningMean | RunningCovariance
    sample: Sample | None = None
    drawn: np.ndarray | None = None

    def extended(self, X):
        """Give the summary of the samples so far and those of `X`."""
        sample = None if self.sample is None else self.sample.extended(X)
        return replace(self, moments=self.moments.extended(X), sample=sample)


class StreamedHasher(BaseHasher):
    """Base class of hashers of features that learn from a `Summary`.

    A subclass supplies `_start`, `_learn` and where need be `_check_size`. Nothing is learnt from labels: `y` is only
    kept for `predict`.

    Warning: this class should not be used directly. Use derived classes instead.
    """

    @abstractmethod
    def _start(self, n_features):
        """Draw whatever is drawn before data are seen, and give an empty `Summary`."""

    @abstractmethod
    def _learn(self, summary):
        """Set `components_`, `mean_` and what else the method has from a summary."""

    def _check_size(self, n_samples, n_features):
        """Refuse training data that are too few for the method."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn the hash function.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features. They are read block by block: a memory-mapped array may be larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Class labels or a multi-hot matrix: ignored in training, kept with the training codes for `predict`.

        Returns
        -------
        self : object
            The fitted hasher.
        """
        with self._names_kept_on_failure():
            self._train(X, y, None)
        self._pickles_summary = False
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Learn from one more chunk of the training data.

        The hash function is that of all samples so far, those of an earlier `fit` included, as if `fit` had been given
        them at once. Every call computes it anew, so that few large chunks are quicker than many small ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training features.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            As in `fit`.

        Returns
        -------
        self : object
            The hasher. What is said of training codes, such as their votes in `predict`, is of the last call's samples.

        Raises
        ------
        ValueError
            If another parameter than `random_state` has changed since the first call, or if the hasher was fitted by
            `fit` and then pickled or copied: what `partial_fit` goes on from is kept in memory after `fit`, but pickled
            after `partial_fit` only.
        """
        self._train(X, y, self._resumed_summary())
        self._pickles_summary = True
        return self

    def _train(self, X, y, summary):
        X = self._validate(X, reset=summary is None)
        if y is not None:
            check_consistent_length(X, y)
        if are_labels(y):
            read_labels(y)  # what is wrong with them is said before anything is learnt
        summary = self._start(X.shape[1]) if summary is None else summary
        self._check_size(summary.moments.n_samples + len(X), X.shape[1])
        summary = summary.extended(X)
        self._learn(summary)
        self.n_samples_seen_ = summary.moments.n_samples
        self._summary, self._made_with = summary, self._lasting_parameters()
        self._remember_labels(X, y)

    @contextmanager
    def _names_kept_on_failure(self):
        """Put back what validation has noted of the features if training fails: a fitted hasher still needs it."""
        names = ("n_features_in_", "feature_names_in_")
        before = {name: vars(self)[name] for name in names if name in vars(self)}
        try:
            yield
        except BaseException:
            if hasattr(self, "components_"):
                for name in names:
                    vars(self).pop(name, None)
                vars(self).update(before)
            raise

    def _resumed_summary(self):
        """Give the summary of the samples so far, None if there were none."""
        if not hasattr(self, "components_"):
            return None
        if not hasattr(self, "_summary"):
            raise ValueError(
                f"This {type(self).__name__} was fitted by fit and then pickled or copied, which leaves out what "
                "partial_fit goes on from. Use partial_fit from the beginning if training is to go on elsewhere."
            )
        now = self._lasting_parameters()
        for name, old in self._made_with.items():
            if now[name] != old:
                raise ValueError(
                    f"{name} was {old!r} when the first samples were seen and is {now[name]!r} now: partial_fit cannot "
                    "go on. Call fit to start anew."
                )
        return self._summary

    def _lasting_parameters(self):
        return {name: value for name, value in self.get_params().items() if name != "random_state"}

    def __getstate__(self):
        state = dict(super().__getstate__())  # a copy: since Python 3.11 it may be the living `__dict__`
        if not state.get("_pickles_summary", True):
            state.pop("_summary", None)
        return state

    def _validate(self, X, reset=False):
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"{type(self).__name__} takes features of shape (n_samples, n_features), got X of shape "
                f"{tuple(X.shape)}: flatten the images, or train a deep hasher on them."
            )
        return validate_data(self, X, reset=reset)  # of any numeric type: blocks are converted one by one


def project(X, mean, components):
    """Yield projections of centered samples, block by block.

    Matrix products round differently in different company (block sizes, threads). What is zero up to that rounding must
    not get a random sign: it is set to zero.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Samples.
    mean : ndarray of shape (n_features,)
        What is subtracted from them.
    components : ndarray of shape (n_components, n_features)
        Directions.

    Yields
    ------
    z : ndarray of shape (rows, n_components)
        Projections.
    noise : ndarray of shape (rows, n_components)
        How far rounding can have moved them.
    """
    relative = X.shape[1] * np.finfo(np.float64).eps * np.linalg.norm(components, axis=1)
    for block in double_blocks(X):
        block -= mean
        z = block @ components.T
        noise = np.linalg.norm(block, axis=1)[:, None] * relative
        z[np.abs(z) <= noise] = 0.0
        yield z, noise
