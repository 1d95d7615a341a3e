"""The simulation of shards agrees with queueing theory, and its merged answers with one index."""

import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad

from skhash import HammingIndex

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def scale():
    """Return the simulation and the closed forms."""
    sys.path.insert(0, str(ROOT / "examples"))
    names = [f"scale.{name}" for name in ("cluster", "closed_forms")]
    yield SimpleNamespace(**{name.split(".")[1]: importlib.import_module(name) for name in names})
    sys.path.remove(str(ROOT / "examples"))
    for name in ("scale", *names):
        sys.modules.pop(name, None)


def poisson_arrivals(rate, n, seed=1):
    return np.random.default_rng(seed).exponential(1 / rate, n).cumsum()


def routed(weights, n, seed=2):
    shards = np.random.default_rng(seed).choice(len(weights), n, p=np.asarray(weights) / np.sum(weights))
    return shards[:, None]


@pytest.fixture(params=["Constant", "Exponential", "Stragglers"])
def service(request, scale):
    options = {"share": 0.1, "shape": 5.0} if request.param == "Stragglers" else {}
    return getattr(scale.closed_forms, request.param)(2.0, **options)


def test_times_of_service(service):
    times = service.draw(np.random.default_rng(0), 400_000)
    assert times.mean() == pytest.approx(service.mean, rel=0.01)
    assert (times**2).mean() == pytest.approx(service.second_moment, rel=0.05)
    means, squares = [], []
    for ends in ((0, 2), (2, np.inf)):  # moments are integrals of the survival, which jumps at 2
        for moments, weight in ((means, 1), (squares, 2)):
            moments.append(quad(lambda t, weight=weight: weight * t ** (weight - 1) * service.survival(t), *ends)[0])
    assert sum(means) == pytest.approx(service.mean, rel=1e-6)
    assert sum(squares) == pytest.approx(service.second_moment, rel=1e-6)
    for t in (1.0, 2.5, 6.0, 20.0):
        share, error = (times > t).mean(), np.sqrt(0.25 / len(times))
        assert abs(share - service.survival(t)) <= 4 * error
    for p in (0.3, 0.95, 0.999):
        assert (times <= service.quantile(p) * (1 + 1e-12)).mean() >= p - 0.003
        assert (times < service.quantile(p)).mean() <= p + 0.003


def test_the_slowest_of_a_thousand_replies(scale):
    forms = scale.closed_forms
    outcome = scale.cluster.Cluster(1000, 10, forms.Exponential()).run(poisson_arrivals(1e-4, 2000))
    assert outcome.seconds.mean() == pytest.approx(forms.harmonic(1000), rel=0.02)
    for percent in (50, 90):
        expected = forms.maximum_quantile(forms.Exponential(), 1000, percent / 100)
        assert outcome.percentiles(percent)[0] == pytest.approx(expected, rel=0.02)
    assert outcome.n_requests == 2_000_000
    assert outcome.busy.sum() == pytest.approx(2_000_000, rel=0.01)


@pytest.mark.parametrize("n_shards", [1, 30, 1000])
def test_quantiles_of_stragglers(scale, n_shards):
    service = scale.closed_forms.Stragglers(1e-3, share=0.02)
    outcome = scale.cluster.Cluster(n_shards, 10, service).run(poisson_arrivals(0.1, 4000))
    for percent in (50, 90):
        expected = scale.closed_forms.maximum_quantile(service, n_shards, percent / 100)
        assert outcome.percentiles(percent)[0] == pytest.approx(expected, rel=0.1)


def test_waiting_before_one_server(scale, service):
    n_shards, load, n = 20, 0.5, 20_000
    rate = load / service.mean
    cluster = scale.cluster.Cluster(n_shards, 5, service)
    outcome = cluster.run(poisson_arrivals(rate * n_shards, n), routes=routed(np.ones(n_shards), n))
    waited = outcome.reply_seconds - service.mean
    assert waited == pytest.approx(scale.closed_forms.waiting_time(rate, service), rel=0.1)


def test_waiting_before_the_less_busy_of_two(scale):
    forms, n = scale.closed_forms, 20_000
    for n_replicas, load, expected in ((2, 0.7, forms.two_servers_wait(0.7)), (200, 0.8, forms.least_work_of_two(0.8))):
        n_shards = 200 // n_replicas
        cluster = scale.cluster.Cluster(n_shards, 200, forms.Exponential(), n_replicas=n_replicas)
        outcome = cluster.run(poisson_arrivals(load * 200, n), routes=routed(np.ones(n_shards), n))
        assert outcome.reply_seconds - 1 == pytest.approx(expected, rel=0.1)
    assert forms.least_work_of_two(0.8) < 0.2 * forms.waiting_time(0.8, forms.Exponential())


def test_least_work_of_two_solves_its_equation(scale):
    """The differential equation, integrated by small steps of Heun's method."""
    load, step = 0.9, 1e-3
    share, wait = load, 0.0
    for _ in range(30_000):
        slope = -share + load * share**2
        guess = share + step * slope
        after = share + step / 2 * (slope - guess + load * guess**2)
        wait += step * (share**2 + after**2) / 2
        share = after
    assert scale.closed_forms.least_work_of_two(load) == pytest.approx(wait, rel=1e-4)


def test_random_replicas_are_servers_of_their_own(scale):
    """Poisson arrivals that are split at random are Poisson arrivals."""
    forms, n = scale.closed_forms, 16_000
    cluster = scale.cluster.Cluster(10, 4, forms.Exponential(), n_replicas=2, choice="random")
    outcome = cluster.run(poisson_arrivals(0.5 * 20, n), routes=routed(np.ones(10), n))
    assert outcome.reply_seconds - 1 == pytest.approx(forms.waiting_time(0.5, forms.Exponential()), rel=0.1)


def test_hedged_requests(scale):
    forms, after = scale.closed_forms, 2.0
    service = forms.Stragglers(1.0, share=0.1)
    cluster = scale.cluster.Cluster(100, 10, service, n_replicas=2, hedge_after=after, choice="random")
    outcome = cluster.run(np.arange(2000) * 1e4)  # nothing waits
    assert outcome.n_requests / 200_000 == pytest.approx(forms.requests_with_hedges(service, after), rel=0.01)
    assert outcome.n_hedges == outcome.n_requests - 200_000
    for t in (4.0, 8.0, 16.0):
        expected = 1 - (1 - forms.hedge_survival(service, t, after)) ** 100
        assert (outcome.seconds > t).mean() == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 2000))
    plain = scale.cluster.Cluster(100, 10, service, n_replicas=2, choice="random").run(np.arange(2000) * 1e4)
    assert outcome.percentiles(99)[0] < 0.6 * plain.percentiles(99)[0]


def test_the_time_that_a_lost_machine_costs(scale):
    """Without replicas a query waits for the shard to be open again, with them for the loss to be noticed."""
    service, arrivals = scale.closed_forms.Constant(1e-6), np.arange(4000) * 0.01
    losses = [(10.001, 3), (25.001, 7)]
    for n_replicas in (1, 2):
        cluster = scale.cluster.Cluster(
            50, 10, service, n_replicas=n_replicas, detection=0.5, reopening=2.0, choice="random"
        )
        has_shards = all(np.isin(machine, cluster.machines) for _, machine in losses)
        outcome = cluster.run(arrivals, losses=losses)
        assert has_shards
        assert np.isfinite(outcome.seconds).all()
        assert not np.isin([3, 7], outcome.machines).any()
        assert all(len(set(row)) == n_replicas for row in outcome.machines)
        slow = outcome.seconds > 1e-4
        window = 2.5 if n_replicas == 1 else 0.5
        inside = np.zeros(4000, bool)
        for time, _ in losses:
            inside |= (arrivals > time) & (arrivals < time + window)
            waiting = np.flatnonzero((arrivals > time) & (arrivals < time + window) & slow)
            left = time + window - arrivals[waiting]
            assert (outcome.seconds[waiting] - left).max() < 1e-3
            assert (outcome.seconds[waiting] - left).min() > -1e-9
        assert slow[inside].mean() == (1.0 if n_replicas == 1 else pytest.approx(slow[inside].mean()))
        assert not slow[~inside].any()
        assert outcome.n_resent >= slow.sum()


@pytest.mark.parametrize(
    ("n_replicas", "hedge_after", "expected"),
    [
        (1, None, 0.7 + 1.0 + 1.0),  # noticed, opened again, served from the start
        (2, None, 0.7 + 1.0),  # noticed, and sent to the other replica
        (2, 0.3, 0.3 + 1.0),  # already repeated on the other replica
    ],
)
def test_a_reply_that_a_lost_machine_owes(scale, n_replicas, hedge_after, expected):
    options = {"n_replicas": n_replicas, "hedge_after": hedge_after, "detection": 0.2, "reopening": 1.0}
    cluster = scale.cluster.Cluster(1, 3, scale.closed_forms.Constant(1.0), **options)
    first = cluster._choose(np.array([0]), cluster.known)[0] if n_replicas == 2 else 0
    cluster.rng = np.random.default_rng(0)  # the same choice again
    outcome = cluster.run([0.0], losses=[(0.5, cluster.machines[0, first])])
    assert outcome.seconds[0] == pytest.approx(expected)


def test_a_loss_of_more_machines_than_replicas_loses_no_query(scale):
    """All machines but one are lost one after the other, faster than replicas are opened again."""
    cluster = scale.cluster.Cluster(
        20, 6, scale.closed_forms.Exponential(0.01), n_replicas=2, hedge_after=0.03, detection=0.2, reopening=1.0
    )
    outcome = cluster.run(np.arange(2000) * 0.01, losses=[(3 + 0.4 * m, m) for m in range(5)])
    assert np.isfinite(outcome.seconds).all()
    assert set(outcome.machines[outcome.machines == 5]) == {5}
    assert (outcome.machines == 5).any(axis=1).all()


def test_without_machines_queries_stay_open(scale):
    cluster = scale.cluster.Cluster(5, 1, scale.closed_forms.Constant(0.01), detection=0.1, reopening=0.1)
    outcome = cluster.run(np.arange(10) * 1.0, losses=[(4.5, 0)])
    assert np.isfinite(outcome.seconds).tolist() == [True] * 5 + [False] * 5


def test_the_share_of_calls_that_miss_a_shard(scale):
    """Each machine is down for a tenth of the time, alone; explicit draws of all machines."""
    rng, n_shards, n_machines = np.random.default_rng(0), 8, 400
    for n_replicas in (1, 2, 3):
        down = rng.random((20_000, n_machines)) < 0.1
        machines = np.arange(n_shards * n_replicas).reshape(n_shards, n_replicas)  # no two shards share a machine
        missed = down[:, machines].all(axis=2).any(axis=1).mean()
        expected = scale.closed_forms.unavailable(0.1, n_replicas, n_shards)
        assert missed == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 20_000))


def test_hot_shards_get_replicas(scale):
    """Queries go to one shard each, by Zipf's law: the hottest is too busy until it is rebalanced."""
    n_shards, n_machines, n = 200, 40, 30_000
    weights = 1 / np.arange(1, n_shards + 1)
    weights /= weights.sum()
    service, rate = scale.closed_forms.Exponential(1.0), 7.0
    assert 1.0 < rate * weights[0] < 1.25  # more than a server can do
    arrivals, routes = poisson_arrivals(rate, n), routed(weights, n)
    change = arrivals[n // 3]
    cluster = scale.cluster.Cluster(n_shards, n_machines, service, max_replicas=4, reopening=5.0)
    outcome = cluster.run(arrivals, routes=routes, rebalance=[change], target=0.45)
    n_replicas = (outcome.machines >= 0).sum(axis=1)
    loads = rate * weights
    assert n_replicas[0] == np.ceil(loads[0] / 0.45) == 3
    assert (loads / n_replicas).max() < 0.5
    settled = arrivals > change + 300
    hottest = routes[:, 0] == 0
    before, after = (outcome.seconds[hottest & rows].mean() for rows in (arrivals < change, settled))
    assert after < 0.1 * before
    # The other shards are single servers: each waits as the formula says.
    third = (routes[:, 0] == 2) & settled
    load = loads[2] / n_replicas[2]
    assert n_replicas[2] == 1
    waited = outcome.seconds[third].mean() - 1
    assert waited == pytest.approx(scale.closed_forms.waiting_time(load, service), rel=0.2)


def test_new_replicas_balance_the_machines(scale):
    """Each is opened where the least work is: no machine has more than the mean and the largest piece of it."""
    loads = 1 / np.arange(1.0, 101)
    cluster = scale.cluster.Cluster(100, 8, scale.closed_forms.Constant(), n_replicas=1, max_replicas=2)
    cluster.machines[:], cluster.alive[:] = -1, False
    for shard in range(100):
        cluster._open(shard, 0, 0.0, loads)
    work = np.bincount(cluster.machines[:, 0], loads, 8)
    assert work.max() <= loads.sum() / 8 + loads[0]
    assert work.max() / work.mean() < 1.6
    idle = work.argmin()
    shard = np.flatnonzero(cluster.machines[:, 0] == idle)[0]
    cluster._open(shard, 1, 0.0, loads)  # not where its other replica is, although there is the least work
    assert cluster.machines[shard, 1] == np.argsort(work)[1]


@pytest.mark.parametrize("n_replicas", [1, 3])
def test_a_machine_that_joins_takes_its_share(scale, n_replicas):
    before, after = (scale.cluster.place(3000, n, n_replicas) for n in (20, 21))
    assert all(len(set(row)) == n_replicas for row in after)
    came = (after == 20).any(axis=1)
    share = scale.closed_forms.moved_share(20) * n_replicas
    assert came.mean() == pytest.approx(share, abs=4 * np.sqrt(share / 3000))
    np.testing.assert_array_equal(before[~came], after[~came])
    for old, new in zip(before[came], after[came], strict=True):
        assert len(set(new) - set(old)) == 1
    counts = np.bincount(after.ravel(), minlength=21)
    assert counts.max() < counts.mean() + 5 * np.sqrt(counts.mean())


def test_the_largest_shard(scale):
    rng = np.random.default_rng(0)
    largest = [np.bincount(rng.integers(0, 100, 50_000), minlength=100).max() for _ in range(300)]
    assert np.mean(largest) == pytest.approx(scale.closed_forms.largest_shard(50_000, 100), rel=0.005)


def test_the_numbers_of_the_page(scale):
    forms, page = scale.closed_forms, (ROOT / "doc" / "user_guide" / "scale.rst").read_text()
    page = " ".join(page.split())
    for number, sentence in (
        (f"{forms.harmonic(1000):.1f}", "{} times that of one for a thousand shards"),
        (f"{forms.least_work_of_two(0.8):.1f}", "at 80 % load {} services instead of 4"),
        (f"{forms.waiting_time(0.8, forms.Exponential()):.0f}", "services instead of {}"),
        (f"{forms.requests_with_hedges(forms.Stragglers(1.0), 2.0):.4f}", "one: {} here"),
        (f"{forms.unavailable(1e-3, 1, 1000):.0%}".replace("%", " %"), "{} with one replica"),
        (f"{forms.unavailable(1e-3, 2, 1000):.1%}".replace("%", " %"), "and {} with two"),
        (f"{forms.largest_shard(10**9, 1000) / 1e6 - 1:.1%}".replace("%", " %"), "shards {} more than the mean"),
    ):
        assert sentence.format(number) in page


def test_two_rows_of_the_table_of_the_page(scale):
    """The simulation is seeded, so that it prints what the page shows."""
    page = (ROOT / "doc" / "user_guide" / "scale.rst").read_text()
    service = scale.closed_forms.Stragglers(1.0)
    arrivals = np.random.default_rng(0).exponential(service.mean / 0.3, 4000).cumsum()
    for n_shards in (1, 10):
        cells = []
        for options in ({}, {"n_replicas": 2}, {"n_replicas": 2, "hedge_after": 2.0}):
            cluster = scale.cluster.Cluster(n_shards, n_shards + 2, service, **options)
            values = cluster.run(arrivals).percentiles(50, 99, 99.9)
            cells.append(" / ".join(f"{value:.1f}" if value < 9.95 else f"{value:.0f}" for value in values))
        assert re.search(rf"^{n_shards} +{cells[0]} +{cells[1]} +{cells[2]}$", page, re.MULTILINE), cells


def test_merged_answers_are_those_of_one_index(scale):
    """A thousand shards, of which some are hedged and some lost; short codes, so that most distances are tied."""
    rng = np.random.default_rng(0)
    codes, queries = (rng.integers(0, 2**12, (n, 1), dtype=np.uint64) for n in (8000, 40))
    corpus = scale.cluster.Corpus(codes, 1000, queries, k=15)
    service = scale.closed_forms.Stragglers(1.0, share=0.2)
    cluster = scale.cluster.Cluster(
        1000, 50, service, n_replicas=2, hedge_after=1.5, detection=3.0, reopening=20.0, choice="random"
    )
    outcome = cluster.run(np.arange(200) * 4.0, losses=[(10.5, 4), (50.5, 30), (51.0, 31)], corpus=corpus)
    assert outcome.n_hedges > 1000
    assert outcome.n_resent > 10
    distances, ids = HammingIndex().fit(codes).kneighbors(queries, 15)
    assert sorted(outcome.found) == list(range(40))
    for number, found in outcome.found.items():
        np.testing.assert_array_equal(found.distances, distances[number])
        np.testing.assert_array_equal(found.ids, ids[number])


def test_a_missing_answer_is_noticed(scale):
    codes = np.arange(100, dtype=np.uint64)[:, None]
    corpus = scale.cluster.Corpus(codes, 10, codes[:1])
    query = scale.cluster._Query(0, 0.0, np.arange(10), 10)
    query.sent = [(np.arange(10), np.zeros(10, int), np.where(np.arange(10) == 7, np.inf, 1.0))]
    with pytest.raises(AssertionError, match=r"has no answer of shards \[7\]"):
        corpus.answer(query)


def test_wrong_arguments(scale):
    service = scale.closed_forms.Constant()
    with pytest.raises(ValueError, match=r"n_replicas must be <= n_machines = 2, got 3"):
        scale.cluster.Cluster(5, 2, service, n_replicas=3)
    with pytest.raises(ValueError, match='choice must be "random" or "least work", got \'first\''):
        scale.cluster.Cluster(5, 2, service, choice="first")
