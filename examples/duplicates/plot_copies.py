"""
What changes can a hash of pictures take?
=========================================

A copy of a picture is rarely equal to it: it was cropped, mirrored, written on or saved as a small JPEG file. Each
perceptual hash fails on some of these changes. A hasher can be trained on changed pictures instead, without labels.
"""

# %%
# Pictures and their copies
# -------------------------
# The two photos that come with scikit-learn, cut into 120 squares, and nine changes of each.
import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps
from sklearn.datasets import load_sample_images

from skhash import CopyHasher, HammingIndex, PerceptualHasher

squares = []
for photo in load_sample_images().images:
    for top in range(0, photo.shape[0] - 63, 64):
        squares += [
            Image.fromarray(photo[top : top + 64, left : left + 64]) for left in range(0, photo.shape[1] - 63, 64)
        ]
print(len(squares), "pictures")


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
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.5)),
    "text": write,
    "border": lambda picture: ImageOps.expand(picture, 5, "black"),
    "cropped": lambda picture: picture.crop((6, 6, 58, 58)),
    "turned": lambda picture: picture.rotate(8),
    "mirrored": ImageOps.mirror,
}
figure, axes = plt.subplots(2, 5, figsize=(9, 4.2), layout="constrained")
for ax, (name, change) in zip(axes.flat, {"original": lambda picture: picture, **CHANGES}.items(), strict=True):
    ax.imshow(change(squares[40]))
    ax.set_title(name)
    ax.axis("off")

# %%
# Hashers
# -------
# The perceptual hashes need no ``fit``. :class:`~skhash.CopyHasher` trains without labels on random views of the
# pictures in the database: half a minute here, more for a folder of thousands.
hashers = {kind: PerceptualHasher(kind, bits=64) for kind in ("average", "dhash", "phash", "whash", "block")}
hashers["CopyHasher"] = CopyHasher(bits=64, image_size=48, max_epochs=60, batch_size=65, random_state=0).fit(squares)

# %%
# How often is the original found first?
# --------------------------------------
# The copy is the query, the 120 originals are the database. :class:`~skhash.CopyHasher` is ahead on average, and finds
# mirrored pictures, to which the others are blind. Text and borders are better left to dhash.
found = np.zeros((len(hashers), len(CHANGES)))
for row, hasher in enumerate(hashers.values()):
    index = HammingIndex().fit(hasher.transform(squares))
    for column, change in enumerate(CHANGES.values()):
        _, nearest = index.kneighbors(hasher.transform([change(square) for square in squares]), n_neighbors=1)
        found[row, column] = (nearest[:, 0] == np.arange(len(squares))).mean()

figure, ax = plt.subplots(figsize=(9, 3.8), layout="constrained")
ax.imshow(found, vmin=0, vmax=1, cmap="viridis", aspect="auto")
ax.set_xticks(range(len(CHANGES)), list(CHANGES), rotation=30)
means = found.mean(axis=1)
ax.set_yticks(range(len(hashers)), [f"{name} (mean {share:.2f})" for name, share in zip(hashers, means, strict=True)])
for (row, column), share in np.ndenumerate(found):
    ax.text(column, row, f"{share:.2f}", ha="center", va="center", color="black" if share > 0.6 else "white")
ax.set_title("share of copies whose original is found first, 64 bits")
plt.show()
