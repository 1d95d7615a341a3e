import torch

from skhash.training import RandomFlip


def test_every_image_is_itself_or_its_mirror_image():
    images = torch.rand(64, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    views = RandomFlip()(images, torch.Generator().manual_seed(0))
    mirrored = 0
    for view, image in zip(views, images, strict=True):
        flipped = torch.stack([image[:, :, 5 - column] for column in range(6)], dim=2)
        assert torch.equal(view, image) or torch.equal(view, flipped)
        mirrored += torch.equal(view, flipped)
    assert 20 < mirrored < 44
