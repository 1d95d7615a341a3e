"""Use what an environment without torch is for, and list what it has. Called by `.ci/run`."""

import sys
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

import skhash

kind = sys.argv[1]
installed = {distribution.metadata["Name"].lower() for distribution in distributions()}
unexpected = {"torch", "tqdm", "bitarray"} | (
    {"scikit-learn", "scipy", "numba", "joblib"} if kind == "runtime" else set()
)
assert not installed & unexpected, f"found {sorted(installed & unexpected)}"
assert ".venv" in skhash.__file__, f"{skhash.__file__} is not the installed package"

hasher = skhash.load_packed(Path(__file__).parents[1] / "tests/runtime/golden/images.skhash")
images = np.random.default_rng(0).integers(0, 256, (40, *hasher.input_shape), np.uint8)
codes = hasher.codes(images)
np.testing.assert_array_equal(codes[7:8], hasher.codes(images[7:8]))
if kind == "index":
    distances, ids = skhash.HammingIndex(bits=hasher.bits).fit(codes).kneighbors(codes, n_neighbors=1)
    assert distances.max() == 0
    np.testing.assert_array_equal(codes[ids[:, 0]], codes)
print(f"{kind}: fine with {', '.join(sorted(installed))}")
