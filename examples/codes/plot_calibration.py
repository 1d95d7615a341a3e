"""
What does calibration do to similarities?
=========================================

Similarities of features lie close together, and codes that copy them use a small part of the possible distances.
:class:`skhash.SDCHasher` keeps the order of the similarities, and gives those of the codes a prescribed distribution,
Beta(5, 5) on [-1, 1]. Does it succeed?
"""

# %%
# Before and after
# ----------------
# All pairs of 600 digits that were not used for training. Left: cosines of the pixels. Right of it: similarities of
# codes of 64 bits, 1 less twice the share of bits that differ. The target is a dashed line. LSH copies the narrow hill
# of the pixels. ITQ centers the data, which moves the hill to 0; calibration also makes it wide.
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.model_selection import train_test_split

from skhash import ITQHasher, LSHHasher, SDCHasher
from skhash.metrics import mean_average_precision

X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X, y, test_size=600, stratify=y, random_state=0)
bits = 64
hashers = {
    "LSH": LSHHasher(bits=bits, random_state=0).fit(X_train),
    "ITQ": ITQHasher(bits=bits, random_state=0).fit(X_train),
    "SDC": SDCHasher(bits=bits, max_epochs=50, random_state=0).fit(X_train),
}
pairs = np.triu_indices(len(X_test), 1)
codes = {name: hasher.transform(X_test) for name, hasher in hashers.items()}
signs = {name: 2.0 * code - 1 for name, code in codes.items()}
similarities = {"cosines of the pixels": cosine_similarity(X_test)[pairs]}
similarities |= {f"codes of {name}": (sign @ sign.T)[pairs] / bits for name, sign in signs.items()}

grid = np.linspace(-1, 1, 201)
target = stats.beta(5, 5, loc=-1, scale=2)
edges = (np.arange(0, bits + 2) - 0.5) * 2 / bits - 1
figure, axes = plt.subplots(1, 4, figsize=(12, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, similarities.items(), strict=True):
    ax.hist(values, edges, density=True, color="tab:blue", alpha=0.6)
    ax.plot(grid, target.pdf(grid), color="black", linestyle="--", label="target: Beta(5, 5)")
    ax.set(title=name, xlabel="similarity of two digits")
axes[0].set_ylabel("density of pairs")
axes[-1].legend(fontsize=9)
plt.show()

# %%
# How close to the target, and what for
# -------------------------------------
# The distance between two distributions is the mean shift that turns one into the other (Wasserstein). mAP says what it
# is good for: each digit is a query, the other 599 are its database.
goal = target.ppf((np.arange(2000) + 0.5) / 2000)
for name, values in similarities.items():
    print(
        f"{name:22} mean {values.mean():5.2f}, distance from the target {stats.wasserstein_distance(values, goal):.3f}"
    )
for name, code in codes.items():
    score = mean_average_precision(code, code, y_test, y_test, ties="expected", exclude_self=True)
    print(f"{name}: mAP {score:.3f}")

# %%
# The order is kept
# -----------------
# Similar pixels still mean similar codes, about as much as with ITQ. Each point is one of 3,000 pairs.
some = np.random.default_rng(0).choice(len(pairs[0]), 3000, replace=False)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharex=True, sharey=True, layout="constrained")
before = similarities["cosines of the pixels"]
for ax, name in zip(axes, codes, strict=True):
    after = similarities[f"codes of {name}"]
    ax.plot(before[some], after[some], ".", markersize=3, alpha=0.5)
    ax.set(title=f"{name}: Spearman {stats.spearmanr(before, after)[0]:.2f}", xlabel="cosine of the pixels")
axes[0].set_ylabel("similarity of the codes")
plt.show()
