"""Examples of the gallery begin with a picture, and run. All run with SKHASH_GALLERY=1, which takes minutes."""

import os
import re
import runpy
from pathlib import Path

import pytest

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("PIL")
FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(path for path in FOLDER.rglob("plot_*.py"))
QUICK = {"plot_bits", "plot_distance_threshold", "plot_duplicates", "plot_why_near"}


def test_examples_are_found():
    assert {path.stem for path in EXAMPLES} > QUICK


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_first_block_draws_a_picture(path):
    docstring, first, *_ = re.split(r"^# %%", path.read_text(), flags=re.MULTILINE)
    assert len(docstring.strip('"\n')) > 100  # what is asked
    assert re.search(r"plt\.subplots|Display\.from_", first)


@pytest.mark.parametrize("path", [path for path in EXAMPLES if path.parent != FOLDER], ids=lambda path: path.stem)
def test_folders_are_sections(path):
    assert (path.parent / "README.rst").exists()


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, monkeypatch, tmp_path):
    if path.stem not in QUICK and os.environ.get("SKHASH_GALLERY") != "1":
        pytest.skip("takes long: set SKHASH_GALLERY=1")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda: None)
    plt.close("all")
    try:
        runpy.run_path(str(path))
        assert plt.get_fignums()
        for number in plt.get_fignums():
            figure = plt.figure(number)
            figure.savefig(tmp_path / "figure.png")  # draws it, so that what cannot be drawn fails
            assert all(ax.has_data() or not ax.axison or ax.get_legend() for ax in figure.axes)
    finally:
        plt.close("all")
