"""
Encoding: bits of one row, of a batch, of images, and of a memory map
======================================================================

How long does `transform` take beside what it cannot do without: one product in single precision? Codes are those of
double precision, for a row alone and in a batch. The alternatives, each timed in turn, best of several, one thread, CPU
time of the thread (wall time for one row):

sgemm
    `X @ W.T >= 0` in numpy's single precision; for one row with the same call.
torch
    The hasher's own network in single precision under `inference_mode`, all rows at once. Of images, a plain loop
    over batches of 8 to 64, pixels divided by 255 included; the ratio is to the fastest of them.

Two minutes::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_encode.py
    OMP_NUM_THREADS=1 python examples/benchmarks/bench_encode.py --quick    # without the memory map: half a minute
"""

import argparse
import os
import platform
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import sklearn
import torch

import skhash
from skhash import ITQHasher, LSHHasher, OneBitDeepHasher, OrthoHasher, PCAHasher
from skhash.nn import ResNet

BITS, FEATURES, CLASSES = 64, 1280, 10


def best(functions, rounds, clock, calls=1):
    """Return the least time of each function, which takes its turn with some calls in a row."""
    times = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            for _ in range(calls):
                start = clock()
                function()
                times[name] = min(times[name], clock() - start)
    return times


def compare(name, hasher, X, W, rounds):
    """Print the time of a linear hasher beside that of one product, over blocks of rows in both cases."""

    def multiply():
        return np.concatenate([X[start : start + 4096] @ W >= 0 for start in range(0, len(X), 4096)])

    times = best({"numpy": multiply, "skhash": lambda: hasher.transform(X)}, rounds, time.process_time)
    us = {key: 1e6 * seconds / len(X) for key, seconds in times.items()}
    print(
        f"{name:36s} sgemm {us['numpy']:6.2f}   LSHHasher {us['skhash']:6.2f}   ratio {us['numpy'] / us['skhash']:.2f}"
    )


def in_torch(hasher, X):
    """Return a function that computes the bits by the hasher's network in single precision."""
    module, rows = hasher.module_.encoder.eval(), torch.from_numpy(X)

    def encode():
        with torch.inference_mode():
            return (module(rows) >= 0).numpy()

    return encode


def loop_in_torch(hasher, images, batch):
    """Return a function that computes the bits of images by the hasher's network, batch by batch."""
    module, pixels = hasher.module_.encoder.eval(), torch.from_numpy(images)

    def encode():
        with torch.inference_mode():
            parts = [module(part.float().div_(255)) >= 0 for part in pixels.split(batch)]
            return torch.cat(parts).numpy()

    return encode


def compare_images(rounds):
    """Print the time of deep hashers of images beside that of plain loops over their networks."""
    rng = np.random.default_rng(0)
    small, usual = (lambda: ResNet(18, small_images=True)), (lambda: ResNet(18))
    networks = [
        ("small_cnn, 28 px, gray", (1, 28, 28), "auto", 512),
        ("small_cnn, 32 px", (3, 32, 32), "auto", 512),
        ("small_cnn, 96 px", (3, 96, 96), "auto", 64),
        ("ResNet-18, 32 px", (3, 32, 32), small, 64),
        ("ResNet-18, 96 px", (3, 96, 96), usual, 64),
    ]
    print("\nimages (us an image): torch with batches of 8, 16, 32, 64; transform; ratio to the fastest")
    for name, shape, backbone, n in networks:
        images, y = rng.integers(0, 256, (n, *shape), dtype=np.uint8), np.arange(n) % 2
        hasher = OrthoHasher(BITS, backbone=backbone, max_epochs=1, random_state=0).fit(images[:32], y[:32])
        functions = {batch: loop_in_torch(hasher, images, batch) for batch in (8, 16, 32, 64)}
        functions["skhash"] = lambda hasher=hasher, images=images: hasher.transform(images)
        differing = np.mean(functions["skhash"]() != functions[8]())
        us = [1e6 * seconds / n for seconds in best(functions, rounds, time.process_time).values()]
        print(f"  {name:22s}" + "".join(f"{t:8.0f}" for t in us) + f"{min(us[:-1]) / us[-1]:8.2f}   "
              f"bits that differ: {differing:.0e}")  # fmt: skip


def main():
    """Time all alternatives and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="without the memory map")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, numpy {np.__version__}, torch {torch.__version__}, "
          f"scikit-learn {sklearn.__version__}, skhash {skhash.__version__}")  # fmt: skip

    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 20_000)
    X = (rng.standard_normal((CLASSES, FEATURES))[y] + rng.standard_normal((len(y), FEATURES))).astype(np.float32)
    train = slice(2000)
    linear = [LSHHasher(BITS, center=True), PCAHasher(BITS), ITQHasher(BITS, max_iter=5)]
    deep = [OrthoHasher(BITS, max_epochs=1), OneBitDeepHasher(BITS, max_epochs=1)]
    hashers = {type(h).__name__: h.fit(X[train], y[train]) for h in linear + deep}
    W = hashers["LSHHasher"].components_.astype(np.float32)

    print(f"\none row of {FEATURES} features, {BITS} bits (us)")
    functions = {"sgemm": lambda: X[:1] @ W.T >= 0}
    functions |= {name: lambda h=h: h.transform(X[:1]) for name, h in hashers.items()}
    functions |= {f"torch, {type(h).__name__}": in_torch(h, X[:1]) for h in deep[:1]}
    times = best(functions, 20, time.perf_counter, calls=50)
    for name, seconds in times.items():
        print(f"  {name:22s} {1e6 * seconds:8.1f}")

    print("\nbatches (us a row)")
    for n, d, bits in ((20_000, FEATURES, BITS), (20_000, 384, BITS), (5_000, 4096, 256), (20_000, 64, 32)):
        A = X[:n, :d] if d <= FEATURES else rng.standard_normal((n, d)).astype(np.float32)
        A = np.ascontiguousarray(A)
        hasher = LSHHasher(bits, center=True, random_state=0).fit(A[train])
        compare(f"{n:,} x {d:,} -> {bits} bits", hasher, A, components_of(hasher), 7)
    hasher = hashers["OrthoHasher"]
    times = best({"torch": in_torch(hasher, X), "skhash": lambda: hasher.transform(X)}, 5, time.process_time)
    us = {name: 1e6 * seconds / len(X) for name, seconds in times.items()}
    print(f"{len(X):,} x {FEATURES:,}, OrthoHasher: its network in single precision {us['torch']:.2f}, transform "
          f"{us['skhash']:.2f}, ratio {us['torch'] / us['skhash']:.2f}")  # fmt: skip
    compare_images(5)

    if arguments.quick:
        return
    with tempfile.TemporaryDirectory() as folder:
        path, shape = f"{folder}/features.npy", (1_000_000, 768)
        mapped = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        for start in range(0, shape[0], 50_000):
            mapped[start : start + 50_000] = rng.standard_normal((50_000, 768), np.float32)
        mapped.flush()
        mapped = np.load(path, mmap_mode="r")
        hasher = LSHHasher(BITS, center=True, random_state=0).fit(mapped[:5000])
        compare(f"memory map of {shape[0]:,} x {shape[1]}", hasher, mapped, components_of(hasher), 3)


def components_of(hasher):
    """Return directions in single precision, one per column."""
    return np.ascontiguousarray(hasher.components_.astype(np.float32).T)


if __name__ == "__main__":
    main()
