"""
Which groups do codes form?
===========================

scikit-learn's estimators for graphs of neighbors work on binary codes, too:
:class:`skhash.HammingNeighborsTransformer` computes the graph by an exact search, without a matrix of all distances.
Here DBSCAN looks for groups of digits, and t-SNE draws a map of them, both from codes of 64 bits that were learned
without labels.
"""

# %%
# Groups and labels
# -----------------
# DBSCAN joins codes that have enough others within a radius. Each group that it finds has a color and a number on the
# map, gray dots belong to none. The labels on
# the right were used by none of these steps. DBSCAN takes 3 and 9 for one group, and finds most of the others.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline

from skhash import SDCHasher
from skhash.index import HammingNeighborsTransformer

X, y = load_digits(return_X_y=True)
codes = SDCHasher(bits=64, max_epochs=50, random_state=0).fit(X).transform(X)
radius = 7
dbscan = make_pipeline(
    HammingNeighborsTransformer(radius=radius), DBSCAN(eps=radius, min_samples=10, metric="precomputed")
)
groups = dbscan.fit_predict(codes)
tsne = make_pipeline(
    HammingNeighborsTransformer(n_neighbors=91), TSNE(metric="precomputed", init="random", random_state=0)
)
places = tsne.fit_transform(codes)


def draw(ax, places, numbers, title):
    """Draw a map with a color for each number, and the number at the median of its dots."""
    ax.plot(*places[numbers < 0].T, ".", color="silver", markersize=4)
    for number in range(numbers.max() + 1):
        own = places[numbers == number]
        ax.plot(*own.T, ".", color=plt.get_cmap("tab10")(number % 10), markersize=4)
        ax.text(
            *np.median(own, axis=0),
            str(number),
            ha="center",
            va="center",
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.8, "edgecolor": "none"},
        )
    ax.set(xticks=[], yticks=[], title=title)


figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
n_groups, share = groups.max() + 1, (groups >= 0).mean()
draw(axes[0], places, groups, f"DBSCAN: {n_groups} groups of {share:.0%} of the digits")
draw(axes[1], places, y, "labels: which digit it is")
plt.show()

# %%
# Which radius?
# -------------
# A small radius leaves many digits without a group, and a large one joins everything. In between, the groups agree with
# the labels (adjusted Rand score, 1 is equal). Without labels, look for the largest radius before the number of groups
# collapses.
radii = list(range(2, 12))
found = []
for r in radii:
    graph = HammingNeighborsTransformer(radius=r).fit_transform(codes)
    found.append(DBSCAN(eps=r, min_samples=10, metric="precomputed").fit_predict(graph))
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
left.plot(radii, [labels.max() + 1 for labels in found], "o-")
left.set(xlabel="radius (bits)", ylabel="groups", title="number of groups", ylim=0)
scores = [adjusted_rand_score(y[labels >= 0], labels[labels >= 0]) for labels in found]
right.plot(radii, [(labels >= 0).mean() for labels in found], "o-", label="share of digits in a group")
right.plot(radii, scores, "s--", label="adjusted Rand score of these")
right.set(xlabel="radius (bits)", title="agreement with the labels", ylim=(0, 1.02))
right.legend(loc="lower left")
for ax in (left, right):
    ax.axvline(radius, color="gray", linestyle=":")
    ax.grid(alpha=0.3)
plt.show()
