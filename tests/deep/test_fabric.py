import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

import skhash
from skhash import CSQHasher
from skhash.training import Ranks, resolve_device

ROOT = Path(__file__).parents[2]
WORKER = Path(__file__).with_name("_fabric_worker.py")
LIMIT = 240  # seconds after which a process that hangs is ended

FEATURES = ["ortho_mlp", "hashnet_mlp", "one_bit_features", "early_stopping"]
IMAGES = ["ortho_images", "hashnet_images", "bihalf_views"]


class OneProcess:
    """What the library uses of a Fabric, of one process."""

    def __init__(self, world_size=1):
        self.device, self.global_rank, self.world_size = torch.device("cpu"), 0, world_size

    def launch(self):
        return None


def start(rank, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(WORKER), str(rank), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(processes):
    try:
        return [(process.communicate(timeout=LIMIT)[0], process.returncode) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_two(*arguments):
    pytest.importorskip("lightning_fabric")
    port = free_port()
    return finish([start(rank, port, *arguments) for rank in range(2)])


def compare(folder, task, *names):
    """Yield the names of what was found, and the values of one process and of the two."""
    ends = run_two(task, folder, *names)
    assert [code for _, code in ends] == [0, 0], ends
    [(text, code)] = finish([start(-1, 0, task, folder, *names)])
    assert code == 0, text
    one, first, second = (np.load(folder / f"{name}.npz") for name in ("one0", "two0", "two1"))
    assert one.files
    for name in one.files:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)  # the processes end with one model
        yield name, one[name], first[name]


def test_two_processes_train_on_features_as_one_does(tmp_path):
    for name, one, two in compare(tmp_path, "train", *FEATURES):
        if name.endswith("loss"):
            np.testing.assert_allclose(two, one, rtol=1e-5, err_msg=name)
        elif name.endswith("codes"):
            np.testing.assert_array_equal(two, one, err_msg=name)


def test_on_images_only_the_rounding_differs(tmp_path):
    # In single precision, Adam turns the rounding of small gradients into steps. In double, nothing is left of it.
    for name, one, two in compare(tmp_path, "double", *IMAGES):
        if name.endswith("loss"):
            np.testing.assert_allclose(two, one, rtol=1e-11, err_msg=name)
        elif name.endswith("codes"):
            np.testing.assert_array_equal(two, one, err_msg=name)


def test_two_processes_in_single_precision_and_with_draws_of_their_own(tmp_path):
    for name, one, two in compare(tmp_path, "train", *IMAGES, "one_bit_images", "own_dropout", "no_seed"):
        case, what = name.split("/")
        if what == "loss" and case != "no_seed":
            np.testing.assert_allclose(two[:1], one[:1], rtol=2e-2, err_msg=name)
            assert not np.isnan(two).any()
        elif what == "codes" and case in IMAGES:
            assert (two != one).mean() < 0.02, name


def test_two_processes_share_partial_fit_checkpoints_and_clones(tmp_path):
    found = {name: (one, two) for name, one, two in compare(tmp_path, "partial")}
    np.testing.assert_allclose(*found["partial/loss"], rtol=1e-5)
    for one, two in (found["clone/codes"], found["resumed/codes"]):
        np.testing.assert_array_equal(one, two)
    assert len([*tmp_path.glob("checkpoint-False/*/*.safetensors")]) == 1  # one of three epochs within a second


def test_different_data_are_an_error_in_both_processes():
    for text, code in run_two("data"):
        assert code == 1
        assert "must call fit with the same parameters and data, but those of processes [1] differ" in text


def test_the_death_of_one_process_ends_the_other():
    (text, code), (_, killed) = run_two("killed")
    assert killed == -9
    assert code == 1
    assert "Connection closed by peer" in text or "Connection reset by peer" in text


def test_a_fabric_of_one_process_is_a_device():
    X, y = np.random.RandomState(0).normal(size=(40, 6)), np.arange(40) % 4
    options = {"max_epochs": 2, "random_state": 0}
    codes = CSQHasher(8, device="cpu", **options).fit(X, y).transform(X)
    hasher = clone(CSQHasher(8, device=OneProcess(), **options)).fit(X, y)
    np.testing.assert_array_equal(hasher.transform(X), codes)
    assert isinstance(hasher.device, OneProcess)


@pytest.mark.parametrize("keep", ["pickle", "save"])
def test_a_fabric_is_not_kept(keep, tmp_path):
    X, y = np.random.RandomState(0).normal(size=(40, 6)), np.arange(40) % 4
    hasher = CSQHasher(8, device=OneProcess(), max_epochs=1, random_state=0).fit(X, y)
    if keep == "pickle":
        loaded = pickle.loads(pickle.dumps(hasher))
    else:
        skhash.save(hasher, tmp_path / "hasher.skhash")
        loaded = skhash.load(tmp_path / "hasher.skhash")
    assert loaded.device == "auto"
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))


def test_a_fabric_that_was_not_launched_is_refused():
    X, y = np.random.RandomState(0).normal(size=(40, 6)), np.arange(40) % 4
    hasher = CSQHasher(8, device=OneProcess(2), max_epochs=1)
    with pytest.raises(ValueError, match="device is a Fabric of 2 processes that are not connected"):
        hasher.fit(X, y)
    assert resolve_device(hasher.device) == torch.device("cpu")
    assert Ranks.find("cpu") is None


def test_a_real_fabric_is_found_cloned_and_pickled():
    fabric = pytest.importorskip("lightning_fabric").Fabric(accelerator="cpu", devices=1)
    assert resolve_device(fabric) == torch.device("cpu")
    assert clone(CSQHasher(8, device=fabric)).device is not fabric
    assert pickle.loads(pickle.dumps(CSQHasher(8, device=fabric))).device == "auto"


def test_gradients_of_a_batch_that_is_too_small_to_share(monkeypatch):
    layer = nn.Linear(3, 2)
    inputs = torch.randn(1, 3, generator=torch.Generator().manual_seed(0))
    layer(inputs).square().sum().backward()
    expected = layer.weight.grad.clone()
    layer.zero_grad()
    # Two equal processes: a sum over both is twice that of one.
    double = lambda tensor: tensor.mul_(2)  # noqa: E731
    monkeypatch.setattr(torch, "distributed", SimpleNamespace(all_reduce=double))
    ranks = Ranks(0, 2, torch.device("cpu"))
    ranks.run(layer, inputs).square().sum().backward()
    ranks.add_gradients([*layer.parameters()], {id(each) for each in layer.parameters()})
    torch.testing.assert_close(layer.weight.grad, expected)
