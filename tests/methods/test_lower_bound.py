import copy
import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skhash import (
    CEHasher,
    CSQHasher,
    DCHHasher,
    DSDHHasher,
    GreedyHasher,
    HammingIndex,
    HashNetHasher,
    LowerBoundHasher,
    LSHHasher,
    OrthoHasher,
    SDHCHasher,
)
from skhash.centers import class_centers, make_hash_centers, min_distance
from skhash.deep import DeepHasher
from skhash.losses import PosteriorSurrogate, hashnet_loss
from skhash.methods._lower_bound import _LowerBoundLoss
from skhash.training import Batch, Recipe


def wrapped(hasher=HashNetHasher, lower_bound=None, **options):
    own = {"alpha": "10/bits"} if hasher is HashNetHasher else {}
    options = {"bits": 16, "max_epochs": 10, "learning_rate": 0.01, "random_state": 0, **own, **options}
    return LowerBoundHasher(hasher(**options), **(lower_bound or {}))


def lower_bound(codes, y):
    """The smallest distance between centers over the largest from a code to its center, but for one in a thousand."""
    centers = class_centers(codes, y, 10) > 0
    between, within = min_distance(np.where(centers, 1, -1)), np.percentile((codes != centers[y]).sum(axis=1), 99.9)
    return between / within if within else math.inf


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_raises_the_lower_bound_of_a_weak_method(seed, digits, learnt_map):
    recipe = Recipe(max_epochs=40, standardize=True)
    weak = HashNetHasher(bits=8, alpha="10/bits", backbone="mlp", recipe=recipe, random_state=seed)
    raised = LowerBoundHasher(weak)
    maps = [learnt_map(hasher) for hasher in (weak, raised)]
    assert maps[1] > maps[0] + 0.02
    train = digits.X[:1400], digits.y[:1400]
    bounds = [lower_bound(hasher.transform(train[0]), train[1]) for hasher in (weak, raised)]
    assert bounds[1] > 1.5 * bounds[0]


METHODS = [CEHasher, DCHHasher, DSDHHasher, GreedyHasher, OrthoHasher, CSQHasher, SDHCHasher]


@pytest.mark.parametrize("method", METHODS)
def test_codes_come_to_their_centers_whatever_the_method(method, digits):
    hasher = wrapped(method, backbone="mlp", learning_rate=1e-3, max_epochs=15).fit(digits.X, digits.y)
    agreement = ((hasher.transform(digits.X) > 0) == (hasher.centers_[digits.y] > 0)).mean()
    assert agreement > 0.75  # at first 0.5
    assert (hasher.predict(digits.X) == digits.y).mean() > 0.8


@pytest.mark.parametrize(
    "options", [{}, {"block_bits": 5}, {"block_bits": 1}, {"center_method": "bernoulli"}, {"surrogate_weight": 0.1}]
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(wrapped(max_epochs=20, lower_bound=options)) > 0.65


@pytest.mark.parametrize("recipe", ["lbhash", "paper"])
def test_recipes_are_the_estimators(recipe, learnt_map):
    hasher = wrapped(recipe=recipe, learning_rate=None, standardize=True, max_epochs=20)
    assert learnt_map(hasher) > 0.6
    assert hasher.estimator_.recipe_.batch_size == {"lbhash": 64, "paper": 72}[recipe]


def test_a_shorter_last_block(digits):
    hasher = wrapped(bits=12).fit(digits.X, digits.y)
    assert hasher.surrogate_.sizes == [8, 4]
    assert hasher.transform(digits.X).shape == (len(digits.X), 12)


class Spy(HashNetHasher):
    """Notes what its criterion does in a step."""

    def _loss(self, network, batch):
        criterion = network.criterion
        before = copy.deepcopy(criterion.surrogate.state_dict())
        loss = super()._loss(network, batch)
        after = criterion.surrogate.state_dict()
        self.moved.append(max((after[name] - before[name]).abs().max().item() for name in after))
        loss.backward(retain_graph=True)
        self.gradients.append([weight.grad for weight in criterion.surrogate.parameters()])
        self.head_gradients.append(network.head.linear.weight.grad.abs().max().item())
        self.after.append(copy.deepcopy(after))
        return loss


def test_the_surrogate_takes_its_own_step_and_nothing_else_moves_it(digits, monkeypatch):
    for name in ("moved", "gradients", "head_gradients", "after"):
        monkeypatch.setattr(Spy, name, [], raising=False)
    schedule = {"max_epochs": 10, "weight_decay": 0.1}
    lower_bound = {"surrogate_learning_rate": 2e-3, "surrogate_steps": 1}
    hasher = wrapped(Spy, schedule="step", **schedule, lower_bound=lower_bound)
    hasher.fit(digits.X[:256], digits.y[:256])
    # Adam's first step is the learning rate in every weight, and the schedule cuts it to a tenth after eight epochs.
    assert Spy.moved[0] == pytest.approx(2e-3, rel=1e-3)
    assert max(Spy.moved[:16]) < 5e-3
    assert max(Spy.moved[16:]) < 5e-4
    # The lower bound gives the surrogate no gradient, but the hasher one; the hasher's optimiser leaves it alone.
    assert all(gradient is None for step in Spy.gradients for gradient in step)
    assert min(Spy.head_gradients) > 0
    for name, weight in hasher.surrogate_.state_dict().items():
        assert torch.equal(weight, Spy.after[-1][name])


@pytest.mark.parametrize(
    ("max_epochs", "surrogate_steps", "expected"),
    [(2, "auto", 8), (34, "auto", 4), (50, "auto", 3), (133, "auto", 2), (134, "auto", 1), (2, 5, 5)],
)
def test_the_surrogate_makes_up_for_few_batches(digits, monkeypatch, max_epochs, surrogate_steps, expected):
    calls = []
    step = _LowerBoundLoss._step_surrogate
    monkeypatch.setattr(_LowerBoundLoss, "_step_surrogate", lambda *arguments: calls.append(step(*arguments)))
    hasher = wrapped(max_epochs=max_epochs, lower_bound={"surrogate_steps": surrogate_steps})
    hasher.fit(digits.X[:260].reshape(260, -1), digits.y[:260])
    assert len(calls) == expected * 3 * max_epochs  # batches of 128, 128 and 4


def test_the_surrogate_names_codes(digits):
    hasher = wrapped(max_epochs=30).fit(digits.X, digits.y)
    z = torch.tensor(hasher.decision_function(digits.X), dtype=torch.float32)
    untrained = PosteriorSurrogate(16)
    assert hasher.surrogate_.surrogate_loss(z, z) < 0.5 * untrained.surrogate_loss(z, z)


def criterion_loss(hasher, y, **batch):
    """The loss of a fitted hasher for random codes, in evaluation."""
    criterion = hasher.estimator_.module_.criterion
    z = torch.randn(len(y), 16, generator=torch.Generator().manual_seed(0))
    batch = Batch(None, None, np.arange(len(y)), 0, None, 0.01)
    return criterion(z, y, batch=batch), z


@pytest.mark.parametrize("multilabel_sum", ["normalized", "raw"])
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_trained_loss_is_the_loss(multilabel, multilabel_sum, digits, two_labels):
    y = torch.tensor(two_labels if multilabel else digits.y)
    options = {"surrogate_weight": 0.3, "multilabel_sum": multilabel_sum}
    hasher = wrapped(lower_bound=options, max_epochs=1).fit(digits.X, y)
    loss, z = criterion_loss(hasher, y)
    one_or_two = y if multilabel else torch.nn.functional.one_hot(y)
    log_probability = hasher.surrogate_.log_probability(z, torch.tensor(hasher.centers_))
    center_loss = -(log_probability * one_or_two).sum(dim=1).mean()
    if multilabel and multilabel_sum == "normalized":
        center_loss = center_loss / 2
    torch.testing.assert_close(loss, hashnet_loss(z, y) + 0.3 * center_loss)


def test_csq_is_trained_with_the_surrogate_alone(digits):
    hasher = wrapped(CSQHasher, max_epochs=1).fit(digits.X, digits.y)
    y = torch.tensor(digits.y)
    loss, z = criterion_loss(hasher, y)
    expected = hasher.surrogate_.surrogate_loss(z, torch.tensor(hasher.centers_)[y])
    torch.testing.assert_close(loss, expected)


def test_centers_are_made_or_the_methods_own(digits):
    X, y = digits.X[:200], digits.y[:200]
    made = wrapped(max_epochs=1, lower_bound={"center_method": "hadamard"}).fit(X, y).centers_
    np.testing.assert_array_equal(made, make_hash_centers(10, 16, method="hadamard"))
    own = make_hash_centers(10, 16, method="bernoulli", random_state=3)
    for method in (CSQHasher, OrthoHasher):
        hasher = wrapped(method, centers=own, max_epochs=1).fit(X, y)
        np.testing.assert_array_equal(hasher.centers_, own)
        np.testing.assert_array_equal(hasher.estimator_.centers_, own)


def test_equal_centers_are_a_warning(digits):
    with pytest.warns(UserWarning, match="Two of the 10 classes got the same center of 3 bits"):
        wrapped(bits=3, max_epochs=1).fit(digits.X[:100], digits.y[:100])


def test_predict_is_the_estimators_classifier_or_a_vote(digits):
    hasher = wrapped(GreedyHasher).fit(digits.X, digits.y)
    scores = (2.0 * hasher.transform(digits.X) - 1) @ hasher.estimator_.module_.criterion.classifier.weight.T.numpy(
        force=True
    )
    np.testing.assert_array_equal(hasher.predict(digits.X), scores.argmax(axis=1))
    hasher = wrapped().fit(digits.X, digits.y)
    vote = hasher.label_index_.predict(hasher.transform(digits.X))
    np.testing.assert_array_equal(hasher.predict(digits.X), vote)


def test_several_labels(digits, two_labels):
    hasher = wrapped(max_epochs=20).fit(digits.X[:1400], two_labels[:1400])
    predicted = hasher.predict(digits.X[1400:])
    assert predicted.shape == (397, 12)
    assert (predicted[:, 10:] == two_labels[1400:, 10:]).mean() > 0.8


def test_one_seed_one_model_and_no_global_state(digits):
    before = torch.get_rng_state()
    first, second = (wrapped().fit(digits.X, digits.y) for _ in range(2))
    other = wrapped(random_state=1).fit(digits.X, digits.y)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first.decision_function(digits.X), second.decision_function(digits.X))
    assert not np.array_equal(first.transform(digits.X), other.transform(digits.X))
    assert [epoch["loss"] for epoch in first.history_] == [epoch["loss"] for epoch in second.history_]


def test_the_estimator_is_not_touched(digits):
    estimator = HashNetHasher(bits=16, max_epochs=1, random_state=0)
    hasher = LowerBoundHasher(estimator).fit(digits.X, digits.y)
    assert not hasattr(estimator, "module_")
    assert hasher.estimator_ is not estimator
    assert hasher.bits == 16


def test_images(digits):
    hasher = wrapped(max_epochs=2).fit(digits.images, digits.y)
    assert not hasattr(hasher, "n_features_in_")
    assert hasher.transform(digits.images[:3]).shape == (3, 16)


def test_early_stopping_keeps_the_best_epoch(digits):
    hasher = wrapped(early_stopping=True, max_epochs=60, n_iter_no_change=2, learning_rate=0.05)
    hasher.fit(digits.X, digits.y)
    maps = [epoch["validation_map"] for epoch in hasher.history_]
    assert len(maps) < 60
    assert hasher.estimator_.n_iter_ == 1 + np.argmax(maps) == len(maps) - 2


def test_callbacks_of_the_estimator_are_called(digits):
    callback = pytest.importorskip("sklearn.callback")
    from skhash.metrics import make_map_scorer

    monitor = callback.ScoringMonitor(scoring={"map": make_map_scorer(R=100)})
    estimator = HashNetHasher(bits=16, max_epochs=3, random_state=0).set_callbacks(monitor)
    LowerBoundHasher(estimator).fit(digits.X[:300], digits.y[:300])
    assert [row["task_name"] for row in monitor.get_logs().data] == ["fit", "epoch", "epoch", "epoch"]


def test_copies_and_pickles_are_small_and_the_same(digits):
    hasher = wrapped().fit(digits.X, digits.y)
    codes = hasher.transform(digits.X)
    pickled = pickle.dumps(hasher)
    for copied in (pickle.loads(pickled), copy.deepcopy(hasher), clone(hasher).fit(digits.X, digits.y)):
        np.testing.assert_array_equal(copied.transform(digits.X), codes)
        np.testing.assert_array_equal(copied.predict(digits.X), hasher.predict(digits.X))
    n_weights = sum(weight.numel() for weight in hasher.estimator_.module_.parameters())
    assert len(pickled) < 1.5 * 4 * n_weights  # Adam's moments would make it three times as much


def test_in_pipelines_and_searches(digits):
    X, y = digits.X[:600], digits.y[:600]
    search = GridSearchCV(
        make_pipeline(wrapped(max_epochs=20), HammingIndex()),
        {"lowerboundhasher__surrogate_weight": [0.1, 1.0], "lowerboundhasher__estimator__bits": [16]},
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.4
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    names = search.best_estimator_[0].get_feature_names_out()
    assert list(names[:2]) == ["lowerboundhasher0", "lowerboundhasher1"]


class Unsupervised(DeepHasher):
    """A deep hasher that needs no labels."""

    _needs_labels = False

    def __init__(self, bits=64, **training):
        super().__init__(bits, **training)

    def _make_criterion(self, context):
        return torch.nn.Identity()


@pytest.mark.parametrize(
    ("hasher", "message"),
    [
        (
            LowerBoundHasher(LSHHasher(bits=8)),
            r"The 'estimator' parameter of LowerBoundHasher must be an instance of 'skhash.deep._hasher.DeepHasher'. "
            r"Got LSHHasher\(bits=8\) instead",
        ),
        (LowerBoundHasher(Unsupervised(8)), r"estimator must be a supervised deep hasher, got Unsupervised\(bits=8\)"),
        (wrapped(warm_start=True), "estimator must have warm_start=False, got warm_start=True"),
        (wrapped(lower_bound={"surrogate_weight": -1}), "The 'surrogate_weight' parameter .* Got -1 instead"),
        (wrapped(CSQHasher, lower_bound={"surrogate_weight": 0}), "surrogate_weight must be positive for CSQHasher"),
        (wrapped(lower_bound={"block_bits": 17}), r"The 'block_bits' parameter .* range \[1, 16\]. Got 17 instead"),
        (wrapped(lower_bound={"center_method": "golay"}), "The 'center_method' parameter .* Got 'golay' instead"),
        (wrapped(lower_bound={"multilabel_sum": "mean"}), "The 'multilabel_sum' parameter .* Got 'mean' instead"),
        (wrapped(pairs="all"), "The 'pairs' parameter of HashNetHasher must be a str among"),
    ],
)
def test_errors(hasher, message, digits):
    with pytest.raises(ValueError, match=message):
        hasher.fit(digits.X, digits.y)


def test_a_method_that_does_without_labels_needs_them_here(digits):
    with pytest.raises(ValueError, match="LowerBoundHasher requires y to be passed, but the target y is None"):
        wrapped(GreedyHasher).fit(digits.X)
    assert wrapped(GreedyHasher).fit(digits.X, digits.y).surrogate_ is not None
