"""
From a million to ten billion codes
===================================

How long does a query take, and how many machines does it need, if the collection grows to ten billion codes? This
example measures how fast this machine compares codes, forecasts the rest from that and a model of the network, and
simulates a billion codes in a thousand shards: slow replies, a lost machine, replicas and repeated requests.

It uses the modules of ``examples/scale``: run it in a clone of the repository.
"""

# %%
# One query and a hundred at once
# -------------------------------
# The scan of one core is measured; machine and network are assumptions, to be replaced by yours. One core is enough for
# a long way. The cores of one machine and several machines share a scan if the collection is cut into shards.
import matplotlib.pyplot as plt
import numpy as np
from scale.capacity import (
    Machine,
    Network,
    best_machines,
    index_bytes,
    machine_hours,
    measure_merge,
    measure_scan,
    plan,
    query_seconds,
)
from scale.closed_forms import Stragglers, maximum_quantile, requests_with_hedges
from scale.cluster import Cluster, Corpus

from skhash import HammingIndex

BITS = 64
rate = measure_scan(BITS)
machine = Machine(memory=16e9, cores=4, disk_bandwidth=1e9)
network = Network(round_trip=5e-4, bandwidth=1.25e9, merge=measure_merge())

sizes = np.geomspace(1e6, 1e10, 41)
figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), layout="constrained", sharey=True)
for ax, n_queries in zip(axes, (1, 100), strict=True):
    ways = {
        "one core": [query_seconds(rate, n, BITS, n_queries=n_queries) for n in sizes],
        "all 4 cores": [query_seconds(rate, n, BITS, machine, n_queries=n_queries) for n in sizes],
    }
    for n_machines in (10, 100):
        options = {"n_queries": n_queries, "n_machines": n_machines, "network": network}
        ways[f"{n_machines} machines"] = [query_seconds(rate, n, BITS, machine, **options) for n in sizes]
    best = [best_machines(rate, n, BITS, machine, network, n_queries) for n in sizes]
    for name, seconds in ways.items():
        ax.loglog(sizes, seconds, label=name)
    fastest = [
        query_seconds(rate, n, BITS, machine, n_queries=n_queries, n_machines=m, network=network)
        for n, m in zip(sizes, best, strict=True)
    ]
    ax.loglog(sizes, fastest, "k:", label=f"the best number, up to {max(best):,}")
    ax.axvline(machine.memory / (BITS / 8), color="gray", linewidth=0.8)
    ax.set(title="1 query" if n_queries == 1 else f"{n_queries} queries at once", xlabel="codes of 64 bits")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
axes[0].set_ylabel("seconds of a call")
axes[0].annotate("memory of one machine", (machine.memory / 8, 1e-4), (-4, 0), textcoords="offset points",
                 rotation=90, ha="right", va="bottom", color="gray", fontsize="small")  # fmt: skip
plt.show()

# %%
# Which engine
# ------------
# The simplest one that holds the codes and answers in time, here in a tenth of a second. Its cost is that of its
# machines: the hours of a million calls, one after the other, times your price of an hour.
price = 1.0
print(f"one core compares a code in {rate.single * 1e9:.2f} ns, and with 100 queries in {rate.batch * 1e7:.3f} ns each")
print(f"{'codes':>15} {'GB':>6} {'tables, GB':>11}  {'engine':22} {'machines':>8} {'seconds':>8} {'cost':>6}")
for n in (10**6, 10**7, 10**8, 10**9, 10**10):
    chosen = plan(n, BITS, rate, machine, network, seconds=0.1)
    tables = index_bytes(n, BITS, has_tables=True) / 1e9
    cost = price * machine_hours(chosen.seconds, chosen.n_machines, 10**6)
    print(
        f"{n:15,} {chosen.n_bytes / 1e9:6.2f} {tables:11.2f}  {chosen.engine:22} "
        f"{chosen.n_machines:8} {chosen.seconds:8.4f} {cost:6.1f}"
    )

# %%
# The slowest of a thousand
# -------------------------
# A query is answered when its last shard has replied. Each shard has a million codes, so that a thousand shards have a
# billion. One request of a hundred is slow: a pause of the system, a busy disk, another program. Of one shard that is
# one query of a hundred, of a thousand shards nearly every query. A second replica shortens the waiting, but a request
# that is slow stays slow. Repeating those that take twice as long as a scan costs one request of a hundred more.
service = Stragglers(rate.seconds(10**6), share=0.01)
after = 2 * service.base
ways = {
    "one replica": {},
    "two replicas": {"n_replicas": 2},
    "two replicas, repeated": {"n_replicas": 2, "hedge_after": after},
}
counts = [1, 10, 100, 1000]
rng = np.random.default_rng(0)
arrivals = rng.exponential(service.mean / 0.3, 4000).cumsum()  # a replica that is alone is busy for 30 % of the time
tails = {}
for name, options in ways.items():
    outcomes = [Cluster(n, min(n + 1, 100), service, **options).run(arrivals) for n in counts]
    tails[name] = np.array([outcome.percentiles(50, 99, 99.9) for outcome in outcomes])

figure, axes = plt.subplots(1, 3, figsize=(10, 4), layout="constrained", sharey=True)
for ax, (name, times) in zip(axes, tails.items(), strict=True):
    for percent, column in zip((50, 99, 99.9), times.T, strict=True):
        ax.loglog(counts, column * 1e3, "o-", label=f"p{percent:g}")
    alone = [maximum_quantile(service, n, 0.5) * 1e3 for n in counts]
    if name == "one replica":
        ax.loglog(counts, alone, "k:", label="p50, formula without waiting")
    ax.set(title=name, xlabel="shards of a million codes")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
axes[0].set_ylabel("milliseconds of a query")
plt.show()

print(f"requests instead of one: {requests_with_hedges(service, after):.4f} by the formula without waiting,", end=" ")
print(f"{outcomes[-1].n_requests / (len(arrivals) * counts[-1]):.4f} in the simulation")

# %%
# A lost machine
# --------------
# A machine of a hundred is lost. After a tenth of a second this is noticed, and a second later its shards are open
# elsewhere. With one replica all queries wait until then. With two, only those that had asked the lost one wait, until
# the loss is noticed. No query is lost.
#
# The answers are real: a small collection in a thousand shards is searched as the simulated replies arrive, and merged
# by the library. They are those of one index.
codes, queries = (rng.integers(0, 2**16, (n, 1), dtype=np.uint64) for n in (10_000, 20))
corpus = Corpus(codes, 1000, queries)
expected = HammingIndex(n_neighbors=10).fit(codes).kneighbors(queries, return_distance=False)
times = np.arange(0, 4, 0.004)
figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
for n_replicas, color in ((1, "C0"), (2, "C1")):
    cluster = Cluster(1000, 100, service, n_replicas=n_replicas, hedge_after=after, detection=0.1, reopening=1.0)
    outcome = cluster.run(times, losses=[(1.0, 5)], corpus=corpus)
    same = all((outcome.found[i].ids == expected[i]).all() for i in range(len(queries)))
    print(
        f"{n_replicas} of each shard: {np.isnan(outcome.seconds).sum()} lost, {outcome.n_resent} requests sent again, ",
        end="",
    )
    print(f"answers are those of one index: {same}")
    ax.semilogy(
        times,
        outcome.seconds * 1e3,
        ".",
        markersize=3,
        color=color,
        label="one replica" if n_replicas == 1 else "two replicas",
    )
ax.set(xlabel="arrival of the query, seconds", ylabel="milliseconds of the query", title="a machine is lost at 1 s")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
