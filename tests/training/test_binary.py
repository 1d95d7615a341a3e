import copy

import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.nn import HashHead, HashNetwork, build
from skhash.nn.binary import BinaryLinear, binarize_weights_, binary_mlp, clip_latent_weights_
from skhash.training import LatentClip, binary_layers, make_optimizer, make_schedule, reestimate_batch_norm

X = np.random.default_rng(0).normal(2, 3, size=(64, 5))


def make_network():
    generator = torch.Generator().manual_seed(0)
    backbone = build(binary_mlp, 5, width=8, generator=generator)
    return HashNetwork(backbone, build(HashHead, 8, 4, "batch_norm", generator=generator), nn.Linear(4, 3))


def test_statistics_are_those_of_all_samples():
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm1d(5))
    network[1].momentum = 0.3
    reestimate_batch_norm(network, Samples(X), generator=torch.Generator().manual_seed(0), batch_size=32)
    rows = torch.tensor(X, dtype=torch.float32)
    torch.testing.assert_close(network[1].running_mean, rows.mean(dim=0))  # and nothing was dropped
    halves = torch.randperm(64, generator=torch.Generator().manual_seed(0)).split(32)
    variances = torch.stack([rows[half].var(dim=0) for half in halves])
    torch.testing.assert_close(network[1].running_var, variances.mean(dim=0))
    assert network[1].momentum == 0.3
    assert not network.training
    assert not network[1].training


def test_a_clip_does_to_its_network_what_the_function_does():
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(
        *(build(BinaryLinear, 8, 8, weight_rule=rule, generator=generator) for rule in ("bnn", "bireal", "irnet")),
        nn.Linear(8, 8),
    )
    clip = LatentClip(network)
    for real in (False, True):  # the second time, the layer in the middle trains with real weights
        for parameter in network.parameters():
            parameter.data.normal_(std=2, generator=generator)
        binarize_weights_(network[1], not real)
        expected = clip_latent_weights_(copy.deepcopy(network))
        assert not torch.equal(expected[0].weight, network[0].weight)
        clip(network)
        assert (network[1].weight.abs().max() > 1) == real
        for parameter, other in zip(network.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(parameter, other, rtol=0, atol=0)


def test_decay_spares_signs_thresholds_slopes_and_norms():
    network = make_network()
    optimizer = make_optimizer("adam", network, learning_rate=0.1, backbone_lr_ratio=0.5, weight_decay=0.2)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    decayed = {name for name, p in network.named_parameters() if decay[id(p)] == 0.2}
    assert decayed == {"backbone.stem.0.weight", "head.linear.weight", "criterion.weight"}
    assert len(decay) == len(list(network.parameters()))
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert all(rates[id(p)] == 0.05 for p in network.backbone.parameters())
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_without_binary_layers_all_parameters_decay():
    network = HashNetwork(nn.Linear(5, 3), HashHead(3, 4, "batch_norm"), nn.Identity())
    assert not binary_layers(network)
    groups = make_optimizer("adam", network, learning_rate=0.1, weight_decay=0.2).param_groups
    assert [group["weight_decay"] for group in groups] == [0.2, 0.2]


def test_a_criterion_may_have_a_rate_of_its_own():
    network = make_network()
    network.criterion.lr_ratio = 0.25
    groups = make_optimizer("adam", network, learning_rate=0.4).param_groups
    assert [group["lr"] for group in groups] == [0.4, 0.4, 0.1]
    assert groups[2]["params"] == list(network.criterion.parameters())


@pytest.mark.parametrize("name", ["one_cycle", "step"])
def test_epochs_of_different_length(name):
    optimizer = make_optimizer("sgd", make_network(), learning_rate=1.0)
    schedule = make_schedule(name, optimizer, epochs=5, steps_per_epoch=[1, 1, 1, 1, 6])
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    if name == "step":
        assert rates == pytest.approx([1.0] * 4 + [0.1] * 6)
    else:
        assert rates[-1] < 1e-3 < rates[-2]
