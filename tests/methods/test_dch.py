import pytest
import torch

from skhash import DCHHasher
from skhash.losses import dch_loss

AUTHORS = {
    "distance": "euclidean",
    "pair_weight": "similar",
    "self_pairs": False,
    "quantization": "squared",
    "activation": "tanh",
}


def small(**options):
    return DCHHasher(**{"bits": 32, "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **options})


def _of_loss(options):
    """Return the arguments of the loss for parameters of the hasher."""
    return {"class_weight" if name == "pair_weight" else name: value for name, value in options.items()}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gamma": 5.0},
        {"quantization_weight": 0.0},
        {"pair_weight": 5.0},
        {"pair_weight": None},
        AUTHORS,
        {"backbone": "mlp"},
    ],
    ids=str,
)
def test_every_option_learns(options, learnt_map, digits):
    hasher = small(**options)
    assert learnt_map(hasher) > (0.9 if "backbone" in options else 0.7)  # random hyperplanes: 0.49
    assert (hasher.predict(digits.X[1400:]) == digits.y[1400:]).mean() > 0.8


def test_the_paper(learnt_map):
    paper = {"recipe": "paper", "max_epochs": None, "learning_rate": None, "standardize": True}
    hasher = small(**paper)
    assert learnt_map(hasher) > 0.8
    assert (hasher.n_iter_, hasher.recipe_.optimizer, hasher.recipe_.backbone_lr_ratio) == (51, "sgd", 0.1)
    assert learnt_map(small(**paper, quantization_weight=0.0, **AUTHORS)) > 0.8


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("options", [{"gamma": 7.0, "quantization_weight": 0.7}, AUTHORS], ids=["own", "authors"])
def test_the_trained_loss_is_the_loss(multilabel, options, digits, two_labels):
    y = two_labels if multilabel else digits.y
    criterion = small(max_epochs=1, **options).fit(digits.X, y).module_.criterion
    z, targets = torch.randn(len(y), 32, generator=torch.Generator().manual_seed(0)), torch.tensor(y)
    torch.testing.assert_close(criterion(z, targets), dch_loss(z, targets, **_of_loss(options)))


def test_a_small_gamma_brings_similar_samples_nearer(digits):
    def spread(gamma):
        codes = small(gamma=gamma).fit(digits.X, digits.y).transform(digits.X)
        return sum(codes[digits.y == label].var(axis=0).sum() for label in range(10))

    assert spread(5.0) < spread(100.0)


def test_several_labels(digits, two_labels):
    hasher = small(max_epochs=20).fit(digits.X[:1400], two_labels[:1400])
    assert (hasher.predict(digits.X[1400:])[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distance": "hamming"}, "The 'distance' parameter of DCHHasher must be a str among .* Got 'hamming' instead"),
        ({"gamma": 0}, r"The 'gamma' parameter .* range \(0.0, inf\). Got 0 instead"),
        ({"activation": "relu"}, "The 'activation' parameter .* Got 'relu' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X, digits.y)
