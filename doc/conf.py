"""Sphinx configuration. From the top folder:

    sphinx-build -W -n --keep-going -D plot_gallery=0 doc doc/_build/html

Without ``-D plot_gallery=0`` the examples run as well, which takes minutes. The pages need nothing from the
internet, when they are built and when they are read.
"""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.nodes import make_refnode

import skhash

HERE = Path(__file__).parent
sys.path.append(str(HERE / "_ext"))

from other_libraries import full_name, link  # noqa: E402

project = "skhash"
author = "The skhash developers"
copyright = "the skhash developers"
version = release = skhash.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
    # in _ext
    "built_pages",
    "mathml",
]
source_suffix = {".rst": "restructuredtext"}
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
# `name` is a link where the library documents that name, else code: see link_or_code.
default_role = "py:obj"
html_math_renderer = "mathml"
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the templates list them
# All of numpydoc's checks but those for sections that short helpers and inherited texts do without.
numpydoc_validation_checks = {"all", "ES01", "EX01", "PR01", "RT01", "RT02", "SA01"}
numpydoc_validation_exclude = {
    r"\.(BitRun|BlockCode|Field|RecordForm|BinaryBackbone|Rule)\.\w+$",  # of named tuples
    r"\.(FitWeights|TrainingParameters)$",  # typed dictionaries, whose signature is that of `dict`
}

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"benchmarks|copy_model|demo|reproduce|examples.scale.|service|__init__\.py",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skhash",),
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

# Figures of the tutorials, which page_figures draws by the code of the page itself.
plot_formats = [("png", 110)]
plot_html_show_formats = plot_html_show_source_link = plot_include_source = False

# Copies code without prompts and without what it prints.
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = f"skhash {version}"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["skhash.css"]
html_theme_options = {
    "logo": {"text": html_title, "image_light": "_static/logo.svg", "image_dark": "_static/logo-dark.svg"},
    "header_links_before_dropdown": 6,
    "navigation_depth": 3,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
repository = re.search(r"^repository-code: *\"?([^\"\s]+)", (HERE.parent / "CITATION.cff").read_text(), re.MULTILINE)
if repository:  # the one place where its address is written
    html_theme_options["icon_links"] = [{"name": "Source", "url": repository[1], "icon": "fa-solid fa-code-branch"}]
# Pages at the top, which have no neighbors to list beside them.
html_sidebars = {path.stem: [] for path in HERE.glob("*.rst")}
html_show_sourcelink = False
toc_object_entries_show_parents = "hide"


def unlink_map(app, doctree):
    """Undo that docutils takes "mAP@all" for an address of electronic mail."""
    for reference in list(doctree.findall(nodes.reference)):
        if reference.get("refuri", "").startswith("mailto:mAP@"):
            reference.replace_self(reference.children)


def link_or_code(app, env, node, contnode):
    """Resolve a name in single backquotes that sphinx has not found.

    Names in CamelCase and in capitals are looked up in the whole library, so that every page may write `HammingIndex`
    without its module; names of other libraries are links to their pages. Parameters, attributes and expressions stay
    code. A name that starts with "skhash." or with another library, or is in CamelCase, must exist: sphinx warns of it.
    """
    target = node["reftarget"]
    if node.get("refdomain") != "py" or target.startswith("skhash."):
        return None
    if node["reftype"] not in ("obj", "class", "exc"):
        return link(target, contnode)
    domain = env.get_domain("py")
    if re.match(r"[A-Z]\w+", target):
        matches = [name for name in domain.objects if name.endswith(f".{target}")]
        for name in sorted(matches, key=len)[:1]:
            entry = domain.objects[name]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)
    if full_name(target):
        return link(target, contnode)
    is_camel_case = re.fullmatch(r"([A-Z]\w*[a-z]\w*[A-Z]\w*|[A-Z]{2,}[a-z]{2,}\w*)(\.\w+)*", target)
    return None if is_camel_case else contnode


# Links between files of the repository, as the Markdown files that pages include write them, and the pages.
FILES = {"doc/design.md": "design", "doc/style.md": "style", "doc/deprecation.rst": "deprecation"}
FILES["../CONTRIBUTING.md"] = "contributing"


def drop_progress_bars(app, docname, source):
    """Leave out what tqdm wrote while an example ran."""
    if docname.startswith("auto_examples/"):
        source[0] = re.sub(r"^ +\d+%\|.*\n", "", source[0].replace("\r", "\n"), flags=re.MULTILINE)


def link_files(app, doctree):
    """Turn links of Markdown to files of the repository into links to the pages that show them."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        file, _, anchor = node["reftarget"].partition("#")
        if node.get("reftype") == "myst" and file in FILES:
            address = f"{FILES[file]}.html" + (f"#{anchor}" if anchor else "")
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=address))


def setup(app):
    app.registry.source_suffix.pop(".md", None)  # Markdown is included by pages, it is none of itself
    app.connect("source-read", drop_progress_bars)
    app.connect("doctree-read", unlink_map)
    app.connect("doctree-read", link_files)
    app.connect("missing-reference", link_or_code, priority=900)
