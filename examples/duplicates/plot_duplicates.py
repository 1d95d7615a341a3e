"""
Which pictures are there twice?
===============================

Copies of a picture differ in size, format and small edits, and no two of their pixels may be equal. Their perceptual
hashes differ in few bits.
"""

# %%
# Groups of copies
# ----------------
# Six drawings of circles, and copies of three of them: smaller, saved as JPEG of low quality, brighter, and with a line
# of text. One file is damaged.
#
# One call finds them. The first picture of a group is the one to keep: most pixels, then the largest file. What could
# not be read is listed instead of ending the run. (``duplicates.to_html("page.html")`` writes a page with the groups.)
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance

from skhash import PerceptualHasher, find_duplicates

folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(3)


def draw():
    """Draw circles of random colors, positions and sizes."""
    picture = Image.new("RGB", (240, 180), tuple(rng.integers(120, 256, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = rng.uniform(0, 240), rng.uniform(0, 180), rng.uniform(10, 50)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


drawings = [draw() for _ in range(6)]
for number, drawing in enumerate(drawings):
    drawing.save(folder / f"drawing {number}.png")
drawings[0].resize((120, 90)).save(folder / "drawing 0 small.png")
drawings[0].save(folder / "drawing 0 again.jpg", quality=15)
ImageEnhance.Brightness(drawings[2]).enhance(1.2).save(folder / "drawing 2 bright.png")
ImageDraw.Draw(drawings[5]).text((10, 150), "a line of text", fill="black")
drawings[5].save(folder / "drawing 5 with text.png")
(folder / "damaged.jpg").write_bytes(b"not a picture")

duplicates = find_duplicates(folder)
print(duplicates)
for group in duplicates.groups:
    print([Path(name).name for name in group])
for name, reason in duplicates.skipped:
    print("skipped:", reason.replace(name, Path(name).name))

figure, axes = plt.subplots(len(duplicates), 3, figsize=(8, 2.4 * len(duplicates)), layout="constrained")
for row, group in zip(axes, duplicates.details, strict=True):
    for place, ax in enumerate(row):
        ax.axis("off")
        if place < len(group.pictures):
            ax.imshow(group.read(place))
            name = Path(group.names[place]).name
            verdict = f"keep: {group.reason}" if place == 0 else f"bits that differ: {group.distances[place]}"
            ax.set_title(f"{name}\n{verdict}", fontsize=9)

# %%
# Where to draw the line
# ----------------------
# Distances of all pairs of the readable files, by the codes that were compared. Copies differ in a few bits, different
# drawings in about half of the 128: between them is a wide gap, in which the default of 16 bits lies.
names = sorted(str(path) for path in folder.glob("drawing*"))
codes = PerceptualHasher("phash+dhash", bits=128).transform(names)
distances = (codes[:, None] != codes).sum(axis=2)
first, second = np.triu_indices(len(names), 1)
is_copy = np.array([Path(names[a]).name[:9] == Path(names[b]).name[:9] for a, b in zip(first, second, strict=True)])
figure, ax = plt.subplots(layout="constrained")
bins = np.arange(0, 100, 4)
ax.hist(distances[first, second][~is_copy], bins, label="different drawings")
ax.hist(distances[first, second][is_copy], bins, label="copies")
ax.axvline(duplicates.max_distance + 0.5, color="black", linestyle="--", label="default of max_distance")
ax.set(xlabel="Hamming distance (bits)", ylabel="number of pairs", ylim=(0, 18))
ax.legend()
plt.show()
