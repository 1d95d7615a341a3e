"""
Multi-index hashing against the scan
====================================

How much sooner than the scan do `HammingIndex(algorithm="mih")` and `"auto"` answer? The codes are like learned ones:
random centers, each code a center with 6 % of its bits flipped. Tables are built beforehand, and `"auto"` has had the
calls that it needs to decide. All three give the same answers, which is checked. The figures are ratios of thread CPU
time, best of three interleaved turns, on one thread::

    python examples/benchmarks/bench_mih.py                     # 1e7 codes of 64 bits, 1,000 centers
    python examples/benchmarks/bench_mih.py --centers 100

Ten million codes take about 1 GB and two minutes.
"""

import argparse
import time

import numpy as np

from skhash import HammingIndex

FLIPPED = 0.06
ALGORITHMS = ("brute", "mih", "auto")
WARM_UP = 4


def make_codes(n, n_centers, rng, centers):
    """Draw packed codes of 64 bits around centers."""
    codes = centers[rng.integers(0, n_centers, n)]
    for bit in range(64):
        codes ^= (rng.random(n, dtype=np.float32) < FLIPPED).astype(np.uint64) << np.uint64(bit)
    return codes[:, None]


def main():
    """Time both kinds of search by each algorithm and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--n", type=float, default=1e7, help="number of codes")
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--centers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    centers = rng.integers(0, 2**64, arguments.centers, dtype=np.uint64)
    codes = make_codes(int(arguments.n), arguments.centers, rng, centers)
    queries = make_codes(arguments.queries, arguments.centers, rng, centers)
    indexes = {name: HammingIndex(algorithm=name).fit(codes) for name in ALGORITHMS}
    searches = {
        "k = 10": lambda index: index.kneighbors(queries, 10),
        "radius 3": lambda index: index.radius_neighbors(queries, 3),
    }
    for label, search in searches.items():
        for _ in range(WARM_UP):
            search(indexes["auto"])
        answers = {name: search(index) for name, index in indexes.items()}
        for name in ALGORITHMS[1:]:
            for expected, got in zip(answers["brute"], answers[name], strict=True):
                assert all(np.array_equal(a, b) for a, b in zip(expected, got, strict=True)), name
        seconds = dict.fromkeys(ALGORITHMS, np.inf)
        for _ in range(arguments.rounds):
            for name in ALGORITHMS:
                start = time.thread_time()
                search(indexes[name])
                seconds[name] = min(seconds[name], time.thread_time() - start)
        per_query = ", ".join(f"{name} {1e6 * s / len(queries):.1f} us" for name, s in seconds.items())
        ratios = ", ".join(f"{name} {seconds['brute'] / seconds[name]:.1f}x" for name in ALGORITHMS[1:])
        print(f"{label}: {per_query} per query; against the scan: {ratios}")
    for name, index in indexes.items():
        print(f"memory, {name}:", {part: f"{size / 1e6:.0f} MB" for part, size in index.memory_usage().items() if size})


if __name__ == "__main__":
    main()
