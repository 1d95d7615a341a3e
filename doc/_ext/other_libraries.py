"""Links to the documentation of other libraries, made without their inventories and thus without the internet.

A name is a link if its library says so: the name is imported, so that one which does not exist is reported as sphinx
reports our own. Where the library is not installed, the name stays code.
"""

import importlib
import inspect
import re
from importlib.util import find_spec

SHORT = {"np": "numpy", "nn": "torch.nn"}  # as in code
# Names in CamelCase that need no module before them.
CLASSES = {
    **dict.fromkeys(("FeatureUnion", "Pipeline"), "sklearn.pipeline"),
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "MaxPool2d", "ReLU", "Flatten", "Sequential"), "torch.nn"),
    **{"GridSearchCV": "sklearn.model_selection", "RadiusNeighborsTransformer": "sklearn.neighbors"},
    **{"Bunch": "sklearn.utils", "Dataset": "torch.utils.data"},
}
SITES = {
    "numpy": "https://numpy.org/doc/stable/reference/generated/{name}.html",
    "sklearn": "https://scikit-learn.org/stable/modules/generated/{name}.html",
    "torch": "https://docs.pytorch.org/docs/stable/generated/{name}.html",
    "matplotlib": "https://matplotlib.org/stable/api/_as_gen/{name}.html",
    "joblib": "https://joblib.readthedocs.io/en/stable/generated/{name}.html",
}
# Names whose page is not of that form; None for those that their library does not document.
PAGES = {
    "joblib.effective_n_jobs": None,
    "numpy.random.RandomState": "https://numpy.org/doc/stable/reference/random/legacy.html#numpy.random.RandomState",
    "numpy.random.seed": "https://numpy.org/doc/stable/reference/random/generated/numpy.random.seed.html",
    "scipy.stats": "https://docs.scipy.org/doc/scipy/reference/stats.html",
    "torch.device": "https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.device",
    "torch.utils.data.Dataset": "https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.Dataset",
}
STANDARD = "https://docs.python.org/3/library/{module}.html#{name}"
STANDARD_MODULES = {"zlib", "warnings", "os", "pathlib", "concurrent", "functools", "contextlib", "collections", "json"}


def find(name):
    """Return the object of a dotted name; LookupError if its library is not there, AttributeError if it has no such."""
    parts = name.split(".")
    if find_spec(parts[0]) is None:
        raise LookupError(parts[0])
    for end in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            thing = getattr(thing, part)
        return thing
    raise AttributeError(name)


def full_name(target):
    """Return the dotted name of another library that a reference means, or None."""
    name = target.removesuffix("()")
    if name in CLASSES:
        return f"{CLASSES[name]}.{name}"
    head, _, rest = name.partition(".")
    name = f"{SHORT[head]}.{rest}" if head in SHORT and rest else name
    known = {*SITES, *STANDARD_MODULES, "scipy"}
    return name if "." in name and name.partition(".")[0] in known and re.fullmatch(r"[\w.]+", name) else None


def address(name):
    """Return the page that documents a name, or None.

    Raises
    ------
    AttributeError
        If the library is installed and has no such name.
    """
    try:
        thing = find(name)
    except LookupError:
        return None
    if name in PAGES:
        return PAGES[name]
    library = name.partition(".")[0]
    if library in STANDARD_MODULES:
        module = name if inspect.ismodule(thing) else name.rpartition(".")[0]
        return STANDARD.format(module=module, name=name)
    return SITES[library].format(name=name) if library in SITES and not inspect.ismodule(thing) else None


def link(target, content):
    """Return a reference to another library's page, the content alone where there is none, or None if it is not one."""
    name = full_name(target)
    if name is None:
        return None
    try:
        page = address(name)
    except AttributeError:
        return None  # sphinx warns
    if page is None:
        return content
    from docutils import nodes

    return nodes.reference("", "", content, internal=False, refuri=page, reftitle=name)
