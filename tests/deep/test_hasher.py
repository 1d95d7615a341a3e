"""Tests of the base class of deep methods, by `OrthoHasher`, which overrides few of its methods."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skhash import HammingIndex, OneBitDeepHasher, OrthoHasher, SSDHHasher
from skhash.deep._data import make_validation
from skhash.metrics import make_map_scorer
from skhash.training import RandomCropFlip, TrainingLoop


def small(**options):
    return OrthoHasher(**{"bits": 16, "max_epochs": 3, "random_state": 0, **options})


class DropoutBackbone(nn.Module):
    """A foreign backbone that draws from torch's global state, in building and in training."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Dropout(0.5))

    def forward(self, x):
        return self.layer(x)


def test_fit_twice_with_one_seed_gives_one_model(digits):
    hasher = small()
    first = hasher.fit(digits.X, digits.y).decision_function(digits.X)
    np.testing.assert_array_equal(first, hasher.fit(digits.X, digits.y).decision_function(digits.X))
    assert not np.array_equal(first, small(random_state=1).fit(digits.X, digits.y).decision_function(digits.X))


def test_none_as_seed_gives_another_model_each_time(digits):
    codes = [small(random_state=None, max_epochs=1).fit(digits.X, digits.y % 2).transform(digits.X) for _ in range(2)]
    assert not np.array_equal(*codes)


@pytest.mark.parametrize("backbone", [DropoutBackbone, DropoutBackbone()], ids=["class", "module"])
def test_a_foreign_backbone_is_seeded_copied_and_leaves_the_global_state(backbone, digits):
    before = torch.get_rng_state()
    weights = copy.deepcopy(backbone.state_dict()) if isinstance(backbone, nn.Module) else None
    hashers = [small(backbone=backbone).fit(digits.images, digits.y) for _ in range(2)]
    np.testing.assert_array_equal(*(hasher.transform(digits.images) for hasher in hashers))
    assert torch.equal(before, torch.get_rng_state())
    if weights is not None:
        torch.testing.assert_close(weights, backbone.state_dict())
        assert hashers[0].module_.backbone is not backbone


def test_images_in_every_form_give_one_code(digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    pixels = (digits.images * 15).astype(np.uint8)
    hasher = small(max_epochs=2).fit(pixels, digits.y)
    assert hasher.input_shape_ == (1, 8, 8)
    assert not hasattr(hasher, "n_features_in_")
    few = pixels[:12]
    paths = []
    for number, image in enumerate(few):
        paths.append(str(tmp_path / f"{number}.png"))
        image_module.fromarray(image).save(paths[-1])
    forms = [
        few[..., None],
        few[:, None],
        torch.from_numpy(few.copy()),
        paths,
        [image_module.fromarray(image) for image in few],
        torch.utils.data.TensorDataset(torch.from_numpy(few[:, None].copy())),
    ]
    expected = hasher.transform(few)
    for form in forms:
        np.testing.assert_array_equal(hasher.transform(form), expected)


def test_a_dataset_brings_its_labels(digits):
    dataset = torch.utils.data.TensorDataset(torch.tensor(digits.X), torch.tensor(digits.y))
    np.testing.assert_array_equal(
        small().fit(dataset).transform(digits.X), small().fit(digits.X, digits.y).transform(digits.X)
    )


def test_one_image_one_code_in_any_company(digits):
    hasher = small(max_epochs=1).fit(digits.images, digits.y)
    images = digits.images[:1000]
    together = hasher.transform(images)
    np.testing.assert_array_equal(np.concatenate([hasher.transform(images[i : i + 1]) for i in range(1000)]), together)
    in_sevens = [hasher.transform(images[i : i + 7]) for i in range(0, 1000, 7)]
    np.testing.assert_array_equal(np.concatenate(in_sevens), together)


def test_tensors_and_data_frames(digits):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(digits.X, columns=[f"pixel{i}" for i in range(64)])
    hasher = small().fit(frame, pandas.Series(digits.y))
    assert list(hasher.feature_names_in_) == list(frame.columns)
    out = hasher.set_output(transform="pandas").transform(frame)
    assert list(out.columns) == [f"orthohasher{i}" for i in range(16)]
    np.testing.assert_array_equal(
        out.to_numpy(), small().fit(torch.tensor(digits.X), digits.y).transform(torch.tensor(digits.X))
    )


def test_refitting_on_images_forgets_the_features(digits):
    hasher = small(max_epochs=1).fit(digits.X, digits.y)
    assert hasher.n_features_in_ == 64
    assert not hasattr(hasher.fit(digits.images, digits.y), "n_features_in_")


def test_early_stopping_keeps_the_best_epoch(digits):
    hasher = small(max_epochs=40, early_stopping=True, n_iter_no_change=3, learning_rate=0.02).fit(digits.X, digits.y)
    scores = [row["validation_map"] for row in hasher.history_]
    assert len(scores) < 40
    assert hasher.n_iter_ == np.argmax(scores) + 1 == len(scores) - 3
    assert max(scores) > 0.7


def test_early_stopping_with_rare_classes_and_multi_hot_labels(digits):
    y = digits.y[:60].copy()
    y[0] = 99  # a class of one sample cannot be on both sides
    small(early_stopping=True).fit(digits.X[:60], y)
    small(early_stopping=True).fit(digits.X, digits.y[:, None] == np.arange(10))


def test_early_stopping_needs_samples_on_both_sides(digits):
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 of n_samples=10 holds out 1"):
        small(early_stopping=True).fit(digits.X[:10], digits.y[:10])


def test_warm_start_goes_on(digits):
    hasher = small(warm_start=True).fit(digits.X, digits.y)
    first, centers = hasher.history_[-1]["loss"], hasher.centers_
    hasher.fit(digits.X, digits.y)
    assert len(hasher.history_) == 6
    assert hasher.history_[3]["loss"] < hasher.history_[0]["loss"]
    assert hasher.history_[-1]["loss"] < first
    np.testing.assert_array_equal(hasher.centers_, centers)


def test_warm_start_refuses_classes_it_does_not_know(digits):
    few = digits.y < 5
    hasher = small(warm_start=True).fit(digits.X[few], digits.y[few])
    with pytest.raises(ValueError, match=r"y holds classes \[5, 6, 7, 8, 9\] that are not among \[0, 1, 2, 3, 4\]"):
        hasher.fit(digits.X, digits.y)


def test_partial_fit_learns_piece_by_piece(digits):
    hasher = small()
    for _ in range(5):
        for start in range(0, 1500, 500):
            rows = slice(start, start + 500)
            hasher.partial_fit(digits.X[rows], digits.y[rows], classes=np.arange(10))
    assert len(hasher.history_) == 15
    held_out = digits.X[1500:], digits.y[1500:]
    assert (hasher.predict(held_out[0]) == held_out[1]).mean() > 0.8
    again = pickle.loads(pickle.dumps(hasher)).partial_fit(digits.X[:500], digits.y[:500])
    assert len(again.history_) == 16


def test_partial_fit_knows_classes_that_are_yet_to_come(digits):
    few = digits.y < 3
    hasher = small().partial_fit(digits.X[few], digits.y[few], classes=range(10))
    assert list(hasher.classes_) == list(range(10))
    assert hasher.centers_.shape == (10, 16)
    hasher.partial_fit(digits.X, digits.y)
    with pytest.raises(ValueError, match=r"y holds classes \[10\]"):
        hasher.partial_fit(digits.X[:2], [1, 10])


def test_clone_pickle_joblib(digits, tmp_path):
    hasher = small(views=RandomCropFlip(1)).fit(digits.images, digits.y)
    codes = hasher.transform(digits.images)
    joblib.dump(hasher, tmp_path / "hasher.joblib")
    for copied in (
        pickle.loads(pickle.dumps(hasher)),
        joblib.load(tmp_path / "hasher.joblib"),
        copy.deepcopy(hasher),
        clone(hasher).fit(digits.images, digits.y),
    ):
        np.testing.assert_array_equal(copied.transform(digits.images), codes)


def test_pipelines_and_grid_search(digits):
    X, y = digits.X[:600], digits.y[:600]
    pipeline = make_pipeline(StandardScaler(), small(bits=32), HammingIndex()).fit(X, y)
    distances, ids = pipeline[-1].kneighbors(pipeline[:-1].transform(X[:3]))
    assert (distances[:, 0] == 0).all()  # each is in the index
    codes = pipeline[:-1].transform(X)
    np.testing.assert_array_equal(codes[ids[:, 0]], codes[:3])
    assert pipeline.score(X, y) > 0.5
    search = GridSearchCV(
        make_pipeline(small(bits=32, max_epochs=8), HammingIndex()), {"orthohasher__margin": [0.1, 0.3]}, cv=2, n_jobs=2
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_score_ == max(scores) > 0.4
    assert scores[0] != scores[1]  # the parameter arrives
    nested = cross_val_score(search, X, y, scoring=make_map_scorer(R=50), cv=2)
    assert (nested > 0.4).all()
    assert (cross_val_score(small(max_epochs=8), X, y, scoring=make_map_scorer(), cv=2) > 0.4).all()


def test_grid_search_over_images_and_paths(digits, tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    paths = []
    for number, image in enumerate(digits.images[:60]):
        paths.append(str(tmp_path / f"{number}.png"))
        image_module.fromarray(image).save(paths[-1])
    y = digits.y[:60] % 2
    for X in (digits.images[:60], paths):
        GridSearchCV(make_pipeline(small(max_epochs=1), HammingIndex()), {"orthohasher__bits": [8, 16]}, cv=2).fit(X, y)


def test_scikit_learn_callbacks_see_epochs_and_can_stop(digits):
    pytest.importorskip("sklearn.callback")

    class StopAfterTwo:
        def __init__(self):
            self.scores = []

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
            if context.task_name != "epoch":
                return False
            self.scores.append((fitted_estimator.predict(X) == y).mean())
            return len(self.scores) == 2

        def teardown(self, estimator, context):
            pass

    callback = StopAfterTwo()
    hasher = small(max_epochs=10).set_callbacks(callback).fit(digits.X, digits.y)
    assert len(hasher.history_) == hasher.n_iter_ == 2
    assert callback.scores[1] > callback.scores[0] > 0.1
    untouched = small(max_epochs=2, schedule="constant").fit(digits.X, digits.y)
    assert small(max_epochs=2, schedule="constant").set_callbacks(StopAfterTwo()).fit(digits.X, digits.y).history_[1][
        "loss"
    ] == pytest.approx(untouched.history_[1]["loss"])


def test_interruption_leaves_a_usable_hasher(digits):
    steps = []

    def views(inputs, generator):
        steps.append(1)
        if len(steps) == 20:  # fifteen batches an epoch
            raise KeyboardInterrupt
        return inputs

    with pytest.warns(UserWarning, match="the model is that of epoch 1"):
        hasher = small(views=views, max_epochs=5).fit(digits.X, digits.y)
    assert hasher.n_iter_ == 1
    assert hasher.transform(digits.X).shape == (len(digits.X), 16)


def test_a_frozen_backbone_stays_as_it_is_with_its_statistics(digits):
    backbone = nn.Sequential(nn.Linear(64, 20), nn.BatchNorm1d(20), nn.ReLU())
    before = copy.deepcopy(backbone.state_dict())
    frozen = small(backbone=backbone, backbone_lr_ratio=0.0).fit(digits.X, digits.y)
    torch.testing.assert_close(frozen.module_.backbone.state_dict(), before)
    moving = small(backbone=backbone, backbone_lr_ratio=0.1).fit(digits.X, digits.y).module_.backbone.state_dict()
    assert not torch.equal(moving["0.weight"], before["0.weight"])
    assert not torch.equal(moving["1.running_mean"], before["1.running_mean"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.full((20, 4), np.nan)}, "contains NaN"),
        ({"X": np.full((20, 4), np.inf)}, "contains infinity"),
        ({"X": np.zeros((0, 4)), "y": []}, r"0 sample\(s\)"),
        ({"X": np.zeros((1, 4)), "y": [0]}, "needs at least 2 training samples, got n_samples=1"),
        ({"X": np.zeros(20)}, r"X has shape \(20,\); expected features of shape"),
        ({"X": np.zeros((20, 5, 5, 7))}, r"X has shape \(20, 5, 5, 7\); expected images of shape"),
        ({"y": np.zeros(20)}, "needs at least 2 classes, got 1 class: "),
        ({"y": np.arange(19) % 2}, "X has 20, y has 19"),
        ({"y": np.linspace(0, 1, 20)}, "Unknown label type: y is 'continuous'"),
        ({"y": None}, "requires y to be passed, but the target y is None"),
        ({"bits": 0}, "'bits' parameter of OrthoHasher must be an int in the range"),
        ({"margin_type": "sin"}, "'margin_type' parameter of OrthoHasher must be a str among"),
        ({"batch_size": 1}, "'batch_size' parameter"),
        ({"backbone": "resnet"}, "backbone must be one of .*got 'resnet'"),
        ({"backbone": "small_cnn"}, r"backbone='small_cnn' takes images, got inputs of shape \(4,\)"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"learning_rate": 1e30, "optimizer": "sgd"}, "The weights became infinite or NaN in epoch"),
        ({"centers": np.ones((3, 16))}, r"centers must have shape \(n_classes, bits\) = \(2, 16\), got \(3, 16\)"),
        ({"centers": np.zeros((2, 16))}, r"entries -1 or \+1"),
    ],
)
def test_bad_input_in_fit(change, message):
    X = change.pop("X", np.random.default_rng(0).normal(size=(20, 4)))
    y = change.pop("y", np.arange(20) % 2)
    with pytest.raises(ValueError, match=message):
        small(**change).fit(X, y)


def test_pickling_changes_nothing_in_the_original(digits):
    hasher = small().partial_fit(digits.X, digits.y)
    before = dict(vars(hasher))
    pickle.dumps(hasher)
    assert vars(hasher) == before
    other = small().partial_fit(digits.X, digits.y)
    codes = [h.partial_fit(digits.X, digits.y).decision_function(digits.X) for h in (hasher, other)]
    np.testing.assert_array_equal(*codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bits": 32}, "bits was 16 when the network was made and is 32 now"),
        ({"margin": 0.2}, "margin was 0.5 when the network was made and is 0.2 now"),
        ({"centers": np.ones((10, 16))}, "centers was 'bernoulli'"),
        ({"backbone": "mlp"}, "backbone was 'auto'"),
    ],
)
def test_training_does_not_go_on_with_another_network(change, message, digits):
    hasher = small(warm_start=True).fit(digits.X, digits.y).set_params(**change)
    with pytest.raises(ValueError, match=message):
        hasher.fit(digits.X, digits.y)
    with pytest.raises(ValueError, match=message):
        hasher.partial_fit(digits.X, digits.y)


def test_partial_fit_does_not_go_on_with_other_parameters_of_the_network(digits):
    hasher = small().partial_fit(digits.X, digits.y).set_params(bits=32)
    with pytest.raises(ValueError, match="bits was 16 when the network was made and is 32 now"):
        hasher.partial_fit(digits.X, digits.y)
    assert len(hasher.set_params(bits=16).partial_fit(digits.X, digits.y).history_) == 2


def test_training_parameters_may_change_on_the_way(digits):
    hasher = small(warm_start=True, backbone="mlp", backbone_lr_ratio=0).fit(digits.X, digits.y)
    weight = hasher.module_.backbone[0].weight.detach().clone()
    hasher.set_params(backbone_lr_ratio=0.1).fit(digits.X, digits.y)
    assert not torch.equal(hasher.module_.backbone[0].weight, weight)
    hasher.partial_fit(digits.X, digits.y)
    weight = hasher.module_.head.linear.weight.detach().clone()
    hasher.set_params(learning_rate=1e-12).partial_fit(digits.X, digits.y)
    torch.testing.assert_close(hasher.module_.head.linear.weight, weight, atol=1e-9, rtol=0)


def test_warm_start_refuses_another_kind_of_labels(digits):
    hasher = small(warm_start=True).fit(digits.X, digits.y)
    with pytest.raises(ValueError, match="y holds multi-hot labels; training began with class labels"):
        hasher.fit(digits.X, np.eye(10, dtype=int)[digits.y])


def test_a_warm_start_holds_out_the_same_samples(digits, monkeypatch):
    hasher = small(warm_start=True, early_stopping=True)
    held = []
    original = make_validation

    def spy(network, samples, labels):
        held.append(samples.rows)
        return original(network, samples, labels)

    monkeypatch.setattr("skhash.deep._training.make_validation", spy)
    hasher.fit(digits.X, digits.y).fit(digits.X, digits.y)
    np.testing.assert_array_equal(*held)
    assert len(held[0]) == 180


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, ValueError])
def test_a_failing_partial_fit_leaves_the_model_as_it_was(trouble, digits):
    steps = []

    def views(inputs, generator):
        steps.append(1)
        if len(steps) == 20:  # in the second epoch of fifteen batches
            raise trouble
        return inputs

    hasher = small(views=views).partial_fit(digits.X, digits.y)
    before = hasher.decision_function(digits.X)
    with pytest.raises(trouble):
        hasher.partial_fit(digits.X, digits.y)
    np.testing.assert_array_equal(hasher.decision_function(digits.X), before)
    assert len(hasher.partial_fit(digits.X, digits.y).history_) == 2


def test_a_failing_refit_leaves_the_model_as_it_was(digits):
    hasher = small().fit(digits.X, digits.y)
    before = hasher.transform(digits.X)
    with pytest.raises(ValueError, match="The loss became nan"):
        hasher.set_params(learning_rate=1e30, optimizer="sgd").fit(digits.X[:, :10], digits.y)
    np.testing.assert_array_equal(hasher.transform(digits.X), before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_diverge_in_the_last_step_are_refused(method, digits):
    # One batch: the loss is finite, the step after it is not. Weights of 0 and an infinite rate become NaN.
    hasher = small(batch_size=2000, learning_rate=1e38, optimizer="sgd", schedule="constant", max_epochs=1)
    with pytest.raises(ValueError, match=r"The weights became infinite or NaN in epoch 1\. Lower learning_rate"):
        getattr(hasher, method)(digits.X * 1e4, digits.y)
    assert not hasattr(hasher, "module_")
    assert not hasattr(hasher, "history_")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_diverge_leave_the_model_as_it_was(method, digits, monkeypatch):
    hasher = small(max_epochs=1).partial_fit(digits.X, digits.y)
    before, history = hasher.decision_function(digits.X), hasher.history_
    step = TrainingLoop._step

    def diverge(loop, *args):
        loss = step(loop, *args)
        with torch.no_grad():
            loop.network.head.linear.weight.fill_(float("inf"))
            loop.optimizer.state.clear()
        return torch.zeros_like(loss)

    monkeypatch.setattr(TrainingLoop, "_step", diverge)
    with pytest.raises(ValueError, match="The weights became infinite or NaN"):
        getattr(hasher, method)(digits.X, digits.y)
    np.testing.assert_array_equal(hasher.decision_function(digits.X), before)
    assert hasher.history_ == history


def test_foreign_backbones_in_threads_are_as_reproducible_as_alone(digits):
    expected = small(backbone=DropoutBackbone).fit(digits.X[:300], digits.y[:300]).decision_function(digits.X)
    fits = joblib.Parallel(n_jobs=3, require="sharedmem")(
        joblib.delayed(small(backbone=DropoutBackbone).fit)(digits.X[:300], digits.y[:300]) for _ in range(3)
    )
    for hasher in fits:
        np.testing.assert_allclose(hasher.decision_function(digits.X), expected, atol=1e-3)


def test_a_backbone_that_casts_features_to_single_precision_runs_in_it(digits):
    class Casting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 8)

        def forward(self, x):
            return self.layer(x.float())

    class WithoutCast(Casting):
        def forward(self, x):
            return self.layer(x)

    hasher = small(backbone=Casting).fit(digits.X, digits.y)
    z = hasher.decision_function(digits.X)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(hasher.decision_function(digits.X[5:6]), z[5:6])
    double = small(backbone=WithoutCast).fit(digits.X, digits.y)
    np.testing.assert_allclose(double.decision_function(digits.X), z, atol=1e-4)
    assert len(hasher.predict(digits.X)) == len(z)
    time = np.column_stack([digits.X[:, 1:], 1.7e9 + np.arange(len(z))])
    hasher.set_params(standardize=True).fit(time, digits.y)
    assert np.isfinite(hasher.decision_function(time)).all()


def test_pixels_of_the_other_kind_are_refused(digits):
    hasher = small(max_epochs=1).fit(digits.images, digits.y)
    with pytest.raises(ValueError, match="X has floating-point pixels; fit has seen integer pixels"):
        hasher.transform(digits.images / 1.0)


def test_image_files_are_brought_to_the_size_asked_for(digits):
    image_module = pytest.importorskip("PIL.Image")
    images = [image_module.fromarray(image).resize((30, 20)) for image in digits.images[:40]]
    hasher = small(max_epochs=1, image_size=(12, 9)).fit(images, digits.y[:40])
    assert hasher.input_shape_ == (3, 12, 9)
    with pytest.raises(ValueError, match="image_size must be a positive integer or a pair"):
        small(image_size=(3,)).fit(images, digits.y[:40])


def test_bad_input_in_transform(digits):
    on_features = small(max_epochs=1).fit(digits.X, digits.y)
    on_images = small(max_epochs=1).fit(digits.images, digits.y)
    with pytest.raises(ValueError, match="X has 63 features, but OrthoHasher is expecting 64"):
        on_features.transform(digits.X[:, :63])
    with pytest.raises(ValueError, match=r"samples of shape \(1, 8, 8\), but \(64,\) was seen in fit"):
        on_features.transform(digits.images)
    with pytest.raises(
        ValueError,
        match=r"X is not an image input: got ndarray of shape \(1797, 64\), expected images of shape \(1, 8, 8\)",
    ):
        on_images.transform(digits.X)
    with pytest.raises(ValueError, match=r"samples of shape \(1, 8, 7\), but \(1, 8, 8\) was seen in fit"):
        on_images.transform(digits.images[:, :, :7])


@pytest.mark.parametrize(
    "make",
    [
        small,
        lambda: OneBitDeepHasher(bits=16, max_epochs=5, warm_up_epochs=3, random_state=0),
        lambda: SSDHHasher(bits=16, max_epochs=5, random_state=0),
        lambda: OneBitDeepHasher(bits=16, max_epochs=5, warm_up_epochs=3, warm_up=None, random_state=0),
    ],
    ids=["ortho", "one_bit", "ssdh", "no_warm_up_backbone"],
)
def test_a_column_far_from_0_is_as_good_as_its_standardized_form(make, digits):
    X, y = digits.X[:300] / 16, digits.y[:300]
    time = np.random.default_rng(0).normal(size=300)
    far, near = (np.column_stack([X, column]) for column in (1.7e9 + 1000 * time, time))
    hasher, expected = make().fit(far, y), make().fit(near, y)
    assert (hasher.transform(far) == expected.transform(near)).mean() > 0.9
    np.testing.assert_array_equal(hasher.transform(far[:1]), hasher.transform(far)[:1])


def test_a_packed_form_refuses_columns_far_from_0(digits):
    X = np.column_stack([digits.X, 1.7e9 + np.arange(len(digits.X))])[:200]
    hasher = small(backbone="binary_mlp", max_epochs=1).fit(X, digits.y[:200])
    assert hasher.inference_ == "torch"
    with pytest.raises(ValueError, match="subtract their mean from X before fit"):
        hasher.to_packed()
