import numpy as np
import pytest
from torch import nn

from skhash import DBDHHasher, DSDHHasher, HammingIndex
from skhash.nn import SmallCNN

of_both = pytest.mark.parametrize("hasher_class", [DBDHHasher, DSDHHasher])


@pytest.fixture(scope="module")
def images(digits):
    return (digits.X.reshape(-1, 8, 8) * 15.9).astype(np.uint8)


@of_both
def test_codes_of_images_do_not_collapse(hasher_class, images, digits):
    hasher = hasher_class(16, max_epochs=8, random_state=0).fit(images[:700], digits.y[:700])
    codes = hasher.transform(images[:700])
    assert len(np.unique(codes, axis=0)) >= 10
    index = HammingIndex().fit(codes, digits.y[:700])
    assert index.score(hasher.transform(images[1500:]), digits.y[1500:]) > 0.8  # 0.2 without normalization


@of_both
def test_only_heads_of_new_networks_for_images_are_normalized(hasher_class, images, digits):
    def head_of(X, **options):
        hasher = hasher_class(8, max_epochs=1, random_state=0, **options).fit(X[:65], digits.y[:65])  # a batch of one
        return hasher.module_.head.balance

    assert isinstance(head_of(images), nn.BatchNorm1d)
    assert isinstance(head_of(images, batch_size=64), nn.BatchNorm1d)
    assert isinstance(head_of(digits.X), nn.Identity)
    assert isinstance(head_of(images, recipe="paper"), nn.Identity)
    assert isinstance(head_of(images, backbone=SmallCNN(1)), nn.Identity)


@of_both
def test_training_goes_on_with_the_same_normalization(hasher_class, images, digits):
    hasher = hasher_class(8, max_epochs=1, random_state=0, warm_start=True).fit(images[:200], digits.y[:200])
    before = hasher.module_.head.balance.num_batches_tracked.item()
    assert hasher.fit(images[:200], digits.y[:200]).module_.head.balance.num_batches_tracked.item() > before
    codes = hasher.transform(images[:30])
    np.testing.assert_array_equal(np.concatenate([hasher.transform(images[i : i + 1]) for i in range(30)]), codes)
