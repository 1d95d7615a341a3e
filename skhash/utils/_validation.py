"""The one door to scikit-learn's parameter validation, which is still private there (scikit-learn#34001)."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_params

__all__ = ["Interval", "Options", "StrOptions", "check_option", "fit_context", "validate_params"]


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
