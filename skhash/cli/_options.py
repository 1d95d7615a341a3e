"""Arguments and texts that several commands share."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skhash.cli._picture_index import PictureIndex

KINDS = ("dhash", "phash", "whash", "average", "block", "phash+dhash", "copynet")
DEFAULT_KIND = "phash+dhash"


def add_hasher(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a perceptual hash.

    Parameters
    ----------
    parser : ArgumentParser
        Gets `--hasher` and `--bits`.
    """
    parser.add_argument("--hasher", choices=KINDS, help=f"kind of hash (default: {DEFAULT_KIND})")
    parser.add_argument("--bits", type=positive, help="code length (default: 64, or 128 for phash+dhash)")


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
        raise ValueError(f"{path!r} is not a folder{'' if os.path.lexists(path) else '; it does not exist'}.")
    return path


def show_skipped(name: str | int, reason: str) -> str:
    """Return why a picture was skipped, with its name, in one line.

    Parameters
    ----------
    name : str
        Name of the picture.
    reason : str
        The message of the error, which may contain the name.

    Returns
    -------
    text : str
        The message.
    """
    from skhash.duplicates import show_name

    text = reason if repr(name) in reason else f"{name}: {reason}"
    return show_name(" ".join(text.split()))


def open_or_create(path: str, folder: str, kind: str | None, bits: int | None) -> PictureIndex:
    """Open the index of a folder of pictures, or create it.

    Parameters
    ----------
    path : str
        Folder of the index.
    folder : str
        Folder of the pictures.
    kind : str or None
        Kind of hash; None means that of the index, or "phash+dhash" for a new one.
    bits : int or None
        Code length; None means that of the index, or the kind's own for a new one.

    Returns
    -------
    index : PictureIndex
        The index.

    Raises
    ------
    ValueError
        If the index is one of another folder or hash.
    """
    from skhash.cli._picture_index import PictureIndex

    if not os.path.exists(os.path.join(path, "settings.json")):
        return PictureIndex.create(path, folder, kind or DEFAULT_KIND, bits)
    index = PictureIndex.open(path)
    if not (index.root.exists() and os.path.samefile(folder, index.root)):
        raise ValueError(f"{path!r} is an index of {str(index.root)!r}, not of {folder!r}.")
    for name, wanted in (("kind", kind), ("bits", bits)):
        made = getattr(index.hasher, name)
        if wanted not in (None, made):
            raise ValueError(f"{path!r} was made with {made!r}, not {wanted!r}; choose another folder.")
    return index
