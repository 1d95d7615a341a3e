"""The grid of `bench_index.py --grid`: its cells, how each is measured, and the summary at the end.

See `bench_index.py` for what is printed.
"""

import importlib.metadata
import itertools
import os
import platform
import time
from collections import namedtuple
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skhash import HammingIndex

# The roofs need the kernels' own vectors: a plain loop may get shorter ones, which would flatter us.
from skhash.bitops import LANES, add_differing, below, kernel, load, splat

ROOF_STEPS = 100_000
MOST_RESULTS = 20_000_000  # of a cell: more take gigabytes
MOST_COUNTING = 2**34  # bytes of address space for the tables of FAISS's counting mode
SMALL_CALL = 10_000  # codes: up to here one query mostly takes the time of the call
CALL_WORDS, CALL_BITS = 12e-6, 25e-6  # seconds that the call itself may take, from packed words and from bits
MILLION = 1_000_000
MODES = ("heap", "counting")

REMOVED = {"1 removed": 0, "20 % removed": 0.2, "90 % removed": 0.9}
WHERE = {"where 99 %": 0.99, "where 50 %": 0.5, "where 1 %": 0.01, "where 0.01 %": 0.0001}


class Cell(NamedTuple):
    """A search that is compared with FAISS's: `form` names a removal or a mask."""

    bits: int
    n: int
    queries: int
    k: int
    kind: str = "uniform"
    form: str = "all"

    def __str__(self):
        return f"{self.bits:4} {self.n:8} {self.queries:7} {self.k:7} {self.kind:>9} {self.form:>12}"


Result = namedtuple("Result", "cell ours rival mode ratio words_per_s share stream_share")
HEAD = (
    "bits        n queries       k     codes         form |    ours us |   FAISS us mode     |  ratio    | "
    "Gwords/s  roof |  GB/s stream"
)


@kernel
def roof_loop(steps, word):
    """Take `4 * LANES * steps` distances between words that never leave the registers."""
    one = splat(np.uint64(1))
    a, b, c, d = splat(word), splat(word + np.uint64(1)), splat(word + np.uint64(2)), splat(word + np.uint64(3))
    codes = sum_a = sum_b = sum_c = sum_d = splat(np.uint64(0))
    for _ in range(steps):
        codes = add_differing(codes, one, splat(np.uint64(0)))
        sum_a, sum_b = add_differing(sum_a, codes, a), add_differing(sum_b, codes, b)
        sum_c, sum_d = add_differing(sum_c, codes, c), add_differing(sum_d, codes, d)
    return below(sum_a, sum_b) | below(sum_c, sum_d)


@kernel
def stream(words):
    """Read all words, and do as little with them as keeps the compiler from leaving the reads out."""
    a = b = zero = splat(np.uint64(0))
    for i in range(0, len(words) - 2 * LANES + 1, 2 * LANES):
        a, b = add_differing(a, load(words, i), zero), add_differing(b, load(words, i + LANES), zero)
    return below(a, b)


def measure(functions, clock=time.process_time, rounds=3, seconds=0.02, most=np.inf):
    """Best time of each function, in turns; short ones are called again for some time in each turn.

    A function that has taken `most` seconds in all gets no further turns.
    """
    best, spent = dict.fromkeys(functions, np.inf), dict.fromkeys(functions, 0.0)
    for _ in range(rounds):
        for name, function in functions.items():
            turn_ends = time.perf_counter() + seconds
            while spent[name] < most:
                start = clock()
                function()
                taken = clock() - start
                best[name], spent[name] = min(best[name], taken), spent[name] + taken
                if time.perf_counter() > turn_ends:
                    break
    return best


def measure_roofs():
    """Words a second of the popcount loop, and bytes a second of reading 8 MB and 256 MB."""
    near, far = (np.random.default_rng(0).integers(0, 2**64, 2**power, dtype=np.uint64) for power in (20, 25))
    loops = {
        "popcount": lambda: roof_loop(ROOF_STEPS, np.uint64(0x123456789ABCDEF)),
        "near": lambda: stream(near),
        "far": lambda: stream(far),
    }
    for loop in loops.values():
        loop()
    times = measure(loops, rounds=6)
    return 4 * LANES * ROOF_STEPS / times["popcount"], near.nbytes / times["near"], far.nbytes / times["far"]


def make_codes(kind, n, bits, seed):
    """Packed codes of shape (n, n_words); those of different seeds share their centers."""
    rng = np.random.default_rng([seed, n])
    n_words = -(-bits // 64)
    used = np.full(n_words, 2**64 - 1, np.uint64)
    used[-1] >>= np.uint64(64 * n_words - bits)

    def random_words(n, rng=rng):
        return rng.integers(0, 2**64, (n, n_words), dtype=np.uint64) & used

    if kind == "uniform":
        return random_words(n)
    if kind == "ties":
        return random_words(256, np.random.default_rng(0))[rng.integers(0, 256, n)]
    flips = random_words(n)
    for _ in range(3):
        flips &= random_words(n)
    return random_words(100, np.random.default_rng(0))[rng.integers(0, 100, n)] ^ flips


def as_bytes(codes, bits):
    """Codes the way that other libraries pack them."""
    return np.ascontiguousarray(codes.view(np.uint8)[:, : bits // 8])


def faiss_flat(codes, bits, use_heap=True):
    """FAISS's exact index."""
    import faiss

    index = faiss.IndexBinaryFlat(bits)
    index.use_heap = use_heap
    index.add(as_bytes(codes, bits))
    return index


make_data = lru_cache(maxsize=2)(make_codes)


@lru_cache(maxsize=1)
def make_indexes(bits, n, kind, form):
    """Searches `(queries, k) -> distances` of skhash and FAISS's two modes, and the number of codes left."""
    import faiss

    codes, rng = make_data(kind, n, bits, 1), np.random.default_rng(n)
    ours, ours_options, faiss_options, left = HammingIndex(bits=bits, algorithm="brute").fit(codes), {}, {}, n
    if form in REMOVED:
        gone = rng.permutation(n)[: round(n * REMOVED[form]) or 1]
        ours.remove(gone)
        codes, left = np.delete(codes, gone, axis=0), n - len(gone)
    if form in WHERE:
        left = round(n * WHERE[form])
        mask = np.isin(np.arange(n), rng.permutation(n)[:left])
        ours_options = {"where": mask}
        selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
        faiss_options = {"params": faiss.SearchParameters(sel=selector)}
    heap, counting = (faiss_flat(codes, bits, use_heap) for use_heap in (True, False))
    return (
        lambda queries, k: ours.kneighbors(queries, k, **ours_options)[0],
        lambda queries, k: heap.search(queries, k, **faiss_options)[0],
        lambda queries, k: counting.search(queries, k, **faiss_options)[0],
        left,
    )


def make_searches(cell):
    """Functions without arguments by name."""
    queries = make_codes(cell.kind, cell.queries, cell.bits, 2)
    packed = as_bytes(queries, cell.bits)
    ours, heap, counting, _ = make_indexes(cell.bits, cell.n, cell.kind, cell.form)
    searches = {"ours": lambda: ours(queries, cell.k), "heap": lambda: heap(packed, cell.k)}
    if min(cell.queries, 32) * (cell.bits + 1) * cell.k * 8 <= MOST_COUNTING:
        searches["counting"] = lambda: counting(packed, cell.k)
    return searches


def check(cell, searches):
    """Compare all distances; leave out a mode of FAISS that takes many seconds and is by far the slower one."""
    clock, taken, expected = time.process_time, {}, None
    for name, search in searches.items():
        start = clock()
        distances = search()
        taken[name] = clock() - start
        expected = distances if expected is None else expected
        if not np.array_equal(distances, expected):
            raise AssertionError(f"{name} has other distances than skhash for {cell}.")
    most = max(1.0, 1.5 * min(taken[name] for name in taken if name != "ours"))
    return {name: search for name, search in searches.items() if name == "ours" or taken[name] < most}


class Report:
    """Measures, prints, and remembers for the summary.

    Parameters
    ----------
    rounds : int
        Turns that each rival gets; twice as many, but short ones, in the cells.
    most : float
        Seconds after which a rival gets no further turns.
    """

    def __init__(self, rounds=3, most=2.0):
        self.rounds, self.most = rounds, most
        self.results, self.aims = {}, []
        self.started = time.perf_counter()
        self.roof, *self.streams = measure_roofs()
        near, far = (rate / 1e9 for rate in self.streams)
        print(f"roofs: popcount {self.roof / 1e9:.1f} Gwords/s, reading 8 MB {near:.0f} GB/s, 256 MB {far:.0f} GB/s")

    def cell(self, cell):
        """Measure a cell, unless that has been done, and print its line."""
        if cell not in self.results:
            self.results[cell] = self._measure(cell)
        result = self.results[cell]
        line = (
            f"{cell!s} | {result.ours * 1e6:10.1f} | {result.rival * 1e6:10.1f} {result.mode:8} | {result.ratio:6.2f} "
            f"{'!!' if result.ratio < 1 else '  '} | {result.words_per_s / 1e9:8.2f} {result.share:5.0%}"
        )
        if result.stream_share:
            line += f" | {result.words_per_s * 8 / 1e9:5.0f} {result.stream_share:6.0%}"
        print(line, flush=True)
        return result

    def _measure(self, cell):
        functions = check(cell, make_searches(cell))
        if cell.queries == 1:
            words = make_data(cell.kind, cell.n, cell.bits, 1).reshape(-1)
            functions["stream"] = lambda: stream(words)
        options = {"seconds": 0.01, "most": self.most}  # many short turns: other programs disturb some
        times = measure(functions, rounds=2 * self.rounds, **options)
        if 0.8 < min(times[mode] for mode in times if mode in MODES) / times["ours"] < 1.1:
            again = measure(functions, rounds=4 * self.rounds, **options)
            times = {name: min(times[name], again[name]) for name in times}
        ours, reading = times.pop("ours"), times.pop("stream", 0.0)
        mode = min(times, key=times.get)
        # Where codes are left out, the roofs count those that may be found: the others need not be read.
        left = make_indexes(cell.bits, cell.n, cell.kind, cell.form)[-1]
        rate = left * cell.queries * -(-cell.bits // 64) / ours
        share = reading / ours if cell.form == "all" else 0.0
        return Result(cell, ours, times[mode], mode, times[mode] / ours, rate, rate / self.roof, share)

    def compare(self, case, functions, note="", **options):
        """Time `ours` and its rivals, print a line, and return the times."""
        times = measure(functions, **{"rounds": self.rounds, "most": self.most} | options)
        ours = times["ours"]
        rivals = ", ".join(f"{name} {t * 1e3:.3f} ms = {t / ours:.2f}x" for name, t in times.items() if name != "ours")
        print(f"{case}: {ours * 1e3:.3f} ms; {rivals}{note}", flush=True)
        return times

    def title(self, part):
        """Print the name of a part and what it is about."""
        print(f"\n=== {part.__name__}: {part.__doc__} (after {time.perf_counter() - self.started:.0f} s)")

    def aim(self, what, value, goal, at_most=False):
        """Note a promised figure."""
        self.aims.append((what, value, goal, at_most))

    def call_is_excused(self, result):
        """Whether a cell is one query on few codes that takes no longer than a call and a pass over the codes may."""
        cell = result.cell
        n = round(cell.n * (1 - REMOVED.get(cell.form, 0)))
        scan = n * -(-cell.bits // 64) * 8 / self.streams[1]
        return cell.queries == 1 and n <= SMALL_CALL and result.ours <= CALL_WORDS + scan

    def summary(self):
        """Print machine, versions, worst cells, and promised figures."""
        results = sorted(self.results.values(), key=lambda result: result.ratio)
        behind = [result for result in results if result.ratio < 1]
        counted = [result for result in behind if not self.call_is_excused(result)]
        self.aim("cells below 1.0 (but for calls within their limit)", len(counted), 0, at_most=True)
        print("\n=== machine and versions")
        print("\n".join(describe_machine()))
        print(f"\n=== the worst ten of {len(results)} cells\n{HEAD}")
        for result in results[:10]:
            self.cell(result.cell)
        excused = len(behind) - len(counted)
        print(
            f"\n=== cells below 1.0: {len(behind)} of {len(results)}; {excused} of them are one query on at most "
            f"{SMALL_CALL} codes within {CALL_WORDS * 1e6:.0f} us + one pass over the codes"
        )
        for result in behind:
            excuse = "within the limit of a call" if self.call_is_excused(result) else ""
            print(f"{result.cell} | {result.ratio:6.2f} {excuse}")
        print("\n=== promised figures")
        for what, value, goal, at_most in self.aims:
            reached = value <= goal if at_most else value >= goal
            print(f"{'reached' if reached else 'MISSED ':8} {what}: {value:.3g} ({'<=' if at_most else '>='} {goal:g})")
        print(f"\n{time.perf_counter() - self.started:.0f} s in all")


def describe_machine():
    """Lines about processor, system and packages."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    facts = dict(tuple(part.strip() for part in line.split(":", 1)) for line in info.splitlines() if ":" in line)
    numbers = ", ".join(
        f"{key} {facts[key]}" for key in ("cpu family", "model", "stepping", "cache size") if key in facts
    )
    vectors = [flag for flag in facts.get("flags", "").split() if flag in {"avx2", "avx512f", "avx512_vpopcntdq"}]
    yield f"{facts.get('model name', platform.processor())} ({numbers}; {', '.join(vectors)}), {os.cpu_count()} cores"
    yield f"{platform.platform()}, Python {platform.python_version()}"
    names = ("scikit-hash", "numpy", "numba", "llvmlite", "scikit-learn", "joblib", "faiss-cpu")
    yield ", ".join(f"{name} {version(name)}" for name in names)


def version(name):
    """Version of an installed distribution."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "from its source folder"


BITS, SIZES, QUERIES = (
    (16, 32, 64, 96, 128, 256, 512, 1024, 2048),
    (1_000, 10_000, 100_000, MILLION),
    (1, 4, 16, 100, 1000),
)


def shapes(small):
    """Bits x codes x queries, for k = 10"""
    if small:
        yield from (Cell(*shape, 10) for shape in itertools.product(BITS, (1_000, 100_000), (1, 16)))
        yield from (Cell(bits, n, 1000, 10) for bits in (16, 96, 2048) for n in (1_000, 20_000))
        return
    yield from (Cell(*shape, 10) for shape in itertools.product(BITS, SIZES, QUERIES))
    yield from (Cell(768, 100_000, queries, 10) for queries in (1, 100, 1000))


def neighbors(small):
    """Codes x queries x k, for 64 and 256 bits"""
    sizes, queries = ((1_000, 100_000), (1, 100)) if small else (SIZES, QUERIES)
    for bits, n, n_queries in itertools.product((64, 256), sizes, queries):
        for k in sorted({k for k in (1, 10, 100, 1000, n) if k <= n}):
            if n_queries * k <= MOST_RESULTS and not (small and n_queries * k > MILLION):
                yield Cell(bits, n, n_queries, k)


def filters(small):
    """Removed rows and masks, for 64 and 256 bits"""
    sizes = (100_000,) if small else (100_000, MILLION)
    for bits, n, form in itertools.product((64, 256), sizes, (*REMOVED, *WHERE)):
        for queries in (1, 100):
            yield Cell(bits, n, queries, 10, form=form)


def kinds(small):
    """Codes with many ties, for 64 bits"""
    sizes, queries = ((10_000, 100_000), (1, 100)) if small else ((1_000, 10_000, 100_000, MILLION), (1, 100, 1000))
    for kind, n, n_queries, k in itertools.product(("clustered", "ties"), sizes, queries, (10, 1000)):
        yield Cell(64, n, n_queries, k, kind)


def run_cells(report, small):
    """Measure all cells, those of the same codes one after the other."""
    for part in (shapes, neighbors, filters, kinds):
        report.title(part)
        print(HEAD)
        for cell in part(small):
            report.cell(cell)
