"""A folder of pictures with known copies."""

import os

import numpy as np
import pytest


def paint(seed, height=96, width=128):
    """Paint a smooth color picture that looks like no other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 24
    waves = [sum(a * np.sin(b * x + c * y + d) for a, b, c, d in rng.uniform(0.2, 3.0, (5, 4))) for _ in range(3)]
    return np.clip(127.5 + 14 * np.stack(waves, axis=2), 0, 255).astype(np.uint8)


@pytest.fixture
def painted():
    """Sixty pictures that are no copies of each other."""
    from PIL import Image

    return [Image.fromarray(paint(seed)) for seed in range(60)]


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Eight pictures; 0 has two copies, 1 has one in a subfolder and one that is damaged; one file is no picture."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for number in range(8):
        Image.fromarray(paint(number)).save(folder / f"{number}.png")
    first, second = (Image.open(folder / f"{number}.png") for number in (0, 1))
    first.resize((64, 48)).save(folder / "0 half.png")
    first.save(folder / "0 again.jpg", quality=90)
    second.resize((256, 192)).save(folder / "more" / "1 double.png")
    (folder / "more" / "broken.jpg").write_bytes((folder / "0 again.jpg").read_bytes()[:900])
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    for path in folder.rglob("*.*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder
