"""Tests of hashers that users write: subclasses of the base classes that define hooks alone."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skhash import OrthoHasher
from skhash.deep import DeepHasher
from skhash.losses import OrthoLoss, SimilarityLoss
from skhash.methods._unsupervised import UnsupervisedHasher


class Supervised(DeepHasher):
    def _make_criterion(self, context):
        centers = torch.randint(2, (context.n_classes, self.bits), generator=context.generator)
        return OrthoLoss(2 * centers - 1)


class WithoutLabels(UnsupervisedHasher):
    def _make_criterion(self, context):
        return SimilarityLoss()


class Derived(OrthoHasher):
    def _recipes_for(self, labels):
        return {"skhash": self._recipes["paper"][0]}


@pytest.mark.parametrize("kind", [Supervised, WithoutLabels, Derived])
def test_a_subclass_needs_no_init(kind, digits):
    hasher = clone(kind(8, max_epochs=2, random_state=0).set_params(batch_size=64))
    parameters = hasher.get_params()
    assert (parameters["bits"], parameters["max_epochs"], parameters["batch_size"]) == (8, 2, 64)
    assert repr(hasher) == f"{kind.__name__}(batch_size=64, bits=8, max_epochs=2, random_state=0)"
    codes = hasher.fit(digits.X[:200], digits.y[:200]).transform(digits.X)
    assert codes.shape == (len(digits.X), 8)
    assert codes.min() == 0 < codes.max()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(hasher)).transform(digits.X), codes)
    assert len(hasher.predict(digits.X[:5])) == 5
    with pytest.raises(TypeError, match="epochs"):
        kind(epochs=2)


@pytest.mark.parametrize("kind", [DeepHasher, UnsupervisedHasher])
def test_a_base_class_is_not_a_hasher(kind):
    with pytest.raises(TypeError, match="_make_criterion"):
        kind()
