"""Exact Hamming search against whatever else there is: how fast, against whom, and how near to what the machine can do.

Rivals are optional; one that is not installed is left out with a line that says so. To have them all::

    pip install faiss-cpu usearch scikit-learn matplotlib

Without options all combinations are measured (hours). `--quick` measures a few against all rivals (minutes), and each
dimension can be chosen. `--grid` measures everything that skhash promises for its index against faiss-cpu alone (15
minutes), `--grid small` a part of it (two minutes)::

    python bench_index.py --quick --plot quick.png
    python bench_index.py --bits 64 256 --n 1e6 --queries 1000 --k 10 --codes clustered --threads 1 2
    python bench_index.py --grid

Codes are `uniform` (every bit a coin) or `clustered`, as learned codes are: 100 centers, one bit in 16 flipped, hence
many ties. Before anything is timed, all exact rivals must agree on all distances; of the approximate ones (FAISS's hash
tables) the share of queries with the right distances is printed. The rivals then take turns, and the best time of each
counts: CPU time with one thread (what other programs take does not count), wall time with more. That needs a machine
without other work: threads of FAISS that wait for each other while another program runs can take a thousand times as
long. The columns, but for `--grid`:

ms
    Time of one call for all queries, of skhash's scan (`algorithm="brute"`).
x FAISS
    How many times faster that is than the faster of the two modes of FAISS's exact index.
G/s
    Distances per second, in billions: codes times queries over time.
roof
    The same in 64-bit words (of which a code of 256 bits has four), as a share of what a loop of exclusive or,
    population count and sum reaches that never leaves the registers; it is measured in turn with the rivals.
x 1 thread
    With more threads only: how many times faster that is than skhash with one, in wall time.
others
    Time of each rival over that of skhash's scan. `auto` is skhash with `algorithm="auto"`.

The grid is too large for all combinations: one or two dimensions vary at a time (`bench_index_grid.py`), and sections
about everything but plain searches follow (`bench_index_sections.py`). One thread, CPU time of the process, in turns,
against the faster mode of FAISS's exact index in each cell; where a distance differs, the run stops. Codes may also be
`ties`: 256 different ones, each very often. A last part names the machine, the versions, the worst ten cells, those in
which FAISS is faster, and each promised figure as reached or missed. The columns of the grid:

bits, n, queries, k, codes
    Size of the search, and kind of codes. Rows of 768 bits are there because embeddings have that many.
form
    `all`, or what is left out: some rows are `removed` (FAISS then searches a fresh index of the others), or a mask in
    `where` passes a share of them (FAISS gets a `SearchParameters` with an `IDSelectorBitmap`, made beforehand).
ours us, FAISS us, mode
    CPU time of one call for all queries in microseconds, and whether `heap` or `counting` was FAISS's faster mode. (The
    second is left out where its tables would take more than 16 GB, or if it takes seconds and is far behind.)
ratio
    Time of FAISS over ours; `!!` where that is below 1. Cells between 0.8 and 1.1 are measured for longer.
Gwords/s, roof
    Billions of 64-bit words compared per second, and their share of the roof that the first line states. Short codes
    fill a word each; rows that are left out do not count, so that shares may be small where they are read anyhow.
GB/s, stream
    For one query: the same as bytes per second, and the time of merely reading all codes, measured in turn with the
    search, over that of the search.
"""

import argparse
import importlib.util
import itertools
import os
import time
from collections import namedtuple

import numpy as np
from bench_index_grid import ROOF_STEPS, Report, as_bytes, make_codes, measure, roof_loop, run_cells
from bench_index_sections import run_sections

from skhash import HammingIndex
from skhash.bitops import LANES
from skhash.codes import unpack_codes

Case = namedtuple("Case", "bits n codes queries k threads")
QUICK = [
    *(Case(64, 1_000_000, "uniform", 1_000, k, 1) for k in (10, 100, 1_000)),
    Case(64, 1_000_000, "clustered", 1_000, 10, 1),
    Case(128, 1_000_000, "uniform", 1_000, 10, 1),
    Case(256, 1_000_000, "uniform", 1_000, 10, 1),
    Case(64, 1_000_000, "uniform", 1, 10, 1),
    Case(64, 1_000_000, "uniform", 1_000, 10, 2),
]
SCAN, FLAT = "skhash", ("faiss heap", "faiss counting")


# Each rival is made from (codes, case) and gives a function from queries to distances of shape (n_queries, k).


def skhash_rival(algorithm, n_jobs=None):
    def make(codes, case):
        index = HammingIndex(bits=case.bits, algorithm=algorithm, n_jobs=n_jobs or case.threads).fit(codes)
        return lambda queries: index.kneighbors(queries, case.k)[0]

    return make


def faiss_rival(name, *arguments, **attributes):
    def make(codes, case):
        import faiss

        faiss.omp_set_num_threads(case.threads)
        index = getattr(faiss, name)(case.bits, *arguments)
        for attribute, value in attributes.items():
            setattr(index, attribute, value)
        index.add(as_bytes(codes, case.bits))
        return lambda queries: index.search(as_bytes(queries, case.bits), case.k)[0]

    return make


def usearch_rival(codes, case):
    from usearch.index import MetricKind, search

    codes = as_bytes(codes, case.bits)
    options = {"metric": MetricKind.Hamming, "exact": True, "threads": case.threads, "dtype": "b1"}

    def find(queries):
        return np.atleast_2d(search(codes, as_bytes(queries, case.bits), case.k, **options).distances)

    return find


def sklearn_rival(codes, case):
    from sklearn.neighbors import NearestNeighbors

    def as_features(codes):
        return unpack_codes(codes, bits=case.bits).astype(bool)

    index = NearestNeighbors(algorithm="brute", metric="hamming", n_jobs=case.threads).fit(as_features(codes))
    return lambda queries: np.rint(index.kneighbors(as_features(queries), case.k)[0] * case.bits)


def numpy_rival(codes, case):
    def find(queries):
        distances = np.empty((len(queries), case.k))
        for row, query in zip(distances, queries, strict=True):
            of_all = np.bitwise_count(codes ^ query).sum(axis=1, dtype=np.uint16)
            row[:] = np.sort(np.partition(of_all, case.k - 1)[: case.k])
        return distances

    return find


Rival = namedtuple("Rival", "make package exact most")  # `most`: codes times queries times bits that it is asked for
RIVALS = {
    SCAN: Rival(skhash_rival("brute"), "skhash", True, np.inf),
    "auto": Rival(skhash_rival("auto"), "skhash", True, np.inf),
    "faiss heap": Rival(faiss_rival("IndexBinaryFlat", use_heap=True), "faiss", True, np.inf),
    "faiss counting": Rival(faiss_rival("IndexBinaryFlat", use_heap=False), "faiss", True, np.inf),
    "faiss hash": Rival(faiss_rival("IndexBinaryHash", 16, nflip=2), "faiss", False, 1e11),
    "faiss multihash": Rival(faiss_rival("IndexBinaryMultiHash", 2, 16, nflip=2), "faiss", False, 1e11),
    "usearch exact": Rival(usearch_rival, "usearch", True, 1e10),
    "scikit-learn": Rival(sklearn_rival, "sklearn", True, 1e9),
    "numpy": Rival(numpy_rival, "numpy", True, 1e10),
}


def choose_rivals(case, installed):
    """Make those that take the case in reasonable time."""
    codes = make_codes(case.codes, case.n, case.bits, seed=1)
    size = case.n * case.queries * case.bits
    searches = {
        name: rival.make(codes, case)
        for name, rival in RIVALS.items()
        if rival.package in installed and size <= rival.most and (case.threads == 1 or name != "numpy")
    }
    if case.threads > 1:
        searches["one thread"] = skhash_rival("brute", n_jobs=1)(codes, case)
    return searches


def check(searches, queries):
    """Compare all distances with those of skhash's scan; give the share of right queries of approximate rivals."""
    expected, right = searches[SCAN](queries), {}
    for name, search in searches.items():
        equal = (search(queries) == expected).all(axis=1)
        if name not in RIVALS or RIVALS[name].exact:
            if not equal.all():
                raise AssertionError(f"{name} gives other distances than skhash for {(~equal).sum()} queries.")
        else:
            right[name] = equal.mean()
    return right


def run(case, installed, rounds):
    """Measure a case, print its line, and give the times and the shares of right queries."""
    queries = make_codes(case.codes, case.queries, case.bits, seed=2)
    searches = choose_rivals(case, installed)
    right = check(searches, queries)
    functions = {name: lambda search=search: search(queries) for name, search in searches.items()}
    roof_loop(1, np.uint64(1))  # compiles it
    functions["roof"] = lambda: roof_loop(ROOF_STEPS, np.uint64(0x123456789ABCDEF))
    times = measure(functions, time.process_time if case.threads == 1 else time.perf_counter, rounds, seconds=0.05)
    ours, roof = times[SCAN], 4 * LANES * ROOF_STEPS / times.pop("roof")
    rate = case.n * case.queries / ours
    share = rate * -(-case.bits // 64) / (roof * case.threads)
    faiss = min((times[name] for name in FLAT if name in times), default=np.nan)
    speed_up = f"{times.pop('one thread') / ours:10.2f}" if case.threads > 1 else 10 * " "
    others = (
        f"{name} {seconds / ours:.2g}" + (f" (right: {right[name]:.0%})" if name in right else "")
        for name, seconds in times.items()
        if name != SCAN
    )
    print(
        f"{case.bits:4} {case.n:9} {case.codes:>9} {case.queries:7} {case.k:5} {case.threads:7} {ours * 1e3:10.2f} "
        f"{faiss / ours:7.2f} {rate / 1e9:6.2f} {share:5.0%} {speed_up}  {', '.join(others)}",
        flush=True,
    )
    return times, right


def describe(case):
    """Name a case in a few words."""
    queries = "1 query" if case.queries == 1 else f"{case.queries:,} queries"
    threads = "" if case.threads == 1 else f", {case.threads} threads"
    return f"{case.bits} bits, {case.n:,} {case.codes} codes, {queries}, k = {case.k:,}{threads}"


def plot(results, path):
    """Draw the distances per second of every rival in every case, and the right queries of approximate ones."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 1.5 + 0.34 * len(results)), layout="constrained")
    for (name, rival), color in zip(RIVALS.items(), plt.get_cmap("tab10").colors, strict=False):
        points = [(c.n * c.queries / times[name], i) for i, (c, times, _) in enumerate(results) if name in times]
        if not points:
            continue
        style = {"marker": "o" if rival.exact else "x", "s": 25, "color": color}
        if name == SCAN:  # a ring, which others may lie in
            style = {"s": 110, "facecolor": "none", "edgecolor": color, "linewidth": 2}
        axes.scatter(
            *zip(*points, strict=True), label=name + ("" if rival.exact else " (with its right queries)"), **style
        )
        for position, i in [] if rival.exact else points:
            share = f"{results[i][2][name]:.0%}"
            axes.annotate(share, (position, i), (0, 4), textcoords="offset points", size=6, ha="center", color=color)
    axes.set(xscale="log", xlabel="distances per second", yticks=range(len(results)))
    axes.set_yticklabels([describe(case) for case, *_ in results], size=8)
    axes.set_ylim(len(results) - 0.4, -0.6)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=5, frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def run_grid(rounds, small):
    """Measure all that is promised, against FAISS."""
    import faiss

    faiss.omp_set_num_threads(1)
    report = Report(rounds, most=1.0 if small else 2.0)
    run_cells(report, small)
    run_sections(report, small)
    report.summary()


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="the promised figures only; the grid's options are ignored"
    )
    parser.add_argument(
        "--grid", nargs="?", const="full", choices=["full", "small"], help="cells and sections against FAISS alone"
    )
    parser.add_argument("--bits", type=int, nargs="+", default=[32, 64, 128, 256], help="multiples of 8")
    parser.add_argument("--n", type=float, nargs="+", default=[1e5, 1e6, 1e7], help="numbers of codes")
    parser.add_argument("--queries", type=int, nargs="+", default=[1, 100, 1_000])
    parser.add_argument("--k", type=int, nargs="+", default=[1, 10, 100, 1_000])
    parser.add_argument("--codes", choices=["uniform", "clustered"], nargs="+", default=["uniform", "clustered"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="turns that each rival gets")
    parser.add_argument("--plot", metavar="FILE", help="draw the distances per second into this file")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    if arguments.grid:
        run_grid(arguments.rounds, small=arguments.grid == "small")
        return
    installed = set()
    for package in dict.fromkeys(rival.package for rival in RIVALS.values()):
        if importlib.util.find_spec(package):
            installed.add(package)
        else:
            print(f"{package} is not installed: left out.")
    grid = [arguments.bits, [int(n) for n in arguments.n], arguments.codes, arguments.queries, arguments.k]
    cases = QUICK if arguments.quick else [Case(*values) for values in itertools.product(*grid, arguments.threads)]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.3 and any(case.threads > 1 for case in cases):
        print(f"Other programs are running (load {load:.1f}): do not compare times with more than one thread.")
    print("bits         n     codes queries     k threads         ms x FAISS    G/s  roof x 1 thread  others")
    results = [(case, *run(case, installed, arguments.rounds)) for case in cases]
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
