import numpy as np
import pytest
import torch

from skhash.inputs import Samples
from skhash.nn import MLP, HashHead, SmallCNN, build, encode


def make_networks():
    generator = torch.Generator().manual_seed(0)
    for name, shape, backbone in (
        ("features", (100,), build(MLP, 100, generator=generator)),
        ("images", (1, 28, 28), build(SmallCNN, 1, 16, generator=generator)),
    ):
        head = build(HashHead, backbone.out_features, 32, "batch_norm", generator=generator)
        yield pytest.param(torch.nn.Sequential(backbone, head).eval(), shape, id=name)


NETWORKS = list(make_networks())


def run(module, X):
    return np.concatenate(list(encode(module, Samples(X))))


@pytest.mark.parametrize(("module", "shape"), NETWORKS)
def test_outputs_do_not_depend_on_company_or_threads(module, shape):
    X = np.random.default_rng(0).normal(size=(150, *shape)).astype(np.float32)
    together = run(module, X)
    np.testing.assert_array_equal(np.concatenate([run(module, X[i : i + 1]) for i in range(40)]), together[:40])
    np.testing.assert_array_equal(np.concatenate([run(module, X[i : i + 7]) for i in range(0, 150, 7)]), together)
    order = np.random.default_rng(1).permutation(150)
    np.testing.assert_array_equal(run(module, X[order]), together[order])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        single = run(module, X)
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(single >= 0, together >= 0)


@pytest.mark.parametrize(("module", "shape"), NETWORKS)
def test_encode_equals_the_module_and_leaves_its_mode(module, shape):
    X = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(X)).numpy()
    module[0].train()
    got = run(module, X)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert got.dtype == (np.float64 if len(shape) == 1 else np.float32)
    assert module[0].training
    assert not module[1].training
    module.eval()


def test_blocks_join_at_their_borders(monkeypatch):
    module = build(HashHead, 3, 4, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("skhash.nn._inference._BLOCK_VALUES", 3 * 200)  # three passes of 64 rows
    X = np.random.default_rng(0).normal(size=(192 + 65, 3))
    blocks = list(encode(module, Samples(X)))
    assert [len(block) for block in blocks] == [192, 65]
    np.testing.assert_allclose(
        np.concatenate(blocks), X @ module.linear.weight.double().numpy(force=True).T, atol=1e-12
    )
