"""
A dozen small timings, to compare two commits
=============================================

Did a change make anything slower? Each line is one thing that users wait for, on small random data: `name: value unit`,
the least CPU time of several rounds on one thread. All timings take their turn in every round, so that a machine that
slows down meets all of them. The file of `--out` has the times of all rounds, the machine, the versions and the commit.
`--compare` prints the ratios of two such files. It marks a timing as slower or faster only if the spreads of both files
do not overlap: a spread is from the least time to the upper quartile of the rounds. A second run with the same file
adds its rounds. One process can be faster than another in all its rounds, so run both commits twice, in turn, before
you trust a mark. A minute per run::

    git switch main && python examples/benchmarks/bench_quick.py --out before.json
    git switch my-branch && python examples/benchmarks/bench_quick.py --out after.json
    python examples/benchmarks/bench_quick.py --compare before.json after.json

Run both on one machine without other work, with `PYTHONPATH` at the working tree if skhash is installed elsewhere.
Import, `fit` and the first call of a search are timed after the compiled kernels are in numba's cache.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numba
import numpy as np
import sklearn
import torch

import skhash
from skhash import EmbeddingIndex, HammingIndex, LSHHasher, OneBitDeepHasher, OrthoHasher
from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision

BITS, FEATURES, CLASSES, ITEMS, FLIPPED = 64, 512, 10, 59_000, 0.2
UNITS = ("s", 1.0), ("ms", 1e3), ("us", 1e6)


def import_skhash():
    """Import the index and the metrics, which every user needs, in a new process."""
    subprocess.run([sys.executable, "-c", "import skhash; skhash.HammingIndex, skhash.metrics.ndcg"], check=True)


def cpu_time_of_children():
    """Return the CPU time of all processes that this one has started and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_timings(folder):
    """Return the functions to time by name; what they need is trained and saved here."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, 4_000)
    X = (rng.standard_normal((CLASSES, FEATURES))[y] + rng.standard_normal((len(y), FEATURES))).astype(np.float32)
    linear = LSHHasher(BITS, random_state=0).fit(X)
    deep = OrthoHasher(BITS, max_epochs=1, random_state=0)
    fitted = OrthoHasher(BITS, max_epochs=1, random_state=0).fit(X, y)

    images = rng.integers(0, 256, (64, 1, 28, 28), np.uint8)
    packed = OneBitDeepHasher(BITS, max_epochs=1, random_state=0).fit(images, y[:64]).to_packed()

    labels = rng.integers(0, CLASSES, ITEMS + 1_000)
    centers = rng.integers(0, 2, (CLASSES, BITS), np.uint8)
    codes = pack_codes(centers[labels] ^ (rng.random((len(labels), BITS)) < FLIPPED))
    queries, database = codes[:1_000], codes[1_000:]
    sides = queries, database, labels[:1_000], labels[1_000:]
    index = HammingIndex(algorithm="brute").fit(database)
    path = f"{folder}/index"

    def save_and_open():
        index.save(path)
        HammingIndex.open(path).kneighbors(queries[:1], 10)

    vectors = rng.standard_normal((20_000, 128), np.float32)
    embeddings = EmbeddingIndex(n_neighbors=10).fit(vectors)
    return {
        "import": import_skhash,
        "encode one row, linear": lambda: linear.transform(X[:1]),
        "encode one row, deep": lambda: fitted.transform(X[:1]),
        "encode 4,000 rows, linear": lambda: linear.transform(X),
        "encode 4,000 rows, deep": lambda: fitted.transform(X),
        "packed inference, 64 images": lambda: packed.transform(images),
        "one epoch, OrthoHasher": lambda: deep.fit(X, y),
        "search, 1 query": lambda: index.kneighbors(queries[:1], 10),
        "search, 1,000 queries": lambda: index.kneighbors(queries, 10),
        "radius 12, 1,000 queries": lambda: index.radius_neighbors(queries, 12),
        "save and open": save_and_open,
        "embedding search, 100 queries": lambda: embeddings.kneighbors(vectors[:100]),
        "mAP, 1 query": lambda: mean_average_precision(queries[:1], database, labels[:1], sides[3]),
        "mAP, 1,000 queries": lambda: mean_average_precision(*sides),
    }


def measure(timings, rounds, seconds):
    """Return the CPU times per call of each function, one per round; each takes its share of `seconds`."""
    calls, times = {}, {name: [] for name in timings}
    for round_ in range(-1, rounds):
        for name, function in timings.items():
            clock = cpu_time_of_children if function is import_skhash else time.process_time
            if round_ < 0:  # warm up, then see how many calls fill the share of a round
                function()
                start = clock()
                function()
                calls[name] = max(1, int(seconds / rounds / max(clock() - start, 1e-6)))
                continue
            start = clock()
            for _ in range(calls[name]):
                function()
            times[name].append((clock() - start) / calls[name])
    return times


def describe_run():
    """Return the machine, the versions, and the commit of the working tree that skhash is imported from."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    source = Path(skhash.__file__).parent
    git = ["git", "-C", str(source), "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):  # installed, not a working tree
        commit = "unknown"
    modules = {"skhash": skhash, "numpy": np, "numba": numba, "scikit-learn": sklearn, "torch": torch}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {"commit": commit, "machine": cpu, "versions": {"python": platform.python_version(), **versions}}


def format_time(seconds):
    """Write a time with the unit in which it is at least 1."""
    unit, factor = next((pair for pair in UNITS if seconds * pair[1] >= 1), UNITS[-1])
    return f"{seconds * factor:.3g} {unit}"


def judge(before, after):
    """Compare two lists of times: the ratio of the least ones, and a word if their spreads do not overlap."""
    spreads = [(min(times), float(np.quantile(times, 0.75))) for times in (before, after)]
    (low, high), (new_low, new_high) = spreads
    word = "slower" if new_low > high else "faster" if new_high < low else ""
    return new_low / low, word


def compare(before, after):
    """Print the ratios of two runs, and what differs between the runs besides the commit."""
    print(f"after / before: {after['commit']} / {before['commit']}")
    for key in ("machine", "versions"):
        if before[key] != after[key]:
            print(f"note: {key} differ: {before[key]} and {after[key]}")
    names = list(dict.fromkeys([*before["times"], *after["times"]]))
    for name in names:
        if name not in before["times"] or name not in after["times"]:
            print(f"{name:32s} only in {'after' if name in after['times'] else 'before'}")
            continue
        old, new = before["times"][name], after["times"][name]
        ratio, word = judge(old, new)
        print(f"{name:32s} {format_time(min(old)):>9s} -> {format_time(min(new)):>9s}  {ratio:5.2f}x  {word}".rstrip())


def write(path, run):
    """Write a run, or add its rounds to those of an earlier run of the same commit on the same machine."""
    if path.exists():
        earlier = json.loads(path.read_text())
        for key in ("commit", "machine", "versions"):
            if earlier[key] != run[key]:
                raise SystemExit(f"{path} has another {key}: {earlier[key]}, now {run[key]}. Give --out a new file.")
        run = {**run, "times": {name: earlier["times"].get(name, []) + new for name, new in run["times"].items()}}
    path.write_text(json.dumps(run, indent=1) + "\n")


def main():
    """Measure and print, or compare two earlier runs."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument(
        "--out", type=Path, metavar="JSON", help="write the times of all rounds to this file, or add them"
    )
    parser.add_argument("--compare", type=Path, nargs=2, metavar="JSON", help="print the ratios of two such files")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each timing, over all rounds")
    arguments = parser.parse_args()
    if arguments.compare:
        compare(*(json.loads(path.read_text()) for path in arguments.compare))
        return
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        times = measure(make_timings(folder), arguments.rounds, arguments.seconds)
    for name, values in times.items():
        print(f"{name}: {format_time(min(values))}")
    if arguments.out:
        write(arguments.out, {**describe_run(), "times": times})


if __name__ == "__main__":
    main()
