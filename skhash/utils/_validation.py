"""All access to scikit-learn's parameter validation, which is still private there (scikit-learn#34001)."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sklearn import config_context, get_config
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    make_constraint,
    validate_parameter_constraints,
)

if TYPE_CHECKING:
    Decorated = TypeVar("Decorated", bound=Callable[..., Any])

    # scikit-learn has no annotations. These declarations keep the signature of a decorated function for type checkers.
    def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Decorated], Decorated]: ...

    def validate_params(
        parameter_constraints: Mapping[str, Any], *, prefer_skip_nested_validation: bool
    ) -> Callable[[Decorated], Decorated]: ...

else:
    from sklearn.base import _fit_context as fit_context
    from sklearn.utils._param_validation import validate_params as _validate_params

    def validate_params(parameter_constraints, *, prefer_skip_nested_validation):
        """Decorate a function as scikit-learn's `validate_params` does, at a third of its cost for valid values.

        Signature and constraints are read once, not at every call. Other values are left to scikit-learn, which says
        what is wrong.

        Parameters
        ----------
        parameter_constraints : dict
            The constraints, by name of the parameter.
        prefer_skip_nested_validation : bool
            Whether functions and estimators that are called inside skip their own checks.

        Returns
        -------
        decorator : callable
            Takes the function and returns the one that checks.
        """
        decorate = _validate_params(parameter_constraints, prefer_skip_nested_validation=prefer_skip_nested_validation)

        def decorator(function):
            checked, signature = decorate(function), inspect.signature(function)
            made = {
                name: [make_constraint(constraint) for constraint in constraints]
                for name, constraints in parameter_constraints.items()
                if constraints != "no_validation"
            }

            @functools.wraps(checked)
            def wrapper(*args, **kwargs):
                if not prefer_skip_nested_validation or get_config()["skip_parameter_validation"]:
                    return checked(*args, **kwargs)
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                for name, constraints in made.items():
                    value = bound.arguments[name]
                    if not any(constraint.is_satisfied_by(value) for constraint in constraints):
                        return checked(*args, **kwargs)
                with config_context(skip_parameter_validation=True):
                    return function(*args, **kwargs)

            return wrapper

        return decorator


__all__ = ["Interval", "Options", "StrOptions", "check_option", "check_values", "fit_context", "validate_params"]


def check_option(name: str, value: object, accepted: Collection[Any]) -> None:
    """Raise an error for an unknown option of a function that is called too often for `validate_params`.

    Parameters
    ----------
    name : str
        Name of the argument.
    value : object
        The value that was passed.
    accepted : collection
        The accepted values.

    Raises
    ------
    ValueError
        If `value` is not in `accepted`.
    """
    if value not in accepted:
        raise ValueError(f"{name} must be one of {list(accepted)}, got {value!r}.")


def check_values(owner: str, values: Mapping[str, Any], constraints: Mapping[str, Any]) -> None:
    """Check values that are not parameters of an estimator, with the error messages of scikit-learn's validation.

    Parameters
    ----------
    owner : str
        Name of the object to which the values belong, for the message.
    values : dict
        The values, by name.
    constraints : dict
        The constraints, by name, as in `_parameter_constraints`.

    Raises
    ------
    ValueError
        If a value is not accepted.

    Examples
    --------
    >>> from skhash.utils import StrOptions, check_values
    >>> check_values("Tea", {"sort": "green"}, {"sort": [StrOptions({"green", "black"})]})
    """
    validate_parameter_constraints(constraints, values, caller_name=owner)
