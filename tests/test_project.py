"""The project's own rules: one version, a page for every public name, size limits, and the language of its texts."""

import ast
import importlib
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

import skhash

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "skhash").rglob("*.py"))
TEXTS = [
    *SOURCES,
    *sorted((ROOT / "skhash").rglob("*.pyi")),
    *sorted(path for end in ("rst", "md", "py") for path in (ROOT / "doc").rglob(f"*.{end}")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
]
BUILT = ("_build", "generated", "auto_examples")  # of the documentation
PACKAGES = [
    "skhash", "skhash.base", "skhash.bitops", "skhash.centers", "skhash.cli", "skhash.codes", "skhash.datasets",
    "skhash.deep", "skhash.demo", "skhash.distributed", "skhash.duplicates", "skhash.features", "skhash.hub",
    "skhash.images", "skhash.index", "skhash.inputs", "skhash.io", "skhash.losses", "skhash.methods",
    "skhash.metrics", "skhash.nn", "skhash.nn.binary",
    "skhash.onnx", "skhash.perceptual", "skhash.runtime", "skhash.stores", "skhash.summaries", "skhash.training",
    "skhash.utils",
]  # fmt: skip
# Names of scikit-learn or stand-ins for them, which doc/api/helpers.rst and training.rst mention in a sentence.
FOREIGN = {
    "Interval",
    "Options",
    "StrOptions",
    "fit_context",
    "validate_params",
    "CallbackSupport",
    "with_callbacks",
    "available_if",
}
# One file per paper or construction, however many there are.
SHELVES = {"methods", "losses", "centers"}
MAX_FILE, MAX_CLASS, MAX_FOLDER = 400, 300, 20
# Longer, with the reason.
LONG_FILES = {"skhash/codes.py": "the sign convention and all forms of codes are one idea; half is docstrings"}
BRITISH = re.compile(
    r"(optimis(?!t|m)|standardis|quantis|normalis|initialis|recognis|vectoris|serialis|generalis|summaris|minimis|maximis"
    r"|binaris|organis|neighbour|colour|grey|behaviour|favour|centre|learnt|artefact|catalogue|licence)\w*",
    re.IGNORECASE,
)
TRANSLATED = re.compile(r"(Gives?|Brings?|Says?|Tells?|Make ready|What)\b")


def relative(path):
    return str(path.relative_to(ROOT))


def test_the_version_is_that_of_the_installed_distribution():
    try:
        installed = importlib.metadata.version("scikit-hash")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("skhash runs from its source folder")
    assert installed == skhash.__version__


def test_the_version_is_that_of_the_citation():
    stated = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert stated is not None
    assert stated[1] == skhash.__version__


def listed_names():
    """Return the names that the pages of the API document, by package."""
    names, package = {}, None
    pages = [page for page in sorted((ROOT / "doc" / "api").glob("*.rst")) if page.stem != "index"]
    for line in "\n".join(page.read_text() for page in pages).splitlines():
        if found := re.match(r"\.\. (?:current)?module:: (\S+)$", line):
            package = names.setdefault(found[1], set())
        elif found := re.match(r"(?:   |\.\. (?:data|function):: )(\w+)(?:\(.*\))?$", line):
            package.add(found[1])
    return names


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_api_pages(package):
    listed, module = listed_names(), importlib.import_module(package)
    elsewhere = listed["skhash"]  # an estimator is listed once, under the name that users import
    names = {name for name in module.__all__ if f"{package}.{name}" not in PACKAGES} - FOREIGN
    assert names - listed.get(package, set()) - elsewhere == set()
    assert listed.get(package, set()) - set(module.__all__) == set()


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_docstrings_open_with_a_plain_verb_or_noun(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            opening = (ast.get_docstring(node) or "").partition("\n")[0]
            assert not TRANSLATED.match(opening), f"{path}: {opening}"


def test_files_and_classes_are_short():
    files, classes = [], []
    for path in SOURCES:
        text = path.read_text()
        if text.count("\n") > MAX_FILE and relative(path) not in LONG_FILES:
            files.append(relative(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.end_lineno - node.lineno >= MAX_CLASS:
                classes.append(f"{relative(path)}: {node.name}")
    assert (files, classes) == ([], [])


def test_folders_hold_few_modules():
    counts = {}
    for path in SOURCES:
        if path.name != "__init__.py" and path.parent.name not in SHELVES:
            counts[relative(path.parent)] = counts.get(relative(path.parent), 0) + 1
    assert {folder: count for folder, count in counts.items() if count > MAX_FOLDER} == {}


@pytest.mark.parametrize("path", [path for path in TEXTS if not set(BUILT) & set(path.parts)], ids=relative)
def test_spelling_is_american(path):
    lines = enumerate(path.read_text().splitlines(), 1)
    found = [f"{relative(path)}:{number}: {word[0]}" for number, line in lines for word in BRITISH.finditer(line)]
    assert found == []


def test_extras_are_in_the_page_on_installation():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    page = (ROOT / "doc" / "install.rst").read_text()
    assert [name for name in extras if f"``{name}``" not in page] == []


@pytest.mark.parametrize("name", ["runtime", "index"])
def test_environments_without_torch_have_the_lower_bounds_of_the_distribution(name):
    def read(lines):
        return {re.split(r"[>=]", line)[0]: line for line in lines}

    declared = read(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
    listed = (ROOT / "constraints" / f"{name}.txt").read_text().splitlines()
    ours = read(line for line in listed if line and not line.startswith(("#", "-r")) and "# of" not in line)
    assert ours.items() <= declared.items()
    assert len(ours) >= 3
