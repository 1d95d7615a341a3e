"""A process of `test_fabric.py`: trains hashers on its own, or together with another one, and writes what came out."""

import os
import signal
import sys
import warnings
from datetime import timedelta

import numpy as np
import torch

import skhash
from skhash.nn import HashNetwork

FLOAT = {"precision": "float32"}
CASES = {
    "ortho_mlp": ("OrthoHasher", "features", {"backbone": "mlp"}),
    "hashnet_mlp": ("HashNetHasher", "features", {"backbone": "mlp"}),
    "ortho_images": ("OrthoHasher", "images", FLOAT),
    "hashnet_images": ("HashNetHasher", "images", FLOAT),
    "one_bit_features": ("OneBitDeepHasher", "features", {}),
    "one_bit_images": ("OneBitDeepHasher", "images", {"warm_up_epochs": 2, **FLOAT}),
    "bihalf_views": ("CIBHasher", "images", FLOAT),
    "own_dropout": ("CSQHasher", "features", {"backbone": "dropout"}),
    "early_stopping": ("CSQHasher", "features", {"backbone": "mlp", "early_stopping": True}),
    "no_seed": ("CSQHasher", "features", {"backbone": "mlp", "random_state": None}),
}


class DropoutNet(torch.nn.Sequential):
    """A backbone that draws from torch's global generator."""

    def __init__(self):
        super().__init__(torch.nn.Linear(20, 32), torch.nn.ReLU(), torch.nn.Dropout(0.3))


def make_data(kind):
    """Return 75 samples: the last batch of 32 has 11, which two processes cannot share evenly."""
    rng = np.random.RandomState(0)
    y = rng.randint(4, size=75)
    if kind == "features":
        return rng.normal(size=(75, 20)) + 2 * rng.normal(size=(4, 20))[y], y
    images = rng.randint(256, size=(75, 12, 12)) * 0.3 + 170 * rng.rand(4, 12, 12)[y]
    return images.astype(np.uint8), y


def make_hasher(name, device, **options):
    """Return a hasher and its training data."""
    class_name, kind, own = CASES[name]
    own = {**own, "backbone": DropoutNet} if own.get("backbone") == "dropout" else own
    options = {"max_epochs": 3, "batch_size": 32, "random_state": 0, "device": device, **own, **options}
    return getattr(skhash, class_name)(16, **options), *make_data(kind)


def train(fabric, names, folder):
    """Train, and write loss curves, codes and weights."""
    found = {}
    rank = 0 if fabric is None else fabric.global_rank
    for name in names:
        hasher, X, y = make_hasher(name, "cpu" if fabric is None else fabric)
        state = torch.get_rng_state()
        hasher.fit(X, y)
        assert torch.equal(state, torch.get_rng_state())
        found[f"{name}/loss"] = [row["loss"] for row in hasher.history_]
        found[f"{name}/codes"] = hasher.transform(X)
        found[f"{name}/z"] = hasher.decision_function(X)
        weights = [tensor.double().ravel() for tensor in hasher.module_.state_dict().values()]
        found[f"{name}/weights"] = torch.cat(weights).numpy()
    np.savez(os.path.join(folder, f"{'one' if fabric is None else 'two'}{rank}.npz"), **found)


def train_double(fabric, names, folder):
    """Train in double precision."""
    HashNetwork.input_dtype = torch.float64

    def in_double(make_loop):
        return lambda hasher, network, context: make_loop(hasher, network.double(), context)

    def in_single(finish):
        return lambda hasher, network, context: finish(hasher, network.float(), context)

    for name in {CASES[name][0] for name in names}:
        hasher_class = getattr(skhash, name)
        hasher_class._make_loop = in_double(hasher_class._make_loop)
        hasher_class._finish = in_single(hasher_class._finish)
    train(fabric, names, folder)


def partial(fabric, folder):
    """Train by `partial_fit`, and a clone by `fit` with checkpoints."""
    from sklearn.base import clone

    found = {}
    hasher, X, y = make_hasher("ortho_mlp", "cpu" if fabric is None else fabric)
    for _ in range(3):
        hasher.partial_fit(X, y)
    found["partial/loss"] = [row["loss"] for row in hasher.history_]
    again = clone(hasher).set_params(checkpoint=os.path.join(folder, f"checkpoint-{fabric is None}"))
    found["clone/codes"] = again.fit(X, y).transform(X)
    found["resumed/codes"] = clone(again).fit(X, y).transform(X)
    rank = 0 if fabric is None else fabric.global_rank
    np.savez(os.path.join(folder, f"{'one' if fabric is None else 'two'}{rank}.npz"), **found)


def fail(fabric, how):
    """Fit in a way that must end with an error."""
    hasher, X, y = make_hasher("ortho_mlp", fabric, max_epochs=10**6)
    if how == "data" and fabric.global_rank == 1:
        y = y[::-1].copy()
    if how == "killed" and fabric.global_rank == 1:
        signal.signal(signal.SIGALRM, lambda *args: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, 1.0)
    hasher.fit(X, y)


def main(rank, port, task, *arguments):
    """Join the other process, unless `rank` is negative, and do the task."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fabric = None
    if int(rank) >= 0:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments import LightningEnvironment
        from lightning_fabric.strategies import DDPStrategy

        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, LOCAL_RANK=rank, NODE_RANK="0")
        strategy = DDPStrategy(
            cluster_environment=LightningEnvironment(), process_group_backend="gloo", timeout=timedelta(seconds=60)
        )
        fabric = Fabric(accelerator="cpu", devices=2, strategy=strategy)
        fabric.launch()
    if task == "train":
        train(fabric, arguments[1:] or CASES, arguments[0])
    elif task == "double":
        train_double(fabric, arguments[1:], arguments[0])
    elif task == "partial":
        partial(fabric, arguments[0])
    else:
        fail(fabric, task)


if __name__ == "__main__":
    main(*sys.argv[1:])
