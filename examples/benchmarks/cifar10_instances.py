"""
Changed images of CIFAR-10, as features
=======================================

A set for instance search: the same image must be found, changed as by another hand. 1,000 images of CIFAR-10, drawn at
random, are enlarged to 128 pixels, mirrored (half of them), rotated by up to 10 degrees with gray corners,
cropped to a square of 75 to 95 % of the side at a random place, changed in brightness, contrast and color by factors of
0.6 to 1.4 each, and reduced to 32 pixels. All draws are uniform, with one seed. Features are those of
`cifar10_features.py`, and stored in the cache folder (20 seconds on one core)::

    python examples/benchmarks/cifar10_instances.py

The database has the 1,000 unchanged images and some 9,800 others. Training samples are 5,000 of the database, drawn
without regard to what is searched.
"""

import numpy as np
import torch
from cifar10_features import PIXELS, EfficientNetLite0, cache_folder
from PIL import Image, ImageEnhance

from skhash.datasets import fetch_cifar10

N_CHANGED, N_OTHERS, N_TRAIN = 1000, 10_000, 5000
SIDE = 128


def change(image, random_state):
    """Return an image (32, 32, 3) as somebody else might have taken it."""
    image = Image.fromarray(image).resize((SIDE, SIDE), Image.BICUBIC)
    if random_state.rand() < 0.5:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    image = image.rotate(random_state.uniform(-10, 10), resample=Image.BILINEAR, fillcolor=(128, 128, 128))
    side = int(SIDE * random_state.uniform(0.75, 0.95))
    left, top = random_state.randint(0, SIDE - side + 1, 2)
    image = image.crop((left, top, left + side, top + side))
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(random_state.uniform(0.6, 1.4))
    return np.asarray(image.resize((32, 32), Image.BICUBIC))


def load_cifar10_instances():
    """Return features (1000, 1280) of changed images, and the rows of CIFAR-10 that they were made of."""
    path = cache_folder() / f"cifar10-efficientnet-lite0-{PIXELS}-changed.npz"
    if not path.exists():
        random_state = np.random.RandomState(7)
        random_state.permutation(60_000)  # the first draw of this seed made another set
        rows = random_state.permutation(60_000)[:N_CHANGED]
        originals = fetch_cifar10(download=False).images
        images = np.stack([change(originals[row], random_state) for row in rows])
        network = EfficientNetLite0().eval()
        with torch.inference_mode():
            blocks = torch.from_numpy(images).permute(0, 3, 1, 2).float().split(64)
            features = torch.cat([network(block) for block in blocks]).numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part.npz")
        np.savez(unfinished, features=features, rows=rows)
        unfinished.replace(path)
    stored = np.load(path)
    return stored["features"], stored["rows"]


def split_instances(rows, seed):
    """Return the rows of the training samples and of the database, whose first ones are `rows`."""
    random_state = np.random.RandomState(seed)
    others = np.setdiff1d(random_state.permutation(60_000)[:N_OTHERS], rows)
    database = np.concatenate([rows, random_state.permutation(others)])
    return database[random_state.permutation(len(database))[:N_TRAIN]], database


if __name__ == "__main__":
    features, rows = load_cifar10_instances()
    print(features.shape, rows.shape)
