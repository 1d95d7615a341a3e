"""What importing costs: nothing heavy before it is used."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules_after(statement):
    code = f"import sys; {statement}; print(' '.join({{m.partition('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_the_command_loads_nothing_heavy_to_show_its_help():
    statement = """import contextlib, io, skhash.cli
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): skhash.cli.main(["--help"])
"""
    code = statement + "import sys; print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "argparse" in run.stdout
    assert not set(run.stdout.split()) & {"torch", "numba", "sklearn", "scipy", "numpy"}


def test_the_package_loads_nothing_heavy():
    assert not modules_after("import skhash, skhash.utils") & {"torch", "numba", "sklearn", "scipy", "numpy"}


@pytest.mark.parametrize(
    "statement",
    [
        "from skhash import HammingIndex",
        "from skhash import EmbeddingIndex; EmbeddingIndex().fit([[0.0, 1.0], [1.0, 1.0]]).kneighbors([[1.0, 1.0]], 1)",
        "from skhash import LSHHasher, PCAHasher, ITQHasher, PosteriorHasher",
        "from skhash import PerceptualHasher; import numpy; PerceptualHasher().transform(numpy.zeros((2, 8, 8)))",
        "from skhash import PerceptualHasher; import numpy; PerceptualHasher('copynet').transform(numpy.eye(9)[None])",
        "import skhash.metrics; [getattr(skhash.metrics, name) for name in skhash.metrics.__all__]",
        "from skhash.datasets import retrieval_split, fetch_fashion_mnist, fetch_cifar10, fetch_cifar100",
        "from skhash.datasets import load_imagenet100, load_nuswide21, load_mscoco, load_gldv2, load_revisited",
        "import skhash.codes, skhash.centers",
        "from skhash import find_duplicates; import numpy; find_duplicates(numpy.zeros((3, 8, 8)))",
        "import skhash.runtime; [getattr(skhash.runtime, name) for name in skhash.runtime.__all__]",
    ],
)
def test_search_and_shallow_hashing_do_without_torch(statement):
    assert "torch" not in modules_after(statement)


TORCH_FREE = [
    "base", "bitops", "centers", "cli", "codes", "datasets", "demo", "distributed", "duplicates", "images", "index",
    "metrics", "perceptual", "runtime", "summaries", "utils",
]  # fmt: skip


def test_no_module_of_the_packages_without_torch_loads_it():
    """lint-imports reads import statements only; this also finds what a lazily resolved name loads."""
    package = importlib.import_module("skhash")
    names = [info.name for info in pkgutil.walk_packages(package.__path__, "skhash.")]
    wanted = [name for name in names if name.split(".")[1] in TORCH_FREE]
    assert len(wanted) > 100
    assert "torch" not in modules_after(f"import {', '.join(wanted)}")


def test_importing_takes_less_than_a_third_of_a_second():
    def seconds(code):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - start

    # Over the bare interpreter, best of three: machines are noisy.
    assert min(seconds("import skhash") - seconds("pass") for _ in range(3)) < 0.3


def lazy_packages():
    """Return every package of skhash whose names a stub lists, by name."""
    import skhash

    packages = ["skhash", *(info.name for info in pkgutil.walk_packages(skhash.__path__, "skhash.") if info.ispkg)]
    return [name for name in packages if (ROOT / name.replace(".", "/") / "__init__.pyi").exists()]


@pytest.mark.parametrize("package", lazy_packages())
def test_the_stub_lists_what_the_package_has(package):
    """lazy_loader reads the stub, so it cannot name too little; this finds names that do not exist."""
    module = importlib.import_module(package)
    stub = (ROOT / package.replace(".", "/") / "__init__.pyi").read_text()
    listed = re.search(r"^__all__ = (\[.*?\])$", stub, re.MULTILINE | re.DOTALL)
    assert listed is not None, f"{package}: the stub has no __all__"
    assert sorted(ast.literal_eval(listed[1])) == sorted(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        getattr(module, name)


def test_every_package_with_public_names_has_a_stub():
    for package in ("bitops", "centers", "datasets", "deep", "index", "inputs", "losses", "methods", "metrics", "nn"):
        assert f"skhash.{package}" in lazy_packages()


def test_unknown_names_are_attribute_errors():
    import skhash

    with pytest.raises(AttributeError, match="No skhash attribute Rhubarb"):
        skhash.Rhubarb  # noqa: B018
