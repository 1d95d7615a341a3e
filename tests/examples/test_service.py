"""The service of examples/service loses nothing when its processes are killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("PIL")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="the writer's lock and the signals are those of Unix")
def test_nothing_is_lost():
    command = [sys.executable, ROOT / "examples/service/load_test.py"]
    options = ["--codes", "2000", "--seconds", "0.5", "--kills", "4", "--readers", "1"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*command, *options], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 restarts" in done.stdout
