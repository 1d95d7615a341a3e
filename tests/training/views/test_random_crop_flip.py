import pytest
import torch
from torch import nn

from skhash.training import RandomCropFlip


@pytest.mark.parametrize("flip", [0, 0.5, 1])
def test_crops_and_flips_are_shifts_and_mirrors(flip):
    images = torch.arange(64 * 2 * 5 * 6, dtype=torch.float32).reshape(64, 2, 5, 6) + 1
    views = RandomCropFlip(padding=1, flip=flip)(images, torch.Generator().manual_seed(0))
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    kinds = set()
    for view, whole in zip(views, padded, strict=True):
        found = [
            (down, right, mirror)
            for down in range(3)
            for right in range(3)
            for mirror in (False, True)
            if torch.equal(view.flip(2) if mirror else view, whole[:, down : down + 5, right : right + 6])
        ]
        assert len(found) == 1
        kinds.add(found[0])
    assert {mirror for _, _, mirror in kinds} == {0: {False}, 0.5: {False, True}, 1: {True}}[flip]
    assert len(kinds) > 6
    again = RandomCropFlip(padding=1, flip=flip)(images, torch.Generator().manual_seed(0))
    assert torch.equal(views, again)


def test_weaker_shifts_and_mirrors_less():
    assert RandomCropFlip(4).weaker() == RandomCropFlip(2, flip=0.25)
    assert RandomCropFlip(3, flip=1).weaker(0.5) == RandomCropFlip(2, flip=0.5)
    assert RandomCropFlip(3).weaker(0) == RandomCropFlip(0, flip=0)


def test_options_are_checked():
    with pytest.raises(ValueError, match=r"'padding' parameter of RandomCropFlip must be .* \[0, inf\)"):
        RandomCropFlip(-1)
    with pytest.raises(ValueError, match=r"'flip' parameter of RandomCropFlip must be .* \[0.0, 1.0\]"):
        RandomCropFlip(flip=-0.5)
    with pytest.raises(ValueError, match=r"views: RandomCropFlip takes images .* got a batch of shape \(4, 8\)"):
        RandomCropFlip()(torch.zeros(4, 8), torch.Generator())
