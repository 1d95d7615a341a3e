"""
How many bytes does an embedding need?
======================================

This example compresses vectors of 256 floats, 1,024 bytes each, to records of 8 to 256 bytes with
:class:`skhash.EmbeddingIndex`, and measures how many of the 10 nearest neighbors a search still finds: by the records
alone, and after the best candidates are compared again with copies of the vectors in half precision.
"""

# %%
# Recall by bytes
# ---------------
# Embeddings of a neural network have more variance along some axes than along others. These synthetic ones are drawn
# around 200 topics, and the deviation falls along the axes, as it does for embeddings of sentences.
#
# Each index is searched alone, and with 20 and 40 candidates for the 10 neighbors. Candidates change the search, not
# the records: `oversampling` can be set after `fit`.
#
# One bit per dimension, 32 bytes instead of 1,024, is enough to find all neighbors if the best 40 are compared again,
# and nearly all if the best 20 are. Records alone need eight times as many bytes for that. Each query is compared with
# all records, so these belong in memory. Copies of the vectors are only read for the candidates, so they may lie on
# disk.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.neighbors import NearestNeighbors

from skhash import EmbeddingIndex
from skhash.metrics import knn_recall

rng = np.random.default_rng(0)
n_features = 256
deviations = 1 / np.sqrt(1 + np.arange(n_features) / 10)
topics = rng.normal(size=(200, n_features)) * deviations
vectors = topics[rng.integers(0, 200, 8200)] + rng.normal(size=(8200, n_features)) * deviations
vectors = vectors.astype(np.float32)
queries, X = vectors[:200], vectors[200:]
true_ids = NearestNeighbors(n_neighbors=10, metric="cosine").fit(X).kneighbors(queries, return_distance=False)

sizes = [8, 16, 32, 64, 128, 256]
curves = {"records alone": [], "best 20 compared again": [], "best 40 compared again": []}
for size in sizes:
    index = EmbeddingIndex(n_neighbors=10, bytes_per_vector=size, rescore="float16", random_state=0).fit(X)
    alone = EmbeddingIndex(n_neighbors=10, bytes_per_vector=size, random_state=0).fit(X)
    found = [
        alone.kneighbors(queries, return_distance=False),
        index.set_params(oversampling=2).kneighbors(queries, return_distance=False),
        index.set_params(oversampling=4).kneighbors(queries, return_distance=False),
    ]
    for curve, ids in zip(curves.values(), found, strict=True):
        curve.append(float(knn_recall(true_ids, ids)))

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for (name, recall), marker in zip(curves.items(), "os^", strict=True):
    ax.plot(sizes, recall, marker=marker, label=name)
ax.axvline(n_features / 8, color="gray", linestyle=":")
ax.annotate("1 bit per dimension", (n_features / 8, 0.03), (6, 0), textcoords="offset points", color="gray")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [f"{size}\n1/{4 * n_features // size}" for size in sizes])
ax.set(xlabel="bytes per record, and share of the floats", ylabel="recall of the 10 nearest neighbors", ylim=(0, 1.02))
ax.set_title(f"{len(X):,} vectors of {n_features} floats")
ax.grid(alpha=0.3)
ax.legend(loc="lower right")
plt.show()
