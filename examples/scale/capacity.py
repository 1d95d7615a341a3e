"""How much memory, how many machines and how much time a collection of codes needs, predicted from measured rates.

Every function is a formula of doc/user_guide/scale.rst and has a test in tests/examples/test_scale.py. Only
`measure_scan` and `measure_merge` measure; they take some seconds.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isqrt, log2, nan
from time import process_time

import numpy as np

from skhash import HammingIndex, ShardedHammingIndex

__all__ = [
    "ENGINES",
    "Machine",
    "Network",
    "Plan",
    "ScanRate",
    "best_machines",
    "code_bytes",
    "index_bytes",
    "machine_hours",
    "machines_for_load",
    "machines_for_memory",
    "mapped_seconds",
    "measure_merge",
    "measure_scan",
    "network_seconds",
    "plan",
    "query_seconds",
    "table_bytes",
]

ENGINES = ("index in memory", "memory-mapped folder", "shards on one machine", "shards on workers", "database")
WORD, ID, DISTANCE, MEMBER = 8, 8, 4, 4  # bytes
LONGEST, MOST_TABLES = 24, 64  # bits of a substring, and tables of an index


@dataclass(frozen=True)
class ScanRate:
    """Seconds of one core to compare one code: with one query, and with a batch of queries together."""

    single: float
    batch: float
    batch_size: int = 100

    def seconds(self, n_codes, n_queries=1):
        """Predict the seconds of one core: reading each code costs `read`, and each comparison `compare`."""
        return n_codes * (self.read + n_queries * self.compare)

    @property
    def compare(self):
        """Seconds a code and query, from the line through both measurements."""
        return min(max((self.batch - self.single) / (self.batch_size - 1), 0.0), self.batch / self.batch_size)

    @property
    def read(self):
        """Seconds a code that do not depend on the number of queries."""
        return self.single - self.compare


@dataclass(frozen=True)
class Machine:
    """A machine as its user knows it: bytes for the index, cores that scan, and bytes a second of its disk."""

    memory: float = 16e9
    cores: int = 4
    disk_bandwidth: float = 1e9


@dataclass(frozen=True)
class Network:
    """A network: seconds of a round trip, bytes a second of the link of the client, seconds to merge a neighbor."""

    round_trip: float = 5e-4
    bandwidth: float = 1.25e9
    merge: float = 1e-7


@dataclass(frozen=True)
class Plan:
    """What a collection needs: the engine, bytes, machines, seconds of one call, and whether these are few enough.

    The seconds of a database are NaN: they are not those of a scan.
    """

    engine: str
    n_bytes: int
    n_machines: int
    seconds: float
    is_fast_enough: bool


def code_bytes(bits):
    """Bytes of a code: whole words of 64 bits."""
    return WORD * ceil(bits / 64)


def table_bytes(n_codes, bits):
    """Bytes of the tables of multi-index hashing, for distinct codes of at most 128 bits.

    Each table has the number and a copy of every code, and 2**length + 1 offsets.
    """
    n_tables = min(max(round(bits / max(log2(n_codes), 1)), ceil(bits / LONGEST)), MOST_TABLES)
    bounds = [i * bits // n_tables for i in range(n_tables + 1)]
    offsets = sum(2 ** (end - start) + 1 for start, end in pairwise(bounds))
    return n_tables * n_codes * (MEMBER + code_bytes(bits)) + MEMBER * offsets


def index_bytes(n_codes, bits, *, has_ids=False, label_bytes=0, has_tables=False):
    """Bytes of an index in memory: codes, integer ids if they are not counted, labels, and tables."""
    per_code = code_bytes(bits) + (ID if has_ids else 0) + label_bytes
    return n_codes * per_code + (table_bytes(n_codes, bits) if has_tables else 0)


def machines_for_memory(n_bytes, machine, n_replicas=1):
    """Machines that hold all bytes, each part `n_replicas` times."""
    return max(n_replicas, ceil(n_replicas * n_bytes / machine.memory))


def machines_for_load(rate, n_codes, calls_per_second, machine, n_queries=1, utilization=0.5):
    """Machines whose cores are busy for the share `utilization` of the time at most."""
    return max(1, ceil(calls_per_second * rate.seconds(n_codes, n_queries) / (machine.cores * utilization)))


def network_seconds(n_machines, network, bits, n_queries=1, k=10):
    """Seconds beyond the scan: a round trip, what passes the client's link, and the merge of all answers."""
    sent = n_machines * n_queries * (code_bytes(bits) + k * (DISTANCE + ID))
    return network.round_trip + sent / network.bandwidth + network.merge * n_machines * n_queries * k


def query_seconds(rate, n_codes, bits, machine=None, *, n_queries=1, k=10, n_machines=1, network=None):
    """Seconds of one call. Without a machine, one core scans all codes; else all cores of all machines share them."""
    if machine is None:
        return rate.seconds(n_codes, n_queries)
    scan = rate.seconds(n_codes / (n_machines * machine.cores), n_queries)
    return scan + (0.0 if network is None else network_seconds(n_machines, network, bits, n_queries, k))


def mapped_seconds(rate, n_codes, bits, bandwidth, n_queries=1):
    """Seconds of the first call on a mapped folder: its pages are read while the scan waits for each."""
    return n_codes * code_bytes(bits) / bandwidth + rate.seconds(n_codes, n_queries)


def best_machines(rate, n_codes, bits, machine, network, n_queries=1, k=10):
    """Return the number of machines with the fastest call: more of them scan less each, but answer more in all.

    Seconds are a / m + b * m + c for m machines, so the best m is near sqrt(a / b).
    """
    work = rate.seconds(n_codes, n_queries) / machine.cores
    each = network_seconds(1, network, bits, n_queries, k) - network.round_trip
    near = isqrt(int(work / each)) if work >= each else 1
    return min((near, near + 1), key=lambda m: work / m + each * m)


def machine_hours(seconds, n_machines, n_calls):
    """Hours of machines that the calls take, one after the other; times the price of an hour they are the cost."""
    return n_machines * seconds * n_calls / 3600


def plan(n_codes, bits, rate, machine, network, *, seconds, n_queries=1, k=10, transactions=False, **parts):
    """Choose the simplest engine that holds the codes and answers within `seconds`.

    `parts` are those of `index_bytes`. From the simplest on: one index in memory and one core; a folder that is mapped
    into memory, read from the disk by each call; shards for the cores of one machine; shards on as many workers as
    memory and `seconds` need, at most as many as make a call faster. `transactions`, for many writers or searches with
    conditions on other columns, ask for a database, which has ids; its own rows and indexes take more.
    """
    n_bytes = index_bytes(n_codes, bits, **parts)
    alone = query_seconds(rate, n_codes, bits, n_queries=n_queries)
    if transactions:
        n_bytes = index_bytes(n_codes, bits, **{**parts, "has_ids": True})
        return Plan("database", n_bytes, machines_for_memory(n_bytes, machine), nan, False)
    if n_bytes <= machine.memory:
        if alone <= seconds:
            return Plan("index in memory", n_bytes, 1, alone, True)
        shared = query_seconds(rate, n_codes, bits, machine, n_queries=n_queries)
        if shared <= seconds:
            return Plan("shards on one machine", n_bytes, 1, shared, True)
    else:
        cold = mapped_seconds(rate, n_codes, bits, machine.disk_bandwidth, n_queries)
        if cold <= seconds:
            return Plan("memory-mapped folder", n_bytes, 1, cold, True)
    fewest = machines_for_memory(n_bytes, machine)
    most = max(fewest, best_machines(rate, n_codes, bits, machine, network, n_queries, k))

    def call(m):
        return query_seconds(rate, n_codes, bits, machine, n_queries=n_queries, k=k, n_machines=m, network=network)

    # Fewest machines that are fast enough: a bisection, because up to `most` each machine makes a call faster.
    low, high = fewest, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if call(middle) <= seconds else (middle + 1, high)
    return Plan("shards on workers", n_bytes, low, call(low), call(low) <= seconds)


def measure_scan(bits=64, n_codes=2**24, batch_size=100, n_rounds=5):
    """Measure the scan on one core of this machine, with codes that do not fit into its caches.

    Seconds are those of the processor, which other programs on the machine change less.
    """
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, (n_codes, ceil(bits / 64)), dtype=np.uint64)
    if bits % 64:
        codes[:, -1] &= np.uint64(2 ** (bits % 64) - 1)
    index = HammingIndex(n_neighbors=10, bits=bits, algorithm="brute", n_jobs=1).fit(codes)
    seconds = {}
    for size in (1, batch_size):
        queries = codes[rng.integers(0, n_codes, size)]
        index.kneighbors(queries)  # compiles
        seconds[size] = min(_time(index.kneighbors, queries) for _ in range(n_rounds))
    return ScanRate(seconds[1] / n_codes, seconds[batch_size] / n_codes, batch_size)


def measure_merge(n_shards=100, n_queries=100, k=10, n_rounds=5):
    """Measure the seconds that `ShardedHammingIndex` takes to merge a neighbor.

    The difference between a search of many tiny shards for `k` neighbors and for one, so that calls cancel out.
    """
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64, (n_shards, k, 1), dtype=np.uint64)
    shards, queries = ShardedHammingIndex(list(codes)), codes[:, 0].repeat(ceil(n_queries / n_shards), 0)[:n_queries]
    shards.kneighbors(queries, k)
    many, one = (min(_time(shards.kneighbors, queries, k_) for _ in range(n_rounds)) for k_ in (k, 1))
    return max((many - one) / (n_shards * n_queries * (k - 1)), 1e-10)


def _time(function, *arguments):
    start = process_time()
    function(*arguments)
    return process_time() - start
