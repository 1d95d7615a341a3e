"""
Ranking metrics: counting and searching against sorting
=======================================================

How much faster are ranking metrics than numpy, which sorts the whole database for each query, and how does this compare
with a plain search? By default 1,000 queries against 59,000 codes of 64 bits, ten classes, as in CIFAR-10's protocols;
one thread, CPU time of the thread. Three tables:

metrics
    Every ranking metric, interleaved with its rival, which computes the same in numpy: `np.bitwise_count`, a stable
    `argsort` of small integers, and the formula. Metrics of Hamming balls need no order, so their rival does not sort.
    Where the definitions are equal, the values must be, too. The rival processes a fifth of the queries in each of five
    rounds, in turn with the metric, which processes all of them in every round; its best round counts. The last row is
    the code of the literature: inner products of -1/+1 codes and one `argsort` of floats per query.
shapes
    One query; 10 to 1,000 classes; 64 to 1,024 bits.
growth
    Time and peak memory against the number of codes, each from a process of its own: the peak of its resident memory
    (`VmHWM`, Linux only) beyond what it had with codes and labels in memory and kernels compiled (needs glibc).

A scan is `HammingIndex(algorithm="brute").kneighbors(queries, k)`: a search for the `k` nearest codes. Half a minute::

    python examples/benchmarks/bench_metrics.py
    python examples/benchmarks/bench_metrics.py --only growth --growth 10000 100000
"""

import argparse
import ctypes
import json
import subprocess
import sys
import time

import numpy as np

from skhash import HammingIndex
from skhash.codes import pack_codes
from skhash.metrics import (
    knn_accuracy,
    mean_average_precision,
    ndcg,
    precision_at_k,
    precision_recall_by_radius,
    precision_recall_by_rank,
    precision_within_radius,
    recall_at_k,
    recall_within_radius,
    retrieval_scores,
)

BITS, CLASSES, FLIPPED, ROUNDS = 64, 10, 0.2, 5
RADIUS = 12
TABLES = ("metrics", "shapes", "growth")


def make_sides(n_queries, n_items, classes=CLASSES, bits=BITS):
    """Draw labels, and packed codes around the centers of the classes: queries, database and the labels of both."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, n_queries + n_items)
    centers = rng.integers(0, 2, (classes, bits), dtype=np.uint8)
    packed = [
        pack_codes(centers[some] ^ (rng.random((len(some), bits), np.float32) < FLIPPED))
        for some in np.array_split(labels, -(-len(labels) // 50_000))
    ]
    packed = np.concatenate(packed)
    return packed[:n_queries], packed[n_queries:], labels[:n_queries], labels[n_queries:]


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


def rank(query, label, database, labels):
    """Return distances, the order by (distance, row) and the relevance of the items in this order, in numpy."""
    distance = np.bitwise_count(database ^ query)
    distance = distance[:, 0] if database.shape[1] == 1 else distance.sum(axis=1, dtype=np.int16)
    order = np.argsort(distance, kind="stable")
    return distance, order, (labels == label)[order]


def average_precision(query, label, database, labels, R=None):
    """Compute the average precision of one query by sorting."""
    found = np.flatnonzero(rank(query, label, database, labels)[2][:R]) + 1.0
    return np.mean(np.arange(1, len(found) + 1) / found) if len(found) else 0.0


def discounted_gain(query, label, database, labels, R=None):
    """Compute the NDCG of one query by sorting."""
    relevant = rank(query, label, database, labels)[2]
    discounts = 1 / np.log2(np.arange(2, len(relevant) + 2))[:R]
    return (relevant[:R] @ discounts) / discounts[: relevant.sum()].sum()


def precision_of_first(query, label, database, labels):
    """Compute the precision of the first 100 by sorting."""
    return rank(query, label, database, labels)[2][:100].mean()


def recall_of_first(query, label, database, labels):
    """Compute the recall of the first 100 by sorting."""
    relevant = rank(query, label, database, labels)[2]
    return relevant[:100].sum() / relevant.sum()


def vote(query, label, database, labels):
    """Let the first 100 vote, by sorting."""
    order = rank(query, label, database, labels)[1]
    return np.bincount(labels[order[:100]]).argmax() == label


def curve_by_rank(query, label, database, labels):
    """Compute precision and recall at the first 100 ranks by sorting; return the last precision."""
    relevant = rank(query, label, database, labels)[2]
    hits = relevant[:100].cumsum()
    precision, _ = hits / np.arange(1, 101), hits / relevant.sum()
    return precision[-1]


def within_radius(query, label, database, labels):
    """Compute the precision and the recall of a Hamming ball, without sorting; return the precision."""
    inside = np.bitwise_count(database ^ query).sum(axis=1, dtype=np.int16) <= RADIUS
    relevant = labels == label
    hits = (inside & relevant).sum()
    return hits / max(inside.sum(), 1), hits / relevant.sum()


def precision_of_ball(*sides):
    """Compute the precision of a Hamming ball."""
    return within_radius(*sides)[0]


def recall_of_ball(*sides):
    """Compute the recall of a Hamming ball."""
    return within_radius(*sides)[1]


def curve_by_radius(query, label, database, labels):
    """Compute precision and recall of all Hamming balls, without sorting."""
    distance = np.bitwise_count(database ^ query).sum(axis=1, dtype=np.int16)
    items = np.bincount(distance, minlength=BITS + 1).cumsum()
    hits = np.bincount(distance[labels == label], minlength=BITS + 1).cumsum()
    precision, _ = hits / np.maximum(items, 1), hits / hits[-1]
    return precision[-1]


def four_scores(query, label, database, labels):
    """Compute four metrics after one sort; return the average precision."""
    distance, _, relevant = rank(query, label, database, labels)
    found = np.flatnonzero(relevant) + 1.0
    inside = distance <= 2
    (inside & (labels == label)).sum() / max(inside.sum(), 1)
    relevant[:10].mean(), relevant[:10].sum() / len(found)
    return np.mean(np.arange(1, len(found) + 1) / found)


# Name, metric, the number of ranks that it needs (None: all), rival, and whether both have the same definition.
METRICS = (
    ("mAP, ties stable", mean_average_precision, None, average_precision, True),
    ("mAP, ties expected", lambda *s: mean_average_precision(*s, ties="expected"), None, average_precision, False),
    ("mAP, ties optimistic", lambda *s: mean_average_precision(*s, ties="optimistic"), None, average_precision, False),
    ("mAP@1000", lambda *s: mean_average_precision(*s, R=1000), 1000, lambda *s: average_precision(*s, 1000), True),
    ("precision@100", precision_at_k, 100, precision_of_first, True),
    ("recall@100", recall_at_k, 100, recall_of_first, True),
    ("NDCG@100", ndcg, 100, lambda *s: discounted_gain(*s, 100), True),
    ("NDCG@100, expected", lambda *s: ndcg(*s, ties="expected"), None, lambda *s: discounted_gain(*s, 100), False),
    ("NDCG, all ranks", lambda *s: ndcg(*s, R=None), None, discounted_gain, True),
    ("curve to rank 100", lambda *s: precision_recall_by_rank(*s, R=100).precision[-1], 100, curve_by_rank, True),
    ("curve by radius", lambda *s: precision_recall_by_radius(*s).precision[-1], None, curve_by_radius, True),
    ("precision in a ball", lambda *s: precision_within_radius(*s, RADIUS), None, precision_of_ball, True),
    ("recall in a ball", lambda *s: recall_within_radius(*s, RADIUS), None, recall_of_ball, True),
    ("accuracy of 100-NN", knn_accuracy, 100, vote, False),
    ("four at once", lambda *s: retrieval_scores(*s)["map"], None, four_scores, True),
)
GROWTH = {
    name: metric for name, metric, *_ in METRICS if name in ("mAP, ties stable", "mAP, ties expected", "NDCG@100")
}


def argsort_float(queries, database, query_labels, labels):
    """Return the average precisions, computed as in the code of the literature."""
    for query, label in zip(queries, query_labels, strict=True):
        distance = 0.5 * (BITS - query @ database.T)
        found = np.flatnonzero((labels == label)[np.argsort(distance)]) + 1.0
        yield np.mean(np.arange(1, len(found) + 1) / found)


def compare_metrics(arguments):
    """Print the time of every metric against its rival and against a search."""
    queries, database, query_labels, labels = sides = make_sides(arguments.queries, arguments.items)
    index = HammingIndex(algorithm="brute").fit(database)
    print(f"{'':22s} {'ms':>8s} {'scans of 10':>12s} {'of its k':>9s} {'numpy ms':>9s} {'faster':>7s}")
    worst = {}
    for name, metric, k, rival, equal in METRICS:
        ours = {"metric": lambda metric=metric: metric(*sides), "scan": lambda: index.kneighbors(queries, 10)}
        if k is not None:
            ours["search"] = lambda k=k: index.kneighbors(queries, k)
        take_turns(ours, 0)
        best, numpy, values = dict.fromkeys(ours, np.inf), 0.0, []
        for part in np.array_split(np.arange(len(queries)), ROUNDS):
            for turn, seconds in take_once(ours).items():
                best[turn] = min(best[turn], seconds)
            start = time.thread_time()
            values += [rival(queries[q], query_labels[q], database, labels) for q in part]
            numpy += time.thread_time() - start
        if equal:
            assert np.isclose(np.mean(values), float(metric(*sides)), atol=1e-9), name
        searches = f"{best['metric'] / best['search']:8.2f}x" if "search" in best else " " * 9
        worst[name] = numpy / best["metric"]
        scans = best["metric"] / best["scan"]
        print(
            f"{name:22s} {1e3 * best['metric']:8.2f} {scans:11.2f}x {searches} {1e3 * numpy:9.1f} {worst[name]:6.1f}x",
            flush=True,
        )
    some = min(100, len(queries))
    signs = [2.0 * np.unpackbits(side.view(np.uint8), axis=1) - 1 for side in (queries[:some], database)]
    start = time.thread_time()
    list(argsort_float(*signs, query_labels[:some], labels))
    print(f"{'argsort of floats':22s} {1e3 * (time.thread_time() - start) * len(queries) / some:8.2f}")
    name = min(worst, key=worst.get)
    print(f"least: {name}, {worst[name]:.1f}x numpy")


def take_once(contestants):
    """Return the CPU time of each function, called once."""
    seconds = {}
    for name, contestant in contestants.items():
        start = time.thread_time()
        contestant()
        seconds[name] = time.thread_time() - start
    return seconds


def compare_shapes(arguments):
    """Print the time of both ways to count against a search, for other numbers of queries, classes and bits."""
    shapes = [(1, 10, 64), *((arguments.queries, classes, 64) for classes in (10, 100, 1_000))]
    shapes += [(arguments.queries, 10, bits) for bits in (128, 256, 512, 1024)]
    columns = ("queries", 8), ("classes", 8), ("bits", 5), ("scan, k = 10", 12), ("mAP stable", 18)
    columns += ("mAP expected", 18), ("NDCG@100", 18), ("numpy", 18)
    print(" ".join(f"{name:>{width}s}" for name, width in columns))
    for n, classes, bits in shapes:
        sides = make_sides(n, arguments.items, classes, bits)
        index = HammingIndex(algorithm="brute").fit(sides[1])
        some = min(n, 20)  # of the rival

        def rival(sides=sides, some=some):
            for q in range(some):
                average_precision(sides[0][q], sides[2][q], *sides[1::2])

        taken = take_turns(
            {
                "scan": lambda index=index, sides=sides: index.kneighbors(sides[0], 10),
                "stable": lambda sides=sides: mean_average_precision(*sides),
                "expected": lambda sides=sides: mean_average_precision(*sides, ties="expected"),
                "NDCG": lambda sides=sides: ndcg(*sides),
                "numpy": rival,
            },
            20 if n == 1 else 3,
        )
        taken["numpy"] *= n / some
        scan = taken.pop("scan")
        cells = " ".join(f"{1e3 * seconds:8.2f} ({seconds / scan:6.1f}x)" for seconds in taken.values())
        print(f"{n:8d} {classes:8d} {bits:5d} {1e3 * scan:9.2f} ms {cells}", flush=True)


def show_growth(arguments):
    """Print time and memory against the number of codes, from processes of their own."""
    print("200 queries")
    for name in GROWTH:
        first = None
        for n in arguments.growth:
            command = [sys.executable, __file__, "--grow", name, str(n)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            per_code = 1e9 * result["seconds"] / n
            first = first or per_code
            print(
                f"{name:20s} {n:9,} codes: {1e3 * result['seconds']:8.1f} ms, {per_code:6.0f} ns a code "
                f"({per_code / first:4.2f} of the first); peak {result['extra'] / 2**20:6.1f} MiB = "
                f"{result['extra'] / n:5.0f} bytes a code, beyond {result['before'] / 2**20:4.0f} MiB",
                flush=True,
            )


def grow(name, n):
    """Compute one metric in this process and print time and peak memory."""
    sides = make_sides(200, n)
    for smaller in (2_000, 20_000):  # compiles the kernels of both ways to rank
        GROWTH[name](*make_sides(200, smaller))
    ctypes.CDLL(None).malloc_trim(0)  # memory that was freed before must not hide what is needed now
    with open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")  # the peak from here on
    before, start = read_memory("VmRSS"), time.thread_time()
    GROWTH[name](*sides)
    seconds = time.thread_time() - start
    print(json.dumps({"seconds": seconds, "before": before, "extra": max(read_memory("VmHWM") - before, 0)}))


def read_memory(field):
    """Return a value of `/proc/self/status` in bytes."""
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith(field))


def main():
    """Print the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=59_000)
    parser.add_argument("--growth", nargs="+", type=int, default=(10_000, 100_000, 1_000_000))
    parser.add_argument("--grow", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.grow:
        grow(arguments.grow[0], int(arguments.grow[1]))
        return
    for name, table in zip(TABLES, (compare_metrics, compare_shapes, show_growth), strict=True):
        if name in arguments.only:
            start = time.perf_counter()
            print(f"--- {name}")
            table(arguments)
            print(f"    ({time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
