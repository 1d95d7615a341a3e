"""
Rank or radius?
===============

There are two ways to search by Hamming distance: return the K nearest codes, or all codes within a radius. What are the
precision and the recall of each?

Three hashers of 32 bits are compared on scikit-learn's digits: random projections (LSH), rotated principal components
(ITQ), and a network that was trained with the labels (:class:`skhash.OrthoHasher`).
"""

# %%
# The K nearest
# -------------
# 300 digits are queries. The other 1,497 are used to fit the hashers and are also the database.
#
# Precision decreases with K, at the latest when K exceeds the number of items of the query's class, about 150. The
# chance level is the precision of a random ranking. Ties are frequent with 32 bits; ``ties="expected"`` averages over
# all orders of the tied items.
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

figure, ax = plt.subplots(layout="constrained")
for number, hasher in enumerate(hashers):
    PrecisionAtKDisplay.from_estimator(
        hasher, *sides, max_k=500, ties="expected", ax=ax, plot_chance_level=number == len(hashers) - 1
    )
ax.set_title("Precision of the K nearest")

# %%
# Precision over recall
# ---------------------
# The same searches, over the share of relevant items that is retrieved. On the left, the number of results increases
# one by one. On the right, each dot is a radius, starting at 0. A query without any code within the radius counts as 0
# (``empty_ball="zero"``, the default). These curves therefore start low: few queries have a database code at
# distance 0.
figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True, layout="constrained")
for ax, by, mark in zip(axes, ("rank", "radius"), (100, 4), strict=True):
    for hasher in hashers:
        RetrievalPrecisionRecallDisplay.from_estimator(hasher, *sides, by=by, ties="expected", marks=[mark], ax=ax)
axes[1].label_outer()
axes[1].legend(loc="lower center")
plt.show()

# %%
# The same radius is not the same trade-off for all hashers: within 4 bits, LSH retrieves more than ITQ with a lower
# precision, because its codes of different digits are closer together. A number of results is comparable across
# hashers.
