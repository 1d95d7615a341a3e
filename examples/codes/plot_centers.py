"""
How far apart can hash centers be?
==================================

Methods with centers train each class towards a code of its own. The smallest distance between two centers limits how
many wrong bits a search forgives. Which construction comes close to the largest distance that is possible?
"""

# %%
# Minimum distance by construction
# --------------------------------
# The dashed line is Plotkin's bound, which no set of codes exceeds. A construction has no point where it has no such
# centers. With at most ``2 * bits`` classes, rows of Hadamard matrices reach half of the bits, and combined ones
# ("levenshtein") the bound. Fair coins ("bernoulli") stay far below. ``method="auto"`` takes the best.
import matplotlib.pyplot as plt

from skhash.centers import make_hash_centers, min_distance, plotkin_bound

lengths = [16, 24, 32, 48, 64, 96, 128]
methods = {"auto": "o", "levenshtein": "x", "hadamard": "s", "linear": "^", "maxhd": "D", "bernoulli": "v"}
colors = ["black", "tab:green", "tab:orange", "tab:purple", "tab:blue", "tab:red"]


def distance_of(method, n_classes, bits):
    """Return the minimum distance, or NaN where the construction has no such centers."""
    try:
        return min_distance(make_hash_centers(n_classes, bits, method=method, random_state=0))
    except ValueError:
        return float("nan")


figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True, layout="constrained")
for ax, n_classes in zip(axes, (10, 100), strict=True):
    bounds = [plotkin_bound(n_classes, bits) for bits in lengths]
    ax.plot(
        lengths, [bound / bits for bound, bits in zip(bounds, lengths, strict=True)], "k--", label="Plotkin's bound"
    )
    for (method, marker), color in zip(methods.items(), colors, strict=True):
        distances = [distance_of(method, n_classes, bits) / bits for bits in lengths]
        hollow = {"markerfacecolor": "none", "markersize": 11} if method == "auto" else {"markersize": 6}
        ax.plot(lengths, distances, marker=marker, color=color, label=method, linewidth=1, **hollow)
    ax.set(xlabel="bits", title=f"{n_classes} classes", ylim=(0, 0.62))
    ax.set_xticks(lengths, lengths, fontsize=8)
    ax.grid(alpha=0.3)
axes[0].set_ylabel("minimum distance / bits")
axes[1].legend(loc="lower right")
plt.show()

# %%
# Many classes
# ------------
# With more classes than ``2 * bits``, words of error-correcting codes take over. With 10,000 classes, their distance is
# more than twice that of fair coins.
numbers = [10, 30, 100, 300, 1000, 3000, 10000]
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
ax.plot(numbers, [plotkin_bound(n, 64) for n in numbers], "k--", label="Plotkin's bound")
for method, marker, color in (("auto", "o", "tab:blue"), ("bernoulli", "v", "tab:red")):
    ax.plot(numbers, [distance_of(method, n, 64) for n in numbers], marker=marker, color=color, label=method)
ax.set(xscale="log", xlabel="classes", ylabel="minimum distance (bits)", ylim=(0, 40), title="64 bits")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
