"""Whole networks: every kernel of every target that this machine runs, against the interpreter."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhash.codes import unpack_codes
from skhash.runtime import Affine, BinaryConv, GlobalAvgPool, Int8Conv, Network, Sign, interpret
from skhash.runtime.codegen._targets import list_targets
from skhash.runtime.compile._plan import Plan

TARGETS = [pytest.param(target, id=target.name) for target in list_targets()]


def run(network, target, X, n_rows=1):
    real = network.maps()[-1].kind == "real"
    out = (
        np.zeros((len(X), network.bits), np.float32) if real else np.zeros((len(X), -(-network.bits // 64)), np.uint64)
    )
    Plan(network, target, n_rows).run(X, out)
    return out if real else unpack_codes(out, network.bits).astype(bool)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**9), n_blocks=st.integers(1, 5))
def test_images_equal_the_reference(target, seed, n_blocks, make_network, make_input):
    network = make_network(seed, n_blocks)
    X = make_input(network, 2, seed)
    np.testing.assert_array_equal(run(network, target, X), interpret(network, X)[-1].reshape(2, -1))


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=4, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    n_blocks=st.integers(1, 4),
    features=st.sampled_from([5, 32, 70]),
    rows=st.sampled_from([1, 8, 11]),
)
def test_feature_vectors_equal_the_reference(target, seed, n_blocks, features, rows, make_network, make_input):
    network = make_network(seed, n_blocks, features)
    X = make_input(network, 2 * rows, seed)
    np.testing.assert_array_equal(run(network, target, X, rows), interpret(network, X)[-1].reshape(2 * rows, -1))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("sides", [(1, 1), (3, 5), (4, 4), (7, 7), (16, 15), (16, 16), (23, 29)])
def test_means_of_maps_of_all_sizes(target, sides):
    rng = np.random.default_rng(0)
    operations = (
        Int8Conv(0, rng.integers(-9, 9, size=(40, 1, 1, 2))),
        Affine(1, rng.normal(size=40)),
        GlobalAvgPool(2),
    )
    network = Network((*sides, 2), operations)
    X = rng.integers(0, 256, size=(2, *sides, 2), dtype=np.uint8)
    np.testing.assert_array_equal(run(network, target, X), interpret(network, X)[-1].reshape(2, -1))


def test_other_threads_run_meanwhile():
    """A plan releases Python's lock for all samples at once; two threads then share only weights."""
    network = Network((32,), (Sign(0), BinaryConv.from_signs(1, np.ones((32, 1, 1, 32))), Affine(2, np.ones(32))))
    plan = Plan(network, list_targets()[0])
    n = 2**20
    X, out = np.zeros((n, 32), np.float32), np.zeros((n, 32), np.float32)
    thread = threading.Thread(target=plan.run, args=(X, out))
    thread.start()
    rounds = 0
    while thread.is_alive():
        time.sleep(0.001)
        rounds += 1
    assert rounds > 5
    assert (out == 32).all()
