import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from skhash import SDCHasher
from skhash.losses import SDCLoss, half_cosines
from skhash.nn import HashHead
from skhash.training import FeatureViews


def small(**options):
    return SDCHasher(**{"bits": 32, "max_epochs": 25, "random_state": 0, **options})


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"distribution": "gaussian"},
        {"distribution": stats.uniform()},
        {"alpha": 2.0, "beta": 2.0},
        {"quantization_weight": 1.0},
        {"calibration": "l2"},
        {"hidden_features": "auto"},
        {"hidden_features": 200},
        {"contrastive_weight": 1.0},
        {"contrastive_weight": 0.3, "temperature": 0.5, "clip_targets": False, "views": FeatureViews(dropout=0.1)},
        {"backbone": "mlp"},
    ],
    ids=lambda options: "+".join(options) or "defaults",
)
def test_every_option_learns(options, learnt_map):
    assert learnt_map(small(**options)) > 0.55  # random hyperplanes: 0.49


def test_labels_change_nothing_but_predict(digits):
    without, with_labels = small().fit(digits.X), small().fit(digits.X, digits.y)
    np.testing.assert_array_equal(without.transform(digits.X), with_labels.transform(digits.X))
    assert not hasattr(without, "predict")
    assert (with_labels.predict(digits.X) == digits.y).mean() > 0.8


def test_the_papers_configurations(digits):
    hasher = small(recipe="paper", hidden_features=4096, quantization_weight=1.0, max_epochs=1).fit(digits.X)
    first, gelu, second, normalization = hasher.module_.head
    assert (first.out_features, type(gelu), second.out_features) == (4096, nn.GELU, 32)
    assert isinstance(normalization, nn.BatchNorm1d)
    recipe = small(recipe="paper", max_epochs=None)
    assert recipe._recipes["paper"].max_epochs == 100
    assert (hasher.recipe_.batch_size, hasher.recipe_.learning_rate, hasher.recipe_.weight_decay) == (64, 1e-4, 5e-4)
    instance = small(recipe="sdc-instance", max_epochs=None, quantization_weight=0.01).fit(digits.X)
    assert (instance.n_iter_, instance.recipe_.batch_size, instance.recipe_.schedule.at) == (20, 256, (0.5,))
    assert isinstance(instance.module_.head, HashHead)


def test_the_width_of_the_hidden_layer(digits):
    def head(width):
        return small(hidden_features=width, max_epochs=1).fit(digits.X[:50]).module_.head

    assert isinstance(head(None), HashHead)
    assert head("auto")[0].out_features == 64
    assert head(7)[0].out_features == 7


@pytest.mark.parametrize(("weight", "clip", "expected"), [(0.0, None, False), (0.5, None, True), (0.5, False, False)])
def test_the_trained_loss_is_the_loss(digits, weight, clip, expected):
    options = {"alpha": 2.0, "beta": 3.0, "quantization_weight": 0.7, "temperature": 0.6}
    hasher = small(contrastive_weight=weight, clip_targets=clip, calibration="l2", max_epochs=1, **options)
    criterion = hasher.fit(digits.X).module_.criterion
    views = torch.randn(2, 30, 32, generator=torch.Generator().manual_seed(0))
    features = torch.tensor(digits.X[:30]).float()
    loss = SDCLoss(contrastive_weight=weight, clip_targets=expected, loss="l2", **options)
    arguments = (views[0], features, views[1], features)
    torch.testing.assert_close(criterion(*arguments), loss(*arguments))


def test_code_similarities_follow_the_distribution(digits):
    def spread(a):
        options = {"alpha": a, "beta": a, "quantization_weight": 0.0}
        z = small(**options, bits=64, dropout=0.0, max_epochs=60).fit(digits.X).decision_function(digits.X)
        order = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
        return half_cosines(torch.tensor(z)[order]).std().item()

    # The standard deviation of Beta(a, a) on [-1, 1] is (2 a + 1)^-1/2; a linear head cannot reach every one.
    assert spread(5.0) == pytest.approx(11**-0.5, rel=0.15)
    assert spread(20.0) < 0.9 * spread(5.0) < 0.8 * spread(1.0)


def test_views_are_drawn_once_or_twice_if_they_are_compared(digits):
    class Counting(FeatureViews):
        calls = 0

        def __call__(self, batch, generator):
            type(self).calls += 1
            return super().__call__(batch, generator)

    small(views=Counting(), max_epochs=1, batch_size=600).fit(digits.X)
    assert Counting.calls == 3
    Counting.calls = 0
    small(views=Counting(), max_epochs=1, batch_size=600, contrastive_weight=1.0).fit(digits.X)
    assert Counting.calls == 2 * 3
    with pytest.raises(
        ValueError, match="SDCHasher compares random views of a sample, but views=None contains no views"
    ):
        small(views=None, contrastive_weight=1.0).fit(digits.X)


@pytest.mark.parametrize("options", [{}, {"recipe": "paper"}, {"hidden_features": 64}, {"backbone": "mlp"}])
def test_scale_and_offset_of_features_do_not_matter(options, digits):
    hasher = small(bits=16, max_epochs=5, **options)
    codes = hasher.fit(digits.X[:400]).transform(digits.X)
    for factor in (2.0**-20, 2.0**14):  # exact, so that all codes are the same
        scaled = hasher.fit(digits.X[:400] * factor).transform(digits.X * factor)
        np.testing.assert_array_equal(scaled, codes)
    shifted = hasher.fit(digits.X[:400] + 1e4).transform(digits.X + 1e4)
    assert len(np.unique(shifted, axis=0)) > 0.6 * len(np.unique(codes, axis=0))
    assert 0.1 < shifted.mean() < 0.9


def test_similarities_are_those_of_the_features_as_they_are(digits):
    hasher = small(max_epochs=1).fit(digits.X + 1e3)
    inputs = torch.from_numpy(digits.X[:50] + 1e3)
    z, reference = hasher._codes_and_reference(hasher.module_.eval(), inputs)
    assert torch.equal(reference, inputs)
    assert z.shape == (50, 32)
    standardized = small(max_epochs=1, standardize=True).fit(digits.X)
    network = standardized.module_.eval()
    inputs = torch.tensor(digits.X[:50]).float()
    _, reference = standardized._codes_and_reference(network, inputs)
    assert torch.equal(reference, network.preprocess(inputs))


def test_an_odd_batch_and_a_pair(digits):
    small(batch_size=7, max_epochs=1).fit(digits.X[:24])  # 7, 7, 7 and 3
    assert small(max_epochs=1).fit(digits.X[:2]).transform(digits.X[:2]).shape == (2, 32)


def test_images_with_views(digits):
    hasher = small(bits=16, max_epochs=2, contrastive_weight=1.0).fit(digits.images[:300])
    assert hasher.transform(digits.images[:5]).shape == (5, 16)


def test_what_made_the_loss_may_not_change_on_the_way(digits):
    hasher = small(max_epochs=1, warm_start=True).fit(digits.X)
    with pytest.raises(ValueError, match=r"alpha was 5\.0 when the network was made and is 1\.0 now"):
        hasher.set_params(alpha=1.0).fit(digits.X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": "uniform"}, "The 'distribution' parameter of SDCHasher must be .* Got 'uniform' instead"),
        ({"distribution": stats.beta}, "The 'distribution' parameter of SDCHasher must be .* instead"),
        ({"alpha": 0.0}, r"The 'alpha' parameter of SDCHasher must be a float in the range \(0.0, inf\)"),
        ({"hidden_features": 0}, "The 'hidden_features' parameter of SDCHasher must be .* Got 0 instead"),
        ({"calibration": "l3"}, "The 'calibration' parameter of SDCHasher must be .* Got 'l3' instead"),
    ],
)
def test_errors(options, message, digits):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(digits.X)
