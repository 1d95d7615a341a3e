"""The indexes of FAISS that `bench_embeddings.py` compares with, each of a given number of bytes per vector.

Vectors are of length 1. PCA does not center, so that each index can rank by distances and by inner products: the two
differ, because records are not of length 1, and the better one counts.
"""

from collections import namedtuple

import faiss
import numpy as np

Rival = namedtuple("Rival", "name make")  # `make` takes training vectors and vectors, and returns [(name, search)]
MOST_OPQ = 96  # bytes: OPQ takes minutes for more, and is not the best one there
METRICS = {"L2": faiss.METRIC_L2, "IP": faiss.METRIC_INNER_PRODUCT}


def reduce(T, n_dims):
    """Return a rotation to some principal axes, which are mixed at random."""
    pca = faiss.PCAMatrix(T.shape[1], n_dims, 0, True)
    pca.train(T)
    faiss.copy_array_to_vector(np.zeros(n_dims, np.float32), pca.b)
    return pca


def filled(index, T, X):
    """Train an index and add vectors."""
    index.train(T)
    index.add(X)
    return index


def both_metrics(name, index):
    """Return searches by distances and by inner products, between which these indexes can change after training."""

    def search_by(metric):
        inner = faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index

        def search(Q, k):
            inner.metric_type = METRICS[metric]
            return index.search(Q, k)[1]

        return search

    return [(f"{name}, {metric}", search_by(metric)) for metric in METRICS]


def rabitq(n_dims, n_bits):
    def make(T, X):
        searches = []
        for metric, number in METRICS.items():
            index = faiss.IndexRaBitQ(n_dims, number, n_bits)
            index.qb = 8  # at 0, floats, recall differs by less than .001 and a search takes 20 to 100 times as long
            index = filled(faiss.IndexPreTransform(reduce(T, n_dims), index), T, X)
            name = f"RaBitQ {n_bits} bit of {n_dims}, {metric}"
            searches.append((name, lambda Q, k, index=index: index.search(Q, k)[1]))
        return searches

    return make


def rabitq_dims(n_features, n_bits, n_bytes):
    """Return the largest number of dimensions, a multiple of 8, of records of at most `n_bytes`; 0 if there is none."""
    for n_dims in range(8 * (n_features // 8), 0, -8):
        if faiss.IndexRaBitQ(n_dims, faiss.METRIC_L2, n_bits).code_size <= n_bytes:
            return n_dims
    return 0


def transformed(name, make_index, make_transform=None):
    def make(T, X):
        index = make_index()
        if make_transform is not None:
            index = faiss.IndexPreTransform(make_transform(T), index)
        return both_metrics(name, filled(index, T, X))

    return make


def opq(n_features, n_parts, n_dims, n_iterations):
    def make(T):
        matrix = faiss.OPQMatrix(n_features, n_parts, n_dims)
        matrix.niter = n_iterations
        matrix.train(T)
        return matrix

    return make


def lsh(n_features, n_bits):
    def make(T, X):
        index = filled(faiss.IndexLSH(n_features, n_bits, True, True), T, X)
        return [(f"LSH {n_bits} bit", lambda Q, k: index.search(Q, k)[1])]

    return make


def rivals_of(n_features, n_bytes, opq_iterations):
    """Yield the rivals whose records have at most `n_bytes`, all factors included."""
    complete = False
    for n_bits in range(9, 0, -1):
        n_dims = rabitq_dims(n_features, n_bits, n_bytes)
        if n_dims < min(2 * n_bytes, n_features // 2) or (complete and n_dims == n_features):
            continue  # too few dimensions, which is far behind; or all of them, as with more bits before
        complete = n_dims == n_features
        yield Rival(f"RaBitQ {n_bits}", rabitq(n_dims, n_bits))
    for n_bits, kind in ((4, "4bit"), (6, "6bit"), (8, "8bit")):
        n_dims = min(n_features, 8 * n_bytes // n_bits)
        if 8 * n_bytes // n_bits > 2 * n_features:
            continue
        scalar = getattr(faiss.ScalarQuantizer, f"QT_{kind}")
        name = f"SQ{n_bits} of {n_dims}"

        def make_scalar(n_dims=n_dims, scalar=scalar):
            return faiss.IndexScalarQuantizer(n_dims, scalar, faiss.METRIC_L2)

        yield Rival(f"{name} mixed", transformed(f"{name} mixed", make_scalar, lambda T, n=n_dims: reduce(T, n)))
        if n_dims == n_features:
            yield Rival(name, transformed(name, make_scalar))
    if n_features % n_bytes == 0:
        yield Rival("PQ8", transformed(f"PQ{n_bytes}x8", lambda: faiss.IndexPQ(n_features, n_bytes, 8)))
    if n_features % (2 * n_bytes) == 0:
        name = f"PQ{2 * n_bytes}x4fs"
        yield Rival(name, transformed(name, lambda: faiss.IndexPQFastScan(n_features, 2 * n_bytes, 4)))
    if opq_iterations and n_bytes <= MOST_OPQ:
        sizes = [n_bytes * times for times in (8, 4) if n_bytes * times <= n_features]
        for n_dims in sizes[: 2 if n_bytes <= 16 else 1]:
            name = f"OPQ{n_bytes}_{n_dims}+PQ8"
            yield Rival(
                name,
                transformed(
                    name,
                    lambda n=n_dims: faiss.IndexPQ(n, n_bytes, 8),
                    opq(n_features, n_bytes, n_dims, opq_iterations),
                ),
            )
    yield Rival("LSH", lsh(n_features, 8 * n_bytes))
