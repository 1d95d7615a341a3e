"""Build a folder of codes from a stream, search it memory-mapped, and compare the times with the model's forecast.

    python examples/benchmarks/bench_scale.py --n 20000000

Every step runs in a process of its own, so that peaks of memory are those of the step. Codes are drawn block by block
from their number, so that nothing else is stored. "cold" means that the system's cache of the folder's files was
dropped before (`posix_fadvise`, which needs no rights), "restart" a new process with the files in the cache. Sampled
answers are compared with numpy's population count of all codes. 20 million codes of 64 bits take half a minute and
160 MB of disk, 200 million some minutes and 1.6 GB; the folder is deleted at the end. Linux only.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from scale.capacity import index_bytes, mapped_seconds, measure_scan, query_seconds

from skhash import HammingIndex, warm_up

BLOCK = 2**20


def draw_block(number, n_words):
    """Return the codes of a block, which depend on its number only."""
    return np.random.default_rng([23, number]).integers(0, 2**64, (BLOCK, n_words), dtype=np.uint64)


def blocks(n, n_words, start=0):
    """Yield codes `start` to `n`, a block at a time; `start` is a multiple of the size of a block."""
    for first in range(start, n, BLOCK):
        yield draw_block(first // BLOCK, n_words)[: n - first]


def draw_queries(n, n_words, n_queries):
    """Return codes of the collection, from all over, with three bits changed."""
    rng = np.random.default_rng(7)
    rows = rng.integers(0, n, n_queries)
    codes = np.stack([draw_block(row // BLOCK, n_words)[row % BLOCK].copy() for row in rows])  # a view keeps its block
    for code in codes:
        for bit in rng.choice(64, 3, replace=False):
            code[0] ^= np.uint64(1) << np.uint64(bit)
    return codes, rows


def memory():
    """Return the peak of the resident memory, and the memory now without that of mapped files, in MB."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"peak_mb": int(lines["VmHWM"].split()[0]) // 1024, "anonymous_mb": int(lines["RssAnon"].split()[0]) // 1024}


def drop_cache(folder):
    """Write the folder's files to the disk and drop them from the system's cache."""
    for path in Path(folder).iterdir():
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def timed(function, *arguments):
    start = perf_counter()
    result = function(*arguments)
    return perf_counter() - start, result


def build(options):
    """Stream half of the codes into a new folder, and append the other half."""
    half = options.n // 2 // BLOCK * BLOCK
    n_words = options.bits // 64
    start = perf_counter()
    if half:
        HammingIndex.from_blocks(options.folder, blocks(half, n_words), n_neighbors=10)
        HammingIndex.append_blocks(options.folder, blocks(options.n, n_words, half))
    else:
        HammingIndex.from_blocks(options.folder, blocks(options.n, n_words), n_neighbors=10)
    seconds = perf_counter() - start
    drawing = timed(lambda: sum(len(block) for block in blocks(options.n, n_words)))[0]
    return {"seconds": seconds, "of_which_drawing": drawing}


def search(options):
    """Open the folder, search for one query and for a batch, twice each."""
    n_words = options.bits // 64
    queries, _ = draw_queries(options.n, n_words, 100)
    warm_up()
    some = HammingIndex(n_neighbors=10).fit(draw_block(0, n_words))  # loads the kernels, for one query and for many
    for size in (1, 100):
        some.kneighbors(queries[:size])
    del some
    before = memory()["anonymous_mb"]
    if options.cold:
        drop_cache(options.folder)
    opening, index = timed(HammingIndex.open, options.folder)
    times = {"open": opening}
    for name, some in (("first", queries[:1]), ("one", queries[:1]), ("batch", queries)):
        best = [np.inf, np.inf]
        for _ in range(1 if name == "first" else 3):
            start = process_time()
            wall, found = timed(index.kneighbors, some)
            best = min(best[0], wall), min(best[1], process_time() - start)
        times[name] = best
    if options.answers:
        np.savez(options.answers, distances=found[0], ids=found[1])
    return {**times, "more_mb": memory()["anonymous_mb"] - before}


def worked(function, *arguments):
    start = process_time()
    result = function(*arguments)
    return process_time() - start, result


def change(options):
    """Remove and add some codes in memory, search again, and append some to the folder; seconds of the processor."""
    queries, rows = draw_queries(options.n, options.bits // 64, 100)
    index = HammingIndex.open(options.folder)
    index.kneighbors(queries[:1])
    times, before = {}, memory()["anonymous_mb"]
    times["remove"] = worked(index.remove, np.unique(rows))[0]
    times["first_after_remove"], found = worked(index.kneighbors, queries)
    assert not np.isin(found[1], rows).any()
    times["batch_after_remove"] = worked(index.kneighbors, queries)[0]
    times["more_mb_after_remove"] = memory()["anonymous_mb"] - before
    times["add"] = worked(index.add, queries)[0]
    times["batch_after_add"], found = worked(index.kneighbors, queries)
    assert (found[1][:, 0] >= options.n).all()
    times["more_mb_after_add"] = memory()["anonymous_mb"] - before
    times["append_to_folder"], longer = worked(HammingIndex.append_blocks, options.folder, [queries])
    assert len(longer) == options.n + len(queries)
    return times


def verify(options):
    """Compare sampled answers with an explicit population count of all codes, ordered by (distance, row)."""
    n_words = options.bits // 64
    queries, _ = draw_queries(options.n, n_words, 100)
    sample = np.linspace(0, 99, options.checked).astype(int)
    best = [(np.empty(0, np.int64), np.empty(0, np.int64))] * len(sample)
    for number, block in enumerate(blocks(options.n, n_words)):
        for i, query in enumerate(queries[sample]):
            distances = np.bitwise_count(block ^ query).sum(axis=1, dtype=np.int64)
            rows = np.flatnonzero(distances <= np.partition(distances, min(9, len(block) - 1))[min(9, len(block) - 1)])
            distances = np.concatenate([best[i][0], distances[rows]])
            rows = np.concatenate([best[i][1], number * BLOCK + rows])
            order = np.lexsort((rows, distances))[:10]
            best[i] = distances[order], rows[order]
    with np.load(options.answers) as found:
        for i, q in enumerate(sample):
            np.testing.assert_array_equal(found["distances"][q], best[i][0])
            np.testing.assert_array_equal(found["ids"][q], best[i][1])
    return {"queries": len(sample)}


STEPS = {"build": build, "search": search, "change": change, "verify": verify}


def run(step, options, **more):
    """Run a step in a process of its own; return what it measured."""
    given = {**vars(options), **more}
    command = [sys.executable, __file__, "--step", step]
    for name in ("n", "bits", "folder", "answers", "checked"):
        command += [f"--{name}", str(given[name])]
    done = subprocess.run(command + ["--cold"] * given["cold"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def read_mapped(folder, cold):
    """Measure the bytes a second of reading a byte of each page of the codes, mapped as an index maps them."""
    if cold:
        drop_cache(folder)
    pages = np.memmap(max(Path(folder).iterdir(), key=lambda path: path.stat().st_size), mode="r")
    return len(pages) / timed(lambda: int(pages[::4096].sum()))[0]


def best_of(runs):
    """Return the least values of some runs, item by item."""
    return {name: np.min([run[name] for run in runs], axis=0).tolist() for name in runs[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2_000_000, help="number of codes")
    parser.add_argument("--bits", type=int, default=64, help="a multiple of 64")
    parser.add_argument("--folder", default="", help="where the index is written, and deleted; a temporary one")
    parser.add_argument("--checked", type=int, default=5, help="queries that are compared with numpy's count")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--answers", default="", help=argparse.SUPPRESS)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        result = STEPS[options.step](options)
        print(json.dumps({**result, **memory()}))
        return
    if options.bits % 64:
        parser.error(f"--bits must be a multiple of 64, got {options.bits}")
    scratch = Path(tempfile.mkdtemp(dir=options.folder or None))
    options.folder, options.answers = str(scratch / "codes"), str(scratch / "answers.npz")
    try:
        report(options)
    finally:
        shutil.rmtree(scratch)


def report(options):
    """Run all steps and print the tables."""
    rate = measure_scan(options.bits)
    print(f"{options.n:,} codes of {options.bits} bits, {index_bytes(options.n, options.bits) / 1e6:,.0f} MB")
    print(
        f"scan of one core: {rate.single * 1e9:.3f} ns a code for one query, {rate.batch * 1e7:.3f} in a batch of 100"
    )
    built = run("build", options)
    n_bytes = sum(path.stat().st_size for path in Path(options.folder).iterdir())
    print(
        f"build: {built['seconds']:.1f} s (drawing the codes takes {built['of_which_drawing']:.1f} of them), "
        f"peak {built['peak_mb']} MB; {n_bytes / options.n:.2f} bytes a code on disk"
    )
    disk, cache = (read_mapped(options.folder, cold) for cold in (True, False))
    print(f"a mapped file is read at {disk / 1e9:.2f} GB/s from the disk, {cache / 1e9:.1f} from the system's cache")
    cold, warm = (best_of([run("search", options, cold=is_cold) for _ in range(3)]) for is_cold in (True, False))
    print("verified:", run("verify", options)["queries"], "queries are those of numpy's population count")
    one, batch = (query_seconds(rate, options.n, options.bits, n_queries=size) for size in (1, 100))
    first = [mapped_seconds(rate, options.n, options.bits, bandwidth) for bandwidth in (disk, cache)]
    rows = [
        ("one query, cold", first[0], cold["first"]),
        ("one query, after a restart", first[1], warm["first"]),
        ("one query", one, warm["one"]),
        ("100 queries at once", batch, warm["batch"]),
    ]
    print(f"open: {cold['open'] * 1e3:.1f} ms cold, {warm['open'] * 1e3:.1f} ms after a restart")
    print(f"{'milliseconds':28}{'forecast':>10}{'measured':>10}{'processor':>11}")
    for name, forecast, (wall, processor) in rows:
        print(f"{name:28}{forecast * 1e3:10.1f}{wall * 1e3:10.1f}{processor * 1e3:11.1f}")
    print(f"memory of a search: {warm['more_mb']} MB, and with the library and the mapped file {warm['peak_mb']} MB")
    changed = run("change", options)
    print("changes, seconds of the processor:", ", ".join(f"{name} {value:.3g}" for name, value in changed.items()))


if __name__ == "__main__":
    main()
