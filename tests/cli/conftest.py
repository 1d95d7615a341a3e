"""A folder of pictures, one of them twice, with a damaged file."""

import numpy as np
import pytest


@pytest.fixture
def photos(tmp_path):
    """Forty small pictures in two folders; 1 is there twice."""
    from PIL import Image

    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(40):
        pixels = rng.integers(0, 256, (6, 8, 3), np.uint8)
        image = Image.fromarray(pixels).resize((64, 48), Image.Resampling.BICUBIC)
        image.save(folder / ("more" if number % 2 else ".") / f"{number:02}.png")
        if number == 1:
            image.resize((32, 24)).save(folder / "01 small.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nonsense")
    return folder
