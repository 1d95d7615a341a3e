"""`skhash index`: an index of a folder of pictures, made or brought up to date."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from skhash.cli._options import add_hasher, existing_folder, show_name


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the command to a parser.

    Parameters
    ----------
    commands : object
        What `ArgumentParser.add_subparsers` returned.
    common : ArgumentParser
        Arguments of all commands.
    """
    parser = commands.add_parser(
        "index",
        parents=[common],
        help="make an index of a folder, or bring it up to date",
        description="Make an index of the pictures of a folder and its subfolders. If there is one, read only files "
        "that are new or changed, and remove those that are gone. After an interruption, the same command continues.",
    )
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--out", metavar="INDEX", required=True, help="folder of the index")
    add_hasher(parser, None)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The arguments.
    """
    from skhash.cli._picture_index import PictureIndex

    existing_folder(options.folder)
    if os.path.exists(os.path.join(options.out, "settings.json")):
        index = PictureIndex.open(options.out)
        _check_same(index, options)
    else:
        index = PictureIndex.create(options.out, options.folder, options.hasher or "phash", options.bits or 64)
    counts = index.update(n_jobs=options.jobs, progress=options.progress)
    for name, reason in index.skipped():
        print(f"skhash: skipped {show_name(name)}: {reason}", file=sys.stderr)
    print(", ".join(f"{number} {what}" for what, number in counts.items()))


def _check_same(index: Any, options: argparse.Namespace) -> None:
    """Raise ValueError if the arguments are not those that the index was made with."""
    if not (index.root.exists() and os.path.samefile(options.folder, index.root)):
        raise ValueError(f"{options.out!r} is an index of {str(index.root)!r}, not of {options.folder!r}.")
    for name, wanted in (("kind", options.hasher), ("bits", options.bits)):
        made = getattr(index.hasher, name)
        if wanted not in (None, made):
            raise ValueError(f"{options.out!r} was made with {made!r}, not {wanted!r}; choose another folder.")
