"""The files and commands of the tutorials do what the pages show; test_docs.py runs their Python."""

import contextlib
import doctest
import importlib
import importlib.util
import json
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import skhash

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "doc" / "tutorials"
WITHOUT_TORCH = """
import runpy, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Refuse())
"""


def load_extension():
    specification = importlib.util.spec_from_file_location("page_files", ROOT / "doc" / "_ext" / "page_files.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


pages = load_extension()


def open_page(name, folder, monkeypatch):
    """Write the files of a page into a folder, make it the current one, and return the text."""
    text = (TUTORIALS / f"{name}.rst").read_text(encoding="utf-8")
    for file, contents in pages.page_files(text).items():
        (folder / file).write_text(contents)
    monkeypatch.chdir(folder)
    return text


def run(*command, **options):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=200, **options)


def run_python(text, variables):
    """Run the examples that readers see in a part of a page; those in comments repeat the commands."""
    visible = "\n\n".join(part for part in text.split("\n\n") if not part.lstrip("\n").startswith("..\n"))
    for example in doctest.DocTestParser().get_examples(visible):
        if example.exc_msg is None:
            exec(compile(example.source, "page", "single"), variables)


def check(shown, got):
    """Compare what is printed, except for neighbors, which another processor's rounding may change."""
    shown = re.sub(r"class \d, nearest \[.*\] at \[.*\]", "class ..., nearest [...] at [...]", shown)
    assert doctest.OutputChecker().check_output(shown, got, doctest.ELLIPSIS), got


def test_files_and_commands_are_found():
    text = ".. code-block:: python\n   :caption: a.py\n\n   x = 1\n\n   y = 2\n\n" + (
        "Text\n\n.. code-block:: console\n\n   $ one\n   out\n   $ two\n\n.. code-block:: python\n\n   z\n"
    )
    assert pages.page_files(text) == {"a.py": "x = 1\n\ny = 2\n"}
    assert [found[:2] for found in pages.page_commands(text)] == [("one", "out\n"), ("two", "")]


@pytest.mark.parametrize("name", ["deploy", "daily_job"])
def test_commands_print_what_the_page_shows(name, tmp_path, monkeypatch, capsys):
    text, variables, end = open_page(name, tmp_path, monkeypatch), {}, 0
    files = [each for each in pages.page_files(text) if each.endswith(".py")]
    found = [each for each in pages.page_commands(text) if each[0].startswith(f"python {files[0]}")]
    assert len(found) == {"deploy": 1, "daily_job": 3}[name]
    for command, shown, position in found:
        run_python(text[end:position], variables)
        end = position
        check(shown, run(sys.executable, *command.split()[1:]).stdout)


def test_a_packed_network_is_served_without_torch(tmp_path, monkeypatch):
    """Neither does a search need it, nor a hasher that is no network; codes alone do without numba, too."""
    text = open_page("deploy", tmp_path, monkeypatch)
    run_python(text.partition("   $ python serve.py")[0], {})
    (shown,) = [shown for command, shown, _ in pages.page_commands(text) if command.startswith("python serve.py")]
    serve = "sys.argv = ['serve.py', 'new.npy']; runpy.run_path('serve.py')"
    check(shown, run(sys.executable, "-c", WITHOUT_TORCH.format(names={"torch"}) + serve).stdout)
    rest = {"torch", "sklearn", "numba", "scipy", "joblib"}
    codes = "import numpy, skhash; print(len(skhash.load_packed('hasher.skhash').codes(numpy.load('new.npy'))))"
    assert run(sys.executable, "-c", WITHOUT_TORCH.format(names=rest) + codes).stdout == "3\n"

    X, y = load_digits(return_X_y=True)
    kinds = ("ITQHasher", "PCAHasher", "LSHHasher", "SpectralHasher", "PosteriorHasher")
    for kind in kinds:
        assert f"`{kind}`" in text
        skhash.save(getattr(skhash, kind)(bits=16).fit(X, y), f"{kind}.skh")
    np.save("X.npy", X[:5])
    load = f"import numpy, skhash; X = numpy.load('X.npy')\nfor kind in {kinds}:"
    load += " print(len(skhash.load(kind + '.skh').transform(X)))"
    assert run(sys.executable, "-c", WITHOUT_TORCH.format(names={"torch"}) + load).stdout == "5\n" * len(kinds)

    skhash.OrthoHasher(bits=16, max_epochs=1).fit(X, y).save("hasher.skh")
    load = "import skhash; skhash.load('hasher.skh')"
    with pytest.raises(subprocess.CalledProcessError) as error:
        run(sys.executable, "-c", WITHOUT_TORCH.format(names={"torch"}) + load)
    last = error.value.stderr.strip().splitlines()[-1]
    assert last == """ValueError: hasher.skh cannot be loaded: ModuleNotFoundError("No module named 'torch'")."""
    assert last in text


def test_the_graph_of_the_page_gives_the_codes(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    text = open_page("deploy", tmp_path, monkeypatch)
    X, y = load_digits(return_X_y=True)
    (block,) = [body for body in pages.page_blocks(text, "python") if "onnxruntime" in body]
    variables = {"X": X, "y": y, "X_query": X[:50]}
    exec(block.replace("CSQHasher(bits=32)", "(hasher := CSQHasher(bits=32, max_epochs=1))"), variables)
    np.testing.assert_array_equal(variables["codes"], variables["hasher"].transform(X[:50]))


def test_the_container_copies_what_the_installation_needs(tmp_path, monkeypatch):
    """The Dockerfile's steps can be run where there is no container: its sources are there, and build a wheel."""
    open_page("deploy", tmp_path, monkeypatch)
    lines = Path("Dockerfile").read_text().splitlines()
    sources = [word for line in lines[:4] if line.startswith("COPY") for word in line.split()[1:-1]]
    assert sorted(sources) == ["LICENSE", "README.md", "constraints", "pyproject.toml", "skhash"]
    assert all((ROOT / source).exists() for source in sources)
    (command,) = [line for line in lines if line.startswith("RUN python -c")]
    (code,) = [command.partition('"')[2].rstrip('"')]
    run(sys.executable, "-c", code)


def fill_inbox(folder, rng, n_days=2):
    """Write days with new, changed and removed items, and return what must be there in the end."""
    (folder / "inbox").mkdir()
    items, next_id = {}, 0
    for day in range(n_days):
        gone = rng.choice(sorted(items), 20, replace=False) if items else np.array([], int)
        changed = np.array(sorted(set(items) - set(gone.tolist())), int)[:30]
        ids = np.concatenate([np.arange(next_id, next_id + 400), changed])
        vectors = rng.normal(size=(len(ids), 40))
        next_id += 400
        np.savez(folder / "inbox" / f"day {day}.npz", ids=ids, vectors=vectors, gone=gone)
        for number in gone.tolist():
            del items[number]
        items.update(zip(ids.tolist(), vectors, strict=True))
    return items


def contents(folder):
    index = skhash.HammingIndex.open(folder / "search" / "index")
    skhash.HammingIndex.verify(folder / "search" / "index")
    return dict(zip(index.ids_.tolist(), index.codes_.tolist(), strict=True))


@pytest.mark.skipif(sys.platform == "win32", reason="kills by SIGKILL")
def test_the_daily_job_may_be_killed(tmp_path, monkeypatch):
    open_page("daily_job", tmp_path, monkeypatch)
    items = fill_inbox(tmp_path, np.random.default_rng(0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A line per write to the disk tells when to kill: in the middle of the work rather than of the imports.
    slow = "import os, time, runpy, sys\nreplace = os.replace\n"
    slow += "def wait(*a, **k): print('x', flush=True); time.sleep(0.05); replace(*a, **k); time.sleep(0.05)\n"
    slow += "os.replace = os.rename = wait\nrunpy.run_path('day.py', run_name='__main__')"
    draw, kills = random.Random(0), 0
    while list(Path("inbox").glob("*.npz")) and kills < 4:
        with subprocess.Popen([sys.executable, "-c", slow], env=environment, stdout=-1, text=True) as process:
            if process.stdout.readline():
                time.sleep(draw.uniform(0, 0.2))
                process.send_signal(signal.SIGKILL)
                kills += 1
    run(sys.executable, "day.py")
    assert kills >= 2
    found = contents(tmp_path)
    hasher = skhash.load("search/hasher.skh")
    codes = skhash.codes.pack_codes(hasher.transform(np.array(list(items.values()))))
    assert found == dict(zip(items, codes.tolist(), strict=True))


def test_the_method_of_the_page_passes_its_own_tests(tmp_path, monkeypatch):
    """The files are tested as the page says: all of scikit-learn's checks, no expected failure."""
    text = open_page("own_method", tmp_path, monkeypatch)
    (found,) = [each for each in pages.page_commands(text) if each[0].startswith("python -m pytest")]
    command, shown, _ = found
    got = run(sys.executable, *command.split()[1:], "-p", "no:cacheprovider").stdout
    check("...\n" + shown.splitlines()[-1], got)
    assert int(re.search(r"(\d+) passed", got)[1]) > 40
    assert not re.search("failed|skipped|xfail", got)


def test_the_loss_of_the_page_by_loops_and_its_labels(tmp_path, monkeypatch):
    """Class indices and the same classes as multi-hot labels have one loss; its gradient is that of differences."""
    open_page("own_method", tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("smooth_hinge")
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(3, (7,), generator=generator)
    centers = torch.where(torch.rand(3, 5, generator=generator) < 0.5, -1.0, 1.0)
    loss = own.smooth_hinge_loss(z, targets, centers, margin=0.6)
    v, c = z.tolist(), centers[targets].tolist()
    terms = [math.log(1 + math.exp(0.6 - v[i][k] * c[i][k])) for i in range(7) for k in range(5)]
    assert math.isclose(loss.item(), sum(terms) / 7, rel_tol=1e-12)
    multi_hot = torch.nn.functional.one_hot(targets, 3).double()
    assert torch.equal(own.smooth_hinge_loss(z, multi_hot, centers, margin=0.6), loss)
    assert torch.autograd.gradcheck(lambda z: own.SmoothHingeLoss(centers, 0.6)(z, targets), z)


def test_the_service_reads_what_the_job_writes(tmp_path, monkeypatch):
    """The requests of the page, to the example's service, whose readers see the next day without a restart."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    text, variables = open_page("daily_job", tmp_path, monkeypatch), {}
    first, second, rest = text.split("   $ python day.py\n", 2)
    run_python(first, variables)
    run(sys.executable, "day.py")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    def ask(path, data=None):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{address}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read().decode()

    command = [sys.executable, str(ROOT / "examples/service/server.py"), "read", "search", "--port", address[10:]]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}) as server:
        try:
            for _ in range(300):
                with contextlib.suppress(urllib.error.URLError):
                    assert json.loads(ask("/health"))["codes"] == 1000
                    break
                time.sleep(0.2)
            run_python(second, variables)
            run(sys.executable, "day.py")
            run_python(rest, variables)
            requests = [each for each in pages.page_commands(text) if "curl" in each[0]]
            shown = {command.split()[2]: output for command, output, _ in requests}
            found = json.loads(ask("/search/vector", Path("query.json").read_bytes()))
            assert (found["ids"][0], found["distances"][0]) == (7, 0)
            assert set(json.loads(shown["localhost:8000/search/vector"])) == set(found)
            health = json.loads(shown["localhost:8000/health"])
            assert {**json.loads(ask("/health")), "pid": health["pid"]} == health
            counts = [line.split()[0] for line in ask("/metrics").splitlines()]
            assert counts == [line.split()[0] for line in shown["localhost:8000/metrics"].splitlines()]
        finally:
            server.terminate()
