"""The commands of the tutorials print what the pages show; test_docs.py runs their Python."""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "doc" / "tutorials" / "photos.rst"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PAGE.parents[2]), "PYTHONUNBUFFERED": "1"}
pytest.importorskip("PIL.Image")


def commands(text):
    """Return (position, command, what it prints) of each line of the shell that calls skhash."""
    found = re.finditer(r"^   \$ (skhash .*)\n((?:   (?!\$ ).*\n)*)", text, re.MULTILINE)
    return [(match.start(), match[1], re.sub("^   ", "", match[2], flags=re.MULTILINE)) for match in found]


def run_python(text, variables):
    """Run the Python of a part of a page, as a reader has done who comes to its end."""
    examples = doctest.DocTestParser().get_examples(text)
    with contextlib.redirect_stdout(io.StringIO()):
        for example in examples:
            if example.exc_msg is None:
                exec(compile(example.source, "page", "single"), variables)


def test_commands_on_a_folder_of_photos():
    text, variables, end = PAGE.read_text(encoding="utf-8"), {}, 0
    found = commands(text)
    assert [command.split()[1] for _, command, _ in found] == ["index", "search", "duplicates", "serve"]
    for position, command, expected in found:
        run_python(text[end:position], variables)
        end = position
        home = variables["work"]
        arguments = [sys.executable, "-m", "skhash", *shlex.split(command)[1:]]
        if "serve" in arguments:
            serve(arguments, home)
            continue
        done = subprocess.run(arguments, cwd=home, env=ENVIRONMENT, text=True, stdout=-1, stderr=-2, check=True)
        got = done.stdout.replace(str(home), "/home/me")
        assert doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS), got


def serve(arguments, folder):
    pytest.importorskip("tornado")
    with subprocess.Popen([*arguments, "--port", "0"], cwd=folder, env=ENVIRONMENT, text=True, stdout=-1) as process:
        try:
            address = next(
                match[0] for line in process.stdout if (match := re.search(r"http://127\.0\.0\.1:\d+/", line))
            )
            with urllib.request.urlopen(address, timeout=30) as answer:
                assert answer.status == 200
        finally:
            process.terminate()
