"""Which operations are fused, and integer thresholds against torch's batch normalization."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.runtime import Add, Affine, BinaryConv, Clip, MaxPool, Network, PackedHasher, RPReLU, Sign, interpret
from skhash.runtime.compile._fusion import CALLER, FusedOps, find_threshold, fuse, threshold_row
from skhash.runtime.network._rounding import NEVER, fused_multiply_add

torch = pytest.importorskip("torch")


def batch_norm(rng, channels):
    """Return a batch normalization of torch in evaluation mode, with every special case."""
    norm = torch.nn.BatchNorm1d(channels).eval()
    weight, bias, mean = rng.normal(size=(3, channels)).astype(np.float32)
    weight[:2], bias[:2] = 0, (-1, 1)
    mean[2:6] = np.round(mean[2:6] * 10)
    bias[2:6] = 0
    with torch.no_grad():
        for parameter, values in ((norm.weight, weight), (norm.bias, bias)):
            parameter.copy_(torch.from_numpy(values))
        norm.running_mean.copy_(torch.from_numpy(mean * 8))
        norm.running_var.copy_(torch.from_numpy(rng.uniform(0.5, 90, channels).astype(np.float32)))
    return norm


def as_affine(norm, fused):
    """Return it as an affine map, in numpy: torch's elementwise functions round differently from its normalization."""
    weight, bias, mean, var = (
        tensor.detach().numpy() for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    scale = weight * (np.float32(1) / np.sqrt(var + np.float32(norm.eps)))
    return Affine(0, scale, fused_multiply_add(-mean, scale, bias), fused)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), limit=st.sampled_from([1, 27, 288, 4608]))
def test_thresholds_equal_batch_normalization_for_every_integer(seed, limit):
    rng = np.random.default_rng(seed)
    norm = batch_norm(rng, 12)
    affine = as_affine(norm, True)
    sums = np.arange(-limit, limit + 1)
    with torch.no_grad():
        z = norm(torch.from_numpy(np.repeat(sums[:, None], 12, 1)).float()).numpy()
    wanted = z >= 0
    falls = affine.scale < 0
    row = threshold_row([affine, Sign(0)], falls, limit, 12)
    found = np.where(falls, -sums[:, None], sums[:, None]) >= row[:12]
    np.testing.assert_array_equal(found, wanted)
    assert (row[12:] == NEVER).all()


def network_and_consumers(*operations, n=8):
    operations = (Sign(0), BinaryConv.from_signs(1, np.ones((n, 1, 1, n))), *operations)
    network = Network((n,), (*operations, *(() if isinstance(operations[-1], Sign) else (Clip(len(operations)),))))
    consumers = {value: [] for value in range(len(network.operations) + 1)}
    for number, operation in enumerate(network.operations):
        for source in dict.fromkeys(operation.sources):
            consumers[source].append(number)
    consumers[len(network.operations)].append(CALLER)
    return network, consumers


def ones(source, factor=1):
    return Affine(source, np.full(8, factor), np.zeros(8))


def fused_ops_of(*operations, available=()):
    network, consumers = network_and_consumers(*operations)
    ops = FusedOps(8)
    fuse(ops, 2, network, consumers, set(available))
    return ops


def test_a_residual_unit_is_one_chain():
    following = BinaryConv.from_signs(5, np.ones((8, 1, 1, 8)))
    ops = fused_ops_of(ones(2), Add((3, 0)), Sign(4), following, Add((4, 4)), Sign(7), available=[0])
    assert ops.steps == ["fused", "add", "store", "sign"]
    assert (ops.residual, ops.stored, ops.signed, ops.fused) == (0, 4, 5, {2, 3, 4})


@pytest.mark.parametrize(
    ("operations", "steps", "stored", "signed"),
    [
        ([ones(2), Add((3, 0)), Clip(4)], ["fused", "add", "clip", "clip", "store"], 6, None),
        ([ones(2), Add((3, 0)), Sign(4)], ["fused", "add", "sign"], None, 5),
        ([ones(2), RPReLU(3, *np.ones((3, 8))), Clip(4)], ["fused", "rprelu", "clip", "clip", "store"], 6, None),
        (
            [Affine(2, np.ones(8)), Affine(3, np.ones(8), np.ones(8), False)],
            ["scale", "rounded", "clip", "store"],
            5,
            None,
        ),
        # a value that is added later and normalised before its sign
        ([ones(2), ones(3), Sign(4), Add((3, 3)), Sign(6)], ["fused", "store", "fused", "sign"], 3, 5),
    ],
)
def test_fused_steps(operations, steps, stored, signed):
    ops = fused_ops_of(*operations, available=[0])
    assert (ops.steps, ops.stored, ops.signed) == (steps, stored, signed)
    assert ops.residual == (0 if "add" in steps else None)


def test_a_sum_with_a_value_that_is_not_computed_yet_is_not_fused():
    assert fused_ops_of(ones(2), Add((3, 0))).steps == ["fused", "store"]


def test_a_sign_alone_makes_all_channels_that_only_fill_words_zero():
    ops = fused_ops_of(ones(2), Sign(3, np.full(8, 0.5)))
    assert ops.parameters().shape == (3, 32)
    np.testing.assert_array_equal(ops.parameters()[2], [0.5] * 8 + [np.inf] * 24)


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        ([Sign(2)], True),
        ([ones(2), Affine(3, np.ones(8)), Clip(4), Sign(5)], True),
        ([MaxPool(2, (1, 1), 1), ones(3), Sign(4)], True),
        ([MaxPool(2, (1, 1), 1), MaxPool(3, (1, 1), 1), Sign(4)], False),
        ([ones(2), RPReLU(3, *np.ones((3, 8))), Sign(4)], False),
        ([ones(2), Add((3, 0)), Sign(4)], False),
        ([ones(2)], False),
    ],
)
def test_which_convolutions_only_compare(operations, found):
    network, consumers = network_and_consumers(*operations)
    threshold = find_threshold(network, 1, consumers)
    assert (threshold is not None) == found
    if found:
        assert threshold.value == len(network.operations)
        assert (threshold.pool is not None) == any(isinstance(operation, MaxPool) for operation in operations)


@pytest.mark.parametrize("pooled", [False, True])
def test_two_falling_maps_rise_together(pooled):
    pool = [MaxPool(3, (1, 1), 1)] if pooled else []
    value = 3 + len(pool)
    network, consumers = network_and_consumers(
        ones(2, -1), *pool, Affine(value, [-2] * 8), Affine(value + 1, [-1] * 8), Affine(value + 2, [1] * 4 + [-1] * 4),
        Sign(value + 3, np.full(8, 5)),
    )  # fmt: skip
    threshold = find_threshold(network, 1, consumers)
    # -2 x >= 5 for x <= -3, and 2 x >= 5 for x >= 3; before a pool the first map alone decides the filters' sign
    assert threshold.factors.tolist() == ([-1] * 8 if pooled else [-1] * 4 + [1] * 4)
    assert threshold.flips.tolist() == ([False] * 4 + [True] * 4 if pooled else [False] * 8)
    assert threshold.row[:8].tolist() == ([3] * 4 + [-2] * 4 if pooled else [3] * 8)
    X = np.where(np.arange(256)[:, None] >> np.arange(8) & 1, 1, -1).astype(np.float32)  # all sums from -8 to 8
    np.testing.assert_array_equal(PackedHasher(network).transform(X), interpret(network, X)[-1].reshape(256, -1))


def test_directions_before_and_after_a_pool():
    before, after = np.float32([1, 1, -1, -1, 1, 1, 1, 1]), np.float32([1, -1, 1, -1, 1, 1, 1, 1])
    network, consumers = network_and_consumers(
        Affine(2, before), MaxPool(3, (1, 1), 1), Affine(4, after), Sign(5, np.full(8, 2.5))
    )
    threshold = find_threshold(network, 1, consumers)
    assert threshold.factors[:4].tolist() == [1, 1, -1, -1]
    assert threshold.flips[:4].tolist() == [False, True, False, True]
    # x >= 2.5; -x >= 2.5, so no sum may reach -2; the same for negated sums
    assert threshold.row[:4].tolist() == [3, -2, 3, -2]
