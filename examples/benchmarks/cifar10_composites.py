"""
Pictures with several labels, of CIFAR-10
=========================================

12,000 gray canvases of 64 x 64 pixels, each with two images of CIFAR-10, side by side or one above the other, as the
1,280 features of the network of `cifar10_features.py`. The labels of a canvas are the classes of its images: two, or
one if they are the same (one canvas in ten). No image is used twice. Features are computed once, in a minute on one
core, and stored in the cache folder::

    python examples/benchmarks/cifar10_composites.py
"""

import os
from pathlib import Path

import numpy as np
import torch
from cifar10_features import EfficientNetLite0

from skhash.datasets import fetch_cifar10

SIZE = 12_000


def make_canvases(images, target, n=SIZE):
    """Return canvases (n, 64, 64, 3) and multi-hot labels (n, 10)."""
    pairs = np.random.RandomState(7).permutation(len(images))[: 2 * n].reshape(n, 2)
    canvases = np.full((n, 64, 64, 3), 128, np.uint8)
    canvases[1::2, 16:48, :32], canvases[1::2, 16:48, 32:] = images[pairs[1::2, 0]], images[pairs[1::2, 1]]
    canvases[::2, :32, 16:48], canvases[::2, 32:, 16:48] = images[pairs[::2, 0]], images[pairs[::2, 1]]
    labels = np.zeros((n, 10), np.uint8)
    for column in pairs.T:
        labels[np.arange(n), target[column]] = 1
    return canvases, labels


def load_cifar10_composites():
    """Return features (12000, 1280) float32 and multi-hot labels (12000, 10); compute them if they are not cached."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skhash"
    path = cache / "cifar10-composites-efficientnet-lite0-96.npz"
    if not path.exists():
        data = fetch_cifar10(download=False)
        canvases, labels = make_canvases(data.images, data.target)
        network = EfficientNetLite0().eval()
        features = np.empty((len(canvases), 1280), np.float32)
        with torch.inference_mode():
            for start in range(0, len(features), 64):
                images = torch.from_numpy(canvases[start : start + 64]).permute(0, 3, 1, 2).float()
                features[start : start + 64] = network(images).numpy()
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, features=features, labels=labels)
        unfinished.replace(path)
    stored = np.load(path)
    return stored["features"], stored["labels"]


def split_composites(seed):
    """Return the rows of 1,000 queries, of 4,000 training samples, and of the database, which includes the latter."""
    rows = np.random.RandomState(seed).permutation(SIZE)
    return rows[:1000], rows[1000:5000], rows[1000:]


if __name__ == "__main__":
    features, labels = load_cifar10_composites()
    print(features.shape, labels.shape)
