import numpy as np
import pytest

from skhash import CSQHasher, DPNHasher, OrthoHasher
from skhash.metrics import mean_average_precision


@pytest.fixture(scope="module")
def sparse():
    """Noisy samples with 2 of 12 labels, and samples with 3 of 80."""
    sets = []
    for n_labels, n_each, noise in ((12, 2, 1.5), (80, 3, 1.5)):
        rng = np.random.RandomState(0)
        share = 1 / (np.arange(n_labels) + 5)
        rows = [rng.choice(n_labels, n_each, replace=False, p=share / share.sum()) for _ in range(800)]
        y = np.zeros((800, n_labels), int)
        np.put_along_axis(y, np.array(rows), 1, axis=1)
        sets.append(((y @ rng.randn(n_labels, 48) + noise * rng.randn(800, 48)).astype(np.float32), y))
    return sets


@pytest.mark.parametrize(("hasher_class", "gain"), [(CSQHasher, 0.02), (DPNHasher, 0.005), (OrthoHasher, 0.005)])
def test_pairs_rank_samples_that_share_a_label_higher(hasher_class, gain, sparse):
    (X, y), _ = sparse

    def score(**options):
        hasher = hasher_class(bits=32, random_state=0, **options).fit(X[200:], y[200:])
        queries, database = hasher.transform(X[:200]), hasher.transform(X[200:])
        return mean_average_precision(queries, database, y[:200], y[200:], ties="expected")

    assert score() > score(likelihood_weight=0.0) + gain


@pytest.mark.filterwarnings("ignore:Only 3.8% of the labels are set")
def test_log_odds_balance_the_bits_of_rare_labels(sparse):
    _, (X, y) = sparse

    def imbalance(loss):
        hasher = OrthoHasher(bits=64, multilabel_loss=loss, likelihood_weight=0.0, random_state=0).fit(X, y)
        return np.abs(hasher.transform(X).mean(axis=0) - 0.5).mean()

    assert imbalance("sigmoid") > 0.2
    assert imbalance("sigmoid_prior") < 0.1
