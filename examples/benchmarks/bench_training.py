"""
Time to train, against the code that one would write instead
============================================================

Five tables, on one thread, in CPU time; what is compared runs in turn, and the best of several rounds counts.

fit
    `OrthoHasher`, `CSQHasher` and `HashNetHasher` against a bare loop: the same network, loss, batches and fused
    optimizer, on a tensor of all features, without any check. `fit` also reads and checks the data, standardizes it,
    and computes the codes of the training samples. `OrthoHasher` is also compared with the loop over a torch
    `DataLoader`.
epochs
    Seconds an epoch of each deep hasher, and what `fit` takes besides.
PCA
    `PCAHasher` against `PCA(svd_solver="covariance_eigh")` of scikit-learn. Both multiply in single precision here;
    `PCAHasher` subtracts a mean first and adds up blocks in double.
ITQ
    `ITQHasher` against `faiss.ITQTransform`, if faiss is installed.
growth
    Time and peak memory of linear hashers from 10,000 to 1,000,000 samples, each in a process of its own. The memory is
    that of the process (`VmHWM` in `/proc`, Linux only) less that of the process before `fit`, with the data.

Less than five minutes::

    python examples/benchmarks/bench_training.py
    python examples/benchmarks/bench_training.py --only fit epochs --samples 20000
"""

import argparse
import gc
import json
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

import skhash
from skhash.centers import make_hash_centers
from skhash.losses import csq_loss, hashnet_loss, ortho_loss
from skhash.utils import all_hashers

try:
    import faiss
except ImportError:
    faiss = None

CLASSES, BATCH, BITS = 10, 128, 64
GROWTH = ("LSHHasher", "PCAHasher", "ITQHasher", "SpectralHasher")
TABLES = ("fit", "epochs", "PCA", "ITQ", "growth")


def best_times(contestants, rounds):
    """Run all contestants in turn, `rounds` times; return the best CPU time of each."""
    seconds = dict.fromkeys(contestants, np.inf)
    for _ in range(rounds):
        for name, contestant in contestants.items():
            gc.collect()
            start = time.process_time()
            contestant()
            seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds


def make_features(n, n_features=1_280):
    """Draw features of ten classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, n)
    X = rng.standard_normal((n, n_features), np.float32)
    X += rng.standard_normal((CLASSES, n_features), np.float32)[y] / 2
    return X, y


def make_losses(bits):
    """Return the loss of the bare loop for each hasher: `loss(outputs, targets, epoch)`."""
    made = {
        name: torch.from_numpy(make_hash_centers(CLASSES, bits, method=method, random_state=0)).float()
        for name, method in (("ortho", "bernoulli"), ("csq", "auto"))
    }
    return {
        "OrthoHasher": lambda z, y, epoch: ortho_loss(z, y, made["ortho"], margin=0.5),
        "CSQHasher": lambda z, y, epoch: csq_loss(z, y, made["csq"]),
        "HashNetHasher": lambda z, y, epoch: hashnet_loss(z, y, beta=(1 + epoch // 20) ** 0.5, alpha=0.1),
    }


def train(batches, network, loss, epochs):
    """Train on the batches that `batches()` returns for every epoch."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=5e-4, fused=True)
    network.train()
    for epoch in range(epochs):
        for inputs, targets in batches():
            optimizer.zero_grad()
            loss(network(inputs), targets, epoch).backward()
            optimizer.step()


def compare_fit(arguments):
    """Time `fit` and bare loops of the same network."""
    X, y = make_features(arguments.samples)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), BATCH, shuffle=True)

    def shuffled():
        for rows in torch.randperm(len(inputs)).split(BATCH):
            yield inputs[rows], targets[rows]

    steps = arguments.epochs * -(-len(X) // BATCH)
    for name, loss in make_losses(BITS).items():
        # Dropout is a step that the loop does not have.
        options = {"max_epochs": arguments.epochs, "batch_size": BATCH, "dropout": 0.0, "random_state": 0}
        hasher = getattr(skhash, name)(BITS, **options)
        head = hasher.fit(X[:1000], y[:1000]).module_.head  # compiles; also the network of the loop
        rivals = {"loop": shuffled, "DataLoader": lambda: loader} if name == "OrthoHasher" else {"loop": shuffled}
        contestants = {"fit": lambda hasher=hasher: hasher.fit(X, y)}
        for rival, batches in rivals.items():
            contestants[rival] = lambda batches=batches, head=head, loss=loss: train(
                batches, head, loss, arguments.epochs
            )
        seconds = best_times(contestants, arguments.rounds)
        for rival in rivals:
            print(
                f"{name:14s} {seconds['fit']:6.2f} s, {1e6 * seconds['fit'] / steps:5.0f} us a step; "
                f"{rival:10s} {seconds[rival]:6.2f} s: fit takes {seconds['fit'] / seconds[rival]:.2f}x",
                flush=True,
            )


def time_epochs(arguments):
    """Print the seconds an epoch of each deep hasher."""
    X, y = make_features(arguments.samples)
    for name, hasher_class in all_hashers():
        names = hasher_class._get_param_names()
        if "max_epochs" not in names or name == "OneBitDeepHasher":
            continue
        short, long = (hasher_class(BITS, max_epochs=epochs, random_state=0) for epochs in (1, 2))
        short.fit(X[:1000], y[:1000])
        seconds = best_times({"short": lambda h=short: h.fit(X, y), "long": lambda h=long: h.fit(X, y)}, 1)
        epoch = seconds["long"] - seconds["short"]
        print(f"{name:16s} {epoch:6.3f} s an epoch, {max(seconds['short'] - epoch, 0):6.2f} s besides", flush=True)


def compare_pca(arguments):
    """Time PCA against scikit-learn."""
    for n, n_features in ((20_000, 512), (10_000, 2_048), (200_000, 768)):
        X, _ = make_features(n, n_features)
        contestants = {
            "PCAHasher": lambda X=X: skhash.PCAHasher(BITS).fit(X),
            "scikit-learn": lambda X=X: PCA(BITS, svd_solver="covariance_eigh").fit(X),
        }
        print_ratio(n, n_features, best_times(contestants, 3 if n < 100_000 else 1))


def compare_itq(arguments):
    """Time ITQ against faiss."""
    if faiss is None:
        print("faiss is not installed")
        return
    faiss.omp_set_num_threads(1)
    for n, n_features in ((20_000, 512), (10_000, 512)):
        X, _ = make_features(n, n_features)
        contestants = {
            "ITQHasher": lambda X=X: skhash.ITQHasher(BITS, random_state=0).fit(X),
            "faiss": lambda X=X: faiss.ITQTransform(X.shape[1], BITS, True).train(X),
        }
        print_ratio(n, n_features, best_times(contestants, 2))


def print_ratio(n, n_features, seconds):
    """Print the times of ours and of a rival."""
    (ours, first), (rival, second) = seconds.items()
    print(
        f"{n:9,} x {n_features:5,}: {ours} {first:.3f} s, {rival} {second:.3f} s: {second / first:.2f}x as fast",
        flush=True,
    )


def show_growth(arguments):
    """Print time and memory against the number of samples, from processes of their own."""
    for name in GROWTH:
        for n in arguments.growth:
            command = [sys.executable, __file__, "--grow", name, str(n)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(
                f"{name:14s} {n:9,} x 256: {result['seconds']:6.2f} s, {1e6 * result['seconds'] / n:6.2f} us a row; "
                f"peak {result['extra'] / 2**20:5.0f} MiB more than {result['before'] / 2**20:5.0f} MiB",
                flush=True,
            )


def grow(name, n):
    """Fit one hasher in this process and print time and peak memory."""
    X = np.random.default_rng(0).standard_normal((n, 256), np.float32)
    hasher = getattr(skhash, name)(BITS)
    hasher.fit(X[:2000])
    before, start = read_memory("VmRSS"), time.process_time()
    hasher.fit(X)
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "before": before, "extra": max(read_memory("VmHWM") - before, 0)}))


def read_memory(field):
    """Return a value of `/proc/self/status` in bytes."""
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith(field))


def main():
    """Print the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--growth", nargs="+", type=int, default=(10_000, 100_000, 1_000_000))
    parser.add_argument("--grow", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    threadpool_limits(1)
    if arguments.grow:
        grow(arguments.grow[0], int(arguments.grow[1]))
        return
    tables = (compare_fit, time_epochs, compare_pca, compare_itq, show_growth)
    for name, table in zip(TABLES, tables, strict=True):
        if name in arguments.only:
            start = time.perf_counter()
            print(f"--- {name}")
            table(arguments)
            print(f"    ({time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
