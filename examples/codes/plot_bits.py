"""
What does the sign cost?
========================

A hasher computes continuous values and keeps their signs. Two things show how much that loses: how far the values are
from the corners of the cube (quantization error), and how uneven the ones are spread over the bits (imbalance). Do
they also predict which method finds more?
"""

# %%
# Six methods
# -----------
# Codes of 32 bits of digits that were not used for training. Imbalance is how far the share of ones in a bit is from
# one half, 0.5 for a bit that never changes: each dot is a bit, each line the mean. Quantization error is the mean
# angle between the values and their signs: 0 degrees at a corner of the cube. mAP ranks the other test digits for each.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import ITQHasher, LSHHasher, OrthoHasher, PCAHasher, SDCHasher, SpectralHasher
from skhash.metrics import mean_average_precision

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=600, stratify=y, random_state=0)
hashers = {
    "LSH": LSHHasher(bits=32, random_state=0),
    "PCA": PCAHasher(bits=32),
    "Spectral": SpectralHasher(bits=32),
    "ITQ": ITQHasher(bits=32, random_state=0),
    "SDC": SDCHasher(bits=32, max_epochs=50, random_state=0),
    "OrthoHash (labels)": OrthoHasher(bits=32, max_epochs=20, random_state=0),
}
imbalances, angles, scores = [], [], []
for hasher in hashers.values():
    hasher.fit(X_train, y_train)
    z, codes = hasher.decision_function(X_test), hasher.transform(X_test)
    imbalances.append(np.abs(codes.mean(axis=0) - 0.5))
    cosines = np.abs(z).sum(axis=1) / (np.linalg.norm(z, axis=1) * np.sqrt(z.shape[1]))
    angles.append(np.degrees(np.arccos(np.minimum(cosines, 1))))
    scores.append(float(mean_average_precision(codes, codes, y_test, y_test, ties="expected", exclude_self=True)))

figure, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
places = np.arange(len(hashers))
jitter = np.random.default_rng(0).uniform(-0.2, 0.2, 32)
for place, values in zip(places, imbalances, strict=True):
    axes[0].plot(values, place + jitter, ".", color="tab:blue", alpha=0.6)
    axes[0].plot(values.mean(), place, "|", color="black", markersize=22, markeredgewidth=2)
axes[0].set(title="imbalance of each bit", xlabel="|share of ones - 1/2|", xlim=(-0.02, 0.52))
axes[1].barh(places, [values.mean() for values in angles], color="tab:orange")
axes[1].set(title="quantization error", xlabel="angle to the signs (degrees)", xlim=(0, 55))
axes[2].barh(places, scores, color="tab:green")
axes[2].set(title="search", xlabel="mAP, leave-one-out", xlim=(0, 1))
axes[0].set_yticks(places, hashers)
axes[0].invert_yaxis()
for ax, numbers in zip(axes[1:], ([values.mean() for values in angles], scores), strict=True):
    for place, number in enumerate(numbers):
        ax.text(number, place, f" {number:.0f}" if ax is axes[1] else f" {number:.2f}", va="center")
plt.show()

# %%
# Neither number ranks the methods. Bits of PCA are balanced and yet the worst, because the later ones follow directions
# of little variance, which shows in the angle. ITQ rotates the same directions: the balance stays, the angle falls, and
# mAP doubles. Without labels, a smaller angle goes with a higher mAP, except for spectral hashing, whose bits are waves
# along few directions. With labels, values need not be near the corners to be on the right side.
