"""
Train the network of ``PerceptualHasher("copynet")``
====================================================

The code of a picture has 40 bits of a difference hash, which text, stickers and loss of quality hardly change, and 24
bits of a network that is trained beside them, on what they are blind to: crops, borders, rotation, windows. Neither
sees whether a picture is mirrored. Two views of each picture, one of them mostly unchanged, are to have similar codes
of 64 bits, all others in the batch and in the 8192 views before it others (InfoNCE with a learned temperature, before
and after the sign, and the entropy of SSCD).

Folders of pictures, of which no other copies are tested on; `--stamps` are folders of pictures with transparent ground,
and `--fonts` TrueType files, for what is laid over pictures. An hour of one core::

    OMP_NUM_THREADS=1 python examples/copy_model/train_copy_model.py FOLDER... --cifar10 cifar10_jpeg.npz \\
        --stamps FOLDER --fonts /usr/share/fonts/truetype/dejavu/*.ttf --minutes 60 --out copy_network.npz
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from _network import SIDE, CopyNetwork, export, make_filters, prepare
from _overlays import draw_overlays
from _pictures import read_cifar10, read_folder, read_stamps, remove_duplicates
from _views import Views
from torch import nn

BITS = 64
CLEAN = 0.75  # share of unchanged first views
QUEUE = 8192
WARM_UP, SYMMETRIC = 0.03, 0.5  # shares of the training: higher rates until, both mirror images from then on
ENTROPY = 0.05
N_DIFFERENCES = 40


class Sign(torch.autograd.Function):
    """Sign, with the gradient of tanh."""

    @staticmethod
    def forward(context, z):
        context.save_for_backward(z)
        return torch.where(z >= 0, 1.0, -1.0)

    @staticmethod
    def backward(context, gradient):
        (z,) = context.saved_tensors
        return gradient * (1 - torch.tanh(z) ** 2)


def compare_neighbors(images):
    """Compute differences of neighbors in the mean of a picture and its mirror image, 10 x 4, as -1 or 1."""
    filters = make_filters()
    cells = filters @ F.interpolate(images, (SIDE, SIDE), mode="area")[:, 0] @ filters.T
    cells = (cells + cells.flip(2))[..., :5]
    return torch.where((cells[..., 1:] - cells[..., :-1]).flatten(1) > 0, 1.0, -1.0)


def contrast(first, second, queue, scale, is_same, is_queued):
    """Compute how badly each view finds its other one, among the batch and, one way, the queue."""
    first, second, queue = F.normalize(first), F.normalize(second), F.normalize(queue)
    near = (scale * second @ first.T).masked_fill(is_same, -1e9)
    far = (scale * second @ queue.T).masked_fill(is_queued, -1e9)
    back = (scale * first @ second.T).masked_fill(is_same, -1e9)
    targets = torch.arange(len(first))
    return 0.7 * F.cross_entropy(torch.cat([near, far], 1), targets) + 0.3 * F.cross_entropy(back, targets)


def entropy_loss(codes):
    """Compute minus the mean logarithm of the distances to nearest neighbors (KoLeo)."""
    codes = F.normalize(codes)
    nearest = (codes @ codes.T).detach().fill_diagonal_(-2).argmax(1)
    return -((codes - codes[nearest]).norm(dim=1) + 1e-6).log().mean()


def to_gray(images, generator=None):
    """Return gray values (n, 1, 64, 64) of some images (n, 64, 64, 3), with other weights of some if drawn randomly."""
    weights = torch.tensor([0.299, 0.587, 0.114]).expand(len(images), 3)
    if generator is not None:
        drawn = torch.rand((len(images), 1), generator=generator) < 0.15
        weights = weights * (0.5 * torch.randn((len(images), 3), generator=generator) * drawn).exp()
        weights = weights / weights.sum(1, keepdim=True)
    return torch.einsum("nhwc,nc->nhw", images.float() / 255, weights)[:, None]


def is_drawing(images):
    """Check which images have much white."""
    return (images[:, ::4, ::4].min(3).values > 245).float().mean((1, 2)) > 0.25


def train(network, images, views, generator, *, minutes, batch_size=256, learning_rate=2.5e-3, weight_decay=1e-3):
    """Train for some minutes of CPU time."""
    scales = nn.Parameter(torch.tensor([2.3, 2.3]))
    matrices = [each for each in network.parameters() if each.ndim > 1]
    others = [each for each in network.parameters() if each.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": [*others, scales], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98))
    rows = torch.cat([torch.arange(len(images)), *2 * [torch.nonzero(is_drawing(images))[:, 0]]])
    queue, queued = torch.zeros(0, BITS), torch.zeros(0, dtype=torch.long)
    start, step, batches = time.process_time(), 0, iter(())
    while (done := (time.process_time() - start) / (60 * minutes)) < 1:
        rate = done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate + 1e-6
        chosen = next(batches, None)
        if chosen is None or len(chosen) < batch_size:
            batches = iter(rows[torch.randperm(len(rows), generator=generator)].split(batch_size))
            chosen = next(batches)
        first = to_gray(images[chosen])
        other = to_gray(images[chosen], generator)
        second = views(other)
        changed = torch.rand(len(chosen), generator=generator) >= CLEAN
        first[changed] = views(other[changed])
        both = torch.cat([first, second])
        fixed, maps = compare_neighbors(both).chunk(2), prepare(both)
        with torch.autocast("cpu", torch.bfloat16):
            z = network(maps) + network(maps.flip(3)) if done >= SYMMETRIC else network(maps)
        z = z.float().chunk(2)
        smooth, codes = (
            [torch.cat([f(a), b], 1) for a, b in zip(z, fixed, strict=True)] for f in (torch.tanh, Sign.apply)
        )
        is_same = (chosen[None] == chosen[:, None]).fill_diagonal_(False)
        is_queued, scale = queued[None] == chosen[:, None], scales.clamp(max=4.1).exp()
        loss = 0.5 * contrast(*smooth, queue, scale[0], is_same, is_queued)
        loss = loss + 0.5 * contrast(*codes, torch.where(queue >= 0, 1.0, -1.0), scale[1], is_same, is_queued)
        loss = loss + ENTROPY * entropy_loss(torch.tanh(z[0]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        queue, queued = torch.cat([smooth[0].detach(), queue])[:QUEUE], torch.cat([chosen, queued])[:QUEUE]
        step += 1
        if step % 100 == 0:
            print(f"{step} steps, {100 * done:.0f} %: loss {loss.item():.3f}", flush=True)


@torch.no_grad()
def find_medians(network, images, n_images=3000):
    """Return the medians of the outputs for unchanged pictures, one third of them drawings."""
    drawings = is_drawing(images)
    images = torch.cat([images[drawings][: n_images // 3], images[~drawings][: 2 * n_images // 3]])
    network.eval()
    outputs = []
    for part in images.split(500):
        maps = prepare(to_gray(part))
        outputs.append(network(maps) + network(maps.flip(3)))
    return torch.cat(outputs).median(0).values.double().numpy()


def main():
    """Read, train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--cifar10", help="the .npz file of the JPEG copy")
    parser.add_argument("--stamps", nargs="*", default=[])
    parser.add_argument("--fonts", nargs="+", required=True)
    parser.add_argument("--most", type=int, default=2300, help="pictures of a folder")
    parser.add_argument("--overlays", type=int, default=5000)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", default="copy_network.npz")
    arguments = parser.parse_args()
    random_state, generator = np.random.RandomState(0), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    images = [image for folder in arguments.folders for image in read_folder(folder, arguments.most, random_state)]
    if arguments.cifar10:
        images += read_cifar10(arguments.cifar10, 30_000, random_state)
    kept = remove_duplicates(np.stack(images))
    images = torch.from_numpy(kept[random_state.permutation(len(kept))])
    stamps = read_stamps(arguments.stamps, 1200, random_state)
    print(f"{len(images):,} pictures, {len(stamps):,} stamps")
    overlays = {
        kind: torch.from_numpy(draw_overlays(kind, arguments.overlays, arguments.fonts, stamps, random_state))
        for kind in ("text", "sticker")
    }
    network = CopyNetwork(BITS - N_DIFFERENCES).to(memory_format=torch.channels_last)
    train(network, images, Views(overlays, generator), generator, minutes=arguments.minutes)
    np.savez_compressed(arguments.out, **export(network, find_medians(network, images)))


if __name__ == "__main__":
    main()
