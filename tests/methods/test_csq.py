import numpy as np
import pytest
import torch

from skhash import CSQHasher
from skhash.centers import hadamard_centers
from skhash.losses import center_targets, csq_loss
from skhash.nn import DeepHead
from skhash.training import Steps


def small(**options):
    return CSQHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"centers": "paper"},
        {"centers": "bernoulli"},
        {"quantization_weight": 0.05},
        {"head": "csq"},
        {"backbone": "mlp"},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > 0.72  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    hasher = CSQHasher(bits=32, recipe="paper", centers="paper", head="csq", quantization_weight=0.05, random_state=0)
    assert learnt_map(hasher) > 0.88
    assert (hasher.n_iter_, hasher.recipe_.schedule) == (90, Steps(0.7, every=10))
    assert hasher.recipe_.backbone_lr_ratio == 0.01


def test_paper_centers_are_hadamards_where_there_are_any(digits):
    np.testing.assert_array_equal(small(centers="paper").fit(digits.X, digits.y).centers_, hadamard_centers(10, 32))
    with pytest.raises(ValueError, match=r"Hadamard centers need bits to be the order of .* got bits=30"):
        small(centers="hadamard", bits=30).fit(digits.X, digits.y)
    assert small(centers="paper", bits=30).fit(digits.X, digits.y).centers_.shape == (10, 30)


def test_several_labels_share_a_code(digits, two_labels):
    hasher = small(max_epochs=25, likelihood_weight=0.0).fit(digits.X, two_labels)
    criterion = hasher.module_.criterion
    codes = center_targets(torch.tensor(two_labels, dtype=torch.float32), criterion.centers, criterion.ties)
    assert ((hasher.transform(digits.X) > 0) == (codes.numpy() > 0)).mean() > 0.9
    # Of two centers, many bits are ties.
    assert (two_labels @ hasher.centers_ == 0).mean() > 0.3
    assert (hasher.predict(digits.X)[:, 10:] == two_labels[:, 10:]).mean() > 0.85


@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, digits, two_labels):
    y = two_labels if multilabel else digits.y
    hasher = small(quantization_weight=0.5).fit(digits.X, y)
    criterion = hasher.module_.criterion
    z, targets = torch.randn(len(y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    options = {"ties": criterion.ties, "quantization_weight": 0.5, "likelihood_weight": 10.0}
    expected = csq_loss(z, targets, torch.tensor(hasher.centers_), **options)
    torch.testing.assert_close(criterion(z, targets), expected)


def test_quantization_weight_pushes_values_outwards(digits):
    def gap(weight):
        h = np.tanh(small(quantization_weight=weight).fit(digits.X, digits.y).decision_function(digits.X))
        return np.square(np.abs(h) - 1).mean()

    assert gap(5.0) < 0.8 * gap(0.0)


def test_the_authors_head_drops_from_the_fits_own_generator(digits):
    before = torch.get_rng_state()
    first, second = (small(head="csq").fit(digits.X, digits.y) for _ in range(2))
    assert isinstance(first.module_.head, DeepHead)
    assert [epoch["loss"] for epoch in first.history_] == [epoch["loss"] for epoch in second.history_]
    np.testing.assert_array_equal(first.transform(digits.X), second.transform(digits.X))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head": "mlp"}, "The 'head' parameter of CSQHasher must be a str among .* Got 'mlp' instead"),
        ({"quantization_weight": -1}, r"The 'quantization_weight' parameter .* range \[0.0, inf\). Got -1 instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
