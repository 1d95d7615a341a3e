import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skhash import CSQHasher, OneBitDeepHasher, OrthoHasher
from skhash.training import Batch, Recipe, Resizing, TrainingLoop

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 28, 28), dtype=np.uint8)
Y = np.arange(40) % 2


def sides(resizing, epochs=10, full=(28, 28)):
    return [resizing.size(epoch, epochs, full) for epoch in range(epochs)]


@pytest.mark.parametrize(
    ("resizing", "expected"),
    [
        (Resizing(1.0), [28] * 10),
        (Resizing(0.5, end=0.8), [16, 16, 20, 20, 24, 24, 28, 28, 28, 28]),
        # 14, then 14 + 14 * (epoch - 5) / 4
        (Resizing(0.5, begin=0.5, end=0.9, multiple=1), [14, 14, 14, 14, 14, 14, 18, 21, 25, 28]),
        (Resizing(0.5, begin=0.5, end=0.5), [16] * 5 + [28] * 5),
        (Resizing(0.25, end=0.0), [28] * 10),
        (Resizing(0.01, begin=1.0, end=1.0), [4] * 10),
        (Resizing(0.75, end=0.1), [24] + [28] * 9),
        (Resizing(0.5, begin=0.5, end=0.9, multiple=100), [28] * 10),
    ],
)
def test_sides_by_hand(resizing, expected):
    assert sides(resizing) == [(side, side) for side in expected]


def test_height_and_width_keep_their_ratio_and_whole_shares_are_not_rounded_up():
    assert Resizing(0.5).size(0, 10, (96, 64)) == (48, 32)
    assert Resizing(0.7, multiple=1).size(0, 10, (40, 10)) == (28, 7)  # 0.7 * 40 > 28 in floating point


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": 0.0}, "'initial' .* in the range \\(0.0, 1.0\\]"),
        ({"initial": 1.5}, "'initial'"),
        ({"end": 1.1}, "'end'"),
        ({"begin": -0.1}, "'begin'"),
        ({"begin": 0.8}, "begin of Resizing must be at most end=0.75, got 0.8"),
        ({"multiple": 0}, "'multiple'"),
        ({"multiple": 1.5}, "'multiple'"),
    ],
)
def test_plans_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        Resizing(**options)


def test_a_view_is_drawn_from_the_full_image_and_then_scaled():
    images = torch.rand(4, 1, 28, 28)
    plain = Batch(images, None, None, 0, None, 0.1, size=(16, 20))
    expected = F.interpolate(images, (16, 20), mode="bilinear", antialias=True)
    torch.testing.assert_close(plain.view(), expected)
    flipped = Batch(images, None, None, 0, None, 0.1, (None, lambda x, generator: x.flip(3)), (16, 20))
    torch.testing.assert_close(flipped.view(), expected.flip(3))
    assert Batch(images, None, None, 0, None, 0.1, size=(28, 28)).view() is images


class Spy(nn.Module):
    """Notes the sizes of the images in training."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 4)
        self.sizes = []

    def forward(self, images):
        if self.training:
            self.sizes.append(tuple(images.shape[2:]))
        return self.linear(images.mean(dim=(2, 3)))


def seen_sizes(monkeypatch, hasher, epochs=None):
    sizes, original = [], TrainingLoop.run_epoch

    def run_epoch(self, samples, targets, epoch):
        seen = []
        hook = self.network.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[2]))
        loss = original(self, samples, targets, epoch)
        hook.remove()
        assert len(set(seen)) == 1
        sizes.append(seen[0])
        return loss

    monkeypatch.setattr(TrainingLoop, "run_epoch", run_epoch)
    hasher.fit(IMAGES, Y)
    return sizes


PLAN = Resizing(0.5, end=0.75)  # of 4 epochs


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resizing": PLAN}, [16, 20, 24, 28]),
        ({"resizing": 0.5}, [16, 20, 24, 28]),
        ({"resizing": 1.0}, [28] * 4),
        ({"resizing": PLAN, "backbone": "bireal_tiny"}, [16, 20, 24, 28]),
        ({"recipe": Recipe(resizing=PLAN)}, [16, 20, 24, 28]),
        ({"recipe": Recipe(resizing=PLAN), "resizing": 1}, [28] * 4),
        # Neither takes images of another size.
        ({"resizing": PLAN, "backbone": "layout_cnn"}, [28] * 4),
        ({"resizing": PLAN, "backbone": "vgg_small"}, [28] * 4),
        ({"resizing": PLAN, "backbone": Spy}, [28] * 4),
    ],
)
def test_images_grow_where_the_backbone_takes_any_size(monkeypatch, options, expected):
    hasher = OrthoHasher(bits=8, max_epochs=4, batch_size=20, random_state=0, **options)
    assert seen_sizes(monkeypatch, hasher) == expected
    assert hasher.transform(IMAGES).shape == (40, 8)


def test_the_warm_up_of_one_bit_hashing_follows_its_own_epochs(monkeypatch):
    hasher = OneBitDeepHasher(8, max_epochs=4, warm_up_epochs=2, resizing=PLAN, random_state=0)
    assert seen_sizes(monkeypatch, hasher) == [16, 24, 16, 20, 24, 28]


def test_partial_fit_and_features_have_no_plan(monkeypatch):
    hasher = CSQHasher(bits=8, resizing=PLAN, random_state=0)
    seen, original = [], TrainingLoop.run_epoch
    monkeypatch.setattr(
        TrainingLoop, "run_epoch", lambda self, *args: (seen.append(self.size), original(self, *args))[1]
    )
    hasher.partial_fit(IMAGES, Y)
    CSQHasher(bits=8, resizing=PLAN, max_epochs=1, random_state=0).fit(IMAGES.reshape(40, -1)[:, :9].astype(float), Y)
    assert seen == [None, None]


@pytest.mark.parametrize("value", [0.0, 1.5, "half", (0.5, 0.75)])
def test_refused_values(value):
    with pytest.raises(ValueError, match="'resizing' parameter of OrthoHasher must be"):
        OrthoHasher(bits=8, resizing=value).fit(IMAGES, Y)
