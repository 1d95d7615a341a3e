import pickle

import pytest
import torch

from skhash import OrthoHasher
from skhash.training import SampleViews


def test_every_sample_is_given_alone():
    seen = []

    def transform(sample):
        seen.append(sample.clone())
        return sample[:, 1:, ::2] + len(seen)

    images = torch.rand(5, 3, 4, 6)
    views = SampleViews(transform)(images, torch.Generator())
    assert torch.equal(torch.stack(seen), images)
    assert torch.equal(views, images[:, :, 1:, ::2] + torch.arange(1, 6)[:, None, None, None])


def test_views_of_one_batch_have_one_shape():
    calls = iter(range(4))
    with pytest.raises(ValueError, match=r"must return views of one shape, got \[\(1,\), \(2,\)\] in one batch"):
        SampleViews(lambda sample: sample[: 1 + next(calls) % 2])(torch.zeros(4, 2))


@pytest.mark.parametrize("shape", [(4, 6), (4, 3, 8, 8)])
def test_channels_and_features_stay(shape):
    with pytest.raises(
        ValueError, match=r"views: .* must keep the number of channels or features of a sample, got a view"
    ):
        SampleViews(lambda sample: sample[1:])(torch.zeros(shape))


def test_views_are_tensors():
    with pytest.raises(TypeError, match=r"views: <.*> must return tensors, got list"):
        SampleViews(torch.Tensor.tolist)(torch.zeros(4, 2))
    with pytest.raises(TypeError, match=r"views: <.*> must return tensors, got NoneType"):
        SampleViews(lambda sample: None)(torch.zeros(4, 2))


def test_pickle():
    views = pickle.loads(pickle.dumps(SampleViews(torch.neg)))
    assert torch.equal(views(torch.ones(2, 3)), -torch.ones(2, 3))


def test_what_is_drawn_from_torchs_state_is_seeded_by_the_hasher(digits):
    def jitter(sample):
        return sample + torch.rand(())

    def codes():
        hasher = OrthoHasher(bits=16, max_epochs=2, views=jitter, random_state=0)
        return hasher.fit(digits.X[:200], digits.y[:200]).decision_function(digits.X[:50])

    first, state = codes(), torch.get_rng_state()
    assert (codes() == first).all()
    assert torch.equal(torch.get_rng_state(), state)
