"""PosteriorHasher: its coder against explicit loops, golden numbers, kinds of labels and classifiers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

import skhash
from skhash import HammingIndex, PosteriorHasher, SearchPipeline
from skhash.methods._posterior_classifier import (
    best_temperature,
    choose_strength,
    draw_folds,
    fit_linear,
    linear,
    log_loss,
    unseen_logits,
)
from skhash.methods._posterior_coding import average_precision_gradient, expand, expected_relevance, learn_coder
from skhash.metrics import mean_average_precision
from skhash.utils import Labels, read_labels


def quick(**parameters):
    return PosteriorHasher(**{"bits": 16, "max_iter": 20, "random_state": 0, **parameters})


def score(hasher, X, y):
    hasher.fit(X[:900], y[:900])
    index = HammingIndex().fit(hasher.transform(X[:900]), y[:900])
    return index.score(hasher.transform(X[900:]), y[900:], ties="expected")


# The coder ----------------------------------------------------------------------------------------------------------


def precision_by_loop(distances, relevance, bits):
    """Mean expected average precision of real distances: each counts in part for the two integers around it."""
    total = 0.0
    for i in range(len(distances)):
        counts, hits = np.zeros(bits + 2), np.zeros(bits + 2)
        for j in range(len(distances)):
            if i != j:
                low = int(np.floor(distances[i, j]))
                part = distances[i, j] - low
                for level, weight in ((low, 1 - part), (low + 1, part)):
                    counts[level] += weight
                    hits[level] += weight * relevance[i, j]
        average = 0.0
        for d in range(bits + 1):
            if hits[d]:
                average += hits[d] * (2 * hits[:d].sum() + hits[d]) / (2 * counts[:d].sum() + counts[d])
        total += average / hits.sum()
    return total / len(distances)


def test_average_precision_and_its_gradient_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    n, bits = 9, 5
    signs = np.where(rng.random((n, bits)) < 0.5, -1.0, 1.0)
    posteriors = rng.dirichlet(np.ones(3), n)
    relevance = posteriors @ posteriors.T
    np.fill_diagonal(relevance, 0)
    distances = (bits - signs @ signs.T) / 2
    found, gradient = average_precision_gradient(signs, relevance)
    assert found == pytest.approx(precision_by_loop(distances, relevance, bits))
    by_distance, step = np.zeros((n, n)), 1e-6
    for i in range(n):
        for j in range(n):
            if i != j:
                changed = distances.copy()
                if distances[i, j] == bits:  # the largest distance: the change from the one before
                    changed[i, j] -= step
                    before = precision_by_loop(changed, relevance, bits)
                    by_distance[i, j] = (found - before) / step
                else:
                    changed[i, j] += step
                    by_distance[i, j] = (precision_by_loop(changed, relevance, bits) - found) / step
    expected = np.zeros((n, bits))
    for i in range(n):
        for j in range(n):
            expected[i] -= 0.5 * (by_distance[i, j] + by_distance[j, i]) * signs[j]
    assert_allclose(gradient, expected, atol=1e-5)


def test_average_precision_of_certain_posteriors_is_close_to_that_of_the_metric():
    rng = np.random.default_rng(0)
    codes, y = rng.integers(0, 2, (300, 12), np.uint8), rng.integers(0, 4, 300)
    relevance = (y[:, None] == y).astype(float)
    np.fill_diagonal(relevance, 0)
    ours, _ = average_precision_gradient(2.0 * codes - 1, relevance)
    metric = mean_average_precision(codes, codes, y, y, exclude_self=True, ties="expected")
    assert ours == pytest.approx(metric, abs=0.01)


def test_expected_relevance_is_the_probability_of_a_common_label():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 6)
    assert_allclose(expected_relevance(p, False), [[sum(a * b) for b in p] for a in p])
    labels = 0.7 * rng.random((6, 4))
    exact = [[1 - np.prod([1 - s * t for s, t in zip(a, b, strict=True)]) for b in labels] for a in labels]
    assert_allclose(expected_relevance(labels, True), exact, atol=5e-3)


def test_the_coder_ascends_the_expected_precision():
    rng = np.random.default_rng(0)
    posteriors = rng.dirichlet(np.full(5, 0.3), 400)
    centers = np.where(rng.random((5, 16)) < 0.5, -1, 1).astype(np.int8)
    learn = {"multilabel": False, "batch_size": 400, "learning_rate": 0.05}
    weights, bias, none = learn_coder(posteriors, centers, max_iter=0, random_state=np.random.RandomState(0), **learn)
    assert_array_equal(weights, np.concatenate([centers] * 3).T)
    assert not bias.any()
    assert not none
    weights, bias, scores = learn_coder(
        posteriors, centers, max_iter=100, random_state=np.random.RandomState(0), **learn
    )
    relevance = posteriors @ posteriors.T
    np.fill_diagonal(relevance, 0)
    last, _ = average_precision_gradient(np.where(expand(posteriors) @ weights.T + bias >= 0, 1.0, -1.0), relevance)
    assert last > scores[0] + 0.02
    assert last == pytest.approx(scores[-1], abs=0.01)


# The classifiers ----------------------------------------------------------------------------------------------------


def test_the_linear_classifier_is_that_of_scikit_learn(digits):
    X, y = digits.X[:400], digits.y[:400]
    for rows, n_classes in ((y < 10, 10), (y < 2, 2)):
        labels = read_labels(y[rows])
        components, mean, intercept = fit_linear(X[rows], labels, 0.1)
        scaler = (X[rows] - X[rows].mean(axis=0)) / np.where(X[rows].std(axis=0) > 0, X[rows].std(axis=0), 1)
        expected = LogisticRegression(C=0.1, max_iter=1000).fit(scaler, y[rows]).predict_proba(scaler)
        logits = (X[rows] - mean) @ components.T + intercept
        assert logits.shape[1] == n_classes
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        assert_allclose(odds / odds.sum(axis=1, keepdims=True), expected, atol=1e-4)


def test_logits_are_those_of_classifiers_that_have_not_seen_the_sample(digits):
    X, labels = digits.X[:200], read_labels(digits.y[:200])
    folds = draw_folds(labels, 4, np.random.RandomState(0))
    for k in range(10):
        counts = np.bincount(folds[labels.codes == k], minlength=4)
        assert counts.max() - counts.min() <= 1
    logits, rows = unseen_logits(linear(0.1), X, labels, folds)
    assert_array_equal(rows, np.arange(200))
    for fold in range(4):
        components, mean, intercept = fit_linear(X[folds != fold], labels[folds != fold], 0.1)
        assert_allclose(logits[folds == fold], (X[folds == fold] - mean) @ components.T + intercept)


def test_samples_whose_class_the_classifier_has_not_seen_teach_the_map_nothing():
    X = np.random.default_rng(0).normal(size=(9, 3))
    labels = read_labels([0, 0, 0, 0, 1, 1, 1, 1, 2])
    _, rows = unseen_logits(linear(0.1), X, labels, draw_folds(labels, 3, np.random.RandomState(0)))
    assert_array_equal(rows, np.arange(8))
    alone = read_labels([0, 1, 2])
    logits, rows = unseen_logits(linear(0.1), X[:3], alone, draw_folds(alone, 3, np.random.RandomState(0)))
    assert_array_equal(rows, [0, 1, 2])
    assert_array_equal(logits.argmax(axis=1), [0, 1, 2])


def test_strength_is_the_best_of_the_first_fold(digits):
    X, labels = digits.X[:300], read_labels(digits.y[:300])
    folds = draw_folds(labels, 5, np.random.RandomState(0))

    def loss(C):
        logits, rows = unseen_logits(linear(C), X, labels, folds, only=0)
        return log_loss(logits[rows], labels[rows])

    best = choose_strength(X, labels, folds)
    assert 0.1 < best < 1000
    assert loss(best) <= min(loss(max(best / 10**0.5, 1e-4)), loss(min(best * 10**0.5, 100)))


def test_temperature_undoes_a_factor():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    y = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1)
    assert best_temperature(3 * logits, Labels(y, np.arange(4))) == pytest.approx(3, rel=0.05)
    hot = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(np.uint8)
    assert best_temperature(logits / 2, Labels(hot, np.arange(4))) == pytest.approx(0.5, rel=0.05)


# The estimator ------------------------------------------------------------------------------------------------------


def test_golden_numbers(digits):
    X = digits.X + np.random.RandomState(0).normal(scale=8, size=digits.X.shape)  # else posteriors are all 0 or 1
    trained, untrained = (score(PosteriorHasher(16, max_iter=n, random_state=0), X, digits.y) for n in (300, 0))
    assert trained == pytest.approx(0.583, abs=0.005)
    assert untrained == pytest.approx(0.553, abs=0.005)


def test_code_is_that_of_the_equation(digits):
    hasher = quick().fit(digits.X[:300], digits.y[:300])
    x = digits.X[700]
    logits = [sum((x - hasher.mean_) * row) + c for row, c in zip(hasher.components_, hasher.intercept_, strict=True)]
    odds = [np.exp(value / hasher.temperature_) for value in logits]
    p = [odd / sum(odds) for odd in odds]
    inputs = np.array([*p, *[value**0.5 for value in p], *[value**0.25 for value in p]])
    z = hasher.code_components_ @ inputs + hasher.code_intercept_
    assert_allclose(hasher.decision_function(x[None])[0], z, atol=1e-9)


def test_names_and_several_labels(digits):
    X, y = digits.X[:300], digits.y[:300]
    by_number, by_name = quick().fit(X, y), quick().fit(X, np.array(list("abcdefghij"))[y])
    assert_array_equal(by_number.transform(X), by_name.transform(X))
    assert list(by_name.classes_) == list("abcdefghij")
    several = np.stack([y % 2, y % 3 == 0, y > 4, np.ones_like(y), np.zeros_like(y)], axis=1).astype(int)
    hasher = quick(bits=32, max_iter=100).fit(X[:200], several[:200])
    assert hasher.multilabel_
    assert (hasher.predict(X[200:]) == several[200:]).mean() > 0.85


def test_imbalance_and_more_classes_than_samples_allow(digits):
    X, y = digits.X, digits.y
    keep = np.flatnonzero((y != 3) | (np.cumsum(y == 3) <= 2))  # two samples of class 3
    hasher = quick().fit(X[keep], y[keep])
    assert (hasher.predict(X[keep]) == y[keep]).mean() > 0.8
    singles = PosteriorHasher(16, random_state=0).fit(X[:12], np.arange(12))
    assert (singles.predict(X[:12]) == np.arange(12)).mean() > 0.6


@pytest.mark.parametrize(
    "classifier",
    [GaussianNB(), KNeighborsClassifier(20), RandomForestClassifier(20, random_state=0)],
    ids=lambda classifier: type(classifier).__name__,
)
def test_any_classifier(classifier, digits):
    hasher = quick(bits=32, classifier=classifier).fit(digits.X[:600], digits.y[:600])
    assert not hasattr(hasher, "components_")
    assert (hasher.predict(digits.X[600:900]) == digits.y[600:900]).mean() > 0.7
    hot = (digits.y[:600, None] == np.arange(10)).astype(int)
    if not isinstance(classifier, GaussianNB):
        assert quick(classifier=classifier).fit(digits.X[:600], hot).predict(digits.X[:600]).shape == hot.shape


def test_the_given_logistic_regression_is_the_default(digits):
    X, y = (digits.X - digits.X.mean(axis=0)) / (digits.X.std(axis=0) + 1e-9), digits.y
    own = quick(C=0.1, max_iter=0).fit(X, y)
    given = quick(max_iter=0, classifier=LogisticRegression(C=0.1, max_iter=1000)).fit(X, y)
    assert own.temperature_ == pytest.approx(given.temperature_, rel=0.1)
    assert (own.transform(X) == given.transform(X)).mean() > 0.98
    hot = (y[:, None] == np.arange(10)).astype(int)
    own = quick(C=0.1, max_iter=0).fit(X, hot)
    given = quick(max_iter=0, classifier=OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=1000))).fit(X, hot)
    assert (own.transform(X) == given.transform(X)).mean() > 0.98


def test_images_through_a_pipeline_and_a_fitted_classifier(digits):
    images, y = digits.X.reshape(-1, 8, 8), digits.y
    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    classifier = make_pipeline(flatten, LogisticRegression(C=0.01, max_iter=1000)).fit(images[:600], y[:600])
    hasher = quick(bits=32, classifier=FrozenEstimator(classifier)).fit(images[600:1200], y[600:1200])
    assert hasher.classifier_.estimator is classifier
    codes = hasher.transform(images[1200:])
    assert_array_equal(codes, np.concatenate([hasher.transform(image[None]) for image in images[1200:]]))
    index = HammingIndex().fit(hasher.transform(images[600:1200]), y[600:1200])
    assert index.score(codes, y[1200:]) > 0.8
    with pytest.raises(ValueError, match="give a classifier of images"):
        quick().fit(images, y)


def test_grid_search(digits):
    search = GridSearchCV(
        SearchPipeline([("hash", quick(C=0.1)), ("index", HammingIndex())]), {"hash__bits": [2, 16]}, cv=3
    )
    assert search.fit(digits.X[:300], digits.y[:300]).best_params_ == {"hash__bits": 16}


def test_errors(digits):
    X, y = digits.X[:100], digits.y[:100]
    with pytest.raises(TypeError, match="predict_proba"):
        quick(classifier=LinearSVC()).fit(X, y)
    with pytest.raises(ValueError, match="2 classes, got n_samples=100, 1 class"):
        quick().fit(X, np.zeros(100, int))
    wrong = FrozenEstimator(GaussianNB().fit(X, np.where(y > 4, 20, y)))
    with pytest.raises(ValueError, match="classifier knows the classes"):
        quick(classifier=wrong).fit(X, y)


def test_a_refit_forgets_the_other_kind_of_classifier(digits):
    X, y = digits.X[:200], digits.y[:200]
    hasher = quick(classifier=GaussianNB()).fit(X, y)
    assert hasher.set_params(classifier=None).fit(X, y).classifier_ is None
    assert not hasattr(hasher.set_params(classifier=GaussianNB()).fit(X, y), "components_")


@pytest.mark.parametrize("kind", ["classes", "labels", "classifier"])
def test_save_and_load(tmp_path, digits, kind):
    y = (digits.y[:, None] % [2, 3, 5] == 0).astype(int) if kind == "labels" else digits.y
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)) if kind == "classifier" else None
    hasher = quick(classifier=classifier).fit(digits.X[:300], y[:300])
    hasher.save(tmp_path / "posterior.skh")
    loaded = skhash.load(tmp_path / "posterior.skh")
    assert_array_equal(loaded.decision_function(digits.X), hasher.decision_function(digits.X))
    assert_array_equal(loaded.predict(digits.X), hasher.predict(digits.X))
