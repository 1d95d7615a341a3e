"""Images and their changed copies for `bench_copies.py`: reading, removal of duplicates, twelve transformations."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZES = 128, 256  # smallest and largest longer side
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
_THUMBNAIL = 16
_MOST_PIXELS = 2**25
_SAME = 0.93  # correlation of thumbnails


def read_source(path: Path, limit: int, random_state: np.random.RandomState) -> list[Image.Image]:
    """Read at most `limit` images of a folder, or of the test set of the CIFAR-10 copy (an .npz file)."""
    found = _read_archive(path, random_state) if path.suffix == ".npz" else _read_folder(path, random_state)
    images = []
    for image in found:
        if len(images) == limit:
            break
        images.append(_fit_size(image))
    return images


def read_miniature(random_state: np.random.RandomState) -> list[Image.Image]:
    """Cut the two photographs of scikit-learn into squares, where no other images are there."""
    from sklearn.datasets import load_sample_images

    squares = []
    for photo in load_sample_images().images:
        rows, columns = (range(0, size - 63, 64) for size in photo.shape[:2])
        squares += [_fit_size(Image.fromarray(photo[y : y + 64, x : x + 64])) for y in rows for x in columns]
    return [squares[i] for i in random_state.permutation(len(squares))]


def remove_duplicates(images: list[Image.Image]) -> list[Image.Image]:
    """Keep the first of images with the same thumbnail: without its uniform margins, in gray, mirrored or not."""
    thumbnails = np.stack([_thumbnail(image) for image in images])
    flipped = thumbnails.reshape(-1, _THUMBNAIL, _THUMBNAIL)[:, :, ::-1].reshape(thumbnails.shape)
    kept: list[int] = []
    for i in range(len(images)):
        known = thumbnails[kept]
        flat = not thumbnails[i].any()
        if not flat and (not kept or max((known @ thumbnails[i]).max(), (known @ flipped[i]).max()) < _SAME):
            kept.append(i)
    return [images[i] for i in kept]


def _read_archive(path: Path, random_state: np.random.RandomState) -> Iterator[Image.Image]:
    archive = np.load(path)
    ends, blob = archive["end"], archive["blob"].tobytes()
    starts = np.r_[0, ends[:-1]]
    for i in random_state.permutation(np.flatnonzero(archive["test"])):
        yield Image.open(io.BytesIO(blob[starts[i] : ends[i]])).convert("RGB")


def _read_folder(path: Path, random_state: np.random.RandomState) -> Iterator[Image.Image]:
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES and not file.is_symlink())
    for i in random_state.permutation(len(files)):
        try:
            with Image.open(files[i]) as image:
                width, height = image.size
                if min(width, height) < SIZES[0] // 4 or max(width, height) > 4 * min(width, height):
                    continue
                if width * height > _MOST_PIXELS:
                    continue
                image.draft("RGB", (2 * SIZES[1], 2 * SIZES[1]))
                image.thumbnail((4 * SIZES[1], 4 * SIZES[1]), Image.Resampling.BOX)
                yield _on_white(image)
        except (OSError, Image.DecompressionBombError):
            continue


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBA", "LA", "P", "PA"):
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        background.alpha_composite(image)
        image = background
    return image.convert("RGB")


def _fit_size(image: Image.Image) -> Image.Image:
    longer = max(image.size)
    factor = max(SIZES[0] / longer, 1) * min(SIZES[1] / longer, 1)
    size = [max(round(side * factor), 1) for side in image.size]
    return image if factor == 1 else image.resize(tuple(size), Image.Resampling.BICUBIC)


def _thumbnail(image: Image.Image) -> np.ndarray:
    gray = np.asarray(image.convert("L"), dtype=np.float32)
    content = np.abs(gray - gray[0, 0]) > 16
    rows, columns = np.flatnonzero(content.any(1)), np.flatnonzero(content.any(0))
    if len(rows) and len(columns):
        image = image.crop((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    small = np.asarray(image.convert("L").resize((_THUMBNAIL,) * 2, Image.Resampling.BOX), dtype=np.float32).ravel()
    small -= small.mean()
    return small / max(float(np.linalg.norm(small)), 1e-6)


# Transformations: an image, a strength of 0, 1 or 2, and a random state


def _color(random_state: np.random.RandomState) -> tuple[int, ...]:
    kind = random_state.rand()
    return (0, 0, 0) if kind < 0.35 else (255, 255, 255) if kind < 0.7 else tuple(random_state.randint(0, 256, 3))


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def _crop_to(image: Image.Image, share: float, random_state: np.random.RandomState) -> Image.Image:
    width, height = (max(round(side * share), 1) for side in image.size)
    left, top = (random_state.randint(0, a - b + 1) for a, b in zip(image.size, (width, height), strict=True))
    return image.crop((left, top, left + width, top + height))


def crop(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Keep 90, 75 or 50 % of each side."""
    return _crop_to(image, (0.9, 0.75, 0.5)[strength], random_state)


def resize(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Shrink to 50, 25 or 12 %, and one side by a further 0, 20 or 40 %."""
    share, narrow = (0.5, 0.25, 0.12)[strength], (1.0, 0.8, 0.6)[strength]
    factors = [share * narrow, share] if random_state.rand() < 0.5 else [share, share * narrow]
    return image.resize(tuple(max(round(s * f), 8) for s, f in zip(image.size, factors, strict=True)))


def jpeg(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Save as JPEG of quality 50, 20 or 8."""
    return _jpeg(image, (50, 20, 8)[strength])


def text(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Write one, two or four lines of text."""
    image = image.copy()
    size = max(round(min(image.size) * (0.1, 0.13, 0.16)[strength]), 6)
    font = ImageFont.load_default(size)
    lines = [
        "".join(chr(random_state.randint(97, 123)) if random_state.rand() > 0.15 else " " for _ in range(14))
        for _ in range((1, 2, 4)[strength])
    ]
    place = random_state.randint(0, max(image.width // 4, 1)), random_state.randint(0, max(image.height // 2, 1))
    draw, color = ImageDraw.Draw(image), _color(random_state)
    edge = (0, 0, 0) if sum(color) > 380 else (255, 255, 255)
    draw.multiline_text(place, "\n".join(lines), color, font, stroke_width=1, stroke_fill=edge)
    return image


def sticker(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Put a smiling face of 20, 33 or 45 % of the shorter side on it."""
    image = image.copy()
    d = max(round(min(image.size) * (0.2, 0.33, 0.45)[strength]), 4)
    x, y = random_state.randint(0, image.width - d + 1), random_state.randint(0, image.height - d + 1)
    draw = ImageDraw.Draw(image)
    draw.ellipse((x, y, x + d, y + d), tuple(random_state.randint(100, 256, 3)), "black")
    for eye in (0.3, 0.62):
        draw.ellipse((x + eye * d, y + 0.28 * d, x + (eye + 0.1) * d, y + 0.42 * d), "black")
    draw.chord((x + 0.22 * d, y + 0.4 * d, x + 0.78 * d, y + 0.85 * d), 0, 180, "black")
    return image


def border(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Surround with a border of 5, 12 or 25 % of the shorter side."""
    return ImageOps.expand(image, round(min(image.size) * (0.05, 0.12, 0.25)[strength]), _color(random_state))


def tone(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Change brightness, contrast and saturation by up to 20, 40 or 60 %."""
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        sign = 1 if random_state.rand() < 0.5 else -1
        image = enhancer(image).enhance(1 + sign * (0.2, 0.4, 0.6)[strength] * random_state.uniform(0.5, 1))
    return image


def blur(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Blur with a radius of 1, 2 or 4 % of the shorter side."""
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * (0.01, 0.02, 0.04)[strength]))


def mirror(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Mirror; also save as JPEG of quality 30; also keep only 90 % of each side."""
    image = ImageOps.mirror(image)
    image = _jpeg(image, 30) if strength else image
    return _crop_to(image, 0.9, random_state) if strength == 2 else image


def rotate(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Rotate by 3, 8 or 15 degrees."""
    angle = (3, 8, 15)[strength] * (1 if random_state.rand() < 0.5 else -1)
    return image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=_color(random_state))


def bars(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Cover 10, 20 or 35 % of the image by bars at its top and bottom, or left and right."""
    image = image.copy()
    draw, color, share = ImageDraw.Draw(image), _color(random_state), (0.05, 0.1, 0.175)[strength]
    width, height = image.size
    if random_state.rand() < 0.6:
        draw.rectangle((0, 0, width, height * share), color)
        draw.rectangle((0, height * (1 - share), width, height), color)
    else:
        draw.rectangle((0, 0, width * share, height), color)
        draw.rectangle((width * (1 - share), 0, width, height), color)
    return image


def screenshot(image: Image.Image, strength: int, random_state: np.random.RandomState) -> Image.Image:
    """Put it into a window of a program: margins, two bars, another size, JPEG."""
    margin, bar = ((0.02, 0.06), (0.05, 0.1), (0.1, 0.15))[strength]
    dark = random_state.rand() < 0.5
    ground, chrome = ((30, 30, 30), (60, 60, 60)) if dark else ((245, 245, 245), (210, 215, 220))
    width, height = image.size
    sides, top, bottom = round(margin * width), round(bar * height), round(margin * height)
    window = Image.new("RGB", (width + 2 * sides, height + top + bottom), ground)
    window.paste(image, (sides, top))
    draw = ImageDraw.Draw(window)
    draw.rectangle((0, 0, window.width, max(round(0.7 * top), 1)), chrome)
    draw.text((4, 0), "Pictures  Edit  View", (128, 128, 128), ImageFont.load_default(max(round(0.5 * top), 5)))
    share = random_state.uniform(0.5, 1.0)
    return _jpeg(window.resize(tuple(max(round(s * share), 16) for s in window.size)), (70, 50, 30)[strength])


TRANSFORMATIONS: dict[str, Callable[[Image.Image, int, np.random.RandomState], Image.Image]] = {
    function.__name__: function
    for function in (crop, resize, jpeg, text, sticker, border, tone, blur, mirror, rotate, bars, screenshot)
}
