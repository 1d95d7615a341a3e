"""The network that comes with the package: exact integers, mirrored pictures, and copies that differences miss."""

from functools import partial

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from skhash import PerceptualHasher, find_duplicates
from skhash.perceptual import perceptual_scores
from skhash.perceptual._copy_network import _ORDER, LEVELS, SIDE, TOP, WEIGHTS, copy_scores, load_weights

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def draw(seed):
    """Draw waves with noise, integers from 0 to 255."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.sin(x / rng.uniform(2, 9) + seed) + np.cos(y / rng.uniform(2, 9)) + rng.normal(0, 0.2, (SIDE, SIDE))
    return np.rint(127 + 40 * waves).clip(0, 255).astype(np.int64)


def maps_by_loops(pixels):
    """Follow the definition pixel by pixel."""
    mean = pixels.mean()
    spread = max(np.abs(pixels - mean).mean(), 2.55)

    def around(values, y, x):
        return values[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]

    details = np.empty_like(pixels)
    for y in range(SIDE):
        for x in range(SIDE):
            near = around(pixels, y, x)
            details[y, x] = (int(pixels[y, x]) * near.size - int(near.sum())) * 256 // near.size
    maps = np.empty((SIDE, SIDE, 2))
    for y in range(SIDE):
        for x in range(SIDE):
            near = np.abs(around(details, y, x)).mean()
            maps[y, x] = (pixels[y, x] - mean) / spread, details[y, x] / (near + 0.15 * 256 * spread)
    return np.rint(np.clip(maps, -TOP, TOP) * (LEVELS / TOP)).astype(np.int64)


def convolve_integers(x, matrix, kernel, stride):
    """Sum products of Python's order: a shifted map for each place of the kernel, in 64 bits."""
    height, width, channels = x.shape
    margin = kernel // 2
    padded = np.pad(x, ((margin, margin), (margin, margin), (0, 0)))
    weights = matrix.astype(np.int64).reshape(kernel, kernel, channels, -1)
    shifted = [
        np.tensordot(padded[i : i + height, j : j + width][::stride, ::stride], weights[i, j], 1)
        for i in range(kernel)
        for j in range(kernel)
    ]
    return np.sum(shifted, axis=0)


def outputs_in_integers(pixels):
    """Compute the network with exact sums."""
    weights = load_weights()

    def layer(sums, name, added=0):
        values = sums.astype(np.float32) * weights[f"{name}_factor"] + weights[f"{name}_offset"] + np.float32(added)
        return np.rint(np.clip(values, 0, LEVELS)).astype(np.int64)

    total = 0
    maps = maps_by_loops(pixels)
    for x in (maps, maps[:, ::-1]):
        x = layer(convolve_integers(x, weights["conv1"], 5, 2), "conv1")
        x = layer(convolve_integers(x, weights["conv2"], 3, 2), "conv2")
        x = layer(convolve_integers(x, weights["conv3"], 3, 1), "conv3", x)
        x = layer(convolve_integers(x, weights["conv4"], 3, 2), "conv4")
        x = layer(convolve_integers(x, weights["conv5"], 3, 1), "conv5", x)
        x = layer(x.ravel() @ weights["hidden"].astype(np.int64), "hidden")
        total = total + x @ weights["output"].astype(np.int64)
    return total + weights["output_bias"].astype(np.int64)


def differences_by_loops(pixels):
    """Compare cells with their left neighbors, where each is the mean of two in mirrored places."""
    filters = load_weights()["filters"].astype(int).tolist()
    columns = [[sum(f * int(p) for f, p in zip(each, row, strict=True)) for each in filters] for row in pixels]
    cells = [[sum(f * row[c] for f, row in zip(each, columns, strict=True)) for c in range(10)] for each in filters]
    even = [[row[c] + row[9 - c] for c in range(5)] for row in cells]
    return [row[c + 1] - row[c] for row in even for c in range(4)]


@pytest.mark.parametrize("seed", range(3))
def test_the_code_is_that_of_exact_sums(seed):
    pixels = draw(seed)
    outputs = outputs_in_integers(pixels)
    assert len(np.unique(outputs >= 0)) == 2
    expected = np.concatenate([differences_by_loops(pixels), outputs + 0.5])
    scores = copy_scores(pixels)
    np.testing.assert_array_equal(scores[np.argsort(_ORDER)], expected)
    assert [(_ORDER[:bits] < 40).sum() for bits in (8, 16, 32, 64)] == [5, 10, 20, 40]


def test_no_sum_leaves_the_integers_of_single_precision():
    weights = load_weights()
    for name, matrix in weights.items():
        if matrix.ndim == 2 and name != "filters":
            assert (matrix == np.rint(matrix)).all()
            largest_input = 2 * LEVELS if name == "output" else LEVELS
            assert np.abs(matrix).sum(axis=0).max() * largest_input < 2**24, name


def test_the_weights_are_small_and_no_pickle():
    assert WEIGHTS.stat().st_size <= 2_000_000
    with np.load(WEIGHTS, allow_pickle=False) as file:
        assert {file[name].dtype.kind for name in file.files} == {"i", "f"}
        assert {file[name].dtype.itemsize for name in file.files if "_" not in name and name != "filters"} == {1}


def test_a_mirrored_picture_has_the_same_scores():
    pixels = draw(7)
    scores = copy_scores(pixels)
    np.testing.assert_array_equal(copy_scores(pixels[:, ::-1]), scores)
    assert (copy_scores(pixels[::-1]) != scores).any()


def test_pictures_are_reduced_to_gray_values():
    pixels = np.stack([draw(seed) for seed in range(3)], axis=2).repeat(3, 0).repeat(2, 1).astype(np.uint8)
    code = PerceptualHasher("copynet").transform([pixels])[0]
    small = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(code, copy_scores(np.asarray(small)) > 0)
    np.testing.assert_array_equal(PerceptualHasher("copynet", bits=20).transform([pixels])[0], code[:20])
    tiny = Image.fromarray(pixels[:50, :39])
    large = tiny.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(PerceptualHasher("copynet").transform([tiny])[0], copy_scores(np.asarray(large)) > 0)


def test_longer_codes_than_it_has_are_refused():
    images = np.zeros((2, 8, 8), np.uint8)
    hasher = PerceptualHasher("copynet", bits=65)
    for call in (hasher.fit, hasher.transform, partial(find_duplicates, hasher=hasher, max_distance=3)):
        with pytest.raises(ValueError, match=r'bits must be at most 64 for kind="copynet", got 65\. .* CopyHasher'):
            call(images)
    with pytest.raises(ValueError, match=r'bits must be at most 64 for kind="copynet", got 100'):
        perceptual_scores(Image.fromarray(images[0]), "copynet", 100)


def test_pictures_of_one_color_have_a_code():
    for value in (0, 255):
        flat = Image.fromarray(np.full((30, 50), value, np.uint8))
        np.testing.assert_array_equal(
            perceptual_scores(flat, "copynet", 64),
            perceptual_scores(Image.fromarray(np.full((9, 9), 7.5, np.float32)), "copynet", 64),
        )


def test_copies_that_dhash_misses_are_found():
    squares = [
        Image.fromarray(photo[y : y + 100, x : x + 100])
        for photo in load_sample_images().images
        for y in range(0, 400, 100)
        for x in range(0, 600, 100)
    ]

    def turned(square):
        return square.rotate(15)

    def share_found(kind, change):
        hasher = PerceptualHasher(kind)
        codes = hasher.transform(squares).astype(int)
        copies = hasher.transform([change(square) for square in squares]).astype(int)
        distances = (copies[:, None] != codes[None]).sum(axis=2)
        return (distances.argmin(axis=1) == np.arange(len(squares))).mean()

    assert share_found("copynet", ImageOps.mirror) == 1 > share_found("dhash", ImageOps.mirror) + 0.8
    framed = partial(ImageOps.expand, border=12)
    assert share_found("copynet", framed) > share_found("dhash", framed) + 0.2
    assert share_found("copynet", turned) > share_found("dhash", turned) + 0.1
