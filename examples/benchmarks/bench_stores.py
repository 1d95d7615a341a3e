"""
Engines for codes
=================

How long do the engines of `skhash.stores` take to load codes, to search them, and to search them again after a restart,
and how many bytes does a code take? `HammingIndex` is measured beside them, and all exact answers must be its own. An
engine whose package is not installed is left out::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_stores.py                     # a million codes, a few minutes
    OMP_NUM_THREADS=1 python examples/benchmarks/bench_stores.py --n 10000000 --engines duckdb postgres
    OMP_NUM_THREADS=1 python examples/benchmarks/bench_stores.py --n 100000 --hnsw   # recall of PostgreSQL's graph

Folders are made below `--folder`, and removed at the end; 10 million codes take about 3 GB there for a while.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from skhash import HammingIndex, warm_up
from skhash.stores import DuckDBCodeStore, MilvusCodeStore, PostgresCodeStore

BITS, K = 64, 10


def size_of(*paths):
    """Return the bytes of files, and of all files in folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return sum(file.stat().st_size for file in files)


class Index:
    """`HammingIndex`, saved in a folder and mapped into memory."""

    def __init__(self, folder):
        self.folder = folder / "index"

    def start(self):
        pass

    def load(self, words):
        HammingIndex().fit(words).save(self.folder)

    def stop(self):
        pass

    def open(self):
        return HammingIndex.open(self.folder)

    def close(self, store):
        pass

    def size(self, store):
        return size_of(self.folder)


class DuckDB:
    """A file of DuckDB."""

    def __init__(self, folder):
        self.path = folder / "codes.duckdb"

    def start(self):
        DuckDBCodeStore(self.path, BITS).close()

    def load(self, words):
        with DuckDBCodeStore(self.path) as store:
            store.add(words)

    def stop(self):
        pass

    def open(self):
        return DuckDBCodeStore(self.path)

    def close(self, store):
        store.close()

    def size(self, store):
        return size_of(self.path)


class Postgres:
    """An embedded server of PostgreSQL, which stops when its store is closed; without its log of changes."""

    def __init__(self, folder):
        self.folder = folder / "postgres"

    def start(self):
        self.running = PostgresCodeStore(path=self.folder, bits=BITS)

    def load(self, words):
        self.running.add(words)

    def stop(self):
        self.running.close()

    def open(self):
        return PostgresCodeStore(path=self.folder)

    def close(self, store):
        store.close()

    def size(self, store):
        with store._session() as session:
            return session.execute("select pg_total_relation_size('codes')").fetchone()[0]


class Milvus(DuckDB):
    """A file of Milvus, whose embedded server stops when its store is closed."""

    def __init__(self, folder):
        self.path = folder / "codes.db"

    def start(self):
        MilvusCodeStore(self.path, BITS).close()

    def load(self, words):
        with MilvusCodeStore(self.path) as store:
            store.add(words)

    def open(self):
        return MilvusCodeStore(self.path)


ENGINES = {"index": Index, "duckdb": DuckDB, "postgres": Postgres, "milvus": Milvus}


def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def measure(engine, words, queries, repeats):
    """Return a row of the table, and the answers to all queries."""
    engine.start()
    loading, _ = timed(engine.load, words)
    # Opened again, so that the search is the first one after a restart.
    engine.stop()
    restart, (store, first) = timed(lambda: (store := engine.open(), store.kneighbors(queries[:1], K)))
    one = statistics.median(timed(store.kneighbors, queries[i : i + 1], K)[0] for i in range(1, 1 + repeats))
    many, answers = timed(store.kneighbors, queries, K)
    for got, expected in zip(first, answers, strict=True):
        np.testing.assert_array_equal(got[0], expected[0])
    n_bytes = engine.size(store) / len(words)
    engine.close(store)
    return [loading, n_bytes, one * 1e3, many / len(queries) * 1e3, restart], answers


def measure_hnsw(engine, words, queries):
    """Print time and recall of approximate searches, and the time and the bytes of the graph."""
    store = engine.open()
    before = engine.size(store)
    build, _ = timed(lambda: store.create_index(memory=1024))
    print(f"HNSW: built in {build:.1f} s, {(engine.size(store) - before) / len(words):.1f} bytes a code more")
    for ef_search in (40, 100, 400):
        store.ef_search = ef_search
        one, _ = timed(lambda: [store.kneighbors(query[None], K, approximate=True) for query in queries[:20]])
        many, _ = timed(lambda: store.kneighbors(queries, K, approximate=True))
        print(
            f"  ef_search={ef_search}: recall@{K} {store.recall(queries, K):.4f}, "
            f"{one / 20 * 1e3:.2f} ms a query alone, {many / len(queries) * 1e3:.2f} ms of {len(queries)}",
            flush=True,
        )
    engine.close(store)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1_000_000, help="number of codes")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES)[1:], default=list(ENGINES)[1:])
    parser.add_argument("--repeats", type=int, default=5, help="searches of one query, of which the median counts")
    parser.add_argument("--hnsw", action="store_true", help="measure PostgreSQL's graph, too")
    parser.add_argument("--folder", help="where to make folders; default: that of temporary files")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    words = rng.integers(0, 2**64, (arguments.n, 1), dtype=np.uint64)
    # Half of the queries are codes with four other bits, the rest are far from all.
    queries = rng.integers(0, 2**64, (100, 1), dtype=np.uint64)
    queries[::2] = words[rng.integers(0, len(words), 50)]
    for _ in range(4):
        queries[::2] ^= np.uint64(1) << rng.integers(0, 64, (50, 1), dtype=np.uint64)
    warm_up()  # kernels of the index, which a process compiles once
    folder = Path(tempfile.mkdtemp(prefix="bench-stores-", dir=arguments.folder))
    names = ["load s", "bytes a code", "ms a query alone", "ms a query of 100", "restart and search s"]
    print(f"{arguments.n:,} codes of {BITS} bits, {K} neighbors; in brackets: times the index")
    print("engine   " + "".join(f"{name:>26}" for name in names), flush=True)
    try:
        reference = None
        for name in ["index", *arguments.engines]:
            try:
                engine = ENGINES[name](folder)
                row, answers = measure(engine, words, queries, arguments.repeats)
            except ImportError as error:
                print(f"{name:<9}left out: {error}")
                continue
            if reference is None:
                reference = row, answers
            for got, expected in zip(answers, reference[1], strict=True):
                np.testing.assert_array_equal(got, expected)
            cells = [f"{value:.3f} ({value / base:.1f})" for value, base in zip(row, reference[0], strict=True)]
            print(f"{name:<9}" + "".join(f"{cell:>26}" for cell in cells), flush=True)
            if name == "postgres" and arguments.hnsw:
                measure_hnsw(engine, words, queries)
    finally:
        shutil.rmtree(folder)
    print("All answers are those of the index.")


if __name__ == "__main__":
    main()
