"""
Ranking metrics: counting and searching against sorting
=======================================================

How much faster are ranking metrics than with the evaluation code of deep hashing papers, which sorts the whole database
for each query, and how does this compare with a plain search? By default 10,000 queries against 59,000 codes of 64
bits, ten classes, as in CIFAR-10's protocols; one thread, CPU time of the thread. The alternatives:

argsort, float
    The usual code: inner products of -1/+1 codes in numpy, one `argsort` per query, precisions at the relevant ranks.
argsort, popcount
    The same with packed codes, `np.bitwise_count` and a stable `argsort` of small integers: the fastest numpy version.
scan
    `HammingIndex(algorithm="brute").kneighbors(queries, k)`: a search for the 10, 100 or 1,000 nearest codes.

The sorting alternatives process a tenth of the queries in each of ten rounds, in turn with the others, which process
all queries in every round; the best of these rounds counts. Scores with equal definitions must agree. A second table
has a single query, 10 to 1,000 classes and up to 1,024 bits, with 1,000 queries. Four minutes::

    python examples/benchmarks/bench_metrics.py
    python examples/benchmarks/bench_metrics.py --quick      # 1,000 queries: a minute
"""

import argparse
import time
import tracemalloc

import numpy as np
import sklearn

from skhash import HammingIndex
from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision, ndcg, precision_at_k, recall_at_k

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


def take_turns(contestants, rounds):
    """Return the best CPU time of each function, called in turn; a first call compiles."""
    seconds = dict.fromkeys(contestants, np.inf)
    for round_ in range(rounds + 1):
        for name, contestant in contestants.items():
            start = time.thread_time()
            contestant()
            if round_:
                seconds[name] = min(seconds[name], time.thread_time() - start)
    return seconds


def compare_shapes(n_queries, n_items, rng):
    """Print the time of both ways to count against a search, for other numbers of queries, classes and bits."""
    shapes = [(1, 10, 64), *((n_queries, classes, 64) for classes in (10, 100, 1_000))]
    shapes += [(n_queries, 10, bits) for bits in (128, 256, 512, 1024)]
    columns = ("queries", 8), ("classes", 8), ("bits", 5), ("scan, k = 10", 12), ("stable", 16), ("expected", 16)
    print(" ".join(f"{name:>{width}s}" for name, width in (*columns, ("argsort", 16))))
    for n, classes, bits in shapes:
        labels = rng.integers(0, classes, n + n_items)
        codes = rng.integers(0, 2, (classes, bits))[labels] ^ (rng.random((n + n_items, bits)) < FLIPPED)
        packed = pack_codes(codes)
        sides = packed[:n], packed[n:], labels[:n], labels[n:]
        index = HammingIndex(algorithm="brute").fit(packed[n:])
        some = min(n, 50)  # of the rival

        def rival(sides=sides, some=some):
            for query, label in zip(sides[0][:some], sides[2], strict=False):
                distance = np.bitwise_count(sides[1] ^ query).sum(axis=1, dtype=np.int16)
                found = np.flatnonzero((sides[3] == label)[np.argsort(distance, kind="stable")]) + 1.0
                np.mean(np.arange(1, len(found) + 1) / found)

        taken = take_turns(
            {
                "scan": lambda index=index, sides=sides: index.kneighbors(sides[0], 10),
                "stable": lambda sides=sides: mean_average_precision(*sides),
                "expected": lambda sides=sides: mean_average_precision(*sides, ties="expected"),
                "argsort": rival,
            },
            20 if n == 1 else 3,
        )
        taken["argsort"] *= n / some
        scan = taken.pop("scan")
        cells = " ".join(f"{1e3 * time_:8.2f} ({time_ / scan:4.1f}x)" for time_ in taken.values())
        print(f"{n:8d} {classes:8d} {bits:5d} {1e3 * scan:9.2f} ms {cells}")


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
    scans = {f"scan, k = {k}": lambda k=k: index.kneighbors(packed[0], k) for k in (10, 100, 1_000)}
    sides = *packed, query_labels, labels
    first = {  # with the number of ranks that each needs
        "precision@100": (lambda: precision_at_k(*sides, 100), 100),
        "recall@100": (lambda: recall_at_k(*sides, 100), 100),
        "NDCG@100": (lambda: ndcg(*sides, R=100), 100),
        "mAP@1000": (lambda: mean_average_precision(*sides, R=1_000), 1_000),
    }
    contestants = {**ours, **scans, **{name: metric for name, (metric, _) in first.items()}}
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
    for name, (_, k) in first.items():
        search, rival = (seconds[other] / seconds[name] for other in (f"scan, k = {k}", "argsort, popcount"))
        print(f"{name}: {1 / search:.2f} x the scan for k = {k}; {rival:.0f}x argsort, popcount")
    compare_shapes(1_000, arguments.items, rng)

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
