"""The checks of the built pages, formulas as MathML and links to other libraries, which the documentation relies on."""

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "doc" / "_ext"


def load(name, *needs):
    for package in needs:
        pytest.importorskip(package)
    specification = importlib.util.spec_from_file_location(f"site_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


FINE = """<html><head><link rel="stylesheet" href="_static/style.css?digest=1"><link rel="canonical" href="https://a.b/"></head>
<body><h1 id="top">T</h1><a href="#top">up</a> <a href="sub/other.html#part%20a">on</a> <a href="https://a.b/c">away</a>
<img src="data:image/png;base64,AA=="><img src="_static/logo.svg" srcset="_static/logo.svg 2x"></body></html>"""


@pytest.fixture
def site(tmp_path):
    for path, text in {
        "index.html": FINE,
        "sub/other.html": '<p id="part a">here <a href="../index.html">back</a></p>',
        "_static/style.css": "p { background: url(data:image/png;base64,AA==) }",
        "_static/logo.svg": "<svg/>",
        "_static/macros.html": '<link rel="stylesheet" href="{{ pathto() }}">',
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_pages_that_are_complete_pass(site):
    assert load("built_pages").check(site) == []


@pytest.mark.parametrize(
    ("element", "fault"),
    [
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<script src="//cdn.example/x.js"></script>', "loads //cdn.example/x.js"),
        ('<link rel="stylesheet" href="http://fonts.example/f">', "loads http://fonts.example/f"),
        ('<img srcset="_static/logo.svg 1x, https://cdn.example/p.png 2x">', "loads https://cdn.example/p.png"),
        ('<iframe src="https://video.example/v"></iframe>', "loads https://video.example/v"),
        ('<style>@import "https://fonts.example/f.css";</style>', "loads https://fonts.example/f.css"),
        ('<p style="background: url(https://cdn.example/p.png)">x</p>', "loads https://cdn.example/p.png"),
        ('<a href="nowhere.html">x</a>', "links to nowhere.html, which does not exist"),
        ('<a href="sub/other.html#b">x</a>', "links to sub/other.html#b, which has no such anchor"),
        ('<a href="#b">x</a>', "links to #b, which has no such anchor"),
        ('<img src="_static/lost.png">', "links to _static/lost.png, which does not exist"),
    ],
)
def test_each_fault_is_found(site, element, fault):
    (site / "index.html").write_text(FINE.replace("</body>", f"{element}</body>"))
    assert load("built_pages").check(site) == [f"index.html {fault}"]


def test_style_sheets_load_nothing_from_elsewhere(site):
    (site / "_static/style.css").write_text("@font-face { src: url('https://fonts.example/f.woff2') }")
    assert load("built_pages").check(site) == ["_static/style.css loads https://fonts.example/f.woff2"]


@pytest.mark.parametrize("display", ["inline", "block"])
@pytest.mark.parametrize(
    ("latex", "shown"),
    [
        (r"\operatorname{NT-Xent}(v)", "NT-Xent"),
        (r"a < b", "<"),
        (r"\lVert x \rVert_F^2", "‖"),
        (r"\tfrac{1}{2} \big( x \big)", "("),
    ],
)
def test_formulas_are_well_formed_and_carry_their_source(latex, shown, display):
    element = load("mathml", "latex2mathml").to_mathml(latex, display)
    root = ElementTree.fromstring(element)
    (semantics,) = root
    drawn, note = semantics
    assert root.get("display") == display
    assert shown in "".join(drawn.itertext())
    assert note.text == latex


def test_rows_of_a_displayed_formula_are_rows():
    element = load("mathml", "latex2mathml").to_mathml(r"a &= b \\ c &= d", "block")
    assert element.count("<mtr>") == 2


@pytest.mark.parametrize(
    ("target", "page"),
    [
        ("np.packbits", "numpy.org/doc/stable/reference/generated/numpy.packbits.html"),
        ("GridSearchCV", "scikit-learn.org/stable/modules/generated/sklearn.model_selection.GridSearchCV.html"),
        ("zlib.crc32", "docs.python.org/3/library/zlib.html#zlib.crc32"),
        ("numpy.random.RandomState", "numpy.org/doc/stable/reference/random/legacy.html#numpy.random.RandomState"),
    ],
)
def test_names_of_other_libraries_lead_to_their_pages(target, page):
    links = load("other_libraries")
    assert links.address(links.full_name(target)) == f"https://{page}"


def test_a_name_that_its_library_lacks_is_an_error():
    links = load("other_libraries")
    assert links.full_name("bits") is None
    with pytest.raises(AttributeError):
        links.address(links.full_name("numpy.no_such_function"))


def names_of_other_libraries():
    """List the names of other libraries in single backquotes, in the pages and in docstrings, as sphinx reads them."""
    links, root = load("other_libraries"), FOLDER.parents[1]
    files = [
        path
        for pattern in ("doc/*.rst", "doc/api/*.rst", "doc/user_guide/*.rst", "doc/tutorials/*.rst", "skhash/**/*.py")
        for path in root.glob(pattern)
    ]
    names = [
        name for path in files for name in re.findall(r"(?<!`)`(?:~)?([\w.]+(?:\(\))?)`(?!`)", path.read_text("utf-8"))
    ]
    return sorted({name for name in map(links.full_name, names) if name} | {*links.PAGES} - {None})


def is_public(name):
    """Return whether a library has a name among its public ones, which are those that have pages of their own."""
    parent, _, last = name.rpartition(".")
    thing = load("other_libraries").find(parent)
    return last in getattr(thing, "__all__", [each for each in dir(thing) if not each.startswith("_")])


def test_names_of_other_libraries_are_found():
    assert {"sklearn.pipeline.Pipeline", "torch.compile", "numpy.packbits"} <= set(names_of_other_libraries())


@pytest.mark.parametrize("name", names_of_other_libraries())
def test_every_name_of_another_library_is_public(name):
    library = name.partition(".")[0]
    pytest.importorskip(library)
    load("other_libraries").address(name)  # an AttributeError if the library lacks it
    assert is_public(name)


@pytest.mark.parametrize("name", ["sklearn.pipeline.ABCMeta", "torch.nn.Conv1D", "joblib.Pool"])
def test_private_and_missing_names_are_not_public(name):
    assert not is_public(name)
