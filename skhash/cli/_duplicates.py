"""`skhash duplicates`: groups of nearly equal pictures."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from skhash.cli._options import DEFAULT_KIND, add_hasher, existing_folder, open_or_create, show_skipped

if TYPE_CHECKING:
    from skhash.duplicates import Duplicates, Picture


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
        "duplicates",
        parents=[common],
        help="find nearly equal pictures",
        description="Find nearly equal pictures in a folder and its subfolders. No file is changed.",
    )
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--against", metavar="FOLDER", help="report only groups with pictures of both folders")
    add_hasher(parser)
    parser.add_argument(
        "--max-distance",
        type=int,
        metavar="BITS",
        help="bits in which duplicates may differ (default: 16 of 128; other kinds have their own)",
    )
    parser.add_argument(
        "--linkage",
        choices=("connected", "complete"),
        default="connected",
        help="a chain of duplicates makes a group, or all pairs must be duplicates (default: connected)",
    )
    parser.add_argument(
        "--index", metavar="INDEX", help="keep the codes in this folder, as `skhash index` does: the next run is fast"
    )
    parser.add_argument("--html", metavar="FILE", help="write a page with thumbnails")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--strict", action="store_true", help="end with an error at the first damaged picture")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command.

    Parameters
    ----------
    options : Namespace
        The arguments.
    """
    from skhash.duplicates import DuplicateFinder, make_hasher

    for folder in (options.folder, options.against):
        if folder is not None:
            existing_folder(folder)
    hasher = make_hasher(options.hasher or DEFAULT_KIND)
    if options.bits is not None:
        hasher.set_params(bits=options.bits)
    finder = DuplicateFinder(
        hasher,
        max_distance=options.max_distance,
        linkage=options.linkage,
        errors="raise" if options.strict else "skip",
        n_jobs=options.jobs,
        progress=options.progress,
    )
    if options.index is None:
        finder.fit(options.folder)
    else:
        if options.strict:
            raise ValueError("--strict does not go with --index, which keeps a list of what was skipped.")
        index = open_or_create(options.index, options.folder, options.hasher, options.bits)
        index.update(n_jobs=options.jobs, progress=options.progress)
        finder.set_params(hasher=index.hasher).fit_encoded(*index.encoded())
    if options.against is not None:
        finder.add(options.against)
    found = finder.duplicates(across=options.against is not None)
    if options.html is not None:
        found.to_html(options.html)
    if options.json:
        json.dump(found.to_dict(), sys.stdout, indent=1)
        print()
        return
    _print_groups(found)
    for name, reason in found.skipped:
        print(f"skhash: skipped {show_skipped(name, reason)}", file=sys.stderr)


def _print_groups(found: Duplicates) -> None:
    from skhash.duplicates import show_name

    for number, group in enumerate(found.details, 1):
        print(f"group {number}: keep the first ({group.reason})")
        for picture, distance in zip(group.pictures, group.distances, strict=True):
            print(f"  {show_name(picture.name)}  {picture.width} x {picture.height}{_bytes(picture)}, {distance} bits")
    n_bytes = sum(picture.n_bytes or 0 for group in found.details for picture in group.pictures[1:])
    print(
        f"{len(found)} {'group' if len(found) == 1 else 'groups'}; {len(found.redundant)} of {found.n_pictures} "
        f"pictures redundant ({n_bytes / 1e6:.1f} MB), {len(found.skipped)} skipped"
    )


def _bytes(picture: Picture) -> str:
    return "" if picture.n_bytes is None else f", {picture.n_bytes / 1000:,.0f} kB"
