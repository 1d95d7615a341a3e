"""The one door to scikit-learn's parameter validation, which is still private there (scikit-learn#34001)."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions, validate_params

__all__ = ["Interval", "Options", "StrOptions", "fit_context", "validate_params"]
