"""Parameters that a class takes over from its base, without repeating them."""

import functools
import inspect


def inherit_parameters(init, base_init):
    """Give an `__init__` that collects `**kwargs` for its base a signature that names them.

    Parameters
    ----------
    init : callable
        `__init__(self, own, *, parameters, **kwargs)`, which hands `kwargs` on to `base_init`.
    base_init : callable
        The `__init__` of the base.

    Returns
    -------
    init : callable
        The same, with the base's keyword-only parameters in place of `**kwargs`: what scikit-learn's `get_params`, help
        and editors read. Unchanged if it collects nothing.
    """
    parameters = inspect.signature(init).parameters
    own = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    if len(own) == len(parameters):
        return init
    base = inspect.signature(base_init).parameters.items()
    inherited = {name: p for name, p in base if p.kind is p.KEYWORD_ONLY and name not in own}
    names = [name for name in (*own, *inherited) if name != "self"]

    @functools.wraps(init)
    def wrapped(self, *args, **kwargs):
        unknown = kwargs.keys() - set(names)
        if unknown:
            raise TypeError(f"{type(self).__name__} has no parameter {min(unknown)!r}; it takes {', '.join(names)}.")
        init(self, *args, **kwargs)

    wrapped.__signature__ = inspect.Signature([*own.values(), *inherited.values()])
    return wrapped
