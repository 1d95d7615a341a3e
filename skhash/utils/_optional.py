"""Imports that a user may not have, with an error that says how to get them."""

from importlib import import_module


def import_optional(module, *, extra, purpose):
    """Import an optional dependency.

    Parameters
    ----------
    module : str
        What to import, for instance `"PIL.Image"`.
    extra : str
        The extra of `scikit-hash` that installs it.
    purpose : str
        What needs it, as the subject of a sentence: `"Reading image files"`.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        If it is not installed or does not load; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        top = module.partition(".")[0]
        raise ImportError(
            f"{purpose} needs {top}, which could not be imported ({error}). "
            f"Install it with: pip install 'scikit-hash[{extra}]'"
        ) from error
