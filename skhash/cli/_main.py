"""Arguments of the command, and what becomes of errors.

Exit status: 0 if the command is done, 1 after an error, 2 for wrong arguments, 130 after an interruption (Ctrl-C).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence

import skhash
from skhash.cli import _duplicates, _index, _search, _serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `skhash`.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Arguments after the name of the command; None takes those of the process.

    Returns
    -------
    status : int
        0 if the command is done, 1 after an error, 130 after an interruption. Wrong arguments end the process with 2.

    Raises
    ------
    SystemExit
        For wrong arguments, and after `--help` and `--version`.
    """
    options = _make_parser().parse_args(arguments)
    if options.progress is None:
        options.progress = sys.stderr.isatty()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # names that the encoding of the terminal does not have
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)
            sys.stdout.flush()
    except KeyboardInterrupt as interruption:
        note = f": {interruption}" if str(interruption) else ""
        print(f"skhash: interrupted{note}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `skhash ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError, ImportError) as error:
        text = str(error).removeprefix("X: ")  # errors of the library begin with the name of its argument
        print(f"skhash: error: {' '.join(text.split())}", file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skhash", description="Find nearly equal pictures in folders, and search folders with a picture."
    )
    parser.add_argument("--version", action="version", version=f"skhash {skhash.__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-j", "--jobs", type=int, default=-1, help="number of threads (default: all cores)")
    common.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="show a progress bar on standard error (default: if it is a terminal)",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (_duplicates, _index, _search, _serve):
        module.add_parser(commands, common)
    return parser


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"skhash: warning: {' '.join(str(message).split())}", file=sys.stderr)
