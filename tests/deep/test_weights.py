import inspect
import pickle
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from skhash import BiHalfHasher, HashNetHasher, LowerBoundHasher, OneBitDeepHasher, OrthoHasher, load
from skhash.deep import DeepHasher
from skhash.inputs import Samples
from skhash.losses import PairMemory
from skhash.methods._warm_up import make_classifier, start_at_class_means
from skhash.training import GroupedBatches, ShuffledBatches, TrainingLoop, reestimate_batch_norm
from skhash.training._batches import draw_weighted_rows
from skhash.utils import all_hashers

X, Y = load_digits(return_X_y=True)
X, Y = X[:150], Y[:150]
RARE = np.flatnonzero((Y < 5) | (np.arange(len(Y)) % 4 == 0))  # classes of unequal size
QUICK = {"bits": 16, "max_epochs": 2, "random_state": 0}


def make(cls):
    if cls is OneBitDeepHasher:
        return cls(**QUICK, warm_up_epochs=2)
    return cls(HashNetHasher(**QUICK)) if cls is LowerBoundHasher else cls(**QUICK)


HASHERS = [make(cls) for _, cls in all_hashers() if issubclass(cls, DeepHasher) or cls is LowerBoundHasher]
EXTRA = [
    OneBitDeepHasher(**QUICK, warm_up=None, warm_up_epochs=2, group_size=2, transition=0.5),
    OrthoHasher(**QUICK, backbone="binary_mlp"),
    LowerBoundHasher(OrthoHasher(**QUICK)),
]


def name_of(hasher):
    return type(hasher).__name__


def with_class_weight(hasher, class_weight):
    name = "estimator__class_weight" if hasattr(hasher, "estimator") else "class_weight"
    return clone(hasher).set_params(**{name: class_weight})


def codes_of(hasher, X_fit, y_fit, **fit_params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(hasher).fit(X_fit, y_fit, **fit_params).decision_function(X)


@pytest.mark.parametrize("hasher", [*HASHERS, *EXTRA], ids=name_of)
def test_samples_of_weight_zero_are_as_if_they_were_not_there(hasher):
    rows = np.sort(np.random.default_rng(0).permutation(300)[:150])  # of the real samples among garbage
    garbage = np.full((300, 64), 1e6)
    garbage[rows] = X
    labels = np.resize(Y[::-1], 300)
    labels[rows] = Y
    weight = np.zeros(300)
    weight[rows] = 1 + Y % 3
    expected = codes_of(hasher, X, Y, sample_weight=1 + Y % 3)
    np.testing.assert_array_equal(codes_of(hasher, garbage, labels, sample_weight=weight), expected)
    assert not np.array_equal(expected, codes_of(hasher, X, Y))  # weights count


@pytest.mark.parametrize("hasher", [*HASHERS, *EXTRA], ids=name_of)
def test_equal_weights_are_no_weights(hasher):
    expected = codes_of(hasher, X, Y)
    np.testing.assert_array_equal(codes_of(hasher, X, Y, sample_weight=np.full(150, 3, dtype=np.float32)), expected)
    equal = with_class_weight(hasher, dict.fromkeys(range(10), 0.1))
    np.testing.assert_array_equal(codes_of(equal, X, Y), expected)
    np.testing.assert_array_equal(codes_of(hasher, X, Y, sample_weight=None), expected)


@pytest.mark.parametrize("hasher", HASHERS, ids=name_of)
def test_balanced_classes_are_the_weights_of_scikit_learn(hasher):
    classes, weights = np.arange(10), compute_class_weight("balanced", classes=np.arange(10), y=Y[RARE])
    balanced = codes_of(with_class_weight(hasher, "balanced"), X[RARE], Y[RARE])
    explicit = with_class_weight(hasher, dict(zip(classes.tolist(), weights.tolist(), strict=True)))
    np.testing.assert_array_equal(balanced, codes_of(explicit, X[RARE], Y[RARE]))
    np.testing.assert_array_equal(balanced, codes_of(hasher, X[RARE], Y[RARE], sample_weight=weights[Y[RARE]]))
    assert not np.array_equal(balanced, codes_of(hasher, X[RARE], Y[RARE]))
    copy = pickle.loads(pickle.dumps(clone(explicit)))
    np.testing.assert_array_equal(balanced, codes_of(copy, X[RARE], Y[RARE]))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40).filter(lambda w: sum(w) > 0.01), st.integers(0, 1000))
def test_a_row_comes_as_often_as_its_weight_says(weights, seed):
    weights = torch.tensor(weights, dtype=torch.float64)
    rows = draw_weighted_rows(weights, torch.Generator().manual_seed(seed))
    assert len(rows) == len(weights)
    counts = rows.bincount(minlength=len(weights))
    wanted = len(weights) * weights / weights.sum()
    assert (counts >= (wanted - 1e-9).floor()).all()
    assert (counts <= (wanted + 1e-9).ceil()).all()
    assert (counts[weights == 0] == 0).all()


def test_rows_come_by_their_weights_on_average_and_in_all_combinations():
    weights, generator = torch.tensor([0.5, 0.5, 0.5, 0.5, 2.2, 1.8], dtype=torch.float64), torch.Generator()
    drawn = torch.stack([draw_weighted_rows(weights, generator).bincount(minlength=6) for _ in range(4000)])
    wanted = 6 * weights / weights.sum()
    np.testing.assert_allclose(drawn.double().mean(dim=0), wanted, atol=0.04)
    # Without random order, rows 0 and 1 would never come together.
    assert {(a, b) for a, b in drawn[:, :2].tolist()} >= {(0, 1), (1, 0), (1, 1)}


@pytest.mark.parametrize("batches", [ShuffledBatches(4), GroupedBatches(4)])
def test_an_epoch_of_weighted_rows(batches):
    targets = torch.tensor([0] * 6 + [1, 1])
    weights = torch.tensor([1.0] * 6 + [3, 3], dtype=torch.float64)
    loop = TrainingLoop(None, None, None, None, 4, torch.device("cpu"), torch.Generator(), batches=batches)
    loop.weights = weights
    for epoch in range(5):
        drawn = torch.cat(loop._draw(8, targets, epoch))
        assert targets[drawn].bincount().tolist() == [len(drawn) // 2] * 2


def test_balanced_multi_hot_labels():
    labels = np.array([[1, 0, 0]] * 6 + [[1, 1, 0]] * 2 + [[0, 0, 0]] * 2)
    totals = labels.sum(axis=0)  # 8, 2, 0
    weights = 10 / (2 * totals[:2])  # 10 labels, 2 classes that occur
    expected = [weights[0]] * 6 + [weights.mean()] * 2 + [1] * 2
    hasher = OrthoHasher(**QUICK)
    np.testing.assert_array_equal(
        codes_of(with_class_weight(hasher, "balanced"), X[:10], labels),
        codes_of(hasher, X[:10], labels, sample_weight=expected),
    )


def test_weights_of_classes_and_samples_are_multiplied():
    hasher, weights = OrthoHasher(**QUICK), np.arange(150) % 4
    expected = codes_of(hasher, X, Y, sample_weight=weights * np.where(Y == 3, 5, 1))
    np.testing.assert_array_equal(codes_of(with_class_weight(hasher, {3: 5}), X, Y, sample_weight=weights), expected)
    names = np.array([f"digit {label}" for label in Y])
    named = with_class_weight(hasher, {"digit 3": 5})
    np.testing.assert_array_equal(codes_of(named, X, names, sample_weight=weights), expected)


@pytest.mark.parametrize("scale", [2.0**1020, 2.0**-900])
@pytest.mark.parametrize("balanced", [True, False])
def test_only_ratios_of_huge_and_tiny_weights_count(scale, balanced):
    data, target = load_digits(return_X_y=True)
    data, target = data[:200], target[:200]
    weights = np.random.RandomState(0).uniform(0.1, 1, len(data))

    def train(scale):
        class_weight = "balanced" if balanced else {label: scale * (1 + label) / 10 for label in range(10)}
        hasher = OrthoHasher(bits=16, max_epochs=2, random_state=0, class_weight=class_weight)
        return hasher.fit(data, target, sample_weight=scale * weights)

    assert train(scale).history_[-1]["loss"] == train(1.0).history_[-1]["loss"]


def test_votes_and_classes_leave_out_samples_of_weight_zero():
    hasher = HashNetHasher(**QUICK).fit(X, Y, sample_weight=Y < 4)
    assert hasher.label_index_.n_samples_fit_ == (Y < 4).sum()
    assert hasher.classes_.tolist() == list(range(10))  # as of scikit-learn's classifiers
    assert set(hasher.predict(X)) <= {0, 1, 2, 3}


def test_early_stopping_keeps_weights_with_their_samples():
    hasher = OrthoHasher(**QUICK, early_stopping=True)
    weights = np.where(Y == 0, 0, 1 + Y)
    drawn = []
    run = TrainingLoop.run_epoch

    def spy(self, samples, targets, epoch):
        drawn.append((self.weights, targets))
        return run(self, samples, targets, epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingLoop, "run_epoch", spy)
        fitted = clone(hasher).fit(X, Y, sample_weight=weights)
    for own, targets in drawn:
        labels = fitted.classes_[targets.numpy()]
        np.testing.assert_allclose(own * 10, 1 + labels)
    assert len(drawn) == 2


def test_weights_without_labels():
    weights = 1 + np.arange(150) % 3
    hasher = BiHalfHasher(**QUICK)
    assert not np.array_equal(codes_of(hasher, X, None, sample_weight=weights), codes_of(hasher, X, None))
    for class_weight in ("balanced", {0: 2}):
        with pytest.raises(ValueError, match=r"class_weight=.* weighs samples by their labels, but fit got no labels"):
            with_class_weight(hasher, class_weight).fit(X)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(149), r"sample_weight must have shape \(150,\), one number for each sample, got \(149,\)"),
        (np.ones((150, 1)), r"sample_weight must have shape \(150,\).* got \(150, 1\)"),
        (-np.ones(150), r"sample_weight must hold finite numbers of at least 0, got -1.0 at position 0"),
        (np.full(150, np.nan), "sample_weight must hold finite numbers of at least 0, got nan at position 0"),
        (np.zeros(150), "at least 2 training samples with a positive weight, got 0"),
        (np.where(Y == 7, 1, 0), "at least 2 classes of samples with a positive weight, got 1 class: 7"),
    ],
)
def test_wrong_sample_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        OrthoHasher(**QUICK).fit(X, Y, sample_weight=weights)


def test_other_wrong_weights():
    with pytest.raises(TypeError, match="sample_weight must hold numbers"):
        OrthoHasher(**QUICK).fit(X, Y, sample_weight=["a"] * 150)
    with pytest.raises(TypeError, match="unexpected keyword argument 'sample_weights'"):
        OrthoHasher(**QUICK).fit(X, Y, sample_weights=np.ones(150))
    with pytest.raises(ValueError, match=r"class_weight\[3\] must be a finite number of at least 0, got -1"):
        OrthoHasher(**QUICK, class_weight={3: -1}).fit(X, Y)
    with pytest.raises(ValueError, match=r"class_weight names classes \['3'\] that are not among"):
        OrthoHasher(**QUICK, class_weight={"3": 1}).fit(X, Y)
    with pytest.raises(ValueError, match="'class_weight' parameter"):
        OrthoHasher(**QUICK, class_weight="equal").fit(X, Y)
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported in partial_fit"):
        OrthoHasher(**QUICK, class_weight="balanced").partial_fit(X, Y)


def test_partial_fit_takes_weights_of_each_call():
    hasher = OrthoHasher(**QUICK)
    first = clone(hasher).partial_fit(X, Y).partial_fit(X, Y, sample_weight=1 + Y)
    again = clone(hasher).partial_fit(X, Y).partial_fit(X, Y)
    assert not np.array_equal(first.decision_function(X), again.decision_function(X))
    first.partial_fit(X[:100], Y[:100])  # the weights of the last call are forgotten
    dropped = clone(hasher).partial_fit(X, Y, sample_weight=np.arange(150) < 100)
    expected = clone(hasher).partial_fit(X[:100], Y[:100])
    np.testing.assert_array_equal(dropped.decision_function(X), expected.decision_function(X))


def test_weights_are_routed():
    weights, hasher = 1 + Y % 3, OrthoHasher(**QUICK)
    expected = codes_of(hasher, StandardScaler().fit_transform(X), Y, sample_weight=weights)
    pipeline = make_pipeline(StandardScaler(), hasher)
    fitted = pipeline.fit(X, Y, orthohasher__sample_weight=weights)
    codes = fitted[-1].decision_function(X)
    np.testing.assert_array_equal(codes, expected)
    with config_context(enable_metadata_routing=True):
        for each in HASHERS:
            assert "sample_weight" in str(clone(each).set_fit_request(sample_weight=True).get_metadata_routing())
        routed = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), clone(hasher).set_fit_request(sample_weight=True)
        ).fit(X, Y, sample_weight=weights)
        np.testing.assert_array_equal(routed[-1].decision_function(X), expected)
        search = GridSearchCV(clone(hasher).set_fit_request(sample_weight=True), {"bits": [8, 16]}, cv=2)
        search.fit(X, Y, sample_weight=weights)
        best = clone(hasher).set_params(**search.best_params_).fit(X, Y, sample_weight=weights)
        np.testing.assert_array_equal(search.best_estimator_.transform(X), best.transform(X))
        with pytest.raises(TypeError, match="sample_weight"):
            make_pipeline(clone(hasher).set_fit_request(sample_weight=False)).fit(X, Y, sample_weight=weights)


def test_scikit_learn_does_not_see_the_argument():
    for each in HASHERS:
        assert "sample_weight" not in inspect.signature(each.fit).parameters


def test_hashers_with_requests_and_class_weights_are_saved(tmp_path):
    with config_context(enable_metadata_routing=True):
        hasher = OrthoHasher(**QUICK, class_weight={0: 2.0, np.int64(1): 3}).set_fit_request(sample_weight=True)
        hasher.fit(X, Y).save(tmp_path / "hasher.skh")
    loaded = load(tmp_path / "hasher.skh")
    assert loaded.class_weight == {0: 2.0, 1: 3}
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))


def test_checkpoints_know_weights(tmp_path):
    hasher, weights = OrthoHasher(**QUICK, checkpoint=tmp_path), 1 + Y % 3
    for _ in range(2):
        hasher.fit(X, Y, sample_weight=weights)
        assert len(list(tmp_path.iterdir())) == 1
    hasher.fit(X, Y)
    clone(hasher).set_params(class_weight="balanced").fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_memory_of_pairs_keeps_the_last_of_equal_rows():
    memory, z = PairMemory(), torch.arange(8.0).view(4, 2) - 3
    memory.update(np.array([2, 0, 2, 2]), z, torch.tensor([1, 0, 1, 1]))
    assert torch.equal(memory.z, torch.stack([z[1], torch.zeros(2), z[3]]))
    assert memory.visited.tolist() == [True, False, True]


def test_class_means_of_weighted_samples():
    generator, targets = torch.Generator().manual_seed(0), torch.tensor([0, 0, 1, 1])
    samples = Samples(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    classifier = make_classifier(None, samples, 3, generator)
    weights = torch.tensor([0.2, 0.4, 0.1, 0.1], dtype=torch.float64)
    old = classifier.head.embeddings.detach().clone()
    start_at_class_means(classifier, samples, targets, weights)
    features = classifier.features(samples.batch(range(4), classifier.input_dtype)).detach().double()
    mean = (weights[:, None] * features).sum(dim=0) / weights.sum()
    for label in range(2):
        own = weights * (targets == label)
        expected = (own[:, None] * features).sum(dim=0) / own.sum() - mean
        torch.testing.assert_close(classifier.head.embeddings[label].double(), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(classifier.head.embeddings[2], old[2])


def test_batch_statistics_of_weighted_samples():
    norm, data = torch.nn.BatchNorm1d(1, affine=True), np.array([[0.0], [0], [0], [8]], dtype=np.float32)
    weights = torch.tensor([1.0, 1, 1, 3], dtype=torch.float64)
    reestimate_batch_norm(norm, Samples(data), generator=torch.Generator(), weights=weights)
    assert norm.running_mean.item() == 4
