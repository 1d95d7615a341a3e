"""Kill trainings at random moments, and measure what checkpoints cost.

``python bench_checkpoint.py kills`` ends 40 trainings by SIGKILL at random moments of `fit`, eight of each kind, and
lets another process go on: continuous codes and history must be those of an undisturbed training. Three minutes.
``python bench_checkpoint.py overhead`` trains with and without checkpoints by turns: one a second, which is what `fit`
does in short epochs, and one in every epoch. A minute.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits

KILLS_EACH = 8


def make(kind: str, folder: str | None) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a hasher with its training data."""
    from skhash import CSQHasher, DSDHHasher, LowerBoundHasher, OneBitDeepHasher, OrthoHasher

    X, y = load_digits(return_X_y=True)
    common: dict[str, Any] = {"bits": 32, "random_state": 0, "checkpoint": folder}
    images = np.kron(X[:500].reshape(-1, 8, 8), np.ones((2, 2))).astype(np.uint8) * 15
    if kind == "features, early stopping":
        return OrthoHasher(**common, max_epochs=60, early_stopping=True, n_iter_no_change=30), X, y
    if kind == "images":
        return OrthoHasher(**common, max_epochs=8), images, y[:500]
    if kind == "one bit, two steps":
        return OneBitDeepHasher(**common, max_epochs=10, warm_up_epochs=6, two_step=0.4), X[:800], y[:800]
    if kind == "lower bound":
        return LowerBoundHasher(CSQHasher(**common, max_epochs=15)), X[:1000], y[:1000]
    return DSDHHasher(**common, max_epochs=15), X[:1000], y[:1000]


KINDS = ("features, early stopping", "images", "one bit, two steps", "lower bound", "pair memory")


def train(kind: str, folder: str | None, pipe: Any) -> None:
    """Train in a process of its own; report the start, and a digest of what was learned."""
    import torch

    from skhash.training import Checkpoint

    torch.set_num_threads(1)
    Checkpoint.pause = 0.0
    hasher, X, y = make(kind, folder)
    clone(hasher).set_params(**{name: None for name in hasher.get_params() if name.endswith("checkpoint")}).fit(
        X[:40], y[:40]
    )  # loads all modules
    pipe.send("ready")
    hasher.fit(X, y)
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in hasher.history_]
    raw = hasher.decision_function(X).tobytes() + hasher.transform(X).tobytes() + json.dumps(rows).encode()
    pipe.send((hashlib.sha256(raw).hexdigest(), len(rows)))


def run(context: Any, kind: str, folder: str | None, kill_after: float | None = None) -> tuple[Any, float]:
    """Return the report of a training, None if it was killed, and its seconds."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=train, args=(kind, folder, sender))
    process.start()
    sender.close()
    assert receiver.recv() == "ready"
    start = time.perf_counter()
    if kill_after is not None and not receiver.poll(kill_after):
        process.kill()
        process.join()
        return None, time.perf_counter() - start
    report = receiver.recv()
    seconds = time.perf_counter() - start
    process.join()
    return report, seconds


def kills() -> None:
    """Kill 40 trainings."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "sklearn.datasets", "skhash.methods._one_bit", "skhash.methods._dsdh"])
    moments = np.random.RandomState(0)
    for kind in KINDS:
        (expected, n_epochs), seconds = run(context, kind, None)
        same, reached, done = 0, [], 0
        while done < KILLS_EACH:
            folder = tempfile.mkdtemp()
            report, _ = run(context, kind, folder, moments.uniform(0, seconds))
            if report is None:
                done += 1
                names = sorted(path.stem for path in Path(folder).glob("*/*.safetensors"))
                # The main stage comes first in this order; its last file is the one before those of the warm-up.
                main = [name for name in names if name.startswith("epochs")]
                reached.append((main or names or ["none"])[-1])
                report, _ = run(context, kind, folder)
                same += report == (expected, n_epochs)
            shutil.rmtree(folder)
        print(f"{kind}: {same} of {done} equal; {n_epochs} epochs in {seconds:.1f} s; killed at {reached}", flush=True)


def overhead(repeats: int) -> None:
    """Train with and without checkpoints by turns."""
    import torch

    from skhash import OrthoHasher
    from skhash.training import Checkpoint

    torch.set_num_threads(1)
    draws = np.random.RandomState(0)
    y = draws.randint(100, size=5000)
    features = (draws.standard_normal((100, 1280))[y] + draws.standard_normal((5000, 1280))).astype(np.float32)
    small = draws.randint(256, size=(2000, 32, 32, 3)).astype(np.uint8)
    for name, X, options in (
        ("5,000 x 1,280 features", features, {}),
        ("2,000 images of 32 x 32", small, {"max_epochs": 2}),
    ):
        times: dict[str, list[tuple[float, float]]] = {"none": [], "a second": [], "an epoch": []}
        n_epochs = 0
        for _ in range(repeats):
            for kept, seconds in times.items():
                Checkpoint.pause = float(kept == "a second")
                folder = None if kept == "none" else tempfile.mkdtemp()
                hasher = OrthoHasher(64, random_state=0, checkpoint=folder, **options)
                cpu, wall = time.process_time(), time.perf_counter()
                hasher.fit(X, y[: len(X)])
                seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
                n_epochs = len(hasher.history_)
                if folder:
                    shutil.rmtree(folder)
        for column, unit in enumerate(("CPU", "wall")):
            none, *others = ([row[column] for row in seconds] for seconds in times.values())
            print(f"{name}, {n_epochs} epochs, {unit}: {min(none):.3f} s without checkpoints")
            for kept, having in zip(("a second", "an epoch"), others, strict=True):
                best = 100 * (min(having) / min(none) - 1)
                median = 100 * (statistics.median(having) / statistics.median(none) - 1)
                print(f"    one {kept}: best {best:+.1f} %, median {median:+.1f} %", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("kills", "overhead"))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.what == "kills":
        kills()
    else:
        overhead(arguments.repeats)
