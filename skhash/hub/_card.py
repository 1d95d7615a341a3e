"""The card of a model: what it is, how to load it, and what was measured with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import sklearn

import skhash

__all__ = ["make_card"]

_LOCAL = {"cache", "callbacks", "checkpoint", "memory", "verbose"}  # of the machine, not of the model
_MOST_CLASSES = 20
_PLAIN = (bool, int, float, str, type(None))


def make_card(
    estimator: Any,
    name: str,
    *,
    license: str | None = None,
    metrics: Mapping[str, float] | None = None,
    description: str = "",
) -> str:
    """Write the card of a fitted estimator, in Markdown with metadata in front.

    Parameters
    ----------
    estimator : object
        What `skhash.save` accepts.
    name : str
        Title, and what the card passes to `from_pretrained`: the name of a repository, or a folder.
    license : str, default=None
        Identifier of the license of the model, such as "bsd-3-clause"; None names none.
    metrics : dict of str to float, default=None
        Results that you have measured, by name, such as ``{"mAP@all (expected ties), Fashion-MNIST": 0.59}``.
        They are copied as they are; nothing is measured here.
    description : str, default=""
        Paragraphs on the model: its data, its use, its limits.

    Returns
    -------
    card : str
        The text of a file README.md.

    Raises
    ------
    TypeError
        If a result is not a number, or its name not a string.
    """
    for key, value in (metrics or {}).items():
        if not isinstance(key, str) or not isinstance(value, Real) or isinstance(value, bool):
            raise TypeError(f"metrics must map names to numbers, got {key!r}: {value!r}.")
    sections = [_front_matter(license), f"# {name}", f"`{type(estimator).__name__}` of scikit-hash."]
    sections += [description.strip()] if description.strip() else []
    sections += ["## Load", _loading(name), "## Model", _table(("property", "value"), _properties(estimator))]
    if parameters := list(_parameters(estimator)):
        sections += ["## Parameters", _table(("parameter", "value"), parameters)]
    if metrics:
        rows = [(key, f"{value:.10g}") for key, value in metrics.items()]
        sections += ["## Results", "As stated by the author of this card.", _table(("result", "value"), rows)]
    sections += ["## Versions", _table(("package", "version"), _versions())]
    return "\n\n".join(sections) + "\n"


def _front_matter(license: str | None) -> str:
    # Strings of JSON are strings of YAML.
    lines = [f"license: {json.dumps(license)}"] if license is not None else []
    return "\n".join(["---", *lines, "library_name: scikit-hash", "tags: [hashing, image-retrieval, skhash]", "---"])


def _loading(name: str) -> str:
    lines = "from skhash.hub import from_pretrained", "", f"hasher = from_pretrained({name!r})"
    return "\n".join(["```python", *lines, "codes = hasher.transform(X)  # uint8 bits", "```"])


def _properties(estimator: Any) -> Iterator[tuple[str, str]]:
    """Yield what can be said of the inputs, the codes and the classes."""
    steps = [step for _, step in estimator.steps] if hasattr(estimator, "steps") else [estimator]
    if len(steps) > 1:
        yield "steps", ", ".join(type(step).__name__ for step in steps)
    first, last = getattr(steps[0], "estimator_", steps[0]), steps[-1]
    shape = getattr(first, "input_shape_", None) or getattr(first, "input_shape", None)
    if shape is None and (n_features := getattr(first, "n_features_in_", None)) is not None:
        shape = (n_features,)
    if shape is not None:
        last_channels = hasattr(first, "input_shape")  # of a packed network
        kind = "images, " + ("height, width, channels" if last_channels else "channels, height, width")
        kind = kind if len(shape) == 3 else "features"
        yield "input", f"{' x '.join(map(str, shape))} ({kind})"
    for step in steps:
        if isinstance(bits := getattr(step, "bits", None), int):
            yield "bits", str(bits)
    classes = getattr(last, "classes_", None)
    if classes is not None:
        listed = ", ".join(str(label) for label in np.ravel(classes)[:_MOST_CLASSES])
        yield "classes", f"{len(classes)}: {listed}{', ...' if len(classes) > _MOST_CLASSES else ''}"


def _parameters(estimator: Any) -> Iterator[tuple[str, str]]:
    """Yield names and values of the parameters that belong to the model."""
    found = estimator.get_params() if hasattr(estimator, "get_params") else {}
    for name, value in sorted(found.items()):
        own = name.rpartition("__")[2]
        if own not in _LOCAL and not hasattr(value, "get_params") and own not in ("steps", "transformer_list"):
            simple = isinstance(value, (*_PLAIN, np.generic))
            yield name, repr(value) if simple else getattr(value, "__name__", type(value).__name__)


def _versions() -> Iterator[tuple[str, str]]:
    yield from (("skhash", skhash.__version__), ("numpy", np.__version__), ("scikit-learn", sklearn.__version__))
    if "torch" in sys.modules:
        yield "torch", str(sys.modules["torch"].__version__)


def _table(head: tuple[str, str], rows: Any) -> str:
    lines = [head, ("---", "---"), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Keep a text within its cell, and from being read as HTML."""
    text = " ".join(text.split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
