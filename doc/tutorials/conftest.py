"""The files of a tutorial are there when its examples run, in an empty folder."""

import importlib.util
from pathlib import Path

import pytest

EXTENSION = Path(__file__).parents[1] / "_ext" / "page_files.py"


@pytest.fixture(autouse=True)
def files_of_the_page(request, tmp_path, monkeypatch):
    """Write the files that the page's captions name."""
    specification = importlib.util.spec_from_file_location("page_files", EXTENSION)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    for name, text in module.page_files(request.path.read_text()).items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
