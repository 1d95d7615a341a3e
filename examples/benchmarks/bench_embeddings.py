"""Compressed embeddings against FAISS: recall at the same bytes, speed, and the time to build.

    pip install faiss-cpu
    python bench_embeddings.py recall --data embeddings.npy    # 10 minutes for 50,000 x 384 vectors, most of it OPQ
    python bench_embeddings.py recall --data embeddings.npy --opq-iterations 0 --bytes 48 96    # one minute
    python bench_embeddings.py speed --n 1e5 1e6               # some minutes, 4 GB
    python bench_embeddings.py encode                          # some minutes, 2 GB on disk

Vectors are the rows of `--data`, any matrix of floats in a file `.npy`; else of `minilm_summaries.npy` in the folder
that the environment variable SKHASH_DATA names (sentence embeddings of short texts); else synthetic ones of low rank.
All run on one thread. `--json FILE` appends each result to a file of JSON lines.

recall
    Share of the 10 (100) nearest vectors by the cosine of the floats that are among the 10 (100) that a search finds,
    over 1,000 queries. Queries, training vectors (10,000) and indexed vectors are different rows. Each index has the
    same number of bytes per vector, all factors included. FAISS has RaBitQ of 1 to 9 bits (queries of 8 bits), scalar
    quantizers, PQ, PQ FastScan, OPQ with PQ (10 iterations instead of 50, and up to 96 bytes only: more take most of an
    hour) and LSH; with as many principal axes as the bytes allow; ranked by distance and by inner product. `+-` is
    half of a 95 % interval (normal, over queries), for `ours - best` of the paired difference. `40` is the recall of
    10 after the best 40 are compared again as floats, and `cand.` the least number of candidates that makes it .99.
    `--all` prints all rivals. Then recall after rescoring with copies of each type, by `EmbeddingIndex`.
speed
    CPU time of a search for 10 neighbors, by 64 queries at once and by one, best of several turns that all indexes take
    in one process. `ns` is that of one record and query; `x ours` the time over ours of the same bytes. RaBitQ FastScan
    has the most bits with which all axes fit into these bytes, else 1. Recall of 10 is measured on the vectors
    themselves; the vectors that are timed are noisy copies of them. `PQFS =` is the smallest PQ FastScan of at least
    our recall. `roof` is the share of popcounts that a loop makes which never leaves the registers, and `stream` that
    of the speed at which memory can be read.
encode
    Fit and encode `--n` (1,000,000) vectors of 768 features from a memory map of float16, each in a process of its own:
    seconds of wall time, and the most anonymous memory (pages of the map do not count). FAISS trains on the 100,000
    vectors that `EmbeddingIndex` learns from (PQ on as many as it takes of these) and reads the map in blocks.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

import skhash
from skhash import EmbeddingIndex

N_QUERIES, N_TRAIN, DEEP = 1_000, 10_000, 400
ENOUGH = 0.99


def load_vectors(path, n=61_440, n_features=384):
    """Return vectors of length 1 in random order, and what they are."""
    if path is None and (folder := os.environ.get("SKHASH_DATA")):
        path = Path(folder) / "minilm_summaries.npy"
    rng = np.random.default_rng(0)
    if path is None or not Path(path).exists():
        spectrum = np.linspace(1, 0.05, 150, dtype=np.float32)[:, None] ** 2
        mixing = rng.normal(size=(150, n_features)).astype(np.float32) * spectrum
        X = rng.standard_normal((n, 150), np.float32) @ mixing + 0.05 * rng.standard_normal((n, n_features), np.float32)
        name = "synthetic, rank 150 and noise"
    else:
        with np.load(path) if Path(path).suffix == ".npz" else _Single(path) as arrays:
            X = next(array for array in (arrays[key] for key in arrays) if array.ndim == 2).astype(np.float32)
        name = Path(path).name
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    X = X / np.where(lengths > 0, lengths, 1)
    return X[rng.permutation(len(X))], f"{name}, {len(X):,} x {X.shape[1]}"


class _Single(dict):
    """One array, in the form that `np.load` returns several in."""

    def __init__(self, path):
        super().__init__(X=np.load(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def split(X):
    """Return training vectors, indexed vectors and queries."""
    n_train = min(N_TRAIN, len(X) // 4)
    return X[:n_train], X[n_train:-N_QUERIES], X[-N_QUERIES:]


def true_neighbors(X, Q, k=100):
    """Return the rows of the k nearest vectors of each query, nearest first."""
    found = []
    for start in range(0, len(Q), 100):
        similarities = Q[start : start + 100] @ X.T
        near = np.argpartition(-similarities, k, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(similarities, near, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(found)


def recalls(truth, rows, k, n_candidates=None):
    """Return the share of the k true neighbors that each query has among its best candidates (k, if None)."""
    pairs = zip(truth[:, :k], rows[:, : n_candidates or k], strict=True)
    return np.array([len(np.intersect1d(a, b)) / k for a, b in pairs])


def least_candidates(truth, rows):
    """Return the least number of candidates that has `ENOUGH` of the 10 true neighbors; None if `rows` has too few."""
    found = np.sort(
        np.concatenate([np.flatnonzero(np.isin(row, true)) for true, row in zip(truth[:, :10], rows, strict=True)])
    )
    needed = int(np.ceil(ENOUGH * 10 * len(truth)))
    return int(found[needed - 1]) + 1 if len(found) >= needed else None


def half_interval(values):
    return 1.96 * values.std(ddof=1) / np.sqrt(len(values))


def summarize(truth, rows):
    """Return the figures of a search, and the recall of each query."""
    each = {k: recalls(truth, rows, k) for k in (10, 100)}
    figures = {f"r{k}": float(values.mean()) for k, values in each.items()}
    figures |= {f"r{k}+-": float(half_interval(values)) for k, values in each.items()}
    figures |= {"c40": float(recalls(truth, rows, 10, 40).mean()), "cand": least_candidates(truth, rows)}
    return figures, each


def line(name, figures):
    cand = f">{DEEP}" if figures["cand"] is None else figures["cand"]
    return (
        f"     {name:28} {figures['r10']:.3f} +- {figures['r10+-']:.3f}   {figures['r100']:.3f} +- "
        f"{figures['r100+-']:.3f}   {figures['c40']:.3f} {cand:>5}"
    )


def run_recall(arguments, log):
    """Print recall at each number of bytes, ours and the best of FAISS."""
    from bench_embeddings_rivals import rivals_of

    X, name = load_vectors(arguments.data)
    T, X, Q = split(X)
    truth = true_neighbors(X, Q)
    print(f"recall: {name}; {len(X):,} indexed, {len(T):,} for training, {len(Q):,} queries")
    print(f"   B {'':28} recall@10        recall@100         40 cand.")
    margins = []
    for n_bytes in arguments.bytes:
        index = EmbeddingIndex(bytes_per_vector=n_bytes, random_state=0).learn(T).add(X)
        figures, ours = summarize(truth, index.kneighbors(Q, DEEP, return_distance=False))
        print(f"{n_bytes:4}{line('skhash', figures)[4:]}", flush=True)
        log(section="recall", data=name, bytes=n_bytes, index="skhash", **figures)
        found = []
        for rival in rivals_of(X.shape[1], n_bytes, arguments.opq_iterations):
            for rival_name, search in rival.make(T, X):
                figures, each = summarize(truth, search(Q, DEEP))
                log(section="recall", data=name, bytes=n_bytes, index=rival_name, **figures)
                found.append((rival_name, figures, each))
                if arguments.all:
                    print(line(rival_name, figures), flush=True)
        for k in (10, 100):
            best, figures, each = max(found, key=lambda one, k=k: one[1][f"r{k}"])
            if not arguments.all:
                print(line(best, figures))
            difference = ours[k] - each[k]
            mean, half = float(difference.mean()), float(half_interval(difference))
            mark = "!!" if mean < -0.005 else ""
            print(f"     ours - best, recall@{k}: {mean:+.3f} +- {half:.3f} {mark}", flush=True)
            log(section="margin", data=name, bytes=n_bytes, k=k, best=best, margin=mean, half=half)
            margins.append((mean, half, n_bytes, k, best))
    print("smallest margins:")
    for mean, half, n_bytes, k, best in sorted(margins)[:3]:
        print(f"     {mean:+.3f} +- {half:.3f}  {n_bytes} bytes, recall@{k}, {best}")
    run_rescored(arguments.bytes, T, X, Q, truth, name, log)


def run_rescored(all_bytes, T, X, Q, truth, data, log):
    """Print recall@10 with copies of each type."""
    print("rescored     B   int8   float16 float32   (recall@10, oversampling 4)")
    for n_bytes in all_bytes:
        figures = {}
        for kind in ("int8", "float16", "float32"):
            index = EmbeddingIndex(bytes_per_vector=n_bytes, rescore=kind, random_state=0).learn(T).add(X)
            found = index.kneighbors(Q, 10, return_distance=False)
            figures[kind] = float(recalls(truth, found, 10).mean())
        print(f"          {n_bytes:4}   " + "   ".join(f"{value:.3f}" for value in figures.values()), flush=True)
        log(section="rescored", data=data, bytes=n_bytes, **figures)


def describe_machine():
    """Print the machine, the versions and the load."""
    import faiss

    model = next((row.split(":")[1].strip() for row in Path("/proc/cpuinfo").read_text().splitlines()
                  if row.startswith("model name")), platform.processor())  # fmt: skip
    print(
        f"{model}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"numpy {np.__version__}, skhash {skhash.__version__}, faiss {faiss.__version__} "
        f"({faiss.get_compile_options().strip()}); one thread"
    )
    faiss.omp_set_num_threads(1)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="+", choices=["recall", "speed", "encode"])
    parser.add_argument("--data", metavar="FILE", help="a matrix of floats, .npy, or the first one of an .npz")
    parser.add_argument("--bytes", type=int, nargs="+", help="per vector, multiples of 8; has a default per section")
    parser.add_argument("--n", type=float, nargs="+", help="speed: numbers of records; encode: number of vectors")
    parser.add_argument("--queries", type=int, nargs="+", default=[64, 1], help="speed: queries of a search")
    parser.add_argument("--rounds", type=int, default=4, help="speed: turns that each index gets")
    parser.add_argument("--opq-iterations", type=int, default=10, help="0 leaves OPQ out")
    parser.add_argument("--all", action="store_true", help="recall: print all rivals, not only the best")
    parser.add_argument("--json", metavar="FILE", help="append results to this file, as JSON lines")
    return parser.parse_args()


def main():
    arguments = read_arguments()

    def log(**figures):
        if arguments.json:
            with open(arguments.json, "a") as file:
                file.write(json.dumps(figures) + "\n")

    describe_machine()
    chosen = arguments.bytes
    for section in arguments.sections:
        start = time.perf_counter()
        if section == "recall":
            arguments.bytes = chosen or [16, 32, 48, 64, 96, 192, 384]
            run_recall(arguments, log)
        else:
            import bench_embeddings_sections

            getattr(bench_embeddings_sections, f"run_{section}")(arguments, chosen, log)
        print(f"({section}: {time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
