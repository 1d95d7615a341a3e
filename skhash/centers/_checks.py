"""Parameter checks of all generators of centers, and the error of a generator that has no centers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from numbers import Integral
from typing import Any, TypeVar, cast

from skhash.utils import Interval, validate_params

_Function = TypeVar("_Function", bound=Callable[..., Any])

_SIZES = {
    "n_classes": [Interval(Integral, 1, None, closed="left")],
    "bits": [Interval(Integral, 1, None, closed="left")],
}


class NoCentersError(ValueError):
    """Error of a generator without centers for given numbers of classes and bits; "auto" then tries the next one."""


def checked(**constraints: list[Any]) -> Callable[[_Function], _Function]:
    """Return a decorator that checks the parameters of a function of `n_classes` and `bits`.

    Parameters
    ----------
    **constraints : list
        Accepted values of further parameters, as in `validate_params`.

    Returns
    -------
    decorator : callable
        The decorated function gets both as positive Python integers, whose powers do not overflow.
    """

    def decorator(function: _Function) -> _Function:
        @wraps(function)
        def with_plain_integers(n_classes: int, bits: int, *args: Any, **kwargs: Any) -> Any:
            return function(int(n_classes), int(bits), *args, **kwargs)

        validate = validate_params({**_SIZES, **constraints}, prefer_skip_nested_validation=True)
        return cast("_Function", validate(with_plain_integers))

    return decorator
