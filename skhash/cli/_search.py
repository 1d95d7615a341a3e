"""`skhash search`: the pictures of an index that are most like an image."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from skhash.cli._options import positive


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
        "search",
        parents=[common],
        help="search an index with a picture",
        description="Print the pictures of an index that are most like an image: the number of bits in which they "
        "differ, a tab, and the path.",
    )
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("--index", metavar="INDEX", required=True, help="folder that `skhash index` made")
    parser.add_argument("-k", type=positive, default=10, metavar="N", help="number of pictures (default: 10)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The arguments.
    """
    from skhash.cli._picture_index import PictureIndex
    from skhash.duplicates import show_name

    matches = PictureIndex.open(options.index).search(options.image, options.k)
    if options.json:
        json.dump([{"name": name, "distance": distance} for name, distance in matches], sys.stdout, indent=1)
        print()
        return
    for name, distance in matches:
        print(f"{distance}\t{show_name(name)}")
