"""An index is complete after processes that made it were interrupted (Ctrl-C) or killed at random moments."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from skhash.cli import PictureIndex

Image = pytest.importorskip("PIL.Image")

# The command with small batches, so that there are many commits to interrupt, and a sign that reading begins.
COMMAND = """
import functools, sys
from skhash.cli import PictureIndex, main
PictureIndex._update = functools.partialmethod(
    lambda self, n_jobs, progress, batch, seconds, made: made(self, n_jobs, progress, 16, 0.0),
    made=PictureIndex._update,
)
print("ready", flush=True)
sys.exit(main(["index", sys.argv[1], "--out", sys.argv[2], "-j", "1"]))
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Two hundred pictures and a damaged one."""
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(0)
    for number in range(200):
        pixels = rng.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number:03}.png")
    (folder / "broken.jpg").write_bytes(b"nonsense")
    return folder


def contents(path):
    encoded, _ = PictureIndex.open(path).encoded()
    return encoded.pictures, encoded.codes.tolist(), encoded.skipped


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_an_index_is_complete_after_interruptions_at_random_moments(name, many, tmp_path):
    whole, path = PictureIndex.create(tmp_path / "whole", many, "phash+dhash"), tmp_path / "index"
    start = time.monotonic()
    assert whole.update()["read"] == 200
    longest, draw = time.monotonic() - start, random.Random(0)
    statuses, parts = [], []
    for turn in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(many), str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert process.stdout.readline() == b"ready\n"
        lines = path / "files.jsonl"
        while turn == 0 and process.poll() is None and not lines.exists():  # one of them while it reads, for sure
            time.sleep(0.001)
        time.sleep(draw.uniform(0, longest / 2) if turn else 0)
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=60)
        statuses.append(process.returncode)
        if (path / "settings.json").exists():
            parts.append(len(contents(path)[0]))
        if process.returncode == 0:
            break
    # An interruption before the command runs, or after it, ends the process as the signal does.
    stopped = {130, -signal.SIGINT} if name == "SIGINT" else {-signal.SIGKILL}
    assert set(statuses) & stopped
    assert set(statuses) <= stopped | {0}
    assert parts == sorted(parts)  # nothing is lost
    assert any(0 < part < 200 for part in parts)  # some were interrupted while they read
    index = PictureIndex.open(path)
    index.update()
    assert contents(path) == contents(tmp_path / "whole")
    assert index.update() == {"read": 0, "unchanged": 200, "removed": 0, "skipped": 1}
