"""
Which hasher for which task
===========================

Tasks, and methods with their default parameters on features; "cosine" ranks by the features themselves, less their mean
over the training samples. mAP@all with expected ties, mean over the seeds of split
and training. No choice was made on queries or database. Every run is appended to the file
`--cache` and is not made again.

seen
    CIFAR-10 as 1,280 features of a frozen network (`cifar10_features.py`), protocol "cifar10-1": 1,000 queries, 5,000
    training samples, 59,000 in the database.
noise
    The same; 20 % of the training labels, drawn at random, are replaced by one of the ten classes that is drawn at
    random.
imbalance
    The same; class c keeps 500 * 100 ** (-c / 9) of its 500 training samples, from 500 down to 5.
few
    The same; ten training samples of each class.
unseen
    The same; three classes, drawn at random, are not in the training samples, and all queries are of these classes.
labels
    The same images with several labels: animal, land vehicle, has four legs, flies, pet, and each of the ten classes.
    Relevant are those that share at least one.
instances
    Without labels: changed images of CIFAR-10 (`cifar10_instances.py`) must find the images that they were made of.

::

    python examples/benchmarks/bench_choose.py seen                                # half an hour on one core
    python examples/benchmarks/bench_choose.py seen noise --methods PosteriorHasher CSQHasher --bits 64 --seeds 0
    python examples/benchmarks/bench_choose.py instances --bits 64 256             # a quarter of an hour
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from cifar10_features import load_cifar10_features
from cifar10_instances import load_cifar10_instances, split_instances

import skhash
from skhash.datasets import retrieval_split
from skhash.metrics import mean_average_precision

SUPERVISED = [
    *("CEHasher", "OrthoHasher", "CSQHasher", "DPNHasher", "GreedyHasher", "SDHCHasher", "JMLHHasher"),
    *("HashNetHasher", "DBDHHasher", "DSDHHasher", "DCHHasher", "DTSHHasher"),
]
# Rows that are not the defaults of a class of the same name.
VARIANTS = {"PosteriorHasher, map untrained": ("PosteriorHasher", {"max_iter": 0})}
METHODS = ["cosine", "PosteriorHasher", *VARIANTS, *SUPERVISED]
# Methods of the task without labels.
UNSUPERVISED = ["SDCHasher", "BiHalfHasher", "CIBHasher"]
INSTANCE_RECIPES = {f"{name}, recipe instance": (name, {"recipe": "instance"}) for name in UNSUPERVISED}
INSTANCE_METHODS = ["cosine", "LSHHasher", "ITQHasher", *UNSUPERVISED, *INSTANCE_RECIPES]
VARIANTS |= INSTANCE_RECIPES
# airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck
ATTRIBUTES = np.array(
    [[0, 0, 1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 1, 1, 1, 0, 0],
     [1, 0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 1, 0, 0, 0, 0]]
).T  # fmt: skip


def seen(split, y, random_state):
    """Return training rows, their labels, the labels of all rows, and the rows of the queries."""
    return split.train, y[split.train], y, split.query


def noise(split, y, random_state):
    """Return the same, with wrong labels."""
    wrong = y[split.train].copy()
    rows = random_state.permutation(len(wrong))[: len(wrong) // 5]
    wrong[rows] = random_state.randint(10, size=len(rows))
    return split.train, wrong, y, split.query


def imbalance(split, y, random_state):
    """Return the same, with few samples of some classes."""
    kept = [split.train[y[split.train] == c][: round(500 * 100 ** (-c / 9))] for c in range(10)]
    rows = random_state.permutation(np.concatenate(kept))
    return rows, y[rows], y, split.query


def few(split, y, random_state):
    """Return the same, with ten samples of each class."""
    rows = np.concatenate([split.train[y[split.train] == c][:10] for c in range(10)])
    return rows, y[rows], y, split.query


def unseen(split, y, random_state):
    """Return samples of seven classes, and queries of the other three."""
    others = random_state.permutation(10)[:3]
    rows = split.train[~np.isin(y[split.train], others)]
    return rows, y[rows], y, split.query[np.isin(y[split.query], others)]


def labels(split, y, random_state):
    """Return the same, with several labels."""
    several = np.concatenate([ATTRIBUTES, np.eye(10, dtype=int)], axis=1)[y]
    return split.train, several[split.train], several, split.query


TASKS = {"seen": seen, "noise": noise, "imbalance": imbalance, "few": few, "unseen": unseen, "labels": labels}


def measure(task, method, bits, seed, X, y):
    """Train and search once; return mAP and the seconds of the processor that training took."""
    split = retrieval_split(y[:, None], y, protocol="cifar10-1", duplicates="ignore", random_state=seed)
    rows, train_labels, relevant, query = TASKS[task](split, y, np.random.RandomState(seed))
    if method == "cosine":
        truth = relevant[query], relevant[split.database]
        return rank_by_cosine(X[query], X[split.database], *truth, X[rows].mean(axis=0)), 0.0
    name, parameters = VARIANTS.get(method, (method, {}))
    start = time.process_time()
    hasher = getattr(skhash, name)(bits, random_state=seed, **parameters).fit(X[rows], train_labels)
    seconds = time.process_time() - start
    queries, database = (hasher.transform(X[part]) for part in (query, split.database))
    truth = relevant[query], relevant[split.database]
    return float(mean_average_precision(queries, database, *truth, ties="expected")), seconds


def measure_instances(method, bits, seed, X):
    """Search changed images once; return mAP and the seconds of the processor that training took."""
    queries, changed = load_cifar10_instances()
    rows, database = split_instances(changed, seed)
    truth = np.arange(len(queries)), np.arange(len(database))
    if method == "cosine":
        return rank_by_cosine(queries, X[database], *truth, X[rows].mean(axis=0)), 0.0
    name, parameters = VARIANTS.get(method, (method, {}))
    start = time.process_time()
    hasher = getattr(skhash, name)(bits, random_state=seed, **parameters).fit(X[rows])
    seconds = time.process_time() - start
    codes = hasher.transform(queries), hasher.transform(X[database])
    return float(mean_average_precision(*codes, *truth, ties="expected")), seconds


def rank_by_cosine(queries, database, query_labels, labels, mean):
    """Return the mAP of the order by cosine similarity of centered features."""
    queries, database = (part - mean for part in (queries, database))
    database /= np.linalg.norm(database, axis=1, keepdims=True)
    scores = []
    for query, label in zip(queries, query_labels, strict=True):
        relevant = labels == label if labels.ndim == 1 else (labels & label).any(axis=1)
        ranked = relevant[np.argsort(-(database @ query), kind="stable")]
        places = np.flatnonzero(ranked) + 1
        scores.append(np.mean(np.arange(1, len(places) + 1) / places))
    return float(np.mean(scores))


def read_runs(path):
    """Return the runs that were made, by task, method, bits and seed."""
    runs = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {(run["task"], run["method"], run["bits"], run["seed"]): run for run in runs}


def main():
    """Make the runs that are missing, and print a table for each task."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("tasks", nargs="+", choices=[*TASKS, "instances"])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--bits", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("choose_runs.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Two of the")  # centers of few random bits may coincide
    X, y = load_cifar10_features()
    runs = read_runs(arguments.cache)
    for task in arguments.tasks:
        print(f"\n{task}; seeds {arguments.seeds}\n{'':32s}" + "".join(f"{bits:>18d} bits" for bits in arguments.bits))
        instances = task == "instances"
        for method in arguments.methods or (INSTANCE_METHODS if instances else METHODS):
            line = f"{method:32s}"
            for bits in arguments.bits:
                keys = [(task, method, bits, seed) for seed in arguments.seeds]
                for key in keys:
                    if key not in runs:
                        score, seconds = measure_instances(*key[1:], X) if instances else measure(*key, X, y)
                        named = dict(zip(("task", "method", "bits", "seed"), key, strict=True))
                        runs[key] = {**named, "map": score, "cpu_seconds": round(seconds, 1)}
                        with arguments.cache.open("a") as file:
                            file.write(json.dumps(runs[key]) + "\n")
                scores, seconds = ([runs[key][name] for key in keys] for name in ("map", "cpu_seconds"))
                line += f"{np.mean(scores):.3f} +- {np.std(scores):.3f} {np.mean(seconds):4.0f} s".rjust(23)
            print(line, flush=True)


if __name__ == "__main__":
    main()
