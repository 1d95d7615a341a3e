"""Arguments and texts that several commands share."""

from __future__ import annotations

import argparse
import os

KINDS = ("dhash", "phash", "whash", "average", "block")


def add_hasher(parser: argparse.ArgumentParser, default: str | None = "phash") -> None:
    """Add the arguments that choose a perceptual hash.

    Parameters
    ----------
    parser : ArgumentParser
        Gets `--hasher` and `--bits`.
    default : str or None, default="phash"
        The kind of hash without the argument.
    """
    parser.add_argument("--hasher", choices=KINDS, default=default, help="kind of hash (default: phash)")
    parser.add_argument("--bits", type=positive, default=None, help="code length (default: 64)")


def positive(text: str) -> int:
    """Read an argument that is a positive integer.

    Parameters
    ----------
    text : str
        The argument.

    Returns
    -------
    number : int
        At least 1.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, got {text}")
    return number


def existing_folder(path: str) -> str:
    """Check that a path is a folder.

    Parameters
    ----------
    path : str
        The path.

    Returns
    -------
    path : str
        The same.

    Raises
    ------
    ValueError
        If there is no such folder.
    """
    if not os.path.isdir(path):
        raise ValueError(f"{path!r} is not a folder.")
    return path


def show_name(name: str | int) -> str:
    """Return a name that prints everywhere, even if it is a path that is not valid text.

    Parameters
    ----------
    name : str or int
        The name.

    Returns
    -------
    text : str
        The name; a backslash and a number stand for each invalid byte.
    """
    return os.fsencode(str(name)).decode("utf-8", "backslashreplace")
