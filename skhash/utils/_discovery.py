"""Find the estimators of the library, so that a sweep over all of them cannot miss a new one."""

import inspect
from importlib import import_module

from sklearn.base import BaseEstimator


def all_estimators():
    """List every public estimator of skhash.

    Returns
    -------
    estimators : list of (str, type)
        Sorted by name.

    Examples
    --------
    >>> from skhash.utils import all_estimators
    >>> [name for name, _ in all_estimators() if name.startswith("Hamming")]
    ['HammingIndex', 'HammingNeighborsTransformer']
    """
    package = import_module("skhash")
    found = [(name, getattr(package, name)) for name in package.__all__]
    return sorted((name, thing) for name, thing in found if inspect.isclass(thing) and issubclass(thing, BaseEstimator))


def all_hashers():
    """List every public hasher: the estimators whose `transform` gives binary codes.

    Returns
    -------
    hashers : list of (str, type)
        Sorted by name.

    Examples
    --------
    >>> from skhash.utils import all_hashers
    >>> [name for name, _ in all_hashers() if name.startswith("L")]
    ['LSHHasher', 'LowerBoundHasher']
    """
    from skhash.base import BaseHasher

    return [(name, thing) for name, thing in all_estimators() if issubclass(thing, BaseHasher)]
