"""Tests of the classifier that the hash centers come from."""

import numpy as np
import pytest
import torch

from skhash.inputs import Samples
from skhash.methods._warm_up import make_classifier, start_at_class_means, warm_up
from skhash.nn import MLP
from skhash.training import make_optimizer


def train(classifier, samples, targets, **options):
    warm_up(
        classifier,
        samples,
        targets,
        **{
            "epochs": 8,
            "learning_rate": 1e-2,
            "schedule": "one_cycle",
            "weight_decay": 1e-4,
            "views": (None, None),
            "generator": torch.Generator().manual_seed(0),
            **options,
        },
    )
    return classifier


@pytest.mark.parametrize("backbone", ["auto", None, "mlp"])
def test_it_learns_to_classify(digits, backbone):
    samples, y = Samples(digits.X[:800]), torch.tensor(digits.y[:800])
    classifier = make_classifier(backbone, samples, 10, torch.Generator().manual_seed(0))
    assert isinstance(classifier.backbone, MLP) == (backbone is not None)
    assert classifier.head.embeddings.std().item() == pytest.approx(1, abs=0.1)
    if backbone is None:
        start_at_class_means(classifier, samples, y)
    train(classifier, samples, y)
    unseen = torch.tensor(digits.X[800:], dtype=torch.float32)
    assert (classifier(unseen).argmax(dim=1).numpy() == digits.y[800:]).mean() > 0.85
    assert not classifier.training
    assert not any(parameter.requires_grad for parameter in classifier.backbone.parameters())
    assert not classifier.train().backbone.training
    assert classifier.head.training


def test_it_sees_strong_views(digits):
    samples, seen = Samples(digits.X[:10]), []

    def strong(inputs, generator):
        seen.append(len(inputs))
        return inputs

    classifier = make_classifier(None, samples, 10, torch.Generator().manual_seed(0))
    train(classifier, samples, torch.tensor(digits.y[:10]), epochs=3, views=(None, strong))
    assert seen == [10, 10, 10]


def test_options_of_the_optimiser(monkeypatch):
    samples, y = Samples(np.random.default_rng(0).normal(size=(10, 3))), torch.arange(10) % 2
    made, norms = [], []

    def make(*args, **options):
        made.append(make_optimizer(*args, **options))
        return made[-1]

    monkeypatch.setattr("skhash.methods._warm_up.make_optimizer", make)
    monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", lambda parameters, norm: norms.append(norm))
    classifier = make_classifier(None, samples, 2, torch.Generator().manual_seed(0))
    train(classifier, samples, y, epochs=1, schedule="constant", beta1=0.95, max_grad_norm=5.0)
    train(classifier, samples, y, epochs=1, schedule="constant")
    assert [optimizer.param_groups[0]["betas"] for optimizer in made] == [(0.95, 0.999), (0.9, 0.999)]
    assert norms == [5.0]


@pytest.mark.parametrize(
    ("backbone", "message"),
    [("small_cnn", "warm_up='small_cnn' takes images"), (torch.nn.Linear(4, 2), "warm_up does not take inputs of sh")],
)
def test_errors_name_the_parameter(backbone, message):
    with pytest.raises(ValueError, match=message):
        make_classifier(backbone, Samples(np.zeros((5, 3))), 2, torch.Generator())


def test_a_module_sees_inputs_as_they_are_and_is_copied():
    module = torch.nn.Linear(3, 2)
    samples = Samples(np.random.default_rng(0).normal(5, 2, size=(20, 3)))
    classifier = make_classifier(module, samples, 4, torch.Generator().manual_seed(0))
    assert classifier.backbone is not module
    rows = samples.batch(range(4))
    torch.testing.assert_close(classifier.features(rows), module(rows))


@pytest.mark.parametrize("multilabel", [False, True])
def test_class_means(multilabel):
    X = np.random.default_rng(0).normal(5, 2, size=(5000, 3))
    y = np.arange(5000) % 4
    member = np.eye(4)[y]
    if multilabel:
        member[:, 0] = 1
    targets = torch.tensor(member) if multilabel else torch.tensor(y)
    classifier = make_classifier(torch.nn.Identity(), Samples(X), 4, torch.Generator().manual_seed(0))
    start_at_class_means(classifier, Samples(X), targets)
    expected = member.T @ X / member.sum(axis=0)[:, None] - X.mean(axis=0)
    np.testing.assert_allclose(classifier.head.embeddings.detach().numpy(), expected, atol=1e-4)
