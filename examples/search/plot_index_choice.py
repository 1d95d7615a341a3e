"""
When do tables pay?
===================

An exact search by Hamming distance can read all codes (a scan), or look up substrings of the query in tables
(multi-index hashing). Tables are much faster for near neighbors in large collections, and slower for distant ones. With
``algorithm="auto"``, :class:`skhash.HammingIndex` forecasts both costs. Where is the border?
"""

# %%
# Measured times and the choice
# -----------------------------
# Random codes; each query is one of them with a flipped bit in every word, and the search is for all codes within a
# radius. Times are those of the machine that built this page, with one thread, and vary with what else it does. Filled
# markers show which of the two "auto" forecasts to be cheaper, once tables are built.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

from skhash import HammingIndex

rng = np.random.default_rng(0)
radii = [0, 2, 4, 6, 8, 10, 12, 16]
cases = [(10_000, 64), (300_000, 64), (300_000, 128)]
styles = {"brute": ("scan", "tab:blue", "o"), "mih": ("tables", "tab:orange", "s")}


def measure(index, queries, radius):
    """Return the time of a query in microseconds, the best of three."""
    times = []
    for _ in range(3):
        start = perf_counter()
        index.radius_neighbors(queries, radius=radius)
        times.append((perf_counter() - start) / len(queries) * 1e6)
    return min(times)


figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
chosen = {}
for ax, (n, bits) in zip(axes, cases, strict=True):
    codes = rng.integers(0, 2**64, (n, bits // 64), dtype=np.uint64)
    queries = codes[:100] ^ (np.uint64(1) << rng.integers(0, 64, (100, bits // 64), dtype=np.uint64))
    indexes = {name: HammingIndex(algorithm=name).fit(codes) for name in styles}
    times = {name: [measure(index, queries, radius) for radius in radii] for name, index in indexes.items()}
    auto = HammingIndex(algorithm="auto").fit(codes)
    plans = [auto.explain(queries, radius=radius) for radius in radii]
    chosen[n, bits] = plans
    for name, (label, color, marker) in styles.items():
        ax.plot(radii, times[name], color=color, marker=marker, markerfacecolor="none", label=label)
        cheaper = [(plan.tables_ns is not None and plan.tables_ns < plan.scan_ns) == (name == "mih") for plan in plans]
        ax.plot(
            np.array(radii)[cheaper], np.array(times[name])[cheaper], marker, color=color, label=f"{label}: forecast"
        )
    ax.set(yscale="log", xlabel="radius (bits)", title=f"{n:,} codes of {bits} bits")
    ax.set_xticks(radii)
    ax.grid(alpha=0.3)
axes[0].set_ylabel("time of a query (microseconds)")
axes[0].legend()
plt.show()

# %%
# The forecast
# ------------
# ``explain`` prints the plan of a search without searching. The costs come from a model and a sample of the codes, and
# are replaced by measurements as searches are done, so that the choice follows the machine.
print(auto.explain(queries, radius=4))

# %%
# The costs that were forecast, in microseconds per query:
for (n, bits), plans in chosen.items():
    print(f"{n:,} codes of {bits} bits")
    for name, costs in {"scan": [p.scan_ns for p in plans], "tables": [p.tables_ns for p in plans]}.items():
        print(f"  {name:8}" + "".join("       -" if cost is None else f"{cost / 1000:8.1f}" for cost in costs))

# %%
# A rule of thumb: leave the choice to "auto". Set ``algorithm="brute"`` for codes that are searched only once, and
# ``algorithm="mih"`` if the first query must already be answered by tables. "mih" scans as well where a look-up would
# cost more, which is why its times stop rising.
