"""Each step alone, on every target, on numbers with zeros of both signs among them."""

import numpy as np
import pytest

from skhash import runtime as rt
from skhash.runtime.codegen._targets import list_targets

TARGETS = [target.name for target in list_targets()]
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(3, 40)).astype(np.float32)
X = np.vstack([RNG.normal(size=(5, 40)), np.zeros((1, 40)), -np.zeros((1, 40)), -ROWS[:1]]).astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "operations",
    [
        [rt.Affine(0, ROWS[0])],
        [rt.Affine(0, ROWS[0], ROWS[1])],
        [rt.Affine(0, ROWS[0], ROWS[1], fused=False)],
        [rt.RPReLU(0, *ROWS)],
        [rt.Clip(0, -0.5, 0.25)],
        [rt.Clip(0, 0, np.inf)],
        [rt.Add((0, 0))],
        [rt.Sign(0)],
        [rt.Sign(0, -ROWS[0])],
        [rt.Sign(0, ROWS[0]), rt.SignsToReal(1)],
        [rt.Concat((0, 0, 0))],
        [rt.Affine(0, ROWS[0]), rt.Concat((0, 1)), rt.Sign(2)],
    ],
    ids=lambda operations: "-".join(type(operation).__name__ for operation in operations),
)
def test_step(operations, target):
    network = rt.Network((40,), operations)
    expected = rt.interpret(network, X)[-1].reshape(len(X), -1)
    found = rt.PackedHasher(network, target=target).decision_function(X)
    np.testing.assert_array_equal(found >= 0 if expected.dtype == bool else found, expected)
