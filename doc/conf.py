"""Sphinx configuration. From the top folder:

    sphinx-build -W -n --keep-going -D plot_gallery=0 doc doc/_build/html

Without ``-D plot_gallery=0`` the examples run as well, which takes minutes. With ``SKHASH_INTERSPHINX=1`` in the
environment, names of other libraries are links to their documentation; this needs the internet.
"""

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

import skhash

project = "skhash"
author = "The skhash developers"
copyright = "the skhash developers"
version = release = skhash.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
# `name` is a link where the library documents that name, else code: see link_or_code.
default_role = "py:obj"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the templates list them

intersphinx_mapping = {}
if os.environ.get("SKHASH_INTERSPHINX"):
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "joblib": ("https://joblib.readthedocs.io/en/stable", None),
    }

# Names of other libraries, which only an online build can resolve.
OTHER_LIBRARIES = (
    r"(numpy|np|scipy|sklearn|torch|nn|F|torchvision|matplotlib|pandas|polars|joblib|PIL|bitarray|distributed|numba"
    r"|llvmlite|concurrent|os|pathlib|collections|typing|contextlib|warnings|functools)\..*"
)
SHORT_NAMES = r"BatchNorm[12]d|MaxPool2d|ReLU|GridSearchCV|FeatureUnion|RadiusNeighborsTransformer"
nitpick_ignore_regex = [("py:.*", OTHER_LIBRARIES), ("py:.*", SHORT_NAMES)]

sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).parent.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"benchmarks|copy_model|reproduce|service|__init__\.py",
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


def link_or_code(app, env, node, contnode):
    """Resolve a name in single backquotes that sphinx has not found.

    Names in CamelCase and in capitals are looked up in the whole library, so that every page may write `HammingIndex`
    without its module. Parameters, attributes and expressions stay code. A name that starts with "skhash." or is
    written in CamelCase must exist: sphinx warns of it.
    """
    if node.get("refdomain") != "py" or node["reftype"] not in ("obj", "class", "exc"):
        return None
    target = node["reftarget"]
    if target.startswith("skhash."):
        return None
    domain = env.get_domain("py")
    if re.match(r"[A-Z]\w+", target):
        matches = [name for name in domain.objects if name.endswith(f".{target}")]
        for name in sorted(matches, key=len)[:1]:
            entry = domain.objects[name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
    is_camel_case = re.fullmatch(r"([A-Z]\w*[a-z]\w*[A-Z]\w*|[A-Z]{2,}[a-z]{2,}\w*)(\.\w+)*", target)
    return None if is_camel_case else contnode


def drop_progress_bars(app, docname, source):
    """Leave out what tqdm wrote while an example ran."""
    if docname.startswith("auto_examples/"):
        source[0] = re.sub(r"^ +\d+%\|.*\n", "", source[0].replace("\r", "\n"), flags=re.MULTILINE)


def setup(app):
    app.connect("source-read", drop_progress_bars)
    app.connect("doctree-read", unlink_map)
    app.connect("missing-reference", link_or_code, priority=900)  # after intersphinx
