"""Numbers of threads, where joblib is and where it is not."""

import os
import subprocess
import sys

import joblib
import pytest

from skhash.utils import count_threads


@pytest.mark.parametrize("n_jobs", [None, 1, 3, -1, -2, -100])
def test_the_number_is_that_of_joblib(n_jobs):
    assert count_threads(n_jobs) == joblib.effective_n_jobs(n_jobs)


def test_none_follows_a_context():
    with joblib.parallel_config(n_jobs=3):
        assert count_threads(None) == 3


def test_without_joblib():
    code = "import sys; sys.modules['joblib'] = None; from skhash.utils import count_threads; "
    code += "print([count_threads(n) for n in (None, 1, 3, -1, -2, -100)])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    cores = os.cpu_count()
    assert run.stdout.strip() == str([1, 1, 3, cores, max(cores - 1, 1), 1])


@pytest.mark.parametrize("is_installed", [True, False])
def test_zero_is_refused(is_installed, monkeypatch):
    if not is_installed:
        monkeypatch.setitem(sys.modules, "joblib", None)
    with pytest.raises(ValueError, match="n_jobs == 0"):
        count_threads(0)
