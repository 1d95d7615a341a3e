"""
Rank or radius?
===============

Two ways to search by Hamming distance: take the K nearest codes, or take all codes within a radius. How precise is
either, and how much does it find?

Three hashers of 32 bits are compared on scikit-learn's digits: random projections (LSH), rotated principal components
(ITQ), and a network that was trained with the labels (:class:`skhash.OrthoHasher`).
"""

# %%
# Data and hashers
# ----------------
# 300 digits are queries; the other 1,497 train the hashers, and are searched.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skhash import ITQHasher, LSHHasher, OrthoHasher
from skhash.metrics import PrecisionAtKDisplay, RetrievalPrecisionRecallDisplay

X, y = load_digits(return_X_y=True)
X_database, X_query, y_database, y_query = train_test_split(X, y, test_size=300, stratify=y, random_state=0)
hashers = [
    LSHHasher(bits=32, random_state=0).fit(X_database),
    ITQHasher(bits=32, random_state=0).fit(X_database),
    OrthoHasher(bits=32, max_epochs=20, random_state=0).fit(X_database, y_database),
]
sides = X_query, y_query, X_database, y_database

# %%
# The K nearest
# -------------
# Precision falls with K, at the latest where K exceeds the 150 items or so that a query has of its class. Chance level
# is the precision of a random ranking. Codes of 32 bits tie often; ``ties="expected"`` averages over all orders of a
# tie.
figure, ax = plt.subplots(layout="constrained")
for number, hasher in enumerate(hashers):
    PrecisionAtKDisplay.from_estimator(
        hasher, *sides, max_k=500, ties="expected", ax=ax, plot_chance_level=number == len(hashers) - 1
    )
ax.set_title("Precision of the K nearest")

# %%
# Precision over recall
# ---------------------
# The same retrievals, over the share of the relevant items that was found. At the left the ranks grow one by one; at
# the right the radius, a dot each, begins at 0. A query with nothing within the radius counts 0 (``empty_ball="zero"``,
# the default), which is why those curves begin low: few queries have a code of the database at distance 0.
figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True, layout="constrained")
for ax, by, mark in zip(axes, ("rank", "radius"), (100, 4), strict=True):
    for hasher in hashers:
        RetrievalPrecisionRecallDisplay.from_estimator(hasher, *sides, by=by, ties="expected", marks=[mark], ax=ax)
axes[1].label_outer()
axes[1].legend(loc="lower center")
plt.show()

# %%
# One radius is not one trade-off: within 4 bits, LSH finds more than ITQ, at less precision, because its codes of
# different digits are closer together. One number of results means the same to all.
