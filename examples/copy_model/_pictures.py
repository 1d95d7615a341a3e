"""Pictures for training: files of folders, squares of large photographs, and CIFAR-10's training images."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
_SQUARE = 300  # pixels of the squares that are cut from large pictures
_LARGE = 700
_SAME = 0.985  # correlation of thumbnails


def read_folder(folder, limit, random_state):
    """Return pictures (n, 64, 64, 3) of a folder: each file, and squares of large ones."""
    files = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    images = []
    for number in random_state.permutation(len(files)):
        if len(images) >= limit:
            break
        try:
            image = _open(files[number])
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
        width, height = image.size
        if min(image.size) < 40 or max(image.size) > 5 * min(image.size):
            continue
        images.append(_reduce(image))
        if min(image.size) > _LARGE:
            lefts, tops = range(0, width - _SQUARE + 1, _SQUARE), range(0, height - _SQUARE + 1, _SQUARE)
            images += [_reduce(image.crop((x, y, x + _SQUARE, y + _SQUARE))) for y in tops for x in lefts]
    return images[:limit]


def read_cifar10(path, limit, random_state):
    """Return pictures of the training set of the CIFAR-10 copy."""
    with np.load(path) as archive:
        ends, blob, is_test = archive["end"], archive["blob"].tobytes(), archive["test"]
    starts = np.r_[0, ends[:-1]]
    rows = random_state.permutation(np.flatnonzero(~is_test))[:limit]
    return [_reduce(Image.open(io.BytesIO(blob[starts[row] : ends[row]])).convert("RGB")) for row in rows]


def read_stamps(folders, limit, random_state):
    """Return pictures with a transparent ground, to be laid over others."""
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.png"))
    stamps = []
    for number in random_state.permutation(len(files)):
        with Image.open(files[number]) as image:
            if image.mode not in ("RGBA", "LA", "P") or not 32 <= min(image.size) <= max(image.size) <= 2000:
                continue
            stamp = image.convert("RGBA")
        stamp.thumbnail((128, 128), Image.Resampling.BOX)
        if 0.2 < (np.asarray(stamp)[..., 3] > 128).mean() < 0.98:
            stamps.append(stamp)
        if len(stamps) == limit:
            break
    return stamps


def remove_duplicates(images):
    """Keep the first of pictures with nearly the same thumbnail, and none of one color."""
    small = images.mean(3).reshape(len(images), 8, 8, 8, 8).mean((2, 4)).reshape(len(images), 64)
    small = (small - small.mean(1, keepdims=True)).astype(np.float32)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    small /= np.maximum(length, 8)
    kept = length[:, 0] > 24
    for row in np.flatnonzero(kept):
        same = np.flatnonzero(small[:row] @ small[row] > _SAME)
        kept[row] = not kept[same].any()
    return images[kept]


def _open(path):
    with Image.open(path) as image:
        if image.width * image.height > 2**27:
            raise ValueError("too large")
        image.draft("RGB", (2400, 2400))
        image.thumbnail((2400, 2400), Image.Resampling.BOX)
        if image.mode in ("RGBA", "LA", "P", "PA"):
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, "white")
            ground.alpha_composite(image)
            image = ground
        return image.convert("RGB")


def _reduce(image):
    filter = Image.Resampling.BOX if min(image.size) > 2 * SIDE else Image.Resampling.BICUBIC
    return np.asarray(image.resize((SIDE, SIDE), filter))
