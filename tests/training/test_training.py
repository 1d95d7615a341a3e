import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from skhash.inputs import Samples
from skhash.nn import HashHead, HashNetwork, build
from skhash.training import (
    Batch,
    EarlyStopping,
    FitTask,
    Steps,
    TrainingLoop,
    make_optimizer,
    make_schedule,
    resolve_device,
    run_epochs,
    steps_per_epoch,
)
from skhash.training._optim import OPTIMIZERS, _has_fused_step


class Squares(nn.Module):
    """A loss without state: mean squared continuous code."""

    def forward(self, z, targets):
        return z.square().mean()


def make_network(seed=0, backbone=None):
    generator = torch.Generator().manual_seed(seed)
    return HashNetwork(backbone or nn.Identity(), build(HashHead, 3, 4, generator=generator), Squares())


def make_loop(network, loss=lambda network, batch: network.criterion(network(batch.inputs), batch.targets), **options):
    optimizer = make_optimizer("sgd", network, learning_rate=0.1)
    return TrainingLoop(
        network,
        loss,
        optimizer,
        make_schedule("constant", optimizer, epochs=1, steps_per_epoch=1),
        options.pop("batch_size", 4),
        torch.device("cpu"),
        torch.Generator().manual_seed(0),
        **options,
    )


def no_task():
    return FitTask(object(), None, None, 3, dict)


X = np.random.default_rng(0).normal(size=(10, 3))


@pytest.mark.parametrize(("n", "batches"), [(10, [4, 4, 2]), (9, [4, 4]), (8, [4, 4]), (3, [3])])
def test_an_epoch_shows_every_row_once_but_a_last_batch_of_one(n, batches):
    seen = []

    def loss(network, batch):
        np.testing.assert_allclose(batch.inputs.numpy(), X[batch.rows], rtol=1e-6)
        assert batch.targets.tolist() == (batch.rows * 10).tolist()
        assert batch.epoch == 2
        seen.append(batch.rows)
        return network(batch.inputs).sum() * 0

    make_loop(make_network(), loss).run_epoch(Samples(X[:n]), torch.arange(n) * 10, epoch=2)
    assert [len(rows) for rows in seen] == batches
    rows = np.concatenate(seen)
    assert len(set(rows)) == len(rows)
    assert rows.tolist() != sorted(rows.tolist())
    assert steps_per_epoch(n, 4) == len(batches)


def test_one_step_by_hand():
    network = make_network()
    weight = network.head.linear.weight.detach().clone()
    rows = torch.tensor(X[:4], dtype=torch.float32)
    gradient = 2 * (rows @ weight.T).T @ rows / 16
    # SGD with Nesterov momentum 0.9: the first step is 1.9 times the gradient.
    make_loop(network).run_epoch(Samples(X[:4]), None, 0)
    torch.testing.assert_close(network.head.linear.weight.detach(), weight - 0.1 * 1.9 * gradient)


def test_long_gradients_are_scaled_down():
    network = make_network()
    weight = network.head.linear.weight.detach().clone()
    make_loop(network, max_grad_norm=1e-3).run_epoch(Samples(X[:4]), None, 0)
    assert (network.head.linear.weight - weight).norm().item() == pytest.approx(0.1 * 1.9 * 1e-3, rel=1e-3)


def test_views_see_the_batch_and_the_generator():
    calls = []

    def strong(inputs, generator):
        calls.append((tuple(inputs.shape), isinstance(generator, torch.Generator)))
        return inputs * 0

    def loss(network, batch):
        assert batch.view("weak") is batch.inputs
        return network.criterion(network(batch.view()), batch.targets)

    assert make_loop(make_network(), loss, views=(None, strong)).run_epoch(Samples(X), None, 0) == 0
    assert calls == [((4, 3), True), ((4, 3), True), ((2, 3), True)]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda inputs: None, TypeError, "a tensor of floats, got NoneType"),
        (lambda inputs: inputs.numpy(), TypeError, "a tensor of floats, got ndarray"),
        (lambda inputs: inputs.long(), TypeError, r"a tensor of floats, got torch\.int64"),
        (lambda inputs: inputs[1:], ValueError, r"view of shape \(3, 3\) of a batch of shape \(4, 3\)"),
        (lambda inputs: inputs[:, :2], ValueError, r"view of shape \(4, 2\) of a batch of shape \(4, 3\)"),
        (lambda inputs: inputs[..., None], ValueError, r"view of shape \(4, 3, 1\) of a batch of shape \(4, 3\)"),
    ],
)
def test_what_is_no_view_of_the_batch(change, error, message):
    batch = Batch(torch.zeros(4, 3), None, None, 0, None, 0.1, views=(None, lambda inputs, generator: change(inputs)))
    with pytest.raises(error, match=rf"views: <.*> must (return|keep) .*{message}"):
        batch.view()


def test_views_in_double_precision_are_converted():
    batch = Batch(torch.ones(4, 3), None, None, 0, None, 0.1, views=(None, lambda inputs, generator: inputs.double()))
    assert batch.view().dtype == torch.float32


def test_a_loss_that_is_no_number_stops_training():
    loop = make_loop(make_network(), lambda network, batch: network(batch.inputs).sum() * math.nan)
    with pytest.raises(ValueError, match=r"The loss became nan in epoch 3\. Lower learning_rate"):
        loop.run_epoch(Samples(X), None, epoch=2)


def test_parameter_groups():
    network = make_network(backbone=nn.Linear(3, 3))
    groups = make_optimizer("adam", network, learning_rate=0.5, backbone_lr_ratio=0.1).param_groups
    assert [group["lr"] for group in groups] == [0.5, 0.05]
    assert [p.shape for p in groups[1]["params"]] == [(3, 3), (3,)]
    network.backbone.requires_grad_(False)
    frozen = make_optimizer("adamw", network, learning_rate=0.5, weight_decay=0.3).param_groups
    assert len(frozen) == 1
    assert frozen[0]["weight_decay"] == 0.3
    assert len(frozen[0]["params"]) == 1


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_fused_steps_are_those_of_the_plain_optimizer(name):
    network, plain = make_network(backbone=nn.Linear(3, 3)), make_network(backbone=nn.Linear(3, 3))
    plain.load_state_dict(network.state_dict())
    options = {"lr": 0.1, "weight_decay": 0.2}
    fused = make_optimizer(name, network, learning_rate=0.1, weight_decay=0.2)
    assert fused.defaults.get("fused", False) == (name != "rmsprop")
    for optimizer, trained in ((fused, network), (OPTIMIZERS[name](plain.parameters(), **options), plain)):
        for _ in range(5):
            optimizer.zero_grad()
            trained(torch.tensor(X, dtype=torch.float32)).square().mean().backward()
            optimizer.step()
    for one, other in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_steps_are_not_fused_where_torch_cannot(monkeypatch):
    def refuse(groups, *, fused=False, **options):
        if fused:
            raise RuntimeError("`fused=True` requires all the params to be on a supported device")
        return torch.optim.Adam(groups, **options)

    _has_fused_step.cache_clear()
    monkeypatch.setitem(OPTIMIZERS, "adam", refuse)
    assert not make_optimizer("adam", make_network(), learning_rate=0.1).defaults["fused"]
    _has_fused_step.cache_clear()
    sparse = make_network(backbone=nn.Sequential(nn.Linear(3, 3), nn.Embedding(3, 3, sparse=True)))
    assert "fused" not in make_optimizer("rmsprop", sparse, learning_rate=0.1).defaults
    assert not make_optimizer("sgd", sparse, learning_rate=0.1).defaults["fused"]


def rates(name, epochs, steps):
    optimizer = make_optimizer("adam", make_network(), learning_rate=1.0)
    schedule = make_schedule(name, optimizer, epochs=epochs, steps_per_epoch=steps)
    out = []
    for _ in range(epochs * steps):
        out.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return out


def test_schedules():
    assert rates("step", 10, 3) == pytest.approx([1.0] * 24 + [0.1] * 6)
    assert rates("constant", 2, 2) == [1.0] * 4
    cycle = rates("one_cycle", 10, 10)
    assert cycle[0] == pytest.approx(1 / 25)
    assert max(cycle) == pytest.approx(1.0, abs=1e-3)
    assert np.argmax(cycle) == pytest.approx(30, abs=1)
    assert cycle[-1] < 1e-3
    assert len(rates("one_cycle", 1, 1)) == 1


def test_early_stopping_keeps_the_best_weights():
    network = make_network()
    stopping = EarlyStopping(patience=2)
    scores = [0.1, 0.5, 0.4, 0.5, 0.9]
    stops = []
    for epoch, score in enumerate(scores, start=1):
        nn.init.constant_(network.head.linear.weight, float(epoch))
        stops.append(stopping.update(score, epoch, network))
        if stops[-1]:
            break
    assert stops == [False, False, False, True]
    assert stopping.best_epoch == 2
    stopping.restore(network)
    assert (network.head.linear.weight == 2).all()


def test_history():
    history = run_epochs(make_loop(make_network()), Samples(X), None, epochs=3, task=no_task())
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert history[0]["loss"] > history[2]["loss"]
    assert set(history[0]) == {"epoch", "loss", "learning_rate", "seconds"}


def interrupting_loop(network, at_step):
    steps = []

    def loss(network, batch):
        steps.append(1)
        if len(steps) == at_step:
            raise KeyboardInterrupt
        return network.criterion(network(batch.inputs), None)

    return make_loop(network, loss)


def test_interruption_leaves_the_model_of_the_last_finished_epoch():
    reference, network = make_network(), make_network()
    run_epochs(make_loop(reference), Samples(X), None, epochs=2, task=no_task())
    with pytest.warns(UserWarning, match=r"interrupted by the user: the model is that of epoch 2\."):
        # Three batches an epoch: the eighth is the second of epoch 3.
        history = run_epochs(interrupting_loop(network, 8), Samples(X), None, epochs=5, task=no_task())
    assert len(history) == 2
    torch.testing.assert_close(network.state_dict(), reference.state_dict())


def test_interruption_with_early_stopping_leaves_the_best_epoch():
    network, stopping = make_network(), EarlyStopping(patience=10)
    scores = iter([0.9, 0.2, 0.3])
    with pytest.warns(UserWarning, match=r"the model is that of epoch 1\."):
        run_epochs(
            interrupting_loop(network, 11),
            Samples(X),
            None,
            epochs=5,
            validate=lambda: next(scores),
            early_stopping=stopping,
            task=no_task(),
        )
    reference = make_network()
    run_epochs(make_loop(reference), Samples(X), None, epochs=1, task=no_task())
    torch.testing.assert_close(network.state_dict(), reference.state_dict())


def test_interruption_in_the_first_epoch_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        run_epochs(interrupting_loop(make_network(), 2), Samples(X), None, epochs=5, task=no_task())


def test_progress_goes_to_stderr_only_if_asked(capsys):
    run_epochs(make_loop(make_network()), Samples(X), None, epochs=2, task=no_task(), verbose=0)
    assert capsys.readouterr() == ("", "")
    run_epochs(make_loop(make_network()), Samples(X), None, epochs=2, task=no_task(), verbose=1)
    out, err = capsys.readouterr()
    assert out == ""
    assert "2/2" in err
    assert "loss=" in err


def test_devices(monkeypatch):
    assert resolve_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("SKHASH_DEVICE", "meta")
    assert resolve_device() == torch.device("meta")
    with pytest.raises(ValueError, match="device='abacus' is not available: "):
        resolve_device("abacus")
    with pytest.raises(ValueError, match=r"device='gpu' is not available: .*; use 'cuda', 'auto' or 'cpu'"):
        resolve_device("gpu")


def test_a_criterion_is_given_what_it_asks_for():
    class Curious(nn.Module):
        def forward(self, z, targets, *, epoch, batch, generator=None):
            pass

    batch = Batch(torch.zeros(2, 3), None, np.arange(2), 5, torch.Generator(), 0.1)
    assert batch.extra_arguments(Curious()) == {"epoch": 5, "batch": batch, "generator": batch.generator}
    assert batch.extra_arguments(Squares()) == {}


def test_a_batch_knows_the_learning_rate_of_its_step():
    rates = []

    def loss(network, batch):
        rates.append(batch.learning_rate)
        return network.criterion(network(batch.inputs), batch.targets)

    loop = make_loop(make_network(), loss)
    loop.schedule = make_schedule(Steps(at=(0.5,)), loop.optimizer, epochs=2, steps_per_epoch=3)
    for epoch in range(2):
        loop.run_epoch(Samples(X), None, epoch)
    assert rates == pytest.approx([0.1] * 3 + [0.01] * 3)


def test_an_unavailable_device_is_refused_in_one_sentence(monkeypatch):
    def fail(*size, device):
        raise NotImplementedError(f"Could not run 'aten::empty' on {device}. This has many causes.\nCPU: 1")

    monkeypatch.setattr(torch, "empty", fail)
    message = "device='mps' is not available: Could not run 'aten::empty' on mps; use 'auto' or 'cpu'."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resolve_device("mps")
