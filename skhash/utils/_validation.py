"""The one door to scikit-learn's parameter validation, which is still private there (scikit-learn#34001)."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)

__all__ = ["Interval", "Options", "StrOptions", "check_option", "check_values", "fit_context", "validate_params"]


def check_option(name, value, accepted):
    """Refuse an unknown option of a function that is called too often for `validate_params`.

    Parameters
    ----------
    name : str
        The argument.
    value : object
        What was given.
    accepted : collection
        What is accepted.

    Raises
    ------
    ValueError
        If `value` is not in `accepted`.
    """
    if value not in accepted:
        raise ValueError(f"{name} must be one of {list(accepted)}, got {value!r}.")


def check_values(owner, values, constraints):
    """Refuse values that are no parameters of an estimator, in the words that are used for those.

    Parameters
    ----------
    owner : str
        Whose values they are.
    values : dict
        What was given, by name.
    constraints : dict
        What is accepted, by name, as in `_parameter_constraints`.

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
