"""
Which hasher for which task
===========================

Methods with their default parameters on the tasks of `choose_tasks.py`; "cosine" ranks by the features themselves, less
their mean over the training samples. mAP@all with expected ties, mean over the seeds of split and training. No choice
was made on queries or database. Every run is appended to the file `--cache` and is not made again.

"ridge" is a ridge regression of labels on standardized features, less their mean, mapped to hash centers and signed.
"float MLP" and "binary MLP" have two hidden layers of the same width before the head.

::

    python examples/benchmarks/bench_choose.py seen                                # half an hour on one core
    python examples/benchmarks/bench_choose.py seen noise --methods PosteriorHasher CSQHasher --bits 64 --seeds 0

Our own runs, on one core of an AMD EPYC (Zen 4, most of the time loaded), are stored next to this file: `--cache
examples/benchmarks/choose_runs.jsonl`.
"""

import argparse
import functools
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from choose_tasks import TASKS, load_task
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import skhash
from skhash.centers import make_hash_centers
from skhash.metrics import mean_average_precision

SUPERVISED = [
    *("CEHasher", "OrthoHasher", "CSQHasher", "DPNHasher", "GreedyHasher", "SDHCHasher", "JMLHHasher"),
    *("HashNetHasher", "DBDHHasher", "DSDHHasher", "DCHHasher", "DTSHHasher"),
]
UNSUPERVISED = ["SDCHasher", "BiHalfHasher", "CIBHasher"]
# Rows that are not the defaults of a class of the same name.
POSTERIOR = {"PosteriorHasher, map untrained": ("PosteriorHasher", {"max_iter": 0})}
NETWORKS = {
    f"{name}, {kind}": (name, {"backbone": backbone})
    for name in ("OrthoHasher", "CSQHasher", "OneBitDeepHasher")
    for kind, backbone in (("linear", None), ("float MLP", "mlp"), ("binary MLP", "binary_mlp"))
} | {"OneBitDeepHasher, one stage": ("OneBitDeepHasher", {"aggregation_weight": 0.0})}
OPEN_SET = {  # weights of the first two were chosen on held-out classes of the training samples, see the guide
    f"{name}, similarity {weight:g}": (name, {"similarity_weight": weight})
    for name, weight in (("OrthoHasher", 5.0), ("CSQHasher", 3.0), ("HashNetHasher", 1.0))
}
DIVIDED = {  # bits of ITQHasher in the same code
    f"{name}, {kind} of the bits ITQHasher": (name, share)
    for name in ("OrthoHasher", "PosteriorHasher")
    for kind, share in (("quarter", 0.25), ("half", 0.5))
}
PAPER_RULES = {  # of several labels
    f"{name}, pairs 0": (name, {"likelihood_weight": 0.0}) for name in ("OrthoHasher", "CSQHasher", "DPNHasher")
}
INSTANCE_RECIPES = {f"{name}, recipe instance": (name, {"recipe": "instance"}) for name in UNSUPERVISED}
VARIANTS = POSTERIOR | NETWORKS | OPEN_SET | PAPER_RULES | INSTANCE_RECIPES
METHODS = ["cosine", "PosteriorHasher", *POSTERIOR, *SUPERVISED]
# Rows of tasks; of other tasks, METHODS.
ROWS = {
    "seen": [*METHODS, *NETWORKS, *OPEN_SET],
    "unseen": [*METHODS, "ITQHasher", *OPEN_SET, *DIVIDED],
    "known": ["PosteriorHasher", "OrthoHasher", "CSQHasher", "HashNetHasher", "ITQHasher", *OPEN_SET, *DIVIDED],
    "composites": [*METHODS, "ridge", *PAPER_RULES],
    "instances": ["cosine", "LSHHasher", "ITQHasher", *UNSUPERVISED, *INSTANCE_RECIPES],
}


def measure(task, method, bits, seed):
    """Train and search once; return mAP and the seconds of the processor that training took."""
    if method == "cosine":
        return rank_by_cosine(task.query, task.database, task.query_labels, task.database_labels, task.train), 0.0
    start = time.process_time()
    if method == "ridge":
        encode = fit_ridge(task.train, task.train_labels, bits, seed)
    else:
        encode = make_hasher(method, bits, seed).fit(task.train, task.train_labels).transform
    seconds = time.process_time() - start
    codes = encode(task.query), encode(task.database)
    return float(mean_average_precision(*codes, task.query_labels, task.database_labels, ties="expected")), seconds


def make_hasher(method, bits, seed):
    """Make the hasher of a row of the table."""
    if method in DIVIDED:
        name, share = DIVIDED[method]
        rest = round(bits * share)
        return make_union(make_hasher(name, bits - rest, seed), make_hasher("ITQHasher", rest, seed))
    name, parameters = VARIANTS.get(method, (method, {}))
    return getattr(skhash, name)(bits, random_state=seed, **parameters)


def fit_ridge(X, labels, bits, seed):
    """Return a function that computes codes: signs of a ridge regression of labels that is mapped to hash centers."""
    centers = make_hash_centers(labels.shape[1], bits, random_state=seed)
    model = make_pipeline(StandardScaler(), Ridge(alpha=1000.0)).fit(X, labels.astype(float))
    mean = labels.mean(axis=0)
    return lambda part: (model.predict(part) - mean) @ centers >= 0


def rank_by_cosine(queries, database, query_labels, labels, train):
    """Return the mAP of the order by cosine similarity of centered features."""
    queries, database = (part - train.mean(axis=0) for part in (queries, database))
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
    parser.add_argument("tasks", nargs="+", choices=TASKS)
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--bits", type=int, nargs="+", default=[64, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("choose_runs.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Two of the")  # centers of few random bits may coincide
    runs = read_runs(arguments.cache)
    load = functools.lru_cache(len(arguments.seeds))(load_task)
    for task in arguments.tasks:
        print(f"\n{task}; seeds {arguments.seeds}\n{'':32s}" + "".join(f"{bits:>18d} bits" for bits in arguments.bits))
        for method in arguments.methods or ROWS.get(task, METHODS):
            line = f"{method:32s}"
            for bits in arguments.bits:
                keys = [(task, method, bits, seed) for seed in arguments.seeds]
                for key in keys:
                    if key not in runs:
                        score, seconds = measure(load(task, key[-1]), method, bits, key[-1])
                        named = dict(zip(("task", "method", "bits", "seed"), key, strict=True))
                        runs[key] = {**named, "map": score, "cpu_seconds": round(seconds, 1)}
                        with arguments.cache.open("a") as file:
                            file.write(json.dumps(runs[key]) + "\n")
                scores, seconds = ([runs[key][name] for key in keys] for name in ("map", "cpu_seconds"))
                line += f"{np.mean(scores):.3f} +- {np.std(scores):.3f} {np.mean(seconds):4.0f} s".rjust(23)
            print(line, flush=True)


if __name__ == "__main__":
    main()
