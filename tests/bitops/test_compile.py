"""The cache of machine code: full or damaged, it must not stop a kernel."""

import errno
import importlib.util
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from skhash.bitops import _compile
from skhash.bitops._compile import TolerantCache, kernel

KERNEL = """
from skhash.bitops import kernel

@kernel
def double(x):
    return 2 * x
"""


class BrokenCache:
    cache_path = "/some/folder"

    def __init__(self, error):
        self.error = error
        self.flushed = 0

    def load_overload(self, sig, target_context):
        raise self.error

    save_overload = load_overload

    def flush(self):
        self.flushed += 1


@pytest.fixture(autouse=True)
def _no_warnings_yet(monkeypatch):
    monkeypatch.setattr(_compile, "_warned", set())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        EOFError("Ran out of input"),
        pickle.UnpicklingError("invalid load key"),
        RuntimeError("Invalid abbrev number"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_broken_cache_costs_a_compilation_and_one_warning(error):
    @kernel
    def add(x, y):
        return x + y

    add._cache = TolerantCache(BrokenCache(error))
    message = "kernels are compiled again in this process: /some/folder"
    with pytest.warns(RuntimeWarning, match=message) as found:  # noqa: PT031
        assert add(1, 2) == 3
        assert add(1.5, 2.0) == 3.5
    assert len(found) == 1
    assert add._cache.flushed == (0 if isinstance(error, OSError) else 2)


def load_double(folder):
    spec = importlib.util.spec_from_file_location("kernel_of_a_test", folder / "kernel_of_a_test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.double


@pytest.mark.parametrize("end", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: b"\x93" * 50])
def test_damaged_files_are_replaced(end, damage, tmp_path):
    (tmp_path / "kernel_of_a_test.py").write_text(KERNEL)
    assert load_double(tmp_path)(np.int64(4)) == 8
    (file,) = tmp_path.rglob(f"*.{end}")
    file.write_bytes(damage(file.read_bytes()))
    double = load_double(tmp_path)
    with pytest.warns(RuntimeWarning, match="kernels are compiled again") as found:
        assert double(np.int64(4)) == 8
    assert len(found) == 1
    assert str(file.parent) in str(found[0].message)
    with warnings.catch_warnings():  # the damaged file is gone
        warnings.simplefilter("error")
        double = load_double(tmp_path)
        assert double(np.int64(4)) == 8
    assert sum(double.stats.cache_hits.values()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a file in place of the folder is an error of another kind there")
def test_a_folder_that_cannot_be_written_any_more(tmp_path):
    (tmp_path / "kernel_of_a_test.py").write_text(KERNEL)
    double = load_double(tmp_path)
    folder = Path(double._cache.cache_path)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    folder.write_text("not a folder")
    with pytest.warns(RuntimeWarning, match="kernels are compiled again") as found:
        assert double(np.int64(4)) == 8
    assert len(found) == 1


def test_a_disabled_compiler_is_named():
    code = "from skhash import HammingIndex; HammingIndex().fit([[0, 1], [1, 1]]).kneighbors([[0, 1]], 1)"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "RuntimeError: skhash needs numba's compiler, which the environment variable NUMBA_DISABLE_JIT" in run.stderr
