"""The sections of `bench_index.py --grid` after the cells: the figures that are promised for each use of an index.

See `bench_index.py` for what is printed.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from bench_index_grid import CALL_BITS, CALL_WORDS, HEAD, MILLION, Cell, as_bytes, faiss_flat, make_codes

from skhash import HammingIndex
from skhash.codes import unpack_codes
from skhash.metrics import mean_average_precision


def lone(report, small):
    """One query on a million codes"""
    print(HEAD)
    for bits in (64, 128, 256, 512, 1024, 2048):
        result = report.cell(Cell(bits, MILLION, 1, 10))
        report.aim(f"one query, {bits} bits: share of the stream rate", result.stream_share, 0.8)
        report.aim(f"one query, {bits} bits: ratio", result.ratio, {64: 8, 128: 4, 256: 1.5}.get(bits, 1.05))


def batches(report, small):
    """1,000 queries on a million codes, and wide codes"""
    print(HEAD)
    for bits, k, goal in ((64, 10, 12), (256, 10, 5), (64, 1_000, 6), (64, 10_000, 3)):
        result = report.cell(Cell(bits, MILLION, 1_000, k))
        report.aim(f"1,000 queries, 1e6 x {bits}, k = {k}: ratio", result.ratio, goal)
    for bits in (768, 1024, 2048):
        result = report.cell(Cell(bits, 100_000, 1_000, 10))
        report.aim(f"1,000 queries, {bits} bits: share of the popcount roof", result.share, 0.6)


def calls(report, small):
    """The call itself: one query on few codes, from packed words and from bits; numpy packs the bits for FAISS"""
    for bits, n in ((64, 1_000), (64, 10_000), (256, 1_000)):
        for form, goal in (("words", CALL_WORDS), ("bits", CALL_BITS)):
            ours, nbytes = call(report, bits, n, form)
            beyond = ours - nbytes / report.streams[1]
            report.aim(f"one query, {n} x {bits}, {form}: us beyond a pass", beyond * 1e6, goal * 1e6, at_most=True)


def call(report, bits, n, form):
    """Time of a search for one query, and the size of the codes."""
    codes, query = make_codes("uniform", n, bits, 1), make_codes("uniform", 1, bits, 2)
    ours, flat = HammingIndex(bits=bits, algorithm="brute").fit(codes), faiss_flat(codes, bits)
    packed = as_bytes(query, bits)
    functions = {"faiss": lambda: flat.search(packed, 10)}
    if form == "bits":
        query = unpack_codes(query, bits=bits)
        functions = {"faiss": lambda: flat.search(np.packbits(query, axis=1, bitorder="little"), 10)}
    functions["ours"] = lambda: ours.kneighbors(query, 10)
    return report.compare(f"one query, {n} x {bits}, {form}", functions)["ours"], codes.nbytes


def fit(report, small):
    """Codes that are not packed: `fit` against numpy's packing and FAISS's add"""
    for n, bits in ((MILLION, 64), (100_000, 512)):
        u = unpack_codes(make_codes("uniform", n, bits, 1), bits=bits)
        forms = {
            "uint8 bits": u,
            "bool": u.astype(bool),
            "-1/+1 int8": u.astype(np.int8) * 2 - 1,
            "float32": u.astype(np.float32),
        }
        for form, x in forms.items():

            def rival(x=x, bits=bits):
                faiss_flat_of_bytes(np.packbits(x if x.dtype in (np.uint8, bool) else x > 0, axis=1, bitorder="little"))

            times = report.compare(
                f"fit {n} x {bits}, {form}", {"ours": lambda x=x: HammingIndex().fit(x), "packbits + faiss": rival}
            )
            if form == "uint8 bits":
                report.aim(f"fit {n} x {bits} from uint8 bits: ratio", times["packbits + faiss"] / times["ours"], 1.0)


def faiss_flat_of_bytes(packed):
    """FAISS's exact index of packed bytes."""
    import faiss

    index = faiss.IndexBinaryFlat(8 * packed.shape[1])
    index.add(packed)
    return index


def add(report, small):
    """10,000 rows one by one, and a million at once, to a million"""
    codes, rows = make_codes("uniform", MILLION, 64, 1), make_codes("uniform", 10_000, 64, 3)
    packed, packed_rows = as_bytes(codes, 64), as_bytes(rows, 64)
    labels = np.arange(MILLION) % 10

    def fitted(y=None):
        return HammingIndex(bits=64).fit(codes, y)

    cases = {
        "ours": (fitted, rows, ()),
        "FAISS": (lambda: faiss_flat(codes, 64), packed_rows, ()),
        "ours after a removal": (lambda: fitted().remove([3]), rows[:1000], ()),
        "ours with labels": (lambda: fitted(labels), rows[:1000], ([1],)),
    }
    us = {name: 1e6 * min(add_singly(make(), x, *y) for _ in range(3)) for name, (make, x, y) in cases.items()}
    print(f"single rows, us each: {', '.join(f'{name} {value:.2f}' for name, value in us.items())}")
    report.aim("add of single rows from words: us each", us["ours"], 5, at_most=True)
    starts = {
        "ours": (lambda: HammingIndex(bits=64).fit(codes[:1]), codes),
        "FAISS": (lambda: faiss_flat(codes[:1], 64), packed),
    }
    # The best time of each block: the memory of some is handed out slowly now and then.
    ours, theirs = (
        np.min([add_blocks(make(), block) for _ in range(3)], axis=0).mean() for make, block in starts.values()
    )
    print(f"ten times a million rows, ms each: {ours * 1e3:.2f}, FAISS {theirs * 1e3:.2f} = {theirs / ours:.2f}x")
    report.aim("add of 1e6 rows: ratio", theirs / ours, 5)


def add_blocks(index, block):
    """Seconds for each of ten times the same block."""
    return [time_of(lambda: index.add(block)) for _ in range(10)]


def add_singly(index, rows, *labels):
    """Seconds for each row."""

    def add_all():
        for i in range(len(rows)):
            index.add(rows[i : i + 1], *labels)

    return time_of(add_all) / len(rows)


def time_of(function):
    """CPU seconds of a call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def save(report, small):
    """1e7 codes of 64 bits to disk: CPU time, and wall time, of which the disk takes most"""
    import faiss

    codes = make_codes("uniform", 10 * MILLION, 64, 1)
    ours, flat = HammingIndex(bits=64).fit(codes), faiss_flat(codes, 64)
    with tempfile.TemporaryDirectory() as folder:

        def write_raw():
            with Path(folder, "raw").open("wb") as file:
                codes.tofile(file)
                file.flush()
                os.fsync(file.fileno())

        functions = {
            "ours": lambda: ours.save(f"{folder}/index"),
            "faiss": lambda: faiss.write_index_binary(flat, f"{folder}/faiss"),
            "write and fsync": write_raw,
        }
        cpu = report.compare("save 1e7 x 64, CPU time", functions, seconds=0)
        wall = report.compare("save 1e7 x 64, wall time", functions, seconds=0, clock=time.perf_counter)
    report.aim(
        "save of 1e7: ratio to FAISS, which does not wait for the disk, CPU time", cpu["faiss"] / cpu["ours"], 0.8
    )
    report.aim("save of 1e7: ratio to write and fsync, wall time", wall["write and fsync"] / wall["ours"], 0.8)


def clustered(report, small):
    """Exact tables against an approximate rival: clustered 1e6 x 64, batches of 500, k = 10"""
    import faiss

    codes, queries = make_codes("clustered", MILLION, 64, 1), make_codes("clustered", 500, 64, 2)
    packed, packed_queries = as_bytes(codes, 64), as_bytes(queries, 64)
    ours = HammingIndex(bits=64, algorithm="mih").fit(codes)
    exact = ours.kneighbors(queries, 10)[0]
    ivf = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(64), 64, 1024)
    ivf.cp.niter = 4
    ivf.train(packed[:60_000])
    ivf.add(packed)
    ratios = []
    for n_probes in (1, 2, 4, 8):
        ivf.nprobe = n_probes
        recall = (ivf.search(packed_queries, 10)[0] <= exact[:, -1:]).mean()
        functions = {"ours": lambda: ours.kneighbors(queries, 10), "IVF1024": lambda: ivf.search(packed_queries, 10)}
        times = report.compare(f"mih against IVF, {n_probes} probes", functions, f", recall {recall:.3f}")
        if recall >= 0.95:
            ratios.append(times["ours"] / times["IVF1024"])
    report.aim(
        "clustered 1e6: time of exact mih over IVF's at recall .95", max(ratios, default=np.nan), 1.1, at_most=True
    )


def threads(report, small):
    """Two threads against one, wall time: says something on a quiet machine of two cores or more only"""
    codes, queries = make_codes("uniform", MILLION, 64, 1), make_codes("uniform", 1_000, 64, 2)
    one, two = (HammingIndex(bits=64, algorithm="brute", n_jobs=n_jobs).fit(codes) for n_jobs in (1, 2))
    functions = {"ours": lambda: two.kneighbors(queries, 10), "one thread": lambda: one.kneighbors(queries, 10)}
    times = report.compare("1,000 queries, 1e6 x 64, two threads", functions, clock=time.perf_counter, rounds=5)
    report.aim("two threads: ratio to one", times["one thread"] / times["ours"], 1.8)


FIRST_CALLS = {
    "kneighbors": ("HammingIndex(algorithm='brute').fit(codes).kneighbors(codes[:100], 10)", 3),
    "radius_neighbors": ("HammingIndex(algorithm='brute').fit(codes).radius_neighbors(codes[:100], 20)", 3),
    "mih": ("HammingIndex(algorithm='mih').fit(codes).kneighbors(codes[:100], 10)", 5),
    "mean_average_precision": ("mean_average_precision(codes[:100], codes, labels[:100], labels)", 2),
}
FIRST_SCRIPT = """
import time
start = time.process_time()
import numpy as np
from skhash import HammingIndex
from skhash.metrics import mean_average_precision
codes = np.random.default_rng(0).integers(0, 2**64, (20_000, {n_words}), dtype=np.uint64)
labels = np.arange(20_000) % 10
imported = time.process_time()
{call}
print(imported - start, time.process_time() - imported)
"""


def first(report, small):
    """First use in a new process: CPU seconds of imports, and of the first call with an empty cache and a full one"""
    for name, (call, goal) in FIRST_CALLS.items():
        with tempfile.TemporaryDirectory() as cache:
            (imports, cold), *others = (run_first(call, n_words, cache) for n_words in ((1,) if small else (1, 1, 3)))
        print(f"{name}: imports {imports:.2f} s, empty cache {cold:.2f} s", end="")
        print("".join(f", {case} {warm:.2f} s" for case, (_, warm) in zip(("full", "192 bits"), others, strict=False)))
        report.aim(f"first {name}, empty cache: CPU seconds", cold, goal, at_most=True)


def run_first(call, n_words, cache):
    """Seconds of imports and of a call in a new process."""
    command = [sys.executable, "-c", FIRST_SCRIPT.format(call=call, n_words=n_words)]
    environment = os.environ | {"NUMBA_CACHE_DIR": cache}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return tuple(float(number) for number in output.split()[-2:])


def metrics(report, small):
    """mAP of 10,000 queries against 59,000 codes, ten classes; the rivals (20 queries, scaled) sort for each query"""
    database, queries = make_codes("clustered", 59_000, 64, 1), make_codes("clustered", 10_000, 64, 2)
    rng = np.random.default_rng(0)
    labels, query_labels = rng.integers(0, 10, len(database)), rng.integers(0, 10, len(queries))
    bits, few = 2.0 * unpack_codes(database) - 1, 2.0 * unpack_codes(queries[:20]) - 1

    def average_precisions(orders):
        for order, label in zip(orders, query_labels, strict=False):
            ranks = np.flatnonzero((labels == label)[order]) + 1
            (np.arange(1, len(ranks) + 1) / ranks).mean()

    def ours(ties):
        return lambda: mean_average_precision(queries, database, query_labels, labels, ties=ties)

    functions = {
        "ours": ours("stable"),
        "expected ties": ours("expected"),
        "popcount + stable argsort (20)": lambda: average_precisions(
            np.argsort(np.bitwise_count(database[:, 0] ^ query[0]), kind="stable") for query in queries[:20]
        ),
        "float argsort (20)": lambda: average_precisions(np.argsort(32 - 0.5 * (query @ bits.T)) for query in few),
    }
    ours("expected")(), ours("stable")()
    times = report.compare("mAP, stable ties", functions, " (those marked 20: of 20 queries)", rounds=2)
    for name, goals in (("popcount + stable argsort (20)", (7, 27)), ("float argsort (20)", (66, 258))):
        for ties, goal in zip(("ours", "expected ties"), goals, strict=True):
            ratio = len(queries) / 20 * times[name] / times[ties]
            report.aim(f"mAP {ties.replace('ours', 'stable ties')}: ratio to {name[:-5]}", ratio, goal)


SECTIONS = (lone, batches, calls, fit, add, save, clustered, threads, first, metrics)


def run_sections(report, small):
    """Measure and print all sections."""
    for section in SECTIONS:
        report.title(section)
        section(report, small)
