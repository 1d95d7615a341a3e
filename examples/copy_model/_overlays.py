"""Text and stickers that are laid over pictures in training: drawn once, as gray values and opacity."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 64
_CANVAS = 192
_WORDS = [
    "the", "sale", "photo", "best", "my", "holiday", "2019", "free", "click", "here", "share", "www", "com", "image",
    "stock", "draft", "copyright", "summer", "new",
]  # fmt: skip


def draw_overlays(kind, n_overlays, fonts, stamps, random_state):
    """Draw overlays (n, 2, 64, 64): gray values multiplied by opacity, and opacity, of 8 bits.

    Parameters
    ----------
    kind : {"text", "sticker"}
        What to draw.
    n_overlays : int
        How many.
    fonts : list of str
        TrueType files.
    stamps : list of PIL.Image.Image
        Pictures with transparency, of at most 128 x 128 pixels.
    random_state : RandomState
        Source of randomness.
    """
    draw = _text if kind == "text" else _sticker
    things = fonts if kind == "text" else stamps
    return np.stack([_reduce(draw(_canvas(random_state), things, random_state)) for _ in range(n_overlays)])


def _canvas(random_state):
    """Return an empty picture: what is square in it is not where the picture is reduced to a square."""
    aspect = np.exp(random_state.uniform(-0.5, 0.5))
    size = int(_CANVAS * max(aspect, 1)), int(_CANVAS * max(1 / aspect, 1))
    return Image.new("RGBA", size, (0, 0, 0, 0))


def _reduce(image):
    values = np.asarray(image, dtype=np.float32)
    opacity = values[..., 3] / 255
    gray = values[..., :3] @ np.float32([0.299, 0.587, 0.114]) * opacity
    parts = [Image.fromarray(part).resize((SIDE, SIDE), Image.Resampling.BOX) for part in (gray, 255 * opacity)]
    return np.stack([np.asarray(part) for part in parts]).round().clip(0, 255).astype(np.uint8)


def _color(random_state):
    kind = random_state.rand()
    return (0, 0, 0) if kind < 0.3 else (255,) * 3 if kind < 0.65 else tuple(map(int, random_state.randint(0, 256, 3)))


def _text(image, fonts, random_state):
    draw, side = ImageDraw.Draw(image), min(image.size)
    size = max(int(side * random_state.uniform(0.05, 0.21)), 7)
    font = ImageFont.truetype(fonts[random_state.randint(len(fonts))], size)
    n_lines = random_state.randint(1, 7 if size < 0.12 * side else 5)
    lines = "\n".join(_line(random_state) for _ in range(n_lines))
    color, edge = _color(random_state), _color(random_state)
    if random_state.rand() < 0.85:
        edge = (0, 0, 0) if sum(color) > 380 else (255, 255, 255)
    stroke = random_state.randint(1, 3 if size < 25 else 5) if random_state.rand() < 0.6 else 0
    _, _, width, height = draw.multiline_textbbox((0, 0), lines, font, stroke_width=stroke)
    left = random_state.randint(-5, max(image.width - int(width), image.width // 3) + 1)
    top = random_state.randint(-3, max(image.height - int(height), image.height // 2) + 1)
    if random_state.rand() < 0.15:
        pad, stroke = random_state.randint(1, 9), 0
        box = left - pad, top - pad, left + width + pad, top + height + pad
        draw.rectangle(box, (*edge, int(random_state.randint(110, 256))))
    draw.multiline_text((left, top), lines, (*color, 255), font, stroke_width=stroke, stroke_fill=(*edge, 255))
    if random_state.rand() < 0.15:
        opacity = np.asarray(image)[..., 3] * random_state.uniform(0.4, 0.9)
        image.putalpha(Image.fromarray(opacity.astype(np.uint8)))
    return image


def _line(random_state):
    if random_state.rand() < 0.5:
        letters = random_state.randint(97, 123, random_state.randint(4, 22))
        return "".join(chr(letter) if random_state.rand() < 0.84 else " " for letter in letters)
    line = " ".join(_WORDS[i] for i in random_state.randint(len(_WORDS), size=random_state.randint(1, 5)))
    return line.upper() if random_state.rand() < 0.4 else line.capitalize()


def _sticker(image, stamps, random_state):
    side = min(image.size)
    for _ in range(1 + (random_state.rand() < 0.15)):
        diameter = int(side * random_state.uniform(0.15, 0.52))
        if stamps and random_state.rand() < 0.55:
            stamp = _stamp(stamps[random_state.randint(len(stamps))], diameter, random_state)
        else:
            stamp = _badge(diameter, random_state)
        place = [random_state.randint(0, max(a - b, 0) + 1) for a, b in zip(image.size, stamp.size, strict=True)]
        image.alpha_composite(stamp, tuple(place))
    return image


def _stamp(stamp, diameter, random_state):
    factor = diameter / max(stamp.size) * random_state.uniform(1, 1.2)
    stamp = stamp.resize([max(int(side * factor), 4) for side in stamp.size], Image.Resampling.BICUBIC)
    if random_state.rand() < 0.5:
        stamp = stamp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return stamp.rotate(random_state.uniform(-30, 30), expand=True) if random_state.rand() < 0.3 else stamp


def _badge(diameter, random_state):
    """Draw a disk or a box with some shapes in it."""
    badge = Image.new("RGBA", (diameter, diameter), (0, 0, 0, 0))
    draw, color = ImageDraw.Draw(badge), _color(random_state)
    outline, width, end = _color(random_state), random_state.randint(1, 4), diameter - 1
    if random_state.rand() < 0.7:
        draw.ellipse((0, 0, end, end), (*color, 255), (*outline, 255), width)
    else:
        radius = diameter * random_state.uniform(0, 0.4)
        draw.rounded_rectangle((0, 0, end, end), radius, (*color, 255), (*outline, 255), width)
    for _ in range(random_state.randint(0, 5)):
        x, y = random_state.uniform(0.1, 0.75, 2)
        right, bottom = (min(start + random_state.uniform(0.05, 0.4), 0.95) for start in (x, y))
        box, color = tuple(diameter * edge for edge in (x, y, right, bottom)), (*_color(random_state), 255)
        shape = random_state.randint(3)
        if shape == 2:
            draw.arc(
                box, random_state.randint(0, 180), random_state.randint(180, 360), color, random_state.randint(2, 6)
            )
        else:
            (draw.ellipse, draw.rectangle)[shape](box, color)
    return badge
