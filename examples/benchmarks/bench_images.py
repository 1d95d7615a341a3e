"""Train from files and from an array, and decode files: CPU seconds.

Files of mixed sizes are made in a temporary folder. An epoch from files costs what one from an array does, plus one
decoding: run without arguments, a few minutes. The second table is the rate of decoding, by threads and with JPEG files
decoded at a smaller size (`at_least` of `skhash.perceptual.read_image`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import parallel_config
from PIL import Image

from skhash import OrthoHasher
from skhash.inputs import ImageFiles, read_images
from skhash.perceptual import read_image
from skhash.utils import map_threads


def make_files(folder: Path, n_files: int) -> list[Path]:
    """Write smooth pictures of mixed sizes, three JPEG files to one PNG file."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(n_files):
        width, height = (int(side) for side in rng.integers(100, 1200, 2))
        coarse = rng.integers(0, 256, (12, 16, 3), np.uint8)
        path = folder / f"{number:04}.{'png' if number % 4 == 0 else 'jpg'}"
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def cpu_seconds(call) -> float:
    """Return the CPU time of all threads of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def compare_training(paths: list[Path], size: int, n_epochs: int, n_rounds: int) -> None:
    """Print the time of training from files, from an array, and from files without kept pixels for two epochs."""
    y = np.arange(len(paths)) % 10
    images = np.stack([np.asarray(read_image(path).convert("RGB").resize((size, size))) for path in paths])
    times: dict[str, list[float]] = {"array": [], "files": []}
    codes = {}
    OrthoHasher(bits=32, max_epochs=1, random_state=0).fit(images, y)  # what only the first training costs
    for _ in range(n_rounds):
        for name, X in (("array", images), ("files", paths)):
            hasher = OrthoHasher(bits=32, image_size=size, max_epochs=n_epochs, random_state=0)
            times[name].append(cpu_seconds(lambda hasher=hasher, X=X: hasher.fit(X, y)))
            codes[name] = hasher.transform(images)
    best = {name: min(each) for name, each in times.items()}
    print(f"{len(paths)} files, {size} x {size}, {n_epochs} epochs, best of {n_rounds}, CPU s:")
    print(f"  array {best['array']:.2f}  files {best['files']:.2f}  ratio {best['files'] / best['array']:.3f}")
    print(f"  all rounds: {times}; same codes: {np.array_equal(codes['array'], codes['files'])}")
    for limit in (0, 2**30):
        samples = read_images(paths, size=size, cache_limit=limit)
        assert isinstance(samples, ImageFiles)
        epochs = [cpu_seconds(lambda samples=samples: samples.batch(range(len(paths)))) for _ in range(4)]
        print(f"  reading all, cache_limit={limit}: epochs of {', '.join(f'{each:.3f}' for each in epochs)} CPU s")
    held = read_images(images)
    fastest = min(cpu_seconds(lambda: held.batch(range(len(paths)))) for _ in range(4))
    print(f"  reading all, array: {fastest:.3f} CPU s")


def compare_decoding(paths: list[Path], size: int) -> None:
    """Print files per second, wall clock, and the difference that decoding at a smaller size makes."""
    jpegs = [path for path in paths if path.suffix == ".jpg"]
    print(f"{len(jpegs)} JPEG files to {size} x {size}, files a second (wall clock), best of 3:")
    for at_least in (None, 2 * size):
        for n_threads in (1, 2):
            seconds = []
            for _ in range(3):
                start = time.perf_counter()
                map_threads(
                    lambda path, at_least=at_least: read_image(path, at_least=at_least).resize((size, size)),
                    jpegs,
                    n_threads,
                )
                seconds.append(time.perf_counter() - start)
            print(f"  at_least={at_least}, threads={n_threads}: {len(jpegs) / min(seconds):.0f}")
    full, reduced = (
        np.stack([np.asarray(read_image(path, at_least=at).resize((size, size)), np.int16) for path in jpegs])
        for at in (None, 2 * size)
    )
    gap = np.abs(full - reduced)
    print(f"  difference of pixels: mean {gap.mean():.3f}, largest {gap.max()} of 255")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, parallel_config(n_jobs=1):
        paths = make_files(Path(folder), arguments.files)
        compare_decoding(paths, arguments.size)
        compare_training(paths, arguments.size, arguments.epochs, arguments.rounds)


if __name__ == "__main__":
    main()
