"""The jobs of a network, and the buffers of its values."""

import numpy as np
import pytest

from skhash import runtime as rt
from skhash.runtime.codegen._targets import find_target, list_targets
from skhash.runtime.compile._lower_convolutions import split_pixels
from skhash.runtime.compile._lowering import LoweringContext


def lower(*operations, shape=(8, 8, 3), n_rows=1, target=None):
    context = LoweringContext(rt.Network(shape, operations), find_target(target), n_rows, {})
    context.lower()
    return context


def names(context):
    return [job.name for job in context.jobs]


def conv(source, n_in=32, n_out=32, kernel=3, **settings):
    weight = np.random.default_rng(0).choice([-1, 1], size=(n_out, kernel, kernel, n_in))
    return rt.BinaryConv.from_signs(source, weight, padding=kernel // 2, **settings)


STEM = (rt.Int8Conv(0, np.ones((32, 3, 3, 3)), 1, 1), rt.Affine(1, np.ones(32), np.zeros(32)))


def test_residual_units_are_one_job_each_and_add_in_place():
    unit_1 = (rt.Sign(2), conv(3), rt.Affine(4, np.ones(32)), rt.Add((5, 2)))
    unit_2 = (rt.Sign(6), conv(7), rt.Affine(8, np.ones(32)), rt.Add((9, 6)))
    context = lower(*STEM, *unit_1, *unit_2)
    assert [name.split()[-1] for name in names(context)[-3:]] == ["BinaryConv", "BinaryConv", "output"]
    assert context.views[2].address == context.views[6].address == context.views[10].address
    assert context.views[3].address != context.views[7].address


def test_a_shortcut_that_is_read_later_keeps_its_place():
    unit = (rt.Sign(2), conv(3), rt.Affine(4, np.ones(32)), rt.Add((5, 2)))
    context = lower(*STEM, *unit, rt.Add((6, 2)))
    assert context.views[2].address != context.views[6].address


def test_between_plain_layers_only_bits_are_stored():
    context = lower(
        *STEM, rt.Sign(2), conv(3), rt.Affine(4, np.ones(32)), rt.Sign(5), conv(6), rt.Affine(7, np.ones(32))
    )
    real = [value for value in context.views if context.maps[value].kind == "real"]
    assert real == [8]


def test_values_that_nobody_reads_do_no_harm():
    context = lower(*STEM, rt.Sign(2), conv(3), rt.Affine(2, np.ones(32)))
    assert names(context)[-1] == "output"


def test_a_pool_after_the_first_layer_needs_rows_only():
    pooled = lower(*STEM, rt.MaxPool(2, (3, 3), 2, 1))
    assert 2 not in pooled.views
    assert sum("MaxPool" in name for name in names(pooled)) == 4
    assert sum("Int8Conv" in name and "look" not in name for name in names(pooled)) == 8
    kept = lower(*STEM, rt.MaxPool(2, (3, 3), 2, 1), rt.AvgPool(2), rt.Add((3, 4)))
    assert 2 in kept.views


@pytest.mark.parametrize(
    "operations",
    [
        (rt.Sign(0), conv(1, 3, 3), rt.Affine(2, np.ones(3))),
        (rt.RealConv(0, np.ones((3, 3, 3, 3)), 1, 1),),
        (rt.AvgPool(0, (2, 2), 2, True),),
        (rt.MaxPool(0, (3, 3), 1, 1),),
    ],
)
def test_windows_on_feature_vectors_are_refused(operations):
    with pytest.raises(ValueError, match="feature vectors have no windows"):
        lower(*operations, shape=(3,), n_rows=4)


def test_the_mean_of_a_feature_vector_is_its_own():
    X = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    hasher = rt.PackedHasher(rt.Network((3,), (rt.GlobalAvgPool(0),)))
    np.testing.assert_array_equal(hasher.decision_function(X), X)


@pytest.mark.parametrize("n", range(1, 60))
@pytest.mark.parametrize("most", [2, 4, 8])
def test_tiles_cover_all_pixels(n, most):
    pixels, n_tiles, tail = split_pixels(n, most)
    assert pixels * n_tiles + tail == n
    assert 0 < pixels <= most
    assert tail < pixels


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_plans_share_packed_weights(target):
    network, weights = rt.Network((32,), (rt.Sign(0), conv(1, kernel=1), rt.Affine(2, np.ones(32)))), {}
    first, second = LoweringContext(network, target, 1, weights), LoweringContext(network, target, 8, weights)
    first.lower()
    tiles = weights[1].tiles
    second.lower()
    assert weights[1].tiles is tiles
    assert list(weights) == [1]
