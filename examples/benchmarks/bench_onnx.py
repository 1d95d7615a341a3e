"""Codes and times of exported hashers in onnxruntime, against the library's own, both on one thread in one run.

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_onnx.py [ROWS]

Prints the differing bits over 10,000 rows, how near to zero their values are, and microseconds a row for one row and
for 64 rows a call: the best of several calls of each, taken in turns. Needs the extra "onnx".
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

import skhash
from skhash.onnx import export_onnx
from skhash.runtime import compare_codes

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
ROUNDS = 15


def best(calls):
    """Return the least seconds of each of some functions, called by turns."""
    least = [np.inf] * len(calls)
    for _ in range(ROUNDS):
        for number, call in enumerate(calls):
            start = time.process_time()
            call()
            least[number] = min(least[number], time.process_time() - start)
    return least


def measure(name, hasher, samples, path):
    start = time.process_time()
    export_onnx(hasher, path)
    exported = time.process_time() - start
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    parts = [session.run(None, {"X": samples[start : start + 64]}) for start in range(0, len(samples), 64)]
    z, codes = (np.concatenate(part) for part in zip(*parts, strict=True))
    differing = int((codes != hasher.transform(samples)).sum())
    near = compare_codes(hasher.decision_function(samples), z)
    print(f"{name:30} {differing:4} of {codes.size} bits differ", end="")
    print(
        f", |z| <= {near.largest_differing:.1e}" if differing else f"; smallest |z| {near.smallest_margin:.1e}", end=""
    )
    print(f", z by {near.largest_difference:.1e}; {path.stat().st_size / 1e3:.0f} kB in {exported:.1f} s;", end="")
    for rows in (1, 64):
        some = np.ascontiguousarray(samples[:rows])
        theirs, ours = best(
            [lambda some=some: session.run(None, {"X": some}), lambda some=some: hasher.transform(some)]
        )
        print(f"  {rows}: onnxruntime {theirs / rows * 1e6:.1f}, skhash {ours / rows * 1e6:.1f} us", end="")
    print(flush=True)


def main():
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, 128))
    y = np.arange(ROWS) % 20
    X = centers[y] + rng.normal(size=(ROWS, 128))
    shown = rng.integers(0, 256, (20, 1, 7, 7)).repeat(4, 2).repeat(4, 3)
    images = (shown[y] + rng.normal(0, 60, (ROWS, 1, 28, 28))).clip(0, 255).astype(np.uint8)
    hashers = {
        "LSH, 128 -> 64": (skhash.LSHHasher(64, random_state=0), X),
        "ITQ, 128 -> 64": (skhash.ITQHasher(64, random_state=0), X),
        "spectral, 128 -> 64": (skhash.SpectralHasher(64, random_state=0), X),
        "linear head, 128 -> 64": (skhash.OrthoHasher(64, max_epochs=2, random_state=0), X),
        "MLP, 128 -> 64": (skhash.OrthoHasher(64, backbone="mlp", max_epochs=2, random_state=0), X),
        "small_cnn, 28 x 28 -> 64": (skhash.OrthoHasher(64, max_epochs=1, random_state=0), images),
        "layout_cnn, 28 x 28 -> 64": (
            skhash.OrthoHasher(64, backbone="layout_cnn", max_epochs=1, random_state=0),
            images,
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (hasher, samples) in hashers.items():
            measure(name, hasher.fit(samples[:1000], y[:1000]), samples, Path(folder) / "hasher.onnx")


if __name__ == "__main__":
    main()
