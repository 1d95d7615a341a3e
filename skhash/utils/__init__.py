"""Helpers that every room may use: parameter validation, optional imports, labels, discovery."""

from skhash.utils._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._discovery": ["all_estimators", "all_hashers"],
        "._labels": ["Labels", "are_labels", "read_labels"],
        "._lazy": ["lazy_exports"],
        "._optional": ["import_optional"],
        "._random": ["local_random_state"],
        "._signature": ["inherit_parameters"],
        "._validation": [
            *("Interval", "Options", "StrOptions", "fit_context", "validate_params"),
            *("check_option", "check_values"),
        ],
    },
)
