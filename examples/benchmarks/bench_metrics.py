"""
Mean average precision: counting against sorting
================================================

How much faster is mAP@all than with the evaluation code of deep hashing papers, which sorts the whole database for each
query, and how does this compare with a plain search? By default 10,000 queries against 59,000 codes of 64 bits, ten
classes, as in CIFAR-10's protocols; one thread, CPU time of the thread. The alternatives:

argsort, float
    The usual code: inner products of -1/+1 codes in numpy, one `argsort` per query, precisions at the relevant ranks.
argsort, popcount
    The same with packed codes, `np.bitwise_count` and a stable `argsort` of small integers: the fastest numpy version.
scan
    `HammingIndex(algorithm="brute").kneighbors(queries, k)`: a search for the 10 or 100 nearest codes.

The sorting alternatives process a tenth of the queries in each of ten rounds, in turn with the others, which process
all queries in every round; the best of these rounds counts. Scores with equal definitions must agree. Three minutes::

    python examples/benchmarks/bench_metrics.py
    python examples/benchmarks/bench_metrics.py --quick      # 1,000 queries: 20 seconds
"""

import argparse
import time
import tracemalloc

import numpy as np
import sklearn

from skhash import HammingIndex
from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision

BITS, CLASSES, FLIPPED, ROUNDS = 64, 10, 0.2, 10


def make_codes(n, centers, rng):
    """Draw labels, and codes around the centers of the classes."""
    labels = rng.integers(0, CLASSES, n)
    return (centers[labels] ^ (rng.random((n, BITS)) < FLIPPED)).astype(np.uint8), labels


def argsort_float(queries, database, query_labels, labels):
    """Return the sum of the average precisions, computed as in the code of the literature."""
    total = 0.0
    for query, label in zip(queries, query_labels, strict=True):
        distance = 0.5 * (BITS - query @ database.T)
        relevant = (labels == label)[np.argsort(distance)]
        found = np.flatnonzero(relevant) + 1.0
        total += np.mean(np.arange(1, len(found) + 1) / found)
    return total


def argsort_popcount(queries, database, query_labels, labels):
    """Return the sum of the average precisions, computed by a stable sort of small integers."""
    total = 0.0
    for query, label in zip(queries, query_labels, strict=True):
        order = np.argsort(np.bitwise_count(database ^ query), kind="stable")
        found = np.flatnonzero((labels == label)[order]) + 1.0
        total += np.mean(np.arange(1, len(found) + 1) / found)
    return total


def main():
    """Time all alternatives in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1,000 queries")
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=59_000)
    arguments = parser.parse_args()
    n_queries = 1_000 if arguments.quick else arguments.queries

    rng = np.random.default_rng(0)
    centers = rng.integers(0, 2, (CLASSES, BITS))
    queries, query_labels = make_codes(n_queries, centers, rng)
    database, labels = make_codes(arguments.items, centers, rng)
    packed = pack_codes(queries), pack_codes(database)
    signs = 2.0 * queries - 1, 2.0 * database - 1
    index = HammingIndex(algorithm="brute").fit(packed[1])

    def measure(ties):
        return lambda: mean_average_precision(*packed, query_labels, labels, ties=ties)

    ours = {f"mAP, ties={ties!r}": measure(ties) for ties in ("expected", "optimistic", "stable")}
    scans = {f"scan, k = {k}": lambda k=k: index.kneighbors(packed[0], k) for k in (10, 100)}
    contestants = {**ours, **scans}
    sorting = {
        "argsort, float": lambda part: argsort_float(signs[0][part], signs[1], query_labels[part], labels),
        "argsort, popcount": lambda part: argsort_popcount(
            packed[0][part, 0], packed[1][:, 0], query_labels[part], labels
        ),
    }

    for contestant in contestants.values():  # the first call compiles
        contestant()
    seconds = dict.fromkeys(contestants, np.inf) | dict.fromkeys(sorting, 0.0)
    sums = dict.fromkeys(sorting, 0.0)
    for round_ in range(ROUNDS):
        for name, contestant in contestants.items():
            start = time.thread_time()
            contestant()
            seconds[name] = min(seconds[name], time.thread_time() - start)
        part = slice(n_queries * round_ // ROUNDS, n_queries * (round_ + 1) // ROUNDS)
        for name, rival in sorting.items():
            start = time.thread_time()
            sums[name] += rival(part)
            seconds[name] += time.thread_time() - start
    stable = ours["mAP, ties='stable'"]()
    assert np.isclose(sums["argsort, popcount"] / n_queries, stable, atol=1e-9)

    print(f"{n_queries} queries x {len(database)} codes of {BITS} bits; {stable.definition}: {stable:.4f}")
    scan = seconds["scan, k = 10"]
    for name, taken in sorted(seconds.items(), key=lambda item: item[1]):
        print(f"{name:24s} {taken:8.3f} s = {taken / scan:7.2f} x the scan for k = 10")
    for name in ours:
        ratios = ", ".join(f"{seconds[rival] / seconds[name]:.0f}x {rival}" for rival in sorting)
        print(f"{name}: {ratios}")

    for megabytes in (1024, 16):
        with sklearn.config_context(working_memory=megabytes):
            for name, contestant in ours.items():
                tracemalloc.start()
                contestant()
                peak = tracemalloc.get_traced_memory()[1] / 2**20
                tracemalloc.stop()
                print(f"working_memory={megabytes} MiB: the peak allocation of {name} is {peak:.0f} MiB")


if __name__ == "__main__":
    main()
