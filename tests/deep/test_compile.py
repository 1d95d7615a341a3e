import pickle
from functools import partial

import numpy as np
import pytest
import torch

from skhash import CSQHasher, OneBitDeepHasher, OrthoHasher

# torch hides its own warnings while it traces, unless warnings are errors.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
]

X = np.random.RandomState(0).normal(size=(75, 10))  # the last batch is smaller
Y = np.arange(75) % 3
IMAGES = np.random.RandomState(0).randint(256, size=(40, 12, 12)).astype(np.uint8)


@pytest.fixture
def graphs(monkeypatch):
    """Trace as torch.compile does, but leave out the C++ compiler; collect what is traced."""
    found = []

    def backend(graph, inputs):
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    yield found
    torch._dynamo.reset()


@pytest.mark.parametrize(
    ("hasher", "data"),
    [
        (OrthoHasher(8, backbone="mlp", batch_size=32), (X, Y)),
        (OrthoHasher(8, batch_size=32), (X, Y)),  # only a head
        (CSQHasher(8, batch_size=16, resizing=0.5, precision="float32"), (IMAGES, Y[:40])),
        (CSQHasher(8, batch_size=16, precision="bfloat16"), (IMAGES, Y[:40])),
        (OneBitDeepHasher(8, batch_size=16, warm_up_epochs=1), (X, Y)),
    ],
    ids=["mlp", "head", "resizing", "bfloat16", "one_bit"],
)
def test_compiled_training_is_that_of_the_same_network(hasher, data, graphs):
    hasher.set_params(max_epochs=3, random_state=0, device="cpu")
    plain = hasher.fit(*data)
    losses, codes = [row["loss"] for row in plain.history_], plain.transform(data[0])
    assert not graphs
    compiled = hasher.set_params(compile=True).fit(*data)
    assert graphs
    np.testing.assert_allclose([row["loss"] for row in compiled.history_], losses, rtol=1e-3)
    assert (compiled.transform(data[0]) != codes).mean() < 0.01


def test_nothing_compiled_stays_in_the_network(graphs, tmp_path):
    options = {"backbone": "mlp", "max_epochs": 2, "random_state": 0, "device": "cpu"}
    plain = CSQHasher(8, **options).fit(X, Y)
    hasher = CSQHasher(8, compile=True, checkpoint=tmp_path, **options).fit(X, Y)
    assert [*hasher.module_.state_dict()] == [*plain.module_.state_dict()]
    assert vars(hasher.module_).keys() == vars(plain.module_).keys()
    loaded = pickle.loads(pickle.dumps(hasher))
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))
    hasher.save(tmp_path / "hasher.skhash")
    n_graphs = len(graphs)
    hasher.transform(X)
    assert len(graphs) == n_graphs  # codes are not computed by what was compiled


def test_what_cannot_be_compiled_is_an_error_that_names_the_parameter(monkeypatch):
    def backend(graph, inputs):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    hasher = CSQHasher(8, compile=True, backbone="mlp", max_epochs=1, device="cpu")
    with pytest.raises(ValueError, match=r"compile=True: torch.compile cannot compile MLP here .*no compiler"):
        hasher.fit(X, Y)
    assert not hasattr(hasher, "module_")


def test_partial_fit_keeps_what_is_compiled(graphs):
    hasher = CSQHasher(8, compile=True, backbone="mlp", batch_size=25, device="cpu", random_state=0)
    hasher.partial_fit(X, Y)
    n_graphs = len(graphs)
    hasher.partial_fit(X, Y).partial_fit(X, Y)
    assert len(graphs) == n_graphs > 0
