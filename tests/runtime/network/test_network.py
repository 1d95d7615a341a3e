"""A network is checked when it is created."""

import numpy as np
import pytest

from skhash.runtime import Affine, BinaryConv, Clip, GlobalAvgPool, Int8Conv, Network, RealConv, Sign


def linear(source, n_in, n_out):
    return BinaryConv.from_signs(source, np.ones((n_out, 1, 1, n_in)))


def test_maps_and_counts():
    operations = (
        Int8Conv(0, np.zeros((8, 3, 3, 2)), 2, 1),
        Affine(1, np.ones(8), np.zeros(8)),
        GlobalAvgPool(2),
        Sign(3, np.zeros(8)),
        linear(4, 8, 6),
        Affine(5, np.ones(6)),
        Sign(6),
    )
    network = Network((5, 4, 2), operations)
    assert [str(map_) for map_ in network.maps()] == [
        *("pixels 5 x 4 x 2", "integer 3 x 2 x 8", "real 3 x 2 x 8", "real 1 x 1 x 8", "sign 1 x 1 x 8"),
        *("integer 1 x 1 x 6", "real 1 x 1 x 6", "sign 1 x 1 x 6"),
    ]
    assert (network.bits, network.takes_images) == (6, True)
    assert network.count_parameters() == {"binary": 48, "int8": 144, "real": 8 + 8 + 8 + 6}


def test_a_real_map_is_flattened():
    network = Network((2, 3, 1), (Int8Conv(0, np.ones((5, 1, 1, 1))), Affine(1, np.ones(5))))
    assert network.bits == 30


@pytest.mark.parametrize(
    ("shape", "operations", "message"),
    [
        ((4, 4), [Sign(0)], "input_shape must be"),
        ((0,), [Sign(0)], "input_shape must be"),
        ((4,), [], "The last operation"),
        ((4,), [Sign(0), linear(1, 4, 2)], "got integer 1 x 1 x 2"),
        ((4,), [Sign(1)], r"operations\[0\] \(Sign\) reads value 1, expected one from 0 to 0"),
        ((4,), [Sign(0), linear(1, 5, 2), Sign(2)], r"operations\[1\] \(BinaryConv\): shape is"),
        ((4,), ["sign"], r"operations\[0\] is 'sign'"),
        ((4, 4, 1), [Clip(0)], r"operations\[0\] \(Clip\): the source is pixels"),
        ((4,), [RealConv(0, np.zeros((2, 3, 3, 4)))], "does not fit"),
    ],
)
def test_refusal(shape, operations, message):
    with pytest.raises(ValueError, match=message):
        Network(shape, operations)
