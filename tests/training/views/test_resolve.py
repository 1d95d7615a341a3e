from functools import partial

import pytest
import torch
from torch import nn

from skhash.training import FeatureViews, ImageViews, RandomCropFlip, SampleViews, resolve_views

SHAPE = (3, 8, 8)


def of_batch(batch, generator):
    return batch


class OfBatch:
    def __call__(self, batch, g):
        return batch


class ModuleOfBatch(nn.Module):
    def forward(self, batch, generator=None):
        return batch


def of_sample(sample, strength=0.5):
    return sample


class OfSample:
    def __call__(self, sample):
        return sample


class ModuleOfAnything(nn.Module):
    def forward(self, *inputs):
        return inputs[0]


def with_option(batch, generator, strength):
    return batch


@pytest.mark.parametrize(
    "views",
    [of_batch, OfBatch(), OfBatch().__call__, ModuleOfBatch(), partial(with_option, strength=1), RandomCropFlip()],
    ids=["function", "object", "method", "module", "partial", "ours"],
)
def test_views_of_batches_are_taken_as_they_are(views):
    assert resolve_views(views, SHAPE, wanted=False)[1] is views


@pytest.mark.parametrize(
    "views",
    [of_sample, OfSample(), ModuleOfAnything(), nn.Sequential(), partial(of_sample, strength=1), torch.abs],
    ids=["function", "object", "module", "sequence", "partial", "builtin"],
)
def test_views_of_samples_are_called_for_each(views):
    weak, strong = resolve_views(views, SHAPE, wanted=False)
    assert strong == weak == SampleViews(views)
    batch = torch.rand(4, *SHAPE)
    assert torch.equal(strong(batch, torch.Generator()), batch)


def test_auto_and_none():
    assert resolve_views(None, SHAPE, wanted=True) == (None, None)
    assert resolve_views("auto", SHAPE, wanted=False) == (None, None)
    assert resolve_views("auto", SHAPE, wanted=True) == (ImageViews().weaker(), ImageViews())
    assert resolve_views("auto", (7,), wanted=True) == (FeatureViews().weaker(), FeatureViews())


def test_weak_views_are_those_of_weaker_or_the_same():
    assert resolve_views(ImageViews(flip=0.2), SHAPE, wanted=False)[0] == ImageViews(flip=0.2).weaker()
    assert resolve_views(of_batch, SHAPE, wanted=False) == (of_batch, of_batch)


def test_a_pair_is_weak_and_strong():
    weak, strong = resolve_views((of_sample, of_batch), SHAPE, wanted=True)
    assert weak == SampleViews(of_sample)
    assert strong is of_batch


@pytest.mark.parametrize(
    ("views", "error", "message"),
    [
        ("Auto", ValueError, r'views must be "auto", None, a callable .*, got \'Auto\''),
        ((of_batch,), ValueError, r"or a pair \(weak, strong\) of such callables, got 1 values"),
        ((None, of_batch), TypeError, "got None"),
        (3, TypeError, "got 3"),
        (RandomCropFlip, TypeError, "got the class RandomCropFlip: pass an instance of it"),
        (with_option, TypeError, r"got <function with_option.*>, which takes \(batch, generator, strength\)"),
        (lambda: None, TypeError, r"which takes \(\)"),
        (lambda batch, *, generator: None, TypeError, r"which takes \(batch, \*, generator\)"),
    ],
    # Explicit: an address in an id differs between processes that share the tests.
    ids=["name", "single", "none", "number", "class", "option", "no parameters", "keyword"],
)
def test_what_cannot_be_views(views, error, message):
    with pytest.raises(error, match=message):
        resolve_views(views, SHAPE, wanted=False)
