"""
Copies of images: how many are found, by which hash
===================================================

500 images are changed in twelve ways at three strengths (crop, resize, JPEG, text, sticker, border, tone, blur, mirror,
rotate, bars, screenshot). Their originals are in a database with 10,000 others. Compared are the kinds of
`PerceptualHasher`, ImageHash (if installed), and `CopyHasher`, trained on the database itself, from which
true duplicates are removed first: with them a precision of .99 has no meaning.

recall
    Share of the copies within the largest distance at which at least .99 of all pairs are a copy and its original.
mAP
    Mean of 1 / rank of the original; equal distances in every order.

Sources are folders of images, or CIFAR-10 (JPEG copy) in `SKHASH_DATA`; without either, squares of scikit-learn's two
photographs. CIFAR-10 with the perceptual hashes takes five minutes, `CopyHasher` 10 s an epoch in addition::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_copies.py --bits 64 128
    OMP_NUM_THREADS=1 python examples/benchmarks/bench_copies.py FOLDER FOLDER --copy-epochs 60

"copynet" was designed with the figures of clip art and CIFAR-10 in view. On 5,250 fresh pictures with 250 originals its
mAP was .753, that of "dhash" .671; its recall .156, that of "phash" .178 (doc/user_guide/copynet.rst).
"""

import argparse
import os
import platform
import time
from pathlib import Path

import numpy as np
from _copies import TRANSFORMATIONS, read_miniature, read_source, remove_duplicates

import skhash
from skhash import CopyHasher, PerceptualHasher
from skhash.codes import pack_codes
from skhash.metrics import mean_average_precision

STRENGTHS = 3
PRECISION = 0.99
KINDS = ("dhash", "phash", "whash", "average", "block", "phash+dhash", "copynet")
MOST_BITS = 64  # of "copynet"
PIXELS = 64  # of the side to which CopyHasher resizes


def read_images(sources, n_images, random_state):
    """Return images of all sources in equal parts, without duplicates, in a random order."""
    if not sources:
        images = read_miniature(random_state)
    else:
        share = -(-5 * n_images // (4 * len(sources)))  # a quarter more, for the duplicates
        images = [image for source in sources for image in read_source(Path(source), share, random_state)]
    images = remove_duplicates(images)
    return [images[i] for i in random_state.permutation(len(images))[:n_images]]


def change(images):
    """Return the copies by transformation: 3 strengths of each image in a row."""
    return {
        name: [
            function(image, strength, np.random.RandomState(1000 * number + 100 * strength + i))
            for strength in range(STRENGTHS)
            for i, image in enumerate(images)
        ]
        for number, (name, function) in enumerate(TRANSFORMATIONS.items())
    }


def recall_at_precision(queries, database, originals):
    """Return which copies are found at the precision, over all pairs of copies and images."""
    own, n_bits = np.empty(len(queries), int), 64 * queries.shape[1]
    pairs = np.zeros(n_bits + 1, int)
    for start in range(0, len(queries), 500):
        part = slice(start, start + 500)
        distances = np.bitwise_count(queries[part, None] ^ database[None]).sum(axis=2, dtype=np.uint16)
        own[part] = distances[np.arange(len(distances)), originals[part]]
        pairs += np.bincount(distances.ravel(), minlength=n_bits + 1)
    right = np.cumsum(np.bincount(own, minlength=n_bits + 1))
    good = np.flatnonzero((right >= PRECISION * np.cumsum(pairs)) & (right > 0))
    return own <= (good.max() if len(good) else -1)


def compare(name, encode, copies, images, n_originals):
    """Print recall and mAP of one hash, by transformation."""
    start = time.process_time()
    database = encode(images)
    codes = {kind: encode(changed) for kind, changed in copies.items()}
    seconds = time.process_time() - start
    rows = np.tile(np.arange(n_originals), STRENGTHS)
    packed = np.concatenate([pack_codes(each) for each in codes.values()])
    found = recall_at_precision(packed, pack_codes(database), np.tile(rows, len(codes))).reshape(len(codes), -1)
    scores = [
        mean_average_precision(each, database, rows, np.arange(len(database)), ties="expected")
        for each in codes.values()
    ]
    cells = " ".join(f"{recall:4.2f}/{score:4.2f}" for recall, score in zip(found.mean(axis=1), scores, strict=True))
    per_image = 1e3 * seconds / (len(images) + sum(map(len, copies.values())))
    print(f"{name:22s} {found.mean():5.3f}/{np.mean(scores):5.3f} {cells} {per_image:7.2f}", flush=True)


def imagehash_encoders(bits):
    """Return the functions of ImageHash for square codes."""
    try:
        import imagehash
    except ImportError:
        return {}
    side = round(bits**0.5)
    if side * side != bits:
        return {}
    kinds = {"dhash": imagehash.dhash, "phash": imagehash.phash}
    return {
        f"ImageHash {kind}": lambda images, f=function: np.stack([f(image, side).hash.ravel() for image in images])
        for kind, function in kinds.items()
    }


def main():
    """Compare all hashes."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("sources", nargs="*", help="folders of images, or the .npz file of CIFAR-10 (JPEG copy)")
    parser.add_argument("--distractors", type=int, default=10_000)
    parser.add_argument("--originals", type=int, default=500)
    parser.add_argument("--bits", type=int, nargs="+", default=[64])
    parser.add_argument("--copy-epochs", type=int, default=0, help="epochs of CopyHasher; 0 leaves it out")
    arguments = parser.parse_args()
    cifar = Path(os.environ.get("SKHASH_DATA", "")) / "cifar10_jpeg.npz"
    sources = arguments.sources or ([cifar] if cifar.is_file() else [])
    images = read_images(sources, arguments.distractors + arguments.originals, np.random.RandomState(0))
    n_originals = min(arguments.originals, len(images) // 4)
    copies = change(images[:n_originals])
    print(
        f"{platform.processor() or platform.machine()}, skhash {skhash.__version__}; {len(images):,} images, "
        f"{n_originals} originals x {len(TRANSFORMATIONS)} x {STRENGTHS} copies; recall at precision {PRECISION} / "
        "mAP; the last column is ms of CPU time an image"
    )
    for bits in arguments.bits:
        print(f"\n{f'{bits} bits':22s} {'mean':11s} " + " ".join(f"{name[:9]:9s}" for name in copies))
        for kind in KINDS:
            if kind == "copynet" and bits > MOST_BITS:
                print(f"{kind:22s} has {MOST_BITS} bits at most")
                continue
            compare(kind, PerceptualHasher(kind, bits=bits).transform, copies, images, n_originals)
        for name, encode in imagehash_encoders(bits).items():
            compare(name, encode, copies, images, n_originals)
        if arguments.copy_epochs:
            hasher = CopyHasher(bits, image_size=PIXELS, max_epochs=arguments.copy_epochs, random_state=0)
            start = time.process_time()
            hasher.fit(images)
            name = f"CopyHasher, {time.process_time() - start:.0f} s"
            compare(name, hasher.transform, copies, images, n_originals)


if __name__ == "__main__":
    main()
