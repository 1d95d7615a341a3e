"""
How many bits may differ between copies?
========================================

:func:`skhash.find_duplicates` takes two pictures for copies if at most ``max_distance`` bits of their codes differ. A
low limit misses changed copies, a high one takes different pictures for copies. Where is the default?
"""

# %%
# Precision and recall by the limit
# ---------------------------------
# 120 squares of two photos, and five changed copies of each. Precision: which share of the pairs that were found are
# copies? Recall: which share of the pairs of an original and its copy was found? The dashed line is
# the default: no wrong pair, and more than half of these strong changes. A limit of 24 finds 71 %, still without
# a wrong pair.
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance
from sklearn.datasets import load_sample_images

from skhash import PerceptualHasher
from skhash.duplicates import DuplicateFinder

squares = []
for photo in load_sample_images().images:
    for top in range(0, photo.shape[0] - 63, 64):
        squares += [
            Image.fromarray(photo[top : top + 64, left : left + 64]) for left in range(0, photo.shape[1] - 63, 64)
        ]


def save_small(picture):
    """Save as JPEG of low quality."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=15)
    return Image.open(file)


def write(picture):
    """Write a line of text."""
    picture = picture.copy()
    ImageDraw.Draw(picture).text((4, 40), "skhash", fill="white", stroke_width=1, stroke_fill="black")
    return picture


CHANGES = {
    "smaller": lambda picture: picture.resize((40, 40)),
    "JPEG": save_small,
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.4),
    "text": write,
    "cropped": lambda picture: picture.crop((3, 3, 61, 61)),
}
hasher = PerceptualHasher("phash+dhash", bits=128)
originals = hasher.transform(squares)
copies = {name: hasher.transform([change(square) for square in squares]) for name, change in CHANGES.items()}


def distances_between(a, b):
    """Return all distances, a row for each code of the first."""
    return (a[:, None] != b).sum(axis=2)


same = {name: np.diag(distances_between(originals, codes)) for name, codes in copies.items()}
others = [distances_between(originals, codes)[~np.eye(len(squares), dtype=bool)] for codes in copies.values()]
others = np.concatenate(others)
everything = np.concatenate(list(same.values()))

limits = np.arange(0, 61)
default = DuplicateFinder().fit(squares[:2]).duplicates().max_distance
found = (everything[:, None] <= limits).sum(axis=0)
wrong = (others[:, None] <= limits).sum(axis=0)
figure, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
ax.plot(limits, found / len(everything), color="tab:blue", linewidth=3, label="recall, all changes")
for (name, values), line in zip(same.items(), ("-", "--", "-.", ":", (0, (1, 4))), strict=True):
    ax.plot(limits, (values[:, None] <= limits).mean(axis=0), color="gray", linestyle=line, label=f"recall, {name}")
ax.plot(limits, found / (found + wrong), color="tab:orange", linewidth=3, label="precision")
ax.axvline(default, color="black", linestyle="--", linewidth=1)
ax.annotate(f"default: {default}", (default, 0.03), (5, 0), textcoords="offset points")
ax.set(xlabel="max_distance (of 128 bits)", ylabel="share of pairs", ylim=(0, 1.02))
ax.grid(alpha=0.3)
ax.legend(loc="center right")
plt.show()
for limit in (0, 8, int(default), 24, 32, 40):
    print(f"max_distance {limit:2}: recall {found[limit] / len(everything):.3f}, {wrong[limit]} wrong pairs")
