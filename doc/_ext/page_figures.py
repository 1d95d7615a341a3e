"""Figures that the code of a page has drawn, below that code: what a reader sees who types it.

A page has ``.. plot::`` with ``page_figures.run("tutorials/labels")`` below the block whose figure it shows. All
doctests above it are run, each once for all figures of the page.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

import matplotlib.pyplot as plt

PAGES = Path(__file__).parents[1]
_runs: dict[str, tuple[dict, int]] = {}  # of each page: the variables, and how many characters of it have been run


def run(page, number=1):
    """Run the doctests of a page above its plot of this number, and leave open only the figures of the last block."""
    text = (PAGES / f"{page}.rst").read_text(encoding="utf-8")
    variables, start = _runs.get(page, ({}, 0))
    end = [match.start() for match in re.finditer(r"^\.\. plot::", text, re.MULTILINE)][number - 1]
    if end < start:  # the page has changed, or is built again
        variables, start = {}, 0
    blocks = text[start:end]
    with contextlib.redirect_stdout(io.StringIO()):
        for example in doctest.DocTestParser().get_examples(blocks):
            if example.exc_msg is None:
                exec(compile(example.source, f"{page}.rst", "single"), variables)
    for figure in plt.get_fignums()[:-1]:
        plt.close(figure)
    _runs[page] = variables, end
