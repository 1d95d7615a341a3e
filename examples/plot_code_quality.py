"""
What do good codes look like?
=============================

Three looks at the codes themselves, no search needed: distances within and between classes, the share of ones in each
bit, and a map.

Codes of 32 bits that never saw a label (:class:`skhash.ITQHasher`) are compared with those of a network that was
trained with them (:class:`skhash.OrthoHasher`), on digits that neither was fitted on.
"""

# %%
# Codes
# -----
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import ITQHasher, OrthoHasher
from skhash.metrics import BitBalanceDisplay, CodeEmbeddingDisplay, DistanceHistogramDisplay

X, y = load_digits(return_X_y=True)
X_train, X, y_train, y = train_test_split(X, y, test_size=800, stratify=y, random_state=0)
hashers = [
    ITQHasher(bits=32, random_state=0).fit(X_train),
    OrthoHasher(bits=32, max_epochs=30, random_state=0).fit(X_train, y_train),
]

# %%
# Do distances tell classes apart?
# --------------------------------
# Pairs of one class should be close, others far; the arrow from the one mean to the other is the *separability*. What
# lies under both histograms is where a radius errs. Different classes cannot be much farther apart than half the bits.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for hasher, ax in zip(hashers, axes, strict=True):
    DistanceHistogramDisplay.from_estimator(hasher, X, y, ax=ax)
    ax.label_outer()

# %%
# Are the bits balanced?
# ----------------------
# A bit that is 1 for half of the codes can tell the most. ITQ's are nearly so, as it centers the data. Those of the
# network follow the target codes of its ten classes, in which a bit may be 1 for six classes and 0 for four.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True, layout="constrained")
for hasher, ax in zip(hashers, axes, strict=True):
    BitBalanceDisplay.from_estimator(hasher, X, ax=ax)
    ax.label_outer()

# %%
# A map
# -----
# t-SNE draws codes of a small Hamming distance near each other. Each class has a colour and a marker. How large a group
# is and how far from the next means little; that a class is in one piece, and not mixed with others, means much.
for hasher in hashers:
    CodeEmbeddingDisplay.from_estimator(hasher, X, y, random_state=0)
plt.show()
