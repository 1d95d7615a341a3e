import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from skhash.inputs import Samples
from skhash.nn import build, encode
from skhash.nn.binary import (
    RULES,
    BinaryConv2d,
    BinaryResNet,
    Int8Stem,
    bireal_small,
    clip_latent_weights_,
    set_progress_,
)


def make(generator_seed=0, channels=1, **options):
    options = {"widths": (8, 16), "depths": (1, 2), **options}
    return build(BinaryResNet, channels, generator=torch.Generator().manual_seed(generator_seed), **options)


def pixels(*shape):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)) / 255


@pytest.mark.parametrize("block", ["unit", "basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["dup", "binary", "real"])
@pytest.mark.parametrize("stem", ["int8", "float"])
def test_layouts(block, shortcut, stem):
    network = make(block=block, shortcut=shortcut, stem=stem, stem_kernel=5, stem_stride=2, stem_pool=True, channels=3)
    features = network(pixels(2, 3, 25, 31))
    assert features.shape == (2, network.out_features)
    assert network.out_features == 16 * (4 if block == "bottleneck" else 1)
    assert network.takes_pixels == isinstance(network.stem[0], Int8Stem) == (stem == "int8")
    # One binary convolution per layer of a block; behind the stem no others are real than those of the shortcuts.
    n_layers = 3 * {"unit": 1, "basic": 2, "bottleneck": 3}[block]
    n_shortcuts = {"unit": 1, "basic": 1, "bottleneck": 2}[block]
    binary = sum(isinstance(m, BinaryConv2d) for m in network.modules())
    real = sum(isinstance(m, nn.Conv2d) for m in network.modules())
    assert binary == n_layers + n_shortcuts * (shortcut == "binary")
    assert real == n_shortcuts * (shortcut == "real") + (stem == "float")


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_learns(rule, digits):
    network = make(rule=rule)
    head = nn.Linear(network.out_features, 10)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    X, y = torch.from_numpy(digits.images[:500] / 16.0)[:, None].float(), torch.tensor(digits.y[:500])
    optimizer = torch.optim.Adam([*network.parameters(), *head.parameters()], 1e-2)
    losses = []
    for step in range(50):
        set_progress_(network, step / 50)
        rows = torch.arange(100 * (step % 5), 100 * (step % 5 + 1))
        loss = F.cross_entropy(head(network(X[rows])), y[rows])
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        optimizer.step()
        clip_latent_weights_(network)
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(10), abs=1e-3)
    assert np.mean(losses[-5:]) < 1.5


def test_codes_do_not_depend_on_company():
    network = make(rule="reactnet")
    network(pixels(16, 1, 28, 28))  # batch statistics
    network.eval()
    X = pixels(20, 1, 28, 28).numpy()
    together = np.concatenate(list(encode(network, Samples(X))))
    alone = np.concatenate([out for i in range(20) for out in encode(network, Samples(X[i : i + 1]))])
    assert np.array_equal(together, alone)


def test_evaluation_is_exact_up_to_the_mean_over_positions():
    """A network in double precision has the same integers, so only the affine maps differ, by their rounding."""
    network = make(rule="bireal", shortcut="binary")
    network(pixels(16, 1, 28, 28))
    network.eval()
    x = pixels(4, 1, 28, 28)
    sums = []
    for layer in network.modules():
        if isinstance(layer, BinaryConv2d):
            layer.register_forward_hook(
                lambda layer, inputs, out: sums.append(out / layer.rule.parts(layer.weight)[1].view(-1, 1, 1))
            )
    with torch.inference_mode():
        network(x)
        single, sums[:] = list(sums), []
        network.double()(x.double())
    assert len(single) == 4
    for a, b in zip(single, sums, strict=True):
        assert torch.equal(a.round(), b.round().float())


@pytest.mark.parametrize("rule", RULES)
def test_networks_can_be_pickled(rule):
    network = make(rule=rule).eval()
    set_progress_(network, 0.5)
    again = pickle.loads(pickle.dumps(network))
    assert torch.equal(network(pixels(2, 1, 12, 12)), again(pixels(2, 1, 12, 12)))
    assert getattr(again.blocks[0].body[1].rule, "t", 1.0) == pytest.approx(1.0)


def test_channels_last_or_not_is_the_same():
    network = make().eval()
    x = pixels(2, 1, 12, 12)
    torch.testing.assert_close(network(x), network(x.to(memory_format=torch.channels_last)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "dorefa"}, "rule must be one of"),
        ({"pad": "one"}, "pad_mode must be one of"),
        ({"stem": "int4"}, "stem must be one of"),
        ({"shortcut": "conv"}, "shortcut must be one of"),
        ({"block": "dense"}, "block must be one of"),
    ],
)
def test_unknown_options(options, message):
    with pytest.raises(ValueError, match=message):
        bireal_small(**options)
