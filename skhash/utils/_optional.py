"""Imports of optional dependencies, with an error message that names the extra to install."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def import_optional(module: str, *, extra: str, purpose: str) -> Any:
    """Import an optional dependency.

    Parameters
    ----------
    module : str
        Name of the module, for instance `"PIL.Image"`.
    extra : str
        The extra of `scikit-hash` that installs it.
    purpose : str
        The operation that needs it, as the subject of a sentence: `"Reading image files"`.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    ImportError
        If it is not installed or cannot be loaded; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs {top}, which could not be imported ({error}). "
            f"Install it with: pip install 'scikit-hash[{extra}]', in a copy of the source: pip install '.[{extra}]'"
        ) from error
