"""
One-bit deep hashing and other methods on the same binary network
=================================================================

Fashion-MNIST and CIFAR-10 from pixels, 64 bits, protocol "cifar10-1" (1,000 queries, 5,000 training images, the rest in
the database), mAP@all with expected ties. All rows except the last train a network of one shape for the same number of
epochs, with one schedule and the same random crops and flips: `bireal_tiny` on Fashion-MNIST, `bireal_small` on
CIFAR-10. Rows:

float
    OrthoHash on the float twin: the same layers with real weights, and hard tanh in place of signs.
HashNet, GreedyHash, CSQ, OrthoHash
    These methods on the binary network.
ODH fixed, ODH one stage, ODH
    `OneBitDeepHasher` with fixed centers; without the second stage; with its defaults. Seconds include the warm-up of
    the classifier. Codes of the last one are also computed in torch and compared with those of packed words.
ODH labels
    Without distillation: the effect of moving centers alone.
ODH fast
    With ``recipe="fast"``, on request.
ODH long
    240 epochs with batches of 128, learning rate 0.015 and 40 epochs of warm-up, on request: 18 minutes on
    Fashion-MNIST with bfloat16.
ODH paper
    With ``recipe="paper"``, its views and 700 epochs after 100 epochs of warm-up, or `--epochs` after a seventh of
    them. It runs only on request, because it takes more than two hours on Fashion-MNIST.

Each run is a line in a cache, so runs can be distributed over processes. The table contains all runs of the cache.
About two minutes for a run on one core::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_one_bit.py --dataset fashion --seeds 0 1 2
    python examples/benchmarks/bench_one_bit.py --dataset fashion --rows "ODH paper" --epochs 350 --seeds 0
    python examples/benchmarks/bench_one_bit.py --print

Our own runs, on one core of an AMD EPYC (Zen 5), are stored next to this file: `--print --cache
examples/benchmarks/one_bit_runs.jsonl`. Those of "ODH fast" and "ODH long" ran on a slower one (Zen 4, loaded), where
a run of "ODH" took 238 s of CPU time before there was bfloat16.

`--validation` trains on 4,000 of the training images and scores the other 1,000 against each other. All choices were
made on these scores, none on queries or database.
"""

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch

import skhash
from skhash.datasets import fetch_cifar10, fetch_fashion_mnist, retrieval_split
from skhash.metrics import mean_average_precision
from skhash.nn.binary import BinaryConv2d, RSign, bireal_small, bireal_tiny
from skhash.training import RandomCropFlip

BITS = 64
DATA = {
    "fashion": {"fetch": fetch_fashion_mnist, "backbone": "bireal_tiny", "make": bireal_tiny, "channels": 1,
                "epochs": 25, "warm_up": 20, "crop": 3},
    "cifar": {"fetch": fetch_cifar10, "backbone": "bireal_small", "make": bireal_small, "channels": 3,
              "epochs": 10, "warm_up": 20, "crop": 4},
}  # fmt: skip
ODH = skhash.OneBitDeepHasher
ROWS = {
    "float": (skhash.OrthoHasher, {}),
    "HashNet": (skhash.HashNetHasher, {}),
    "GreedyHash": (skhash.GreedyHasher, {}),
    "CSQ": (skhash.CSQHasher, {}),
    "OrthoHash": (skhash.OrthoHasher, {}),
    "ODH fixed": (ODH, {"adapt_centers": False}),
    "ODH one stage": (ODH, {"aggregation_weight": 0.0}),
    "ODH labels": (ODH, {"distillation_weight": 0.0}),
    "ODH": (ODH, {}),
}
FAST, LONG, PAPER = "ODH fast", "ODH long", "ODH paper"


def float_twin(make, channels):
    """Build the float twin: real weights and hard tanh in place of binary weights and signs."""
    network = make(channels)
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, BinaryConv2d):
                shape = layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding
                setattr(parent, name, torch.nn.Conv2d(*shape, bias=False))
            elif isinstance(layer, RSign):
                setattr(parent, name, torch.nn.Hardtanh())
    return network


def usual_epochs(dataset, row):
    """Return the default number of epochs of a row."""
    return {LONG: 240, PAPER: 700}.get(row, DATA[dataset]["epochs"])


def make_hasher(dataset, row, seed, epochs, **changes):
    """Build the hasher of a row."""
    data = DATA[dataset]
    if row == FAST:
        return ODH(BITS, backbone=data["backbone"], recipe="fast", max_epochs=epochs, random_state=seed, **changes)
    if row == PAPER:
        plan = {"recipe": "paper", "max_epochs": epochs, "warm_up_epochs": max(epochs // 7, 1)}
        return ODH(BITS, backbone=data["backbone"], random_state=seed, **plan, **changes)
    if row == LONG:
        method, options = ODH, {"warm_up_epochs": 40, "batch_size": 128, "learning_rate": 1.5e-2}
    else:
        method, options = ROWS[row]
    backbone = (lambda: float_twin(data["make"], data["channels"])) if row == "float" else data["backbone"]
    if method is ODH:
        options = {"warm_up_epochs": data["warm_up"], **options}
    return method(
        BITS,
        **{
            "backbone": backbone,
            "max_epochs": epochs,
            "batch_size": 64,
            "learning_rate": 1e-2,
            "schedule": "one_cycle",
            "weight_decay": 0.0,
            "views": RandomCropFlip(data["crop"]),
            "random_state": seed,
            **options,
            **changes,
        },
    )


def load(dataset, seed):
    """Return images, labels and the split of a seed."""
    X, y = DATA[dataset]["fetch"](return_X_y=True)
    return X, y, retrieval_split(X, y, protocol="cifar10-1", duplicates="ignore", random_state=seed)


def measure(dataset, row, seed, epochs, *, validation=False, **changes):
    """Train and search once; return the results of the run."""
    X, y, split = load(dataset, seed)
    train = split.train
    if validation:
        train, held = np.split(np.random.RandomState(seed).permutation(train), [4000])
    hasher = make_hasher(dataset, row, seed, epochs, **changes)
    start, cpu = time.perf_counter(), time.process_time()
    hasher.fit(X[train], y[train])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    result = {"seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}
    last = hasher.history_[-1]
    result |= {key: round(last[key], 2) for key in ("center_distance", "class_distance") if key in last}
    if validation:
        codes = hasher.transform(X[held])
        score = mean_average_precision(codes, codes, y[held], y[held], exclude_self=True, ties="expected")
        return result | {"map": float(score)}
    codes = hasher.transform(X)
    result["map"] = search(codes, y, split)
    if row in ("ODH", FAST, LONG):  # their codes are computed with packed words
        in_torch = copy.copy(hasher)
        in_torch.inference_ = "torch"
        others = in_torch.transform(X)
        result |= {"differing_bits": int((codes != others).sum()), "torch_map": search(others, y, split)}
    return result


def search(codes, y, split):
    """Return the mAP of the queries in the database."""
    query, database = split.query, split.database
    return float(mean_average_precision(codes[query], codes[database], y[query], y[database], ties="expected"))


def print_table(runs):
    """Print means and standard deviations over the available seeds."""
    cells = {}
    for run in runs:
        name = run["row"]
        if run["epochs"] != usual_epochs(run["dataset"], name):
            name += f", {run['epochs']} epochs"
        cells.setdefault(name, {}).setdefault(run["dataset"], []).append(run)
    order = [*ROWS, *sorted(cells.keys() - ROWS.keys())]
    print(f"{'':26s}" + "".join(f"{dataset:>36s}" for dataset in DATA))
    for name in order:
        print(f"{name:26s}" + "".join(f"{summary(cells.get(name, {}).get(dataset)):>36s}" for dataset in DATA))
    for dataset in DATA:
        odh, twin = (cells.get(name, {}).get(dataset) for name in ("ODH", "float"))
        if odh and twin:
            gap = 100 * (mean_map(twin) - mean_map(odh))
            print(f"{dataset}: the float twin is {gap:+.1f} points of mAP above ODH")
        for run in odh or []:
            if "torch_map" in run:
                print(
                    f"{dataset}, seed {run['seed']}: {run['differing_bits']} bits of ODH's codes differ between packed "
                    f"words and torch, mAP {run['map']:.6f} and {run['torch_map']:.6f}"
                )


def mean_map(runs):
    """Return the mean mAP of some runs."""
    return np.mean([run["map"] for run in runs])


def summary(runs):
    """Return a cell of the table."""
    if not runs:
        return "-"
    maps, cpu = np.array([run["map"] for run in runs]), np.mean([run["cpu_seconds"] for run in runs])
    return f"{maps.mean():.3f} +- {maps.std():.3f} ({len(runs)} seeds, {cpu:.0f} s)"


def main():
    """Execute the runs that the cache lacks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--dataset", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, FAST, LONG, PAPER], default=list(ROWS))
    parser.add_argument(
        "--epochs", type=int, help="instead of 25 (Fashion-MNIST), 10 (CIFAR-10), 240 (ODH long), 700 (paper)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("one_bit_runs.jsonl"))
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--print", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [(d, row, seed) for seed in arguments.seeds for d in arguments.dataset for row in arguments.rows]
    for dataset, row, seed in [] if arguments.print else wanted:
        epochs = arguments.epochs or usual_epochs(dataset, row)
        key = {"dataset": dataset, "row": row, "seed": seed, "epochs": epochs, "validation": arguments.validation}
        if any(key.items() <= run.items() for run in read(arguments.cache)):
            continue
        run = key | measure(dataset, row, seed, epochs, validation=arguments.validation)
        print(run, flush=True)
        with arguments.cache.open("a") as file:
            file.write(json.dumps(run) + "\n")
    print_table([run for run in read(arguments.cache) if run["validation"] == arguments.validation])


def read(cache):
    """Return the runs of the cache."""
    return [json.loads(line) for line in cache.read_text().splitlines()] if cache.exists() else []


if __name__ == "__main__":
    main()
