"""Code that is not the library's: it is named in files, and given by the caller or imported with their consent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import NoneType
from typing import Any

from skhash.io._tables import is_foreign

__all__ = ["Trust", "backbone_names", "describe_name", "find_names"]


class Trust:
    """Things and names that the caller of `load` allows.

    Parameters
    ----------
    allow : mapping of str to callable
        Things by their names in the file.
    trusted : iterable of str
        Names that may be imported.
    """

    def __init__(self, allow: Mapping[str, Callable[..., Any]] | None, trusted: Iterable[str]) -> None:
        if isinstance(trusted, str) or not isinstance(trusted, Iterable):
            raise TypeError(f"trusted must be a list of names, got {trusted!r}.")
        if not isinstance(allow, (Mapping, NoneType)):
            raise TypeError(f"allow must be a dict of names and what they stand for, got {allow!r}.")
        self._allow, self._trusted = dict(allow or {}), frozenset(trusted)

    def check(self, path: Any, names: Mapping[str, str]) -> None:
        """Refuse a file with names that are neither given nor trusted, before any of it is made.

        Parameters
        ----------
        path : path-like
            The file, for the message.
        names : mapping of str to str
            What the file names, and where each comes from: "import" or "pretrained".
        """
        missing = [name for name in names if name not in self._allow and name not in self._trusted]
        if not missing:
            return
        given = ", ".join(f"{name!r}: {name.rpartition(':')[2].rpartition('.')[2] or '...'}" for name in missing)
        raise ValueError(
            f"{path} needs code that is not part of skhash: {missing}. Nothing was loaded. If you trust this code and "
            f"whoever made the file, pass trusted={missing}, which imports and calls these names; or pass what they "
            f"stand for: allow={{{given}}} (for a module that takes arguments, a function that makes it)."
        )

    def find(self, name: str, source: str) -> Callable[..., Any]:
        """Return what a name stands for."""
        if name in self._allow:
            return self._allow[name]
        if source == "pretrained":
            from skhash.nn import load_pretrained

            return lambda: load_pretrained(name)
        module, _, own = name.partition(":")
        try:
            found: Any = import_module(module)
            for part in own.split("."):
                found = getattr(found, part)
        except (AttributeError, ImportError, ValueError) as error:
            raise ValueError(
                f"The trusted name {name!r} cannot be imported ({error}): pass allow={{{name!r}: ...}} instead."
            ) from error
        return found


def find_names(node: Any) -> dict[str, str]:
    """Return all names of code in a description, and where each comes from."""
    names: dict[str, str] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if each.get("type") in ("named", "own module"):
                names[str(each.get("name"))] = str(each.get("source", "import"))
            elif each.get("type") == "estimator" and isinstance(each.get("parameters"), dict):
                names.update(backbone_names(each["parameters"].get("backbone")))
            if each.get("type") in ("estimator", "module") and is_foreign(str(each.get("class"))):
                names[str(each["class"])] = "import"
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return names


def backbone_names(backbone: Any) -> dict[str, str]:
    """Return the name of a trained network that `fit` would load: perhaps a file, which may be a program."""
    if not isinstance(backbone, str):
        return {}
    from skhash.nn import is_pretrained_name

    return {str(backbone): "pretrained"} if is_pretrained_name(backbone) else {}


def describe_name(thing: Any, where: str) -> str:
    """Return the importable name of a class or function."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or hasattr(thing, "__self__"):
        raise TypeError(
            f"Cannot save {where}: {thing!r} has no name of its own. Pass a function or a class of a module, "
            "whose name can be stored."
        )
    return f"{module}:{name}"
