"""
Random directions: time and recall
==================================

How long does a code of `LSHHasher` take with each of its `directions`, with as many bits as features, and how many of
the 10 nearest neighbors by cosine do codes find? The recall needs embeddings, a matrix with one of them a row: a random
20,000 rows are for training, 20,000 are searched, and 1,000 are queries::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_directions.py                   # the time, a minute
    OMP_NUM_THREADS=1 python examples/benchmarks/bench_directions.py embeddings.npy    # the recall, too
"""

import argparse
import time

import numpy as np

from skhash import HammingIndex, ITQHasher, LSHHasher, PCAHasher

DIRECTIONS = ("gaussian", "orthogonal", "hadamard")


def time_codes(n_features, n_samples, repeats=7):
    """Return the least time of a code, in microseconds, for each kind of directions."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_features)).astype(np.float32)
    hashers = [LSHHasher(n_features, directions=kind, random_state=0).fit(X) for kind in DIRECTIONS]
    seconds = np.empty((repeats, len(hashers)))
    for times in seconds:  # in turns, so that other processes disturb all alike
        for column, hasher in enumerate(hashers):
            start = time.perf_counter()
            hasher.transform(X)
            times[column] = time.perf_counter() - start
    return seconds.min(axis=0) / n_samples * 1e6


def recall(hasher, X_train, X, X_query, neighbors):
    """Return the share of the true neighbors that are among the first by Hamming distance."""
    index = HammingIndex().fit(hasher.fit(X_train).transform(X))
    found = index.kneighbors(hasher.transform(X_query), neighbors.shape[1], return_distance=False)
    return np.mean([np.isin(row, true).mean() for row, true in zip(found, neighbors, strict=True)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("embeddings", nargs="?", help="an .npy file")
    path = parser.parse_args().embeddings
    for n_features in (768, 1536, 4096):
        for n_samples in (2000, 1):
            microseconds = time_codes(n_features, n_samples)
            times = ", ".join(f"{kind} {t:.0f}" for kind, t in zip(DIRECTIONS, microseconds, strict=True))
            print(f"{n_features} features and bits, {n_samples} at a time, microseconds a sample: {times}", flush=True)
    if path is None:
        return
    X = np.load(path)
    X = X[np.random.RandomState(0).permutation(len(X))[:41_000]].astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    X_query, X_train, X = X[:1000], X[1000:21_000], X[21_000:]
    neighbors = np.argsort(-(X_query @ X.T), axis=1)[:, :10]
    n_features = X.shape[1]
    for bits in (n_features // 3, n_features, 2 * n_features):
        hashers = [LSHHasher(bits, center=True, directions=kind, random_state=0) for kind in DIRECTIONS]
        for hasher in (*hashers, PCAHasher(bits), ITQHasher(bits, random_state=0)):
            print(f"recall@10 {recall(hasher, X_train, X, X_query, neighbors):.3f} {hasher}", flush=True)


if __name__ == "__main__":
    main()
