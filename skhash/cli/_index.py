"""`skhash index`: an index of a folder of pictures, made or brought up to date."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from skhash.cli._options import add_hasher, existing_folder, open_or_create, show_skipped


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
    add_hasher(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The arguments.
    """
    existing_folder(options.folder)
    index = open_or_create(options.out, options.folder, options.hasher, options.bits)
    counts = index.update(n_jobs=options.jobs, progress=options.progress)
    for name, reason in index.skipped():
        print(f"skhash: skipped {show_skipped(name, reason)}", file=sys.stderr)
    print(", ".join(f"{number} {what}" for what, number in counts.items()))
