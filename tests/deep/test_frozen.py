"""Training behind a frozen backbone."""

import numpy as np
import pytest
import torch
from torch import nn

from skhash import CSQHasher, OrthoHasher, SDCHasher


class Counting(nn.Module):
    calls = 0

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.LayerNorm(216))

    def forward(self, x):
        Counting.calls += len(x)
        return self.network(x)


@pytest.mark.filterwarnings("ignore:.*can hardly tell samples apart")
@pytest.mark.parametrize("kind", [OrthoHasher, CSQHasher, SDCHasher])
def test_features_of_a_frozen_backbone_are_computed_once(kind, digits):
    images, y = digits.images[:200], digits.y[:200]
    calls = []
    for epochs in (6, 12):
        hasher = kind(16, backbone=Counting(), backbone_lr_ratio=0, views=None, max_epochs=epochs, random_state=0)
        hasher.set_params(learning_rate=0.01)
        Counting.calls = 0
        hasher.fit(images, y)
        calls.append(Counting.calls)
    assert calls[0] == calls[1] < 5 * 200
    assert hasher.module_.frozen
    np.testing.assert_array_equal(hasher.transform(images), hasher.decision_function(images) >= 0)
    untouched = Counting().network.state_dict()
    for name, tensor in hasher.module_.backbone.network.state_dict().items():
        assert torch.equal(tensor, untouched[name])


def test_the_head_is_that_of_training_on_features(digits):
    """The same batches and weights: codes of images are those that a head on their features learns."""
    images, y = digits.images[:300], digits.y[:300]
    parameters = {"max_epochs": 30, "learning_rate": 0.01, "random_state": 0, "recipe": "paper"}
    hasher = CSQHasher(16, backbone=Counting(), backbone_lr_ratio=0, views=None, **parameters).fit(images, y)
    with torch.inference_mode():
        features = Counting()(torch.from_numpy(images.astype(np.float32) / 255)[:, None]).numpy()
    other = CSQHasher(16, backbone=nn.Identity(), **parameters).fit(features, y)
    assert (hasher.transform(images) == other.transform(features)).mean() > 0.99


def test_random_views_have_other_features_in_each_epoch(digits):
    calls = []
    for epochs in (2, 4):
        Counting.calls = 0
        OrthoHasher(16, backbone=Counting(), backbone_lr_ratio=0, views="auto", max_epochs=epochs, random_state=0).fit(
            digits.images[:100], digits.y[:100]
        )
        calls.append(Counting.calls)
    assert calls[0] == calls[1]  # "auto" draws no views for this method

    def views(batch, generator):
        return batch + torch.rand(len(batch), 1, 1, 1, generator=generator)

    for epochs in (2, 4):
        Counting.calls = 0
        OrthoHasher(16, backbone=Counting(), backbone_lr_ratio=0, views=views, max_epochs=epochs, random_state=0).fit(
            digits.images[:100], digits.y[:100]
        )
        calls.append(Counting.calls)
    assert calls[3] - calls[2] == 200
