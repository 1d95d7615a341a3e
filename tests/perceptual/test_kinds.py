"""The kinds of perceptual hashes against ImageHash, explicit loops and golden values."""

import numpy as np
import pytest

from skhash import PerceptualHasher
from skhash.codes import to_hex
from skhash.perceptual import KINDS, average_hash, block_hash, dhash, perceptual_scores, phash, whash
from skhash.perceptual._grid import binary_grid, central_grid, frequency_grid
from skhash.perceptual._haar import low_pass

Image = pytest.importorskip("PIL.Image")

FUNCTIONS = {
    "dhash": dhash,
    "phash": phash,
    "whash": whash,
    "average": average_hash,
    "block": block_hash,
    "phash+dhash": lambda image, bits=64: PerceptualHasher("phash+dhash", bits=bits).transform([image])[0],
    "copynet": lambda image, bits=64: PerceptualHasher("copynet", bits=bits).transform([image])[0],
}
THEIRS = {"dhash": "dhash", "phash": "phash", "whash": "whash", "average": "average_hash"}


def draw(height, width, texture, seed=0):
    """Draw a color image: noise, a smooth surface, a drawing on white, or one color."""
    rng = np.random.default_rng(seed)
    if texture == "noise":
        return rng.integers(0, 256, (height, width, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    if texture == "smooth":
        waves = [np.sin(y / (5 + k) + k) + np.cos(x / (3 + 2 * k) - k) for k in range(3)]
        return np.stack([np.rint(127.5 + 60 * wave) for wave in waves], axis=2).astype(np.uint8)
    pixels = np.full((height, width, 3), 255, np.uint8)
    if texture == "drawing":  # with many equal blocks
        pixels[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = (200, 30, 90)
    return pixels


TEXTURES = ["noise", "smooth", "drawing", "flat"]
SIZES = [(1, 1), (1, 50), (7, 3), (8, 8), (64, 64), (100, 37), (131, 257)]


@pytest.mark.parametrize("texture", TEXTURES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_bits_are_those_of_imagehash(kind, size, texture):
    imagehash = pytest.importorskip("imagehash")
    image = Image.fromarray(draw(*size, texture))
    for side in (2, 4, 8, 16, 32) if kind == "whash" else (2, 3, 8, 13, 16):
        expected = getattr(imagehash, THEIRS[kind])(image, side).hash.ravel()
        np.testing.assert_array_equal(FUNCTIONS[kind](image, side * side), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "HSV", "LAB"])
@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_every_mode_that_imagehash_reads_has_its_bits(kind, mode):
    imagehash = pytest.importorskip("imagehash")
    image = Image.fromarray(draw(90, 61, "smooth"))
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
        with pytest.raises(ValueError, match="conversion"):
            image.convert("L")
        expected = getattr(imagehash, THEIRS[kind])(image.convert("RGB"))
    else:
        image = image.convert(mode)
        expected = getattr(imagehash, THEIRS[kind])(image)
    np.testing.assert_array_equal(FUNCTIONS[kind](image), expected.hash.ravel())


@pytest.mark.parametrize("kind", sorted(THEIRS))
def test_transparent_and_wide_images_have_the_bits_of_what_is_shown(kind):
    imagehash = pytest.importorskip("imagehash")
    theirs = getattr(imagehash, THEIRS[kind])
    pixels = draw(80, 64, "smooth")
    alpha = np.arange(80 * 64).reshape(80, 64) // 20 % 256
    transparent = Image.fromarray(np.dstack([pixels, alpha.astype(np.uint8)]))
    for background in ("white", (10, 200, 30)):
        below = Image.new("RGBA", transparent.size, background)
        shown = Image.alpha_composite(below, transparent).convert("RGB")
        expected = theirs(shown).hash.ravel()
        np.testing.assert_array_equal(FUNCTIONS[kind](transparent, background=background), expected)
    wide = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    np.testing.assert_array_equal(FUNCTIONS[kind](wide), theirs(Image.fromarray(pixels[..., 0])).hash.ravel())


GOLDEN = {
    "dhash": "3f3f9fcfc3f03ccf",
    "phash": "5948686fb3b8c768",
    "whash": "3030389cdfe7719c",
    "average": "3030389c9fe7711c",
    "block": "7878389e8cc7719c",
    "phash+dhash": "1982bed33f8fc03c",
    "copynet": "cdd5f1b17260b8ab",
}


@pytest.mark.parametrize("kind", KINDS)
def test_golden_codes(kind):
    """Values of an image whose pixels are the same on every machine: integers only."""
    y, x = np.mgrid[:100, :120]
    pixels = (((x * x + 3 * y * y) // 97 + (x // 24) * 40 + (y // 30) * 25) % 256).astype(np.uint8)
    assert to_hex(FUNCTIONS[kind](pixels)[None])[0] == GOLDEN[kind]


def shrink(pixels, width, height):
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)).astype(int)


def test_difference_and_average_of_a_rectangle_by_loops():
    gray = draw(70, 90, "smooth")[..., 0]
    pixels = shrink(gray, 17, 8)
    expected = [pixels[i, j + 1] > pixels[i, j] for i in range(8) for j in range(16)]
    assert dhash(gray, 128).tolist() == expected
    pixels = shrink(gray, 8, 4)
    mean = sum(int(pixels[i, j]) for i in range(4) for j in range(8)) / 32
    assert average_hash(gray, 32).tolist() == [pixels[i, j] > mean for i in range(4) for j in range(8)]


def test_cells_far_from_the_center_are_left_out():
    # 13 of 4 x 4: three of the four corners, the last ones
    kept = [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14]
    assert central_grid(13).kept.tolist() == sorted([0, *kept])
    gray = draw(70, 90, "smooth")[..., 0]
    pixels = shrink(gray, 4, 4).ravel()
    inner = [int(pixels[cell]) for cell in sorted([0, *kept])]
    assert average_hash(gray, 13).tolist() == [value > sum(inner) / 13 for value in inner]


def test_phash_of_other_lengths_takes_the_lowest_frequencies():
    # 6 of 3 x 3: the triangle of row + column <= 2
    assert frequency_grid(6).kept.tolist() == [0, 1, 2, 3, 4, 6]
    gray = draw(70, 90, "smooth")[..., 0]
    pixels = shrink(gray, 12, 12)
    angles = np.pi * (2 * np.arange(12) + 1) / 24
    low = []
    for i, j in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)]:
        low.append(
            sum(pixels[y, x] * np.cos(i * angles[y]) * np.cos(j * angles[x]) for y in range(12) for x in range(12))
        )
    median = sum(sorted(low)[2:4]) / 2
    assert phash(gray, 6).tolist() == [value > median for value in low]


@pytest.mark.parametrize("bits", [1, 2, 8, 12, 32, 128])
def test_whash_of_other_lengths_compares_means_of_blocks(bits):
    gray = draw(70, 90, "smooth")[..., 0]
    grid = binary_grid(bits)
    pixels = shrink(gray, 64, 64)
    height, width = 64 // grid.rows, 64 // grid.columns
    means = [
        np.mean(pixels[i * height : (i + 1) * height, j * width : (j + 1) * width])
        for i in range(grid.rows)
        for j in range(grid.columns)
        if i * grid.columns + j in grid.kept
    ]
    assert whash(gray, bits).tolist() == [value > np.median(means) for value in means]


def block_hash_by_loops(image, side):
    """Follow blockhash.io: every pixel adds to the blocks it lies in, by area."""
    height, width = len(image), len(image[0])
    blocks = [[0.0] * side for _ in range(side)]
    for y in range(height):
        for x in range(width):
            value = sum(int(channel) for channel in image[y][x])
            for i in range(side):
                top = max(0.0, min(y + 1, (i + 1) * height / side) - max(y, i * height / side))
                for j in range(side):
                    left = max(0.0, min(x + 1, (j + 1) * width / side) - max(x, j * width / side))
                    blocks[i][j] += value * top * left
    flat, bits, band = [value for row in blocks for value in row], [], side * side // 4
    half = height * width / side / side * 256 * 3 / 2
    for start in range(0, side * side, band):
        values = sorted(flat[start : start + band])
        median = (values[(band - 1) // 2] + values[band // 2]) / 2
        bits += [v > median + 1e-9 or (abs(v - median) < 1 and median > half) for v in flat[start : start + band]]
    return bits


@pytest.mark.parametrize("size", [(16, 24), (13, 9), (3, 5)])
@pytest.mark.parametrize("texture", TEXTURES)
def test_block_hash_by_loops(size, texture):
    image = draw(*size, texture, seed=5)
    assert block_hash(image, 16).tolist() == block_hash_by_loops(image, 4)


@pytest.mark.parametrize("bits", [1, 2, 7, 50, 128])
def test_two_kinds_share_the_bits(bits):
    image = draw(70, 90, "smooth")
    n_first = bits - bits // 2
    parts = [phash(image, n_first)] + ([dhash(image, bits // 2)] if bits > 1 else [])
    np.testing.assert_array_equal(FUNCTIONS["phash+dhash"](image, bits), np.concatenate(parts))


def test_low_pass_is_the_sum_of_blocks_without_the_mean():
    pixels = np.random.default_rng(0).random((16, 16))
    sums = pixels.reshape(4, 4, 4, 4).sum(axis=(1, 3)) / 4
    np.testing.assert_allclose(low_pass(pixels, 2), sums - sums.mean(), atol=1e-13)
    pywt = pytest.importorskip("pywt")
    coefficients = pywt.wavedec2(pixels, "haar", level=4)
    coefficients[0] *= 0
    without_mean = pywt.waverec2(coefficients, "haar")
    np.testing.assert_array_equal(low_pass(pixels, 2), pywt.wavedec2(without_mean, "haar", level=2)[0])


@pytest.mark.parametrize(
    ("kind", "bits"),
    [(kind, bits) for kind in KINDS for bits in (1, 2, 3, 7, 16, 24, 63, 64, 100, 128, 257, 1024)
     if kind != "copynet" or bits <= 64],
)  # fmt: skip
def test_every_length_has_that_many_bits_and_no_zero(kind, bits):
    z = perceptual_scores(Image.fromarray(draw(40, 50, "drawing")), kind, bits)
    assert z.shape == (bits,)
    assert (z != 0).all()
    np.testing.assert_array_equal(FUNCTIONS[kind](draw(40, 50, "drawing"), bits), z > 0)


def test_grids():
    assert [(g.rows, g.columns, g.is_full) for g in map(central_grid, (64, 128, 32, 13, 10, 1))] == [
        (8, 8, True), (8, 16, True), (4, 8, True), (4, 4, False), (4, 4, False), (1, 1, True)
    ]  # fmt: skip
    assert [(g.rows, g.columns, g.is_full) for g in map(binary_grid, (64, 128, 48, 1))] == [
        (8, 8, True), (8, 16, True), (8, 8, False), (1, 1, True)
    ]  # fmt: skip
    assert [(g.rows, g.is_full) for g in map(frequency_grid, (64, 128))] == [(8, True), (12, False)]


@pytest.mark.parametrize("bits", [0, -1, 2.5, True, "8"])
def test_bits_are_checked(bits):
    with pytest.raises(ValueError, match="bits must be an integer of at least 1"):
        dhash(draw(8, 8, "noise"), bits)
