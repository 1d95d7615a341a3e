"""What all generators of centers accept, and what they raise where they have none to give."""

from functools import wraps
from numbers import Integral

from skhash.utils import Interval, validate_params

_SIZES = {
    "n_classes": [Interval(Integral, 1, None, closed="left")],
    "bits": [Interval(Integral, 1, None, closed="left")],
}


class NoCentersError(ValueError):
    """A generator has no centers for so many classes and bits; `"auto"` then goes on to the next."""


def checked(**constraints):
    """Make a decorator for functions of `n_classes` and `bits`.

    Parameters
    ----------
    **constraints : list
        What further parameters accept, as for `validate_params`.

    Returns
    -------
    decorator : callable
        The function gets both as positive Python integers, whose powers do not overflow.
    """

    def decorator(function):
        @wraps(function)
        def with_plain_integers(n_classes, bits, *args, **kwargs):
            return function(int(n_classes), int(bits), *args, **kwargs)

        return validate_params({**_SIZES, **constraints}, prefer_skip_nested_validation=True)(with_plain_integers)

    return decorator
