"""Find all estimators of the library, so that tests of all of them include a new one."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline


def all_estimators() -> list[tuple[str, type[Any]]]:
    """Return every public estimator of skhash, except for pipelines, which are made of estimators.

    Returns
    -------
    estimators : list of (str, type)
        Names and classes, sorted by name.

    Examples
    --------
    >>> from skhash.utils import all_estimators
    >>> [name for name, _ in all_estimators() if name.startswith("Hamming")]
    ['HammingIndex', 'HammingNeighborsTransformer']
    """
    package = import_module("skhash")
    found = [(name, getattr(package, name)) for name in package.__all__]
    estimators = [(name, thing) for name, thing in found if inspect.isclass(thing) and issubclass(thing, BaseEstimator)]
    return sorted((name, thing) for name, thing in estimators if not issubclass(thing, Pipeline))


def all_hashers() -> list[tuple[str, type[Any]]]:
    """Return every public hasher: the estimators whose `transform` returns binary codes.

    Returns
    -------
    hashers : list of (str, type)
        Names and classes, sorted by name.

    Examples
    --------
    >>> from skhash.utils import all_hashers
    >>> [name for name, _ in all_hashers() if name.startswith("L")]
    ['LSHHasher', 'LowerBoundHasher']
    """
    from skhash.base import BaseHasher  # at the top it would be circular: base itself imports utils

    return [(name, thing) for name, thing in all_estimators() if issubclass(thing, BaseHasher)]
