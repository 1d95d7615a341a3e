"""Every example of the documentation runs and prints what the page shows."""

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[1] / "doc").rglob("*.rst"))


@pytest.mark.filterwarnings("default")  # as a reader would see them
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_a_page(page):
    assert doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS).failed == 0


def test_pages_are_found():
    assert {"evaluation", "hashers", "searching", "quickstart"} <= {page.stem for page in PAGES}
