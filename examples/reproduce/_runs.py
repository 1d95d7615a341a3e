"""Trainings on features that several claims share, each stored as a line of runs.jsonl and computed once.

A line has the method, its options, the seed and all scores. Delete the file, or pass --seeds that it lacks, to train
again. Tasks:

cifar10
    CIFAR-10 as 1,280 features of a frozen network (`examples/benchmarks/cifar10_features.py`), protocol "cifar10-1":
    1,000 queries, 5,000 training samples, 59,000 in the database.
pairs
    12,000 pictures of two images of CIFAR-10, with the labels of both (`examples/benchmarks/cifar10_composites.py`):
    1,000 queries, 4,000 training samples, 11,000 in the database.
topics
    12,000 made-up documents of scikit-learn's `make_multilabel_classification`: counts of 256 words, 80 labels, 3 a
    document in the mean. 1,000 queries, 4,000 training samples, 11,000 in the database.
digits
    scikit-learn's digits, for quick runs: 200 queries, 500 training samples, 1,597 in the database.
"""

import functools
import inspect
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

import skhash
from skhash.datasets import retrieval_split
from skhash.metrics import (
    bit_balance,
    distance_histograms,
    knn_accuracy,
    lower_bound_ratio,
    mean_average_precision,
    precision_within_radius,
    quantization_error,
    separability,
)

HERE = Path(__file__).parent
RUNS = HERE / "runs.jsonl"
sys.path.insert(0, str(HERE.parent / "benchmarks"))


@functools.lru_cache(maxsize=1)
def _arrays(task):
    if task == "cifar10":
        from cifar10_features import load_cifar10_features

        return load_cifar10_features()
    if task == "pairs":
        from cifar10_composites import load_cifar10_composites

        return load_cifar10_composites()
    if task == "topics":
        from sklearn.datasets import make_multilabel_classification

        size = {"n_samples": 12_000, "n_features": 256, "n_classes": 80, "n_labels": 3, "length": 100}
        return make_multilabel_classification(**size, allow_unlabeled=False, random_state=0)
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    if task == "digits pairs":  # a picture is the mean of two
        other = np.random.RandomState(0).permutation(len(X))
        return (X + X[other]) / 2, np.maximum(np.eye(10, dtype=np.uint8)[y], np.eye(10, dtype=np.uint8)[y[other]])
    return X, y


def load(task, seed):
    """Return features, labels, and rows of queries, training samples and database."""
    X, y = _arrays(task)
    if task == "cifar10":
        split = retrieval_split(y[:, None], y, protocol="cifar10-1", duplicates="ignore", random_state=seed)
        return X, y, split.query, split.train, split.database
    rows = np.random.RandomState(seed).permutation(len(X))
    query, rest = rows[: len(X) // 9 if task.startswith("digits") else 1000], rows
    query, rest = rows[: len(query)], rows[len(query) :]
    return X, y, query, rest[: 500 if task.startswith("digits") else 4000], rest


def scores(hasher, X, y, query, train, database):
    """Return everything that claims ask of a trained hasher."""
    z = hasher.decision_function(X[query])
    q, t, d = hasher.transform(X[query]), hasher.transform(X[train]), hasher.transform(X[database])
    labels = y[query], y[database]
    found = {
        "map": mean_average_precision(q, d, *labels, ties="expected"),
        "map1000": mean_average_precision(q, d, *labels, R=1000),
        "bound": lower_bound_ratio(t, y[train]),
        "radius2": precision_within_radius(q, d, *labels),
        "balance": bit_balance(d),
        "quantization": quantization_error(z),
        "separability": separability(q, y[query]),
    }
    if y.ndim == 1:
        histograms = distance_histograms(q, y[query])
        found["equal_within"] = histograms.intra[0] / histograms.intra.sum()
        found["knn"] = knn_accuracy(q, d, *labels, n_neighbors=100)
    return {key: float(f"{float(value):.6g}") for key, value in found.items()}


def make(method, bits, seed, surrogate, options):
    """Build a hasher from what a line of the file has."""
    options = dict(options)
    if isinstance(options.get("centers"), list):
        options["centers"] = np.array(options["centers"])
    own = {"random_state": seed} if "random_state" in inspect.signature(getattr(skhash, method)).parameters else {}
    hasher = getattr(skhash, method)(bits, **own, **options)
    return skhash.LowerBoundHasher(hasher) if surrogate else hasher


def stored(path=None):
    """Return the lines of the file."""
    path = path or RUNS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(budget, method, bits, seed, *, surrogate=False, task="cifar10", **options):
    """Return the scores of a training: stored ones, or those of a new one, which is stored unless the run is quick."""
    torch.set_num_threads(1)
    if budget.quick:
        task = "digits pairs" if task in ("pairs", "topics") else "digits"
        options = {**options, "max_epochs": 2}
    key = {"task": task, "method": method, "bits": bits, "options": options, "surrogate": surrogate, "seed": seed}
    if not budget.quick:
        for line in stored():
            if key.items() <= line.items():
                return line
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y, query, train, database = load(task, seed)
        hasher = make(method, bits, seed, surrogate, options).fit(X[train], y[train])
        line = key | scores(hasher, X, y, query, train, database)
    line["cpu_seconds"] = round(time.process_time() - start, 1)
    if not budget.quick:
        with RUNS.open("a") as file:
            file.write(json.dumps(line) + "\n")
    return line


def mean(budget, score, method, bits, **options):
    """Return the mean of a score over the seeds."""
    seeds = budget.choose(budget.seeds, budget.seeds[:1])
    return float(np.mean([run(budget, method, bits, seed, **options)[score] for seed in seeds]))
