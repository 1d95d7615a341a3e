"""Sphinx configuration; built with `sphinx-build -W doc doc/_build/html` from the top folder."""

import re
from pathlib import Path

from docutils import nodes

import skhash

project = "skhash"
author = "The skhash developers"
copyright = "the skhash developers"
version = release = skhash.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
# `name` is a link where there is something of that name, else code.
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the templates list them

sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).parent.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"benchmarks|__init__\.py",
    "show_memory": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skhash {version}"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {page: [] for page in ("index", "install", "quickstart", "protocols")}
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"


def unlink_map(app, doctree):
    """Undo that docutils takes "mAP@all" for an address of electronic mail."""
    for link in list(doctree.findall(nodes.reference)):
        if link.get("refuri", "").startswith("mailto:mAP@"):
            link.replace_self(link.children)


def drop_progress_bars(app, docname, source):
    """Leave out what tqdm wrote while an example ran."""
    if docname.startswith("auto_examples/"):
        source[0] = re.sub(r"^ +\d+%\|.*\n", "", source[0].replace("\r", "\n"), flags=re.MULTILINE)


def setup(app):
    app.connect("source-read", drop_progress_bars)
    app.connect("doctree-read", unlink_map)
