"""Every example of the documentation runs and prints what the page shows."""

import doctest
import importlib.util
from pathlib import Path

import pytest

DOC = Path(__file__).parents[1] / "doc"
PAGES = sorted(DOC.rglob("*.rst"))


@pytest.fixture
def files_of(tmp_path, monkeypatch):
    """Write the files of a page, which its captions name, into an empty folder, the current one."""
    specification = importlib.util.spec_from_file_location("page_files", DOC / "_ext" / "page_files.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)

    def write(page):
        files = module.page_files(page.read_text(encoding="utf-8"))
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        if files:
            monkeypatch.chdir(tmp_path)
            monkeypatch.syspath_prepend(str(tmp_path))

    return write


@pytest.mark.filterwarnings("default")  # as a reader would see them
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_a_page(page, files_of):
    files_of(page)
    assert doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS).failed == 0


def test_pages_are_found():
    assert {"evaluation", "hashers", "searching", "quickstart"} <= {page.stem for page in PAGES}
