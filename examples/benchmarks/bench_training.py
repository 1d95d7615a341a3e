"""
Overhead of an estimator over a hand-written loop
=================================================

`OrthoHasher.fit` on features performs the steps of a training script: shuffle, take batches, step an optimizer. How
much more time does it need? The alternatives train the same network with the same loss on batches of the same size and
number:

loop
    The shortest possible loop, on a tensor of all features.
DataLoader
    The same loop over a torch `DataLoader` of a `TensorDataset`, in the same process, as in most training scripts.

All alternatives run in turn; the best of several rounds counts, in CPU time of the thread. `fit` includes steps that a
script does separately: reading and checking the data, standardizing, and the codes of the training samples. One
minute::

    python examples/benchmarks/bench_training.py
    python examples/benchmarks/bench_training.py --samples 50000 --epochs 3
"""

import argparse
import time

import numpy as np
import torch

from skhash import OrthoHasher
from skhash.centers import make_hash_centers
from skhash.losses import ortho_loss

CLASSES, BATCH, BITS = 10, 128, 64


def make_network(n_features):
    """Build the network of `OrthoHasher` for features: a linear layer and batch normalization."""
    return torch.nn.Sequential(torch.nn.Linear(n_features, BITS, bias=False), torch.nn.BatchNorm1d(BITS))


def train(batches, n_features, epochs):
    """Train on the batches that `batches()` returns for every epoch."""
    centers = torch.from_numpy(make_hash_centers(CLASSES, BITS, method="bernoulli", random_state=0)).float()
    network = make_network(n_features)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=5e-4)
    network.train()
    for _ in range(epochs):
        for inputs, targets in batches():
            optimizer.zero_grad()
            ortho_loss(network(inputs), targets, centers, margin=0.5).backward()
            optimizer.step()


def main():
    """Time all alternatives in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--features", type=int, default=1_280)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dropout", type=float, default=0.0, help="of fit; the other loops have none")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, arguments.samples)
    X = rng.normal(size=(arguments.samples, arguments.features)).astype(np.float32) + y[:, None] / 10
    X = X.astype(np.float32)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)

    def shuffled():
        for rows in torch.randperm(len(inputs)).split(BATCH):
            yield inputs[rows], targets[rows]

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, targets), BATCH, shuffle=True)
    hasher = OrthoHasher(BITS, max_epochs=arguments.epochs, batch_size=BATCH, dropout=arguments.dropout, random_state=0)
    contestants = {
        "fit": lambda: hasher.fit(X, y),
        "loop": lambda: train(shuffled, arguments.features, arguments.epochs),
        "DataLoader": lambda: train(lambda: loader, arguments.features, arguments.epochs),
    }
    seconds = dict.fromkeys(contestants, np.inf)
    for _ in range(arguments.rounds):
        for name, contestant in contestants.items():
            start = time.thread_time()
            contestant()
            seconds[name] = min(seconds[name], time.thread_time() - start)
    steps = arguments.epochs * -(-arguments.samples // BATCH)
    for name, taken in seconds.items():
        print(
            f"{name:10s} {taken:6.2f} s, {1e6 * taken / steps:6.0f} us a step; fit takes {seconds['fit'] / taken:.2f}x"
        )


if __name__ == "__main__":
    main()
