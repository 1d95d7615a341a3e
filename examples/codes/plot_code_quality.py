"""
What do good codes look like?
=============================

This example shows three views of the codes themselves, without a search: distances within and between classes, the
share of ones in each bit, and a map.

Codes of 32 bits from an unsupervised hasher (:class:`skhash.ITQHasher`) are compared with those of a network that was
trained with labels (:class:`skhash.OrthoHasher`), on digits that were not used to fit either of them.
"""

# %%
# Do distances separate the classes?
# ----------------------------------
# Pairs of one class should be close, other pairs far apart; the arrow between the two means is the *separability*. In
# the overlap of the histograms, a search within a radius makes errors. On average, different classes cannot be much
# farther apart than half of the bits.
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

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for hasher, ax in zip(hashers, axes, strict=True):
    DistanceHistogramDisplay.from_estimator(hasher, X, y, ax=ax)
    ax.label_outer()

# %%
# Are the bits balanced?
# ----------------------
# A bit that is 1 for half of the codes carries the most information. The bits of ITQ are nearly balanced, because it
# centers the data. The bits of the network follow the target codes of its ten classes, in which a bit may be 1 for six
# classes and 0 for four.
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True, layout="constrained")
for hasher, ax in zip(hashers, axes, strict=True):
    BitBalanceDisplay.from_estimator(hasher, X, ax=ax)
    ax.label_outer()

# %%
# A map
# -----
# t-SNE places codes with a small Hamming distance near each other. Each class has a color and a marker. The size of a
# group and its distance to the next one mean little. What matters is whether a class forms one group that is not mixed
# with others.
for hasher in hashers:
    CodeEmbeddingDisplay.from_estimator(hasher, X, y, random_state=0)
plt.show()
