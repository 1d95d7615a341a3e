"""What queueing theory says about shards: times of service, waiting, the slowest of many, hedges, losses and balance.

The simulation of `scale.cluster` is compared with these formulas in tests/examples/test_scale_cluster.py.
"""

from dataclasses import dataclass
from math import log

import numpy as np
from scipy.stats import poisson

__all__ = [
    "Constant",
    "Exponential",
    "Stragglers",
    "harmonic",
    "hedge_survival",
    "largest_shard",
    "least_work_of_two",
    "maximum_quantile",
    "moved_share",
    "requests_with_hedges",
    "two_servers_wait",
    "unavailable",
    "waiting_time",
]


@dataclass(frozen=True)
class Constant:
    """The same time for every request."""

    mean: float = 1.0

    @property
    def second_moment(self):
        return self.mean**2

    def draw(self, rng, size):
        return np.full(size, self.mean)

    def survival(self, t):
        return np.where(np.asarray(t) < self.mean, 1.0, 0.0)

    def quantile(self, p):
        return np.full(np.shape(p), self.mean)


@dataclass(frozen=True)
class Exponential:
    """Exponential times."""

    mean: float = 1.0

    @property
    def second_moment(self):
        return 2 * self.mean**2

    def draw(self, rng, size):
        return rng.exponential(self.mean, size)

    def survival(self, t):
        return np.exp(-np.maximum(t, 0.0) / self.mean)

    def quantile(self, p):
        return -self.mean * np.log1p(-np.asarray(p))


@dataclass(frozen=True)
class Stragglers:
    """A scan of constant time, to which one request of many adds a heavy-tailed delay.

    Parameters
    ----------
    base : float
        Seconds of the scan.
    share : float, default=0.01
        Share of slow requests.
    scale : float, default=10.0
        Size of the delay in scans: their mean is `scale / (shape - 1)`.
    shape : float, default=3.0
        Exponent of the tail, above 2 so that the variance is finite.
    """

    base: float
    share: float = 0.01
    scale: float = 10.0
    shape: float = 3.0

    @property
    def mean(self):
        return self.base * (1 + self.share * self.scale / (self.shape - 1))

    @property
    def second_moment(self):
        delay = self.scale / (self.shape - 1)
        square = 2 * self.scale**2 / ((self.shape - 1) * (self.shape - 2))
        return self.base**2 * (1 + self.share * (2 * delay + square))

    def draw(self, rng, size):
        times = np.full(size, self.base)
        slow = rng.random(size) < self.share
        times[slow] += self.base * self.scale * rng.pareto(self.shape, np.count_nonzero(slow))
        return times

    def survival(self, t):
        beyond = np.maximum(np.asarray(t, float) - self.base, 0.0) / (self.base * self.scale)
        return np.where(np.asarray(t) < self.base, 1.0, self.share * (1 + beyond) ** -self.shape)

    def quantile(self, p):
        tail = np.minimum((1 - np.asarray(p, float)) / self.share, 1.0)
        with np.errstate(divide="ignore"):
            return self.base * (1 + self.scale * (tail ** (-1 / self.shape) - 1))


def harmonic(n):
    """Return 1 + 1/2 + ... + 1/n, the mean of the largest of n exponential times of mean 1."""
    return float((1 / np.arange(1, n + 1)).sum())


def maximum_quantile(service, n, p):
    """Return the quantile `p` of the slowest of `n` replies: the quantile p**(1/n) of one."""
    return service.quantile(np.asarray(p) ** (1 / n))


def waiting_time(arrivals, service):
    """Return the mean wait before one server (Pollaczek and Khinchine), of `arrivals` per second."""
    load = arrivals * service.mean
    return arrivals * service.second_moment / (2 * (1 - load))


def two_servers_wait(load):
    """Return the mean wait, in mean services, before the less busy of two servers with exponential times (M/M/2)."""
    return load**2 / (1 - load**2)


def least_work_of_two(load):
    """Return the mean wait, in mean services, at the less busy of two servers drawn from very many.

    The share H(w) of servers with more than w seconds of work obeys H' = -H + load * H**2 with H(0) = load, and a
    request waits for longer than w if both have more: the integral of H**2.
    """
    return -log(1 - load**2) / load**2 - 1


def hedge_survival(service, t, after):
    """Return the probability that a reply takes longer than `t` if a request is repeated elsewhere after `after`."""
    t = np.asarray(t, float)
    return np.where(t < after, service.survival(t), service.survival(t) * service.survival(t - after))


def requests_with_hedges(service, after):
    """Return the mean number of requests sent instead of one."""
    return 1 + float(service.survival(after))


def unavailable(down, n_replicas, n_shards):
    """Return the share of calls that miss a shard if each machine is down for the share `down` of the time."""
    return 1 - (1 - down**n_replicas) ** n_shards


def largest_shard(n_codes, n_shards):
    """Return the mean size of the largest shard if codes go to shards by a hash of their id."""
    mean = n_codes / n_shards
    sizes = np.arange(0, int(mean + 12 * np.sqrt(mean) + 30))
    return float((1 - poisson.cdf(sizes, mean) ** n_shards).sum())


def moved_share(n_machines):
    """Return the share of shards that move to a machine which joins `n_machines` others."""
    return 1 / (n_machines + 1)
