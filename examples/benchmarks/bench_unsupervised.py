"""
All unsupervised methods on one set of features
===============================================

Every unsupervised hasher, trained and evaluated under the same conditions: CIFAR-10 as 1,280 features of a frozen
network (`cifar10_features.py`), protocol "cifar10-1" (1,000 queries, 5,000 training samples, 59,000 in the database),
mAP@all and mAP@1000 (relevant items within the 1,000 as denominator), both with expected ties, mean over the seeds of
split and training. Labels are only used for the score, and no choice was made on queries or database. Two tables:

methods
    All methods with their default parameters: `Method(bits=...)`, and the cosine similarity of the features themselves,
    raw and centered. In parentheses, the results of the methods' public code under these conditions.
targets
    SDC at 64 bits with the Beta(a, a) distributions of its table 1 as targets.

::

    python examples/benchmarks/bench_unsupervised.py methods targets    # half an hour on one idle core
    python examples/benchmarks/bench_unsupervised.py methods --quick --methods SDCHasher ITQHasher
"""

import argparse
import time

import numpy as np
import torch
from cifar10_features import load_cifar10_features

import skhash
from skhash.datasets import retrieval_split
from skhash.metrics import mean_average_precision

METHODS = [
    *("LSHHasher", "PCAHasher", "SpectralHasher", "ITQHasher"),
    *("SSDHHasher", "TBHHasher", "GreedyHasher", "BiHalfHasher", "CIBHasher", "SDCHasher"),
]
# mAP@all of public code at 16 / 32 / 64 bits.
PUBLIC = {
    "LSHHasher": (0.131, 0.138, 0.157),
    "PCAHasher": (0.207, 0.192, 0.172),
    "SpectralHasher": (0.182, 0.191, 0.180),
    "ITQHasher": (0.277, 0.280, 0.288),
    "GreedyHasher": (0.200, 0.228, 0.261),
    "BiHalfHasher": (0.250, 0.280, 0.305),
    "CIBHasher": (0.261, 0.287, 0.302),
    "SDCHasher": (0.282, 0.307, 0.329),
}
TARGETS = [0.2, 1.0, 5.0, 10.0]


def splits(seeds, X, y):
    """Yield each seed with its split."""
    for seed in seeds:
        yield seed, retrieval_split(y[:, None], y, protocol="cifar10-1", duplicates="ignore", random_state=seed)


def score(queries, database, split, y):
    """Return mAP@all and mAP@1000 of codes."""
    labels = y[split.query], y[split.database]
    return [float(mean_average_precision(queries, database, *labels, R=R, ties="expected")) for R in (None, 1000)]


def measure(make, seeds, X, y):
    """Fit without labels and search, for every seed; return both scores and the mean seconds of a fit."""
    scores, seconds = [], []
    for seed, split in splits(seeds, X, y):
        start = time.perf_counter()
        hasher = make(seed).fit(X[split.train])
        seconds.append(time.perf_counter() - start)
        scores.append(score(hasher.transform(X[split.query]), hasher.transform(X[split.database]), split, y))
    return np.array(scores), np.mean(seconds)


def rank_by_cosine(seeds, X, y, center):
    """Return the scores of the features themselves: mAP@all and mAP@1000 of the cosine similarity."""
    scores = []
    for _, split in splits(seeds, X, y):
        F = X - X[split.train].mean(axis=0) if center else X
        F = F / np.linalg.norm(F, axis=1, keepdims=True)
        similarities = F[split.query] @ F[split.database].T
        found = []
        for row, label in zip(similarities, y[split.query], strict=True):
            hits = y[split.database][np.argsort(-row)] == label
            precision = hits.cumsum() / np.arange(1, len(hits) + 1)
            found.append([precision[:R][hits[:R]].mean() if hits[:R].any() else 0.0 for R in (None, 1000)])
        scores.append(np.mean(found, axis=0))
    return np.array(scores)


def make_default(name, bits):
    """Return a function that builds a method with default parameters; some have no `random_state`."""

    def make(seed):
        hasher = getattr(skhash, name)(bits)
        return hasher.set_params(random_state=seed) if "random_state" in hasher.get_params() else hasher

    return make


def cell(scores, seconds=None, published=None):
    """Format both scores, their deviation over the seeds, and optionally seconds and the published score."""
    (all_items, thousand), deviation = scores.mean(axis=0), scores.std(axis=0)[0]
    text = f"{all_items:.3f} +- {deviation:.3f} / {thousand:.3f}"
    text += "" if seconds is None else f" {seconds:3.0f} s"
    return text + ("" if published is None else f" ({published:.3f})")


def main():
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("tables", nargs="+", choices=["methods", "targets"])
    parser.add_argument("--bits", type=int, nargs="+", default=[16, 32, 64], choices=[16, 32, 64])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--threads", type=int, default=1, help="of torch; small batches do not benefit from more")
    parser.add_argument("--quick", action="store_true", help="64 bits and one seed only")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.bits, arguments.seeds = [64], [0]
    torch.set_num_threads(arguments.threads)
    X, y = load_cifar10_features()
    seeds = arguments.seeds
    print(f"mAP@all +- / mAP@1000, seconds of a fit (mAP@all of public code); seeds {seeds}", flush=True)
    if "methods" in arguments.tables:
        print(f"{'':16s}" + "".join(f"{bits:>34d} bits" for bits in arguments.bits), flush=True)
        for name in arguments.methods:
            cells = []
            for bits in arguments.bits:
                published = PUBLIC[name][(16, 32, 64).index(bits)] if name in PUBLIC else None
                cells.append(cell(*measure(make_default(name, bits), seeds, X, y), published))
            print(f"{name:16s}" + "".join(f"{text:>39s}" for text in cells), flush=True)
        for center in (False, True):
            text = cell(rank_by_cosine(seeds, X, y, center))
            print(f"cosine of the features, {'centered' if center else 'raw'}: {text}", flush=True)
    if "targets" in arguments.tables:
        for a in TARGETS:

            def make(seed, a=a):
                return skhash.SDCHasher(64, alpha=a, beta=a, random_state=seed)

            print(f"SDC, 64 bits, Beta({a:g}, {a:g}): {cell(*measure(make, seeds, X, y))}", flush=True)


if __name__ == "__main__":
    main()
