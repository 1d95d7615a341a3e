"""Duplicates in a folder of 10,000 JPEG files, by skhash and by imagededup: seconds, memory, what is found.

Both do the job in two lines, with their defaults of threads and processes (skhash one thread, imagededup as many
processes as there are cores) and with one process (the fair comparison), in turns, each in a process of its own::

    find_duplicates(folder, hasher="phash", max_distance=6)
    PHash().find_duplicates(image_dir=folder, max_distance_threshold=6)

The files are pictures of CIFAR-10 (JPEG copy in `SKHASH_DATA`) enlarged, or noise without it, with a longer side of 64
to 256 pixels. One in twenty is a copy of another at half size and quality 50. "copies" counts those found with their
original; "other pairs" are pairs within the distance that are none of these. Memory is the peak of the process
and, after the plus, of its largest child, which may share pages with it. Run it with one thread, a few minutes::

    OMP_NUM_THREADS=1 python examples/benchmarks/bench_duplicates.py

Without imagededup (``pip install imagededup``) only skhash is measured, and the table says so. imagededup imports
torchvision for networks that its hashes do not use; empty modules replace a torchvision that does not load.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import MagicMock

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

DISTANCE = 6
ONE_IN = 20  # files of which one is a copy


def make_files(folder: Path, n_files: int) -> None:
    """Write originals and copies: "00019 00003.jpg" is a copy of "00003.jpg"."""
    random_state = np.random.RandomState(0)
    archive = Path(os.environ.get("SKHASH_DATA", "")) / "cifar10_jpeg.npz"
    pictures = iter(read_archive(archive, n_files) if archive.is_file() else ())
    for number in range(n_files):
        if number % ONE_IN == ONE_IN - 1:
            original = number - 1 - random_state.randint(ONE_IN - 1)
            with Image.open(folder / f"{original:05}.jpg") as image:
                width, height = image.size
                image.resize((width // 2, height // 2)).save(folder / f"{number:05} {original:05}.jpg", quality=50)
            continue
        image = next(pictures, None)
        if image is None:
            image = Image.fromarray(random_state.randint(0, 256, (12, 12, 3)).astype(np.uint8))
        longer, other = random_state.randint(64, 257), random_state.uniform(0.6, 1)
        size = (longer, round(longer * other))
        image.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:05}.jpg", quality=90)


def read_archive(path: Path, n_images: int) -> list[Image.Image]:
    """Return the first pictures of the CIFAR-10 copy."""
    from _copies import read_source

    return read_source(path, n_images, np.random.RandomState(0))


def run_skhash(folder: str, one_process: bool) -> set[tuple[str, str]]:
    """Return the pairs that skhash finds."""
    from skhash import find_duplicates

    found = find_duplicates(folder, hasher="phash", max_distance=DISTANCE, n_jobs=1 if one_process else None)
    return {pair(first, second) for first, second, _ in found.pairs}


def run_imagededup(folder: str, one_process: bool) -> set[tuple[str, str]]:
    """Return the pairs that imagededup finds."""
    replace_torchvision()
    from imagededup.methods import PHash

    workers = {"num_enc_workers": 0, "num_dist_workers": 0} if one_process else {}
    found = PHash(verbose=False).find_duplicates(image_dir=folder, max_distance_threshold=DISTANCE, **workers)
    return {pair(first, second) for first, others in found.items() for second in others}


TOOLS: dict[str, Callable[[str, bool], set[tuple[str, str]]]] = {"skhash": run_skhash, "imagededup": run_imagededup}


def pair(first: str | int, second: str | int) -> tuple[str, str]:
    """Return two names of files without their folder, in order."""
    one, other = sorted(os.path.basename(str(name)) for name in (first, second))
    return one, other


def replace_torchvision() -> None:
    """Put empty modules in the place of a torchvision that does not load."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        for name in ("", ".models", ".models.vision_transformer", ".transforms"):
            sys.modules[f"torchvision{name}"] = MagicMock()


def cpu_and_memory(who: int) -> tuple[float, float]:
    """Return seconds of CPU time and the peak memory in MB."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def measure(tool: str, folder: str, one_process: bool) -> dict[str, float]:
    """Return the figures of one run, in this process; importing is not counted as time, but as memory."""
    who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    with tempfile.TemporaryDirectory() as few:
        for path in sorted(Path(folder).iterdir())[:40]:
            (Path(few) / path.name).symlink_to(path)
        TOOLS[tool](few, one_process)  # what only the first call costs
    cpu, start = sum(cpu_and_memory(each)[0] for each in who), time.perf_counter()
    pairs = TOOLS[tool](folder, one_process)
    wall = time.perf_counter() - start
    cpu = sum(cpu_and_memory(each)[0] for each in who) - cpu
    own, child = (cpu_and_memory(each)[1] for each in who)
    names = os.listdir(folder)
    true = {pair(name, f"{name[6:11]}.jpg") for name in names if " " in name}
    return {
        "cpu": cpu,
        "wall": wall,
        "own": own,
        "child": child,
        "copies": len(pairs & true) / len(true),
        "others": len(pairs - true),
    }


def run_in_process(tool: str, folder: str, one_process: bool) -> dict[str, float] | None:
    """Return the figures of one run in a new process, or None if the tool is not installed."""
    command = [sys.executable, "-W", "ignore", __file__, "--tool", tool, "--folder", folder]
    done = subprocess.run(command + ["--one"] * one_process, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "No module named 'imagededup'" in done.stderr:
        return None
    raise RuntimeError(done.stderr)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tool", choices=list(TOOLS), help="used by the script itself, with the next two")
    parser.add_argument("--folder")
    parser.add_argument("--one", action="store_true")
    arguments = parser.parse_args()
    if arguments.tool:
        print(json.dumps(measure(arguments.tool, arguments.folder, arguments.one)))
        return
    print(
        f"{arguments.files:,} JPEG files, phash of 64 bits, distance <= {DISTANCE}; "
        f"{platform.processor() or platform.machine()}, {multiprocessing.cpu_count()} cores, "
        f"best time of {arguments.rounds}"
    )
    print(f"{'':26s} {'CPU s':>7s} {'wall s':>7s} {'memory MB':>12s} {'copies':>7s} {'other pairs':>12s}")
    runs: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own: Linux counts the peak of a process as one of those that it starts.
        maker = multiprocessing.get_context("spawn").Process(target=make_files, args=(Path(folder), arguments.files))
        maker.start()
        maker.join()
        for _ in range(arguments.rounds):
            for one_process in (True, False):
                for tool in TOOLS:
                    figures = run_in_process(tool, folder, one_process)
                    name = f"{tool}, {'one process' if one_process else 'defaults'}"
                    runs.setdefault(name, []).extend([figures] if figures else [])
    for name, each in runs.items():
        if not each:
            print(f"{name:26s} is not installed")
            continue
        cpu, wall = (min(run[key] for run in each) for key in ("cpu", "wall"))
        own, child = (max(run[key] for run in each) for key in ("own", "child"))
        memory = f"{own:.0f} + {child:.0f}"
        print(f"{name:26s} {cpu:7.1f} {wall:7.1f} {memory:>12s} {each[-1]['copies']:7.3f} {each[-1]['others']:12,.0f}")


if __name__ == "__main__":
    main()
