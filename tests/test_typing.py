"""Type checkers see the parameters of hashers: a misspelled one is an error."""

import importlib.util
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.externals._numpydoc.docscrape import ClassDoc

from skhash.deep import DeepHasher
from skhash.training import TrainingParameters

FOLDER = Path(__file__).parent / "typing"


def announced(source):
    """Return what the comments of a file announce: (line, text) of errors, and of revealed types."""
    found = {"error": [], "type": []}
    for number, line in enumerate(source.splitlines(), start=1):
        if comment := re.search(r"  # (error|type): (.*)$", line):
            found[comment[1]].append((number, comment[2]))
    return found["error"], found["type"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_type_checker_finds_what_the_comments_announce(path):
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed")
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(path)]
    root = FOLDER.parents[1]
    run = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    reports = json.loads(run.stdout)["generalDiagnostics"]
    at = [(r["range"]["start"]["line"] + 1, r["severity"], r["message"]) for r in reports]
    errors, types = announced(path.read_text())
    found = [(line, message) for line, severity, message in at if severity == "error"]
    assert [line for line, _ in found] == [line for line, _ in errors], found
    for (_, message), (_, text) in zip(found, errors, strict=True):
        assert text in message
    revealed = {line: message for line, severity, message in at if severity == "information"}
    assert {line: message.rpartition(" is ")[2].strip('"') for line, message in revealed.items()} == dict(types)


def test_the_typed_parameters_are_those_of_the_base_class():
    parameters = inspect.signature(DeepHasher).parameters
    shared = {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert list(TrainingParameters.__annotations__) == list(shared)
    for name, kind in TrainingParameters.__annotations__.items():
        assert kind.__forward_arg__ == shared[name].annotation, name
    assert [entry.name for entry in ClassDoc(TrainingParameters)["Parameters"]] == list(shared)
