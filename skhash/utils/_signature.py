"""Signatures of classes that pass parameters on to their base class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


def inherit_parameters(init: Callable[..., None], base_init: Callable[..., None]) -> Callable[..., None]:
    """Return an `__init__` whose signature names the parameters that it collects as `**kwargs` for its base class.

    Parameters
    ----------
    init : callable
        `__init__(self, own, *, parameters, **kwargs)`, which passes `kwargs` on to `base_init`.
    base_init : callable
        The `__init__` of the base class.

    Returns
    -------
    init : callable
        The same function with the keyword-only parameters of the base class in place of `**kwargs`. scikit-learn's
        `get_params` and `help` read this signature. Unchanged if `init` has no `**kwargs`.
    """
    parameters = inspect.signature(init).parameters
    own = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    if len(own) == len(parameters):
        return init
    base = inspect.signature(base_init).parameters.items()
    inherited = {name: p for name, p in base if p.kind is p.KEYWORD_ONLY and name not in own}
    names = [name for name in (*own, *inherited) if name != "self"]

    @functools.wraps(init)
    def wrapped(self: Any, *args: Any, **kwargs: Any) -> None:
        unknown = kwargs.keys() - set(names)
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got an unknown parameter {min(unknown)!r}; expected one of {', '.join(names)}."
            )
        init(self, *args, **kwargs)

    signature = inspect.Signature([*own.values(), *inherited.values()])
    wrapped.__signature__ = signature  # pyright: ignore[reportAttributeAccessIssue]  # read by inspect
    return wrapped
