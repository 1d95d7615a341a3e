"""The sections `speed` and `encode` of `bench_embeddings.py`, which says what they measure."""

import multiprocessing
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import faiss
import numpy as np
from bench_embeddings import load_vectors, recalls, split, true_neighbors
from bench_embeddings_rivals import filled, rabitq_dims, reduce
from bench_index_grid import measure, measure_roofs
from bench_linear_memory import anonymous_memory

from skhash import EmbeddingIndex

K = 10
N_RECALL = 20_000  # vectors on which the recall of the indexes that are timed is measured
BLOCK = 10_000


def make_copies(X, n, seed=1):
    """Return `n` noisy copies of vectors, of length 1."""
    rng = np.random.default_rng(seed)
    copies = np.empty((n, X.shape[1]), np.float32)
    for start in range(0, n, BLOCK):
        rows = rng.integers(0, len(X), min(BLOCK, n - start))
        noise = rng.standard_normal((len(rows), X.shape[1]), np.float32)
        block = X[rows] + np.float32(0.3 / X.shape[1] ** 0.5) * noise
        copies[start : start + len(rows)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return copies


def ours(n_bytes, T, X):
    index = EmbeddingIndex(bytes_per_vector=n_bytes, random_state=0).learn(T).add(X)
    return lambda Q, k: index.kneighbors(Q, k, return_distance=False), index


def searched(index, T, X):
    index = filled(index, T, X)
    return (lambda Q, k: index.search(Q, k)[1]), index


def best_bits(n_features, n_bytes):
    """Return the most bits of RaBitQ with all dimensions, at least 1."""
    return max([n for n in range(1, 10) if rabitq_dims(n_features, n, n_bytes) >= 8 * (n_features // 8)], default=1)


def rabitq_fast(n_bytes, T, X):
    """Return RaBitQ FastScan of the most bits that keep all dimensions; else of 1 bit."""
    n_bits = best_bits(X.shape[1], n_bytes)
    n_dims = rabitq_dims(X.shape[1], n_bits, n_bytes)
    index = faiss.IndexRaBitQFastScan(n_dims, faiss.METRIC_L2, 32, n_bits)
    return searched(faiss.IndexPreTransform(reduce(T, n_dims), index), T, X)


def pq_fast(n_parts, T, X):
    return searched(faiss.IndexPQFastScan(X.shape[1], n_parts, 4), T, X)


def flat(T, X):
    return searched(faiss.IndexFlatIP(X.shape[1]), T, X)


def part_counts(n_features, n_bytes):
    """Return the numbers of parts that PQ FastScan can have, from those of `n_bytes` on."""
    return [m for m in range(2 * n_bytes, n_features + 1, 2) if n_features % m == 0]


def choose(T, X, Q, truth, all_bytes):
    """Return what to time: functions that make (search, index), and the recall of each on the vectors themselves."""
    makers, recall = {"FlatIP": flat}, {"FlatIP": 1.0}

    def find(make):
        return float(recalls(truth, make(T, X)[0](Q, K), K).mean())

    for n_bytes in all_bytes:
        name = f"ours {n_bytes}"
        makers[name] = partial(ours, n_bytes)
        recall[name] = find(makers[name])
        makers[f"RaBitQFS {n_bytes}"] = partial(rabitq_fast, n_bytes)
        recall[f"RaBitQFS {n_bytes}"] = find(makers[f"RaBitQFS {n_bytes}"])
        for n_parts in part_counts(X.shape[1], n_bytes):
            pq = f"PQFS {n_parts // 2}"
            makers[pq] = partial(pq_fast, n_parts)
            if pq not in recall:
                recall[pq] = find(makers[pq])
            if recall[pq] >= recall[name] - 0.005:
                break
    return makers, recall


def run_speed(arguments, chosen, log):
    """Print the time of a search for each number of records, queries and bytes."""
    X, name = load_vectors(arguments.data)
    T, X, Q = split(X)
    all_bytes = chosen or [48, 96, 192]
    truth = true_neighbors(X[:N_RECALL], Q[:500])
    makers, recall = choose(T, X[:N_RECALL], Q[:500], truth, all_bytes)
    popcounts, _, far = measure_roofs()
    print(
        f"speed: noisy copies of {name}; k = {K}; roof {popcounts / 1e9:.1f} G popcounts of 64 bits a second, memory "
    )
    print(f"{far / 1e9:.1f} GB/s; recall@10 among {N_RECALL:,} vectors and 500 queries")
    print("        n queries  index            recall       ns  M records/s  x ours   roof  stream")
    for n in [int(n) for n in arguments.n or [1e5, 1e6]]:
        copies = make_copies(X, n)
        made = {index_name: make(T, copies) for index_name, make in makers.items()}
        for n_queries in arguments.queries:
            queries = np.ascontiguousarray(Q[:n_queries])
            functions = {key: partial(search, queries, K) for key, (search, _) in made.items()}
            for function in functions.values():
                function()
            times = measure(functions, rounds=arguments.rounds, seconds=0.1)
            for n_bytes in all_bytes:
                report(n, n_queries, n_bytes, times, recall, made[f"ours {n_bytes}"][1], popcounts, far, log)
        del made


def report(n, n_queries, n_bytes, times, recall, index, popcounts, far, log):
    """Print our time and those of the rivals that it is compared with."""
    name = f"ours {n_bytes}"
    own, total = times[name], n * n_queries
    plan = index.explain(K)
    equal = [key for key in times if key.startswith("PQFS") and recall[key] >= recall[name] - 0.005]
    equal = sorted(equal, key=lambda key: times[key])[:1]
    rivals = [f"RaBitQFS {n_bytes}", f"PQFS {n_bytes}", *equal, "FlatIP"]
    for key in dict.fromkeys([name, *(key for key in rivals if key in times)]):
        shares = ""
        if key == name:
            words = n_bytes / 8 * plan.query_bits * total / own / popcounts
            shares = f"{words:6.0%}" + (f" {n * n_bytes / own / far:7.0%}" if n_queries == 1 else "")
        mark = "PQFS =" if key in equal else ""
        print(
            f"{n:9} {n_queries:7}  {key:16} {recall[key]:.3f} {times[key] / total * 1e9:9.3f} "
            f"{total / times[key] / 1e6:12.0f} {times[key] / own:7.2f} {shares} {mark}",
            flush=True,
        )
        figures = {"ns": times[key] / total * 1e9, "recall": recall[key], "times_ours": times[key] / own}
        log(section="speed", n=n, queries=n_queries, bytes=n_bytes, index=key, **figures)


def write_vectors(path, n, n_features=768):
    """Write vectors of rank 100 with noise as float16, block by block."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(100, n_features)).astype(np.float32) * np.linspace(1, 0.1, 100, dtype=np.float32)[:, None]
    X = np.lib.format.open_memmap(path, "w+", np.float16, (n, n_features))
    for start in range(0, n, BLOCK):
        block = rng.standard_normal((min(BLOCK, n - start), 100), np.float32) @ mixing
        X[start : start + len(block)] = block + 0.3 * rng.standard_normal(block.shape, np.float32)
    X.flush()


def build(kind, n_bytes, path, started, results):
    """Build an index from a file, in a process of its own."""
    X = np.load(path, mmap_mode="r")
    faiss.omp_set_num_threads(1)
    n_train, n_features = min(100_000, len(X)), X.shape[1]
    few = X[:3000].astype(np.float32)
    EmbeddingIndex(bytes_per_vector=n_bytes).fit(few).kneighbors(few[:1])  # compiles
    before, start = anonymous_memory("self"), time.perf_counter()
    started.value = 1
    if kind == "skhash":
        EmbeddingIndex(bytes_per_vector=n_bytes, random_state=0).fit(X)
        trained = np.nan
    else:
        if kind == "RaBitQ":
            n_bits = best_bits(n_features, n_bytes)
            n_dims = rabitq_dims(n_features, n_bits, n_bytes)
            index = faiss.IndexRaBitQ(n_dims, faiss.METRIC_L2, n_bits)
            rotation = faiss.RandomRotationMatrix if n_dims == n_features else faiss.PCAMatrix
            index = faiss.IndexPreTransform(rotation(n_features, n_dims), index)
        else:
            index = faiss.IndexPQ(n_features, n_bytes, 8)
            n_train = min(n_train, 256 * index.pq.cp.max_points_per_centroid)
        rows = np.linspace(0, len(X) - 1, n_train).astype(np.int64)
        index.train(normalized(X[rows]))
        trained = time.perf_counter() - start
        for first in range(0, len(X), BLOCK):
            index.add(normalized(X[first : first + BLOCK]))
    results.send((time.perf_counter() - start, trained, before))


def normalized(block):
    block = block.astype(np.float32)
    return block / np.linalg.norm(block, axis=1, keepdims=True)


def run_encode(arguments, chosen, log):
    """Print the time and the memory to build each index from a memory map."""
    context = multiprocessing.get_context("spawn")
    n = int((arguments.n or [1e6])[0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        write_vectors(path, n)
        print(f"encode: {n:,} x 768 float16 from a map, {path.stat().st_size / 2**20:,.0f} MB")
        print("   B  index        seconds  of them training  vectors/s  most memory  of it records")
        for n_bytes in chosen or [96, 192]:
            for kind in ("skhash", "RaBitQ", "PQ8"):
                started, (receive, send) = context.Value("i", 0), context.Pipe(duplex=False)
                process = context.Process(target=build, args=(kind, n_bytes, path, started, send))
                process.start()
                peak = 0
                while process.is_alive() and not receive.poll(0.005):
                    if started.value:
                        with suppress(OSError, StopIteration):  # the process has just ended
                            peak = max(peak, anonymous_memory(process.pid))
                process.join()
                if process.exitcode:
                    raise RuntimeError(f"The process of {kind} failed with exit code {process.exitcode}.")
                seconds, trained, before = receive.recv()
                print(
                    f"{n_bytes:4}  {kind:10} {seconds:9.1f} {trained:17.1f} {n / seconds:10,.0f} "
                    f"{(peak - before) / 2**20:9,.0f} MB {n * n_bytes / 2**20:11,.0f} MB",
                    flush=True,
                )
                log(section="encode", n=n, bytes=n_bytes, index=kind, seconds=seconds, peak=peak - before)
