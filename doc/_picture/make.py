"""Draw the logo and the picture of the landing page: digits, their codes and their nearest neighbors.

    python doc/_picture/make.py

writes ``logo.svg`` and ``logo-dark.svg`` of the folder ``_static``, and beside this file ``picture.html`` for the page
and ``picture.svg`` for the README. All are part of the repository. The digits are scikit-learn's; codes and distances
are those of the hasher below.
"""

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from skhash import HammingIndex, OrthoHasher

HERE = Path(__file__).parent
STATIC = HERE.parent / "_static"
BLUE, ORANGE = "#1f6feb", "#f0883e"
BITS, SIDE = 32, 46


def draw_logo(zero):
    """Return the sign of a hash, of bits; `zero` is the color of the bits that are 0."""
    rows = ["01010", "11111", "01010", "11111", "01010"]
    cells = []
    for y, row in enumerate(rows):
        for x, bit in enumerate(row):
            color = (ORANGE if (x, y) == (3, 1) else BLUE) if bit == "1" else zero
            cells.append(f'<rect x="{2 + 12 * x}" y="{2 + 12 * y}" width="10" height="10" rx="2" fill="{color}"/>')
    size = 'viewBox="0 0 62 62" width="62" height="62"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(cells)}</svg>\n'


def as_data(image):
    """Return a digit as an address that contains it: ink in black, paper in white."""
    pixels = Image.fromarray((255 - image * 255 / 16).astype(np.uint8)).resize((40, 40), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    pixels.quantize(16).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def show_digit(image, x, y):
    """Return a digit at a place."""
    return f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" href="{as_data(image)}" class="sk-digit"/>'


def show_bits(code, x, y, query=None, columns=16, cell=9):
    """Return a code as cells; those that differ from a query's are marked."""
    parts = []
    for k, bit in enumerate(code):
        kind = "sk-one" if bit else "sk-zero"
        kind += " sk-differs" if query is not None and bit != query[k] else ""
        left, top = x + cell * (k % columns), y + cell * (k // columns)
        parts.append(f'<rect x="{left}" y="{top}" width="{cell - 2}" height="{cell - 2}" rx="1.5" class="{kind}"/>')
    return "".join(parts)


def panel(title, label, body, width):
    """Return one of the three parts of the picture."""
    drawing = f'<svg viewBox="0 0 {width} 236" role="img" aria-label="{label}">{body}</svg>'
    return f'<div class="sk-panel"><p>{title}</p>{drawing}</div>'


# What skhash.css says, for a file that stands alone.
STYLE = """text { font: 13px sans-serif; fill: #57606a; }
.sk-text { fill: #1f2328; } .sk-one { fill: #0b5cc4; } .sk-zero { fill: #d0d7de; }
.sk-differs { stroke: #d9480f; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #9198a1; } .sk-text { fill: #f0f6fc; } .sk-one { fill: #6cb6ff; } .sk-zero { fill: #484f58; }
  .sk-digit { filter: invert(0.88); } }"""


def draw_parts():
    """Return three parts of the picture, each with its title, label, drawing and width, and what the last one shows."""
    digits = load_digits()
    images, y = digits.images, digits.target
    X = digits.data
    hasher = OrthoHasher(bits=BITS, max_epochs=20, random_state=0).fit(X[100:], y[100:])
    codes, queries = hasher.transform(X[100:]), hasher.transform(X[:100])
    distances, ids = HammingIndex(n_neighbors=len(codes)).fit(codes).kneighbors(queries)
    chosen = next(row for row in range(100) if len(np.unique(distances[row, :6])) >= 4)
    columns = [0, *(int(np.argmax(distances[chosen] >= d)) for d in sorted(set(distances[chosen]))[1:4])]
    last = int(np.argmax(y[100:][ids[chosen]] != y[chosen]))  # the nearest of another class
    ranks = [*columns[:4], last]

    samples = [chosen, *(row for row in range(100) if y[row] != y[chosen])][:4]
    left = "".join(show_digit(images[row], 6, 4 + 58 * number) for number, row in enumerate(samples))
    middle = "".join(show_bits(queries[row], 2, 18 + 58 * number) for number, row in enumerate(samples))
    right = ""
    for number, rank in enumerate(ranks):
        row = ids[chosen, rank]
        top = 2 + 47 * number
        distance = int(distances[chosen, rank])
        right += show_digit(images[100 + row], 2, top).replace(f'"{SIDE}"', '"42"')
        right += show_bits(codes[row], 54, top + 12, queries[chosen])
        bits = "bit" if distance == 1 else "bits"
        right += f'<text x="206" y="{top + 26}" class="sk-text">{distance} {bits} differ{"s" * (distance == 1)}</text>'
    parts = [
        ("images or vectors", "four handwritten digits", left, 58),
        (f"{BITS} bits each", "the hash codes of the four digits", middle, 148),
        ("nearest in the database, for the first one", "five digits by distance of their codes", right, 306),
    ]
    shown = [(int(y[100 + ids[chosen, rank]]), int(distances[chosen, rank]), rank) for rank in ranks]
    print("query", y[chosen], "neighbors (class, distance, rank):", shown)
    return parts


def draw_page(parts):
    """Return the picture as part of a page, whose panels are above each other on a phone."""
    arrow = '<div class="sk-arrow" aria-hidden="true">&#10142;</div>'
    return f'<div class="sk-picture">{arrow.join(panel(*part) for part in parts)}</div>\n'


def draw_file(parts):
    """Return the picture as a file that stands alone."""
    body, x = "", 40
    for number, (title, _, drawing, width) in enumerate(parts):
        body += f'<text x="{x + width / 2}" y="18" text-anchor="middle">{title}</text>'
        body += f'<g transform="translate({x}, 34)">{drawing}</g>'
        x += width + 40
        if number < 2:
            body += f'<text x="{x}" y="150" text-anchor="middle" style="font-size: 22px">&#10142;</text>'
        x += 40
    label = "Digits, their hash codes, and the nearest digits of the first one by distance"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x} 276" width="{x}" role="img" aria-label="{label}">'
    return f"{head}<style>{STYLE}</style>{body}</svg>\n"


if __name__ == "__main__":
    (STATIC / "logo.svg").write_text(draw_logo("#c9d1d9"))
    (STATIC / "logo-dark.svg").write_text(draw_logo("#484f58"))
    drawn = draw_parts()
    (HERE / "picture.html").write_text(draw_page(drawn))
    (HERE / "picture.svg").write_text(draw_file(drawn))
