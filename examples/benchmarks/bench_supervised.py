"""
All supervised methods on one set of features
=============================================

Every supervised hasher, trained and evaluated under the same conditions: CIFAR-10 as 1,280 features of a frozen network
(`cifar10_features.py`), protocol "cifar10-1" (1,000 queries, 5,000 training samples, 59,000 in the database), mAP@all
with expected ties, mean over the seeds of split and training. No choice was made on queries or database. Three tables:

equal
    All methods by one recipe: linear head, raw features, Adam 1e-3, batches of 128, 30 epochs, weight decay 5e-4, and a
    learning rate that is constant, or a tenth in the last fifth of the epochs (`--schedule step`). In parentheses, the
    results of the methods' own public loss code under these conditions, for which no schedule is reported.
defaults
    All methods with their default parameters: `Method(bits=...)`.
lower-bound
    The six methods of LBHash's table 2, plain and within `LowerBoundHasher`, at 16 and 32 bits, with default
    parameters; and the rank correlation of mAP with the lower-bound ratio of the training codes over all of them.

::

    python examples/benchmarks/bench_supervised.py equal defaults lower-bound    # half an hour on two idle cores
    python examples/benchmarks/bench_supervised.py defaults --bits 64 --seeds 0 --methods OrthoHasher HashNetHasher
"""

import argparse
import time
import warnings

import numpy as np
import torch
from cifar10_features import load_cifar10_features
from scipy.stats import spearmanr

import skhash
from skhash.datasets import retrieval_split
from skhash.metrics import lower_bound_ratio, mean_average_precision
from skhash.training import Recipe

EQUAL = Recipe(max_epochs=30)
# mAP of the methods' public code under equal conditions, at 16 / 32 / 64 bits.
PUBLIC = {
    "CEHasher": (0.352, 0.387, 0.408),
    "OrthoHasher": (0.448, 0.481, 0.485),
    "CSQHasher": (0.551, 0.559, 0.562),
    "CSQHasher, bernoulli": (0.515, 0.559, 0.598),
    "DPNHasher": (0.512, 0.554, 0.601),
    "GreedyHasher": (0.460, 0.467, 0.474),
    "HashNetHasher": (0.495, 0.583, 0.618),
    "DCHHasher": (0.494, 0.535, 0.533),
    "DTSHHasher": (0.482, 0.522, 0.529),
    "DBDHHasher": (0.100, 0.100, 0.100),
}
# Settings of the public code that differ from our defaults.
AS_PUBLIC = {
    "CEHasher": {"balance": "batch_norm"},
    "OrthoHasher": {"margin": 0.2},
    "CSQHasher": {"centers": "hadamard"},
    "CSQHasher, bernoulli": {"centers": "bernoulli"},
    "DPNHasher": {"centers": "bernoulli"},
    "HashNetHasher": {"alpha": 0.1},
    "DBDHHasher": {"pairs": "batch"},
}
ALL = [
    *("CEHasher", "OrthoHasher", "CSQHasher", "DPNHasher", "GreedyHasher", "SDHCHasher", "JMLHHasher"),
    *("HashNetHasher", "DBDHHasher", "DSDHHasher", "DCHHasher", "DTSHHasher"),
]
TABLE_2 = ["HashNetHasher", "DBDHHasher", "DSDHHasher", "DCHHasher", "GreedyHasher", "CSQHasher"]


def measure(make, name, bits, seeds, X, y):
    """Fit and search for every seed; return mAPs, lower-bound ratios of the training codes, and mean seconds."""
    scores, ratios, start = [], [], time.perf_counter()
    for seed in seeds:
        split = retrieval_split(y[:, None], y, protocol="cifar10-1", duplicates="ignore", random_state=seed)
        hasher = make(name, bits, seed).fit(*split.take("train", X, y))
        queries, database, train = (
            hasher.transform(X[getattr(split, part)]) for part in ("query", "database", "train")
        )
        labels = y[split.query], y[split.database]
        scores.append(float(mean_average_precision(queries, database, *labels, ties="expected")))
        ratios.append(float(lower_bound_ratio(train, y[split.train])))
    return np.array(scores), np.array(ratios), (time.perf_counter() - start) / len(seeds)


def table(title, names, make, bits, seeds, X, y, reference=None):
    """Measure each method for each number of bits and print one line per method."""
    print(f"\n{title}; seeds {seeds}\n{'':24s}" + "".join(f"{b:>22d} bits" for b in bits), flush=True)
    for name in names:
        cells = []
        for b in bits:
            scores, _, seconds = measure(make, name, b, seeds, X, y)
            cell = f"{scores.mean():.3f} +- {scores.std():.3f} {seconds:4.0f} s"
            published = (reference or {}).get(name)
            cells.append(cell + (f" ({published[(16, 32, 64).index(b)]:.3f})" if published else ""))
        print(f"{name:24s}" + "".join(f"{cell:>27s}" for cell in cells), flush=True)


def make_equal(schedule):
    """Return a function that builds a method under the equal conditions."""

    def make(name, bits, seed):
        method = getattr(skhash, name.partition(",")[0])
        return method(bits, recipe=EQUAL, schedule=schedule, random_state=seed, **AS_PUBLIC.get(name, {}))

    return make


def make_default(name, bits, seed):
    """Build a method with its default parameters."""
    return getattr(skhash, name)(bits, random_state=seed)


def make_lifted(name, bits, seed):
    """Build a method within LBHash's surrogate."""
    return skhash.LowerBoundHasher(make_default(name, bits, seed))


def compare_lower_bound(bits, seeds, X, y, methods):
    """Print the results of plain methods and of those with LBHash's surrogate."""
    print(f"\nlower-bound; seeds {seeds}: plain -> within LowerBoundHasher, and the gain in points of mAP", flush=True)
    points, gains = [], []
    for name in methods:
        line = ""
        for b in bits:
            plain, ratio, _ = measure(make_default, name, b, seeds, X, y)
            lifted, lifted_ratio, _ = measure(make_lifted, name, b, seeds, X, y)
            gains.append(100 * (lifted - plain))
            points += [*zip(plain, ratio, strict=True), *zip(lifted, lifted_ratio, strict=True)]
            line += f"   {b} bits: {plain.mean():.3f} -> {lifted.mean():.3f} ({gains[-1].mean():+.1f})"
        print(f"{name:16s}{line}", flush=True)
    gains = np.array(gains)
    scores, ratios = np.array(points).T
    print(f"mean gain {gains.mean():+.2f} points; {np.mean(gains > 0):.0%} of {gains.size} pairs of runs gain")
    print(f"Spearman's correlation of mAP with the lower-bound ratio: {spearmanr(scores, ratios).statistic:.2f}")
    return scores, ratios


def main():
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("tables", nargs="+", choices=["equal", "defaults", "lower-bound"])
    parser.add_argument("--bits", type=int, nargs="+", default=None, choices=[16, 32, 64])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", default=None)
    parser.add_argument("--schedule", choices=["constant", "step"], default="constant", help="of the table 'equal'")
    parser.add_argument("--threads", type=int, default=1, help="of torch; small batches do not benefit from more")
    parser.add_argument("--plot", help="file for the plot of mAP against the lower-bound ratio")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.filterwarnings("ignore", message="Two of the")  # centers of few random bits may coincide
    X, y = load_cifar10_features()
    run = arguments.seeds, X, y
    bits = arguments.bits or [16, 32, 64]
    if "equal" in arguments.tables:
        title = f"equal conditions, schedule {arguments.schedule!r} (public code)"
        table(title, arguments.methods or PUBLIC, make_equal(arguments.schedule), bits, *run, reference=PUBLIC)
    if "defaults" in arguments.tables:
        table("defaults", arguments.methods or ALL, make_default, bits, *run)
    if "lower-bound" in arguments.tables:
        scores, ratios = compare_lower_bound(arguments.bits or [16, 32], *run, arguments.methods or TABLE_2)
        if arguments.plot:
            from skhash.metrics import MapAgainstLowerBoundDisplay

            display = MapAgainstLowerBoundDisplay(ratios, scores, name="all runs").plot()
            display.figure_.savefig(arguments.plot)


if __name__ == "__main__":
    main()
