"""Rare classes: mAP of digits, of which five classes are 50 times rarer in training, with and without class weights.

Training has 150 samples of each digit from 0 to 4 and 3 of each from 5 to 9. All other samples (about 30
of a frequent class, 175 of a rare one) rank one another. Run::

    python examples/benchmarks/bench_class_weight.py
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from sklearn.datasets import load_digits

import skhash
from skhash.metrics import mean_average_precision

N_FREQUENT, N_RARE, N_CLASSES = 150, 3, 10


def split(X, y, seed):
    """Return rows to train on, imbalanced, and all others, to score."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for label in range(N_CLASSES):
        rows = rng.permutation(np.flatnonzero(y == label))
        train.append(rows[: N_FREQUENT if label < N_CLASSES // 2 else N_RARE])
        test.append(rows[N_FREQUENT:])
    return np.concatenate(train), np.concatenate(test)


def measure(name, class_weight, seed, X, y):
    """Return the mean mAP of the frequent and of the rare classes."""
    train, test = split(X, y, seed)
    hasher = getattr(skhash, name)(bits=32, class_weight=class_weight, random_state=seed).fit(X[train], y[train])
    codes, truth = hasher.transform(X[test]), y[test]
    per_query = np.asarray(mean_average_precision(codes, codes, truth, truth, exclude_self=True).per_query)
    scores = [per_query[truth == label].mean() for label in range(N_CLASSES)]
    return np.mean(scores[: N_CLASSES // 2]), np.mean(scores[N_CLASSES // 2 :])


def main():
    """Print a table: per method and class weight, mean and range over the seeds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--hashers", nargs="+", default=["OrthoHasher"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    for name in options.hashers:
        for class_weight in (None, "balanced"):
            results = np.array([measure(name, class_weight, seed, X, y) for seed in options.seeds])
            for kind, scores in zip(("frequent", "rare", "all"), [*results.T, results.mean(axis=1)], strict=True):
                each = " ".join(f"{score:.3f}" for score in scores)
                print(f"{name:16} {class_weight!s:9} {kind:9} {scores.mean():.3f}  ({each})", flush=True)


if __name__ == "__main__":
    main()
