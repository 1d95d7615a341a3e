"""
Why is this a neighbor?
=======================

A neighbor is near because few bits differ. Which ones, and what do they mean? The page of ``python -m skhash.demo``
shows such strips for any collection of pictures; here they are drawn for one query.
"""

# %%
# The bits that differ
# --------------------
# A digit and five of its neighbors, from near to far. Each strip is a code of 32 bits, dark where a bit is 1. A cross
# marks a bit that differs from the query's. "As near" counts the other digits within that distance, of 1,796: that a
# neighbor is one of hundreds says little.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import load_digits

from skhash import HammingIndex, ITQHasher

digits = load_digits()
hasher = ITQHasher(bits=32, random_state=0).fit(digits.data)
codes = hasher.transform(digits.data)
index = HammingIndex().fit(codes)

query = 18
distances, rows = index.kneighbors(codes[[query]], n_neighbors=len(codes))
distances, rows = distances[0], rows[0]
shown = [0, 1, 5, 25, 100, 600]

figure, axes = plt.subplots(len(shown), 2, figsize=(10, 4.6), width_ratios=(1, 12), layout="constrained")
for (left, right), place in zip(axes, shown, strict=True):
    row, distance = rows[place], distances[place]
    left.imshow(digits.images[row], cmap="gray_r")
    right.imshow(codes[[row]], cmap=ListedColormap(["#dbe7f5", "#1f5fa8"]), aspect="equal", vmin=0, vmax=1)
    differing = np.flatnonzero(codes[row] != codes[query])
    right.plot(differing, np.zeros(len(differing)), "x", color="#d9480f", markersize=9, markeredgewidth=2.5)
    as_near = np.searchsorted(distances, distance, side="right") - 1
    title = "the query" if place == 0 else f"neighbor {place}: {distance} bits differ, digits as near: {as_near:,}"
    right.set_title(title, fontsize=10, loc="left")
    for ax in (left, right):
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# What a bit looks at
# -------------------
# A bit of a linear hasher is the sign of a weighted sum of pixels. The mean picture of the digits with the bit minus
# that of the others shows which pixels count: red where those with the bit have more ink, blue where they have less.
# These are the first six bits in which the query and its 25th neighbor differ, with the query's value.
differing = np.flatnonzero(codes[rows[25]] != codes[query])[:6]
figure, axes = plt.subplots(1, len(differing), figsize=(10, 2.3), layout="constrained", squeeze=False)
for ax, bit in zip(axes[0], differing, strict=True):
    has = codes[:, bit] == 1
    difference = digits.images[has].mean(axis=0) - digits.images[~has].mean(axis=0)
    picture = ax.imshow(difference, cmap="RdBu_r", vmin=-8, vmax=8)
    ax.set(xticks=[], yticks=[], title=f"bit {bit}: {codes[query, bit]}")
figure.colorbar(picture, ax=axes[0], label="ink, of 16")
plt.show()

# %%
# How certain was each bit?
# -------------------------
# The continuous value before the sign says how close a bit was to the other side. Bits in which near neighbors differ
# are more often those that were nearly undecided, here for all digits as queries. For a single query, the relation is
# weak.
_, nearest = index.kneighbors(codes, n_neighbors=26)
differs = np.mean([codes != codes[nearest[:, place]] for place in range(1, 26)], axis=0).ravel()
values = np.abs(hasher.decision_function(digits.data)).ravel()
tenths = np.array_split(values.argsort(), 10)
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot([values[part].mean() for part in tenths], [100 * differs[part].mean() for part in tenths], "o-")
ax.set(xlabel="distance of the query from the bit's threshold", ylabel="neighbors that differ in the bit (%)", ylim=0)
ax.set_title("25 nearest of each digit, bits in tenths by that distance")
ax.grid(alpha=0.3)
plt.show()
