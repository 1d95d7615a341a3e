"""Public docstrings exist, are complete and agree with the code; their examples run."""

import doctest
import importlib
import inspect
import pkgutil
from typing import is_typeddict

import pytest
import torch
from sklearn.externals._numpydoc.docscrape import ClassDoc, FunctionDoc

import skhash
from skhash.utils import all_estimators

PACKAGES = [
    "bitops", "cli", "codes", "centers", "datasets", "deep", "demo", "distributed", "duplicates", "images", "index",
    "inputs", "io", "losses", "metrics", "methods", "nn", "nn.binary", "perceptual", "runtime", "stores", "summaries",
    "training", "utils",
]  # fmt: skip
MODULES = sorted(info.name for info in pkgutil.walk_packages(skhash.__path__, "skhash."))


def public_things():
    for package in PACKAGES:
        module = importlib.import_module(f"skhash.{package}")
        for name in module.__all__:
            thing = getattr(module, name)
            # Objects of other libraries and compiled kernels are not checked.
            if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, BaseException)):
                yield pytest.param(thing, id=f"{package}.{name}")


def arguments_of(function):
    return [
        ("*" * (p.kind == p.VAR_POSITIONAL) + "**" * (p.kind == p.VAR_KEYWORD) + p.name)
        for p in inspect.signature(function).parameters.values()
        if p.name not in ("self", "cls")
    ]


def documented(parameters):
    """Return the names of a numpydoc section; `X, y` counts as two."""
    return [name.strip() for parameter in parameters for name in parameter.name.split(",")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


@pytest.mark.parametrize("name", ["skhash", *MODULES])
def test_modules_say_what_they_are(name):
    assert importlib.import_module(name).__doc__


@pytest.mark.parametrize("thing", list(public_things()))
def test_every_argument_is_documented_in_order(thing):
    doc = ClassDoc(thing) if inspect.isclass(thing) else FunctionDoc(thing)
    assert doc["Summary"]
    if inspect.isclass(thing) and (thing.__init__ is object.__init__ or is_typeddict(thing)):
        return
    assert documented(doc["Parameters"]) == arguments_of(thing)


@pytest.mark.parametrize("thing", list(public_things()))
def test_public_methods_are_documented(thing):
    if not inspect.isclass(thing):
        assert {"Returns", "Yields", "Raises", "Warns"} & set(thing.__doc__.split())
        return
    for name, method in inspect.getmembers(thing, inspect.isfunction):
        if name.startswith("_") or not method.__module__.startswith("skhash"):
            continue
        assert method.__doc__, f"{thing.__name__}.{name}"
        doc = FunctionDoc(method)
        if doc["Parameters"]:
            assert documented(doc["Parameters"]) == arguments_of(method), f"{thing.__name__}.{name}"


@pytest.mark.parametrize(("name", "estimator"), all_estimators())
def test_attributes_after_fit_are_the_documented_ones(name, estimator, digits):
    quick = {"bits": 16, "max_epochs": 1, "random_state": 0} if hasattr(estimator, "set_callbacks") else {}
    parameters = inspect.signature(estimator).parameters
    if "estimator" in parameters:
        quick = {"estimator": skhash.HashNetHasher(bits=16, max_epochs=1, random_state=0)}
    if "backbone" in parameters and not quick:
        quick = {"backbone": torch.nn.Flatten()}
    if not quick:
        options = {"binarize": 0.0, "bits": 8}
        quick = next(({name: value} for name, value in options.items() if name in parameters), {})
    fitted = estimator(**quick).fit(digits.X[:100], digits.y[:100])
    stated = set(documented(ClassDoc(estimator)["Attributes"]))
    found = {key for key in dir(fitted) if key.endswith("_") and not key.startswith("_") and hasattr(fitted, key)}
    assert found <= stated
    assert stated - found <= {"feature_names_in_"}
