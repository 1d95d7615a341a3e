"""
Memory of the linear hashers
============================

How much memory do `fit` and `transform` need in addition to the data, and how much time? A million samples of 512
single-precision features are stored in a temporary file of 2 GB and passed as an array in memory and as a memory-mapped
one; codes have 64 bits. Every case runs in a process of its own, whose anonymous memory (`RssAnon` in `/proc`, Linux
only) is read continuously from another process. Pages of a memory-mapped file do not count: they belong to the system's
cache, which releases them when memory is short. The codes, 64 MB, do count for `transform`::

    python examples/benchmarks/bench_linear_memory.py            # a quarter of an hour on two busy cores
    python examples/benchmarks/bench_linear_memory.py --quick    # a tenth of the samples
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

import skhash

METHODS = ("PCAHasher", "ITQHasher", "SpectralHasher", "LSHHasher")
PHASES = ("fit", "transform")
N_FEATURES = 512
BITS = 64


def anonymous_memory(pid):
    """Return the anonymous memory of a process (memory that is not backed by a file), in bytes."""
    with open(f"/proc/{pid}/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))


def write_features(path, n):
    """Write features of rank 100 with noise, block by block."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(100, N_FEATURES)).astype(np.float32) * np.linspace(1, 0.1, 100, dtype=np.float32)[:, None]
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, N_FEATURES))
    for start in range(0, n, 20_000):
        block = X[start : start + 20_000]
        block[:] = rng.standard_normal((len(block), 100), np.float32) @ mixing
        block += 0.1 * rng.standard_normal(block.shape, np.float32) + 1
    X.flush()


def run(name, path, mapped, phase, results):
    """Fit and transform; store in `phase` which of them is running."""
    X = np.load(path, mmap_mode="r" if mapped else None)
    hasher = getattr(skhash, name)(BITS)
    hasher.fit(X[:2000]).transform(X[:2000])  # imports, threads and their buffers
    for number, call in enumerate((hasher.fit, hasher.transform), 1):
        before, start = anonymous_memory("self"), time.perf_counter()
        phase.value = number
        result = call(X)
        phase.value = 0
        results.send((before, time.perf_counter() - start))
        del result


def measure(name, path, mapped):
    """Yield seconds and additional bytes of both phases."""
    context = multiprocessing.get_context("spawn")
    phase = context.Value("i", 0)
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=run, args=(name, path, mapped, phase, send))
    process.start()
    peaks = [0, 0, 0]
    while process.is_alive():
        number = phase.value
        try:
            peaks[number] = max(peaks[number], anonymous_memory(process.pid))
        except (FileNotFoundError, ProcessLookupError, StopIteration):
            break  # the process has just ended
        time.sleep(0.002)
    process.join()
    if process.exitcode:
        raise RuntimeError(f"The process of {name} failed with exit code {process.exitcode}.")
    for peak in peaks[1:]:
        before, seconds = receive.recv()
        yield seconds, peak - before


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 samples")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    arguments = parser.parse_args()
    n = 100_000 if arguments.quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        write_features(path, n)
        size = path.stat().st_size / 2**20
        print(f"{n:,} x {N_FEATURES} float32, {size:,.0f} MB; {BITS} bits; seconds and additional MB")
        print(f"{'':16s}{'input':>9s}" + "".join(f"{phase:>22s}" for phase in PHASES))
        for name in arguments.methods:
            for mapped in (False, True):
                cells = [f"{seconds:10.1f} s {extra / 2**20:6.0f} MB" for seconds, extra in measure(name, path, mapped)]
                print(f"{name:16s}{('array', 'mapped')[mapped]:>9s}" + "".join(f"{c:>22s}" for c in cells), flush=True)


if __name__ == "__main__":
    main()
