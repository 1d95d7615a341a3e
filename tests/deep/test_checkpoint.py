import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from torch import nn

from skhash import (
    BiHalfHasher,
    CIBHasher,
    CSQHasher,
    DBDHHasher,
    DPNHasher,
    DSDHHasher,
    GreedyHasher,
    HashNetHasher,
    LowerBoundHasher,
    OneBitDeepHasher,
    OrthoHasher,
    SSDHHasher,
    TBHHasher,
)
from skhash.training import Checkpoint, TrainingLoop

X, Y = load_digits(return_X_y=True)
X, Y = X[:240], Y[:240]
IMAGES = X[:96].reshape(-1, 8, 8).astype(np.uint8) * 16
QUICK = {"bits": 16, "max_epochs": 3, "random_state": 0}


class Noisy(nn.Module):
    """A backbone of the user's that draws from torch's global generator."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 20)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.layer(x)).relu()


class Interruption(Exception):
    pass


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """Write a file in every epoch, however short it is."""
    monkeypatch.setattr(Checkpoint, "pause", 0.0)


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that makes every training end by an error after some epochs."""
    run_epoch = TrainingLoop.run_epoch

    def interrupt(after):
        left = [after]

        def run(self, samples, targets, epoch):
            if not left[0]:
                # In the middle of an epoch: weights and generators have gone on already.
                run_epoch(self, samples, targets, epoch)
                raise Interruption
            left[0] -= 1
            return run_epoch(self, samples, targets, epoch)

        monkeypatch.setattr(TrainingLoop, "run_epoch", run if after is not None else run_epoch)

    return interrupt


def with_folder(hasher, folder):
    name = "checkpoint" if "checkpoint" in hasher.get_params() else "estimator__checkpoint"
    return clone(hasher).set_params(**{name: folder})


def history_of(hasher):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in hasher.history_]


def assert_same(hasher, reference, samples):
    np.testing.assert_array_equal(hasher.transform(samples), reference.transform(samples))
    np.testing.assert_array_equal(hasher.decision_function(samples), reference.decision_function(samples))
    np.testing.assert_equal(history_of(hasher), history_of(reference))


CASES = {
    "ortho": (OrthoHasher(**QUICK), X),
    "one cycle, sgd": (OrthoHasher(**QUICK, schedule="one_cycle", optimizer="sgd"), X),
    "rmsprop, constant": (OrthoHasher(**QUICK, schedule="constant", optimizer="rmsprop"), X),
    "images": (OrthoHasher(**QUICK), IMAGES),
    "early stopping": (
        CSQHasher(**{**QUICK, "max_epochs": 6}, early_stopping=True, n_iter_no_change=1, learning_rate=0.05),
        X,
    ),
    "csq": (CSQHasher(**QUICK), X),
    "dpn": (DPNHasher(**QUICK), X),
    "hashnet": (HashNetHasher(**QUICK, batch_size=32), X),
    "dsdh": (DSDHHasher(**QUICK, batch_size=32), X),
    "dbdh": (DBDHHasher(**QUICK, batch_size=32), X),
    "lower bound": (LowerBoundHasher(HashNetHasher(**QUICK)), X),
    "lower bound of csq": (LowerBoundHasher(CSQHasher(**QUICK)), X),
    "ssdh": (SSDHHasher(**QUICK), X),
    "bihalf": (BiHalfHasher(**QUICK), X),
    "cib": (CIBHasher(**QUICK), X),
    "tbh": (TBHHasher(**QUICK), X),
    "greedy": (GreedyHasher(**QUICK), X),
    "one bit": (OneBitDeepHasher(**QUICK, warm_up_epochs=2, two_step=0.4, transition=0.4), X),
    "one bit, images": (OneBitDeepHasher(**QUICK, warm_up_epochs=2, two_step=0.4, group_size=2), IMAGES),
    "foreign backbone": (OrthoHasher(**QUICK, backbone=Noisy), X),
    "frozen backbone": (OrthoHasher(**QUICK, backbone=Noisy, backbone_lr_ratio=0), X),
}


@pytest.mark.parametrize("name", CASES)
def test_interrupted_in_every_epoch(name, interrupt, tmp_path):
    """One epoch per attempt: the same codes, continuous codes and history as without an interruption."""
    hasher, samples = CASES[name]
    reference = clone(hasher).fit(samples, Y[: len(samples)])
    n_interrupted = 0
    fitted = None
    while fitted is None:
        interrupt(after=1)
        try:
            fitted = with_folder(hasher, tmp_path).fit(samples, Y[: len(samples)])
        except Interruption:
            n_interrupted += 1
            assert n_interrupted < 10
    assert n_interrupted >= len(reference.history_) - 1
    assert_same(fitted, reference, samples)
    # Once more: nothing is trained.
    interrupt(after=0)
    assert_same(with_folder(hasher, tmp_path).fit(samples, Y[: len(samples)]), reference, samples)


def test_without_a_seed_the_draws_of_the_first_start_are_taken(interrupt, tmp_path):
    """What was drawn before the first epoch, such as the held-out samples, is drawn again."""
    hasher = OrthoHasher(16, max_epochs=3, early_stopping=True, checkpoint=tmp_path)
    interrupt(after=1)
    with pytest.raises(Interruption):
        clone(hasher).fit(X, Y)
    interrupt(after=None)
    first = clone(hasher).fit(X, Y)
    second = clone(hasher).fit(X, Y)
    assert_same(first, second, X)
    other = clone(hasher).set_params(checkpoint=tmp_path / "other").fit(X, Y)
    assert (other.transform(X) != first.transform(X)).any()


def test_random_state_instance(interrupt, tmp_path):
    """The instance is as far advanced after an interrupted fit as after an undisturbed one."""
    reference, state, again = np.random.RandomState(1), np.random.RandomState(1), np.random.RandomState(1)
    expected = OrthoHasher(16, max_epochs=3, random_state=reference).fit(X, Y)
    interrupt(after=2)
    with pytest.raises(Interruption):
        OrthoHasher(16, max_epochs=3, random_state=state, checkpoint=tmp_path).fit(X, Y)
    interrupt(after=1)
    fitted = OrthoHasher(16, max_epochs=3, random_state=again, checkpoint=tmp_path).fit(X, Y)
    assert_same(fitted, expected, X)
    assert again.randint(2**31) == reference.randint(2**31)


def changed(**parameters):
    return lambda hasher, X, y: (hasher.set_params(**parameters), X, y)


CHANGES = {
    "learning_rate": changed(learning_rate=0.123),
    "max_epochs": changed(max_epochs=4),
    "random_state": changed(random_state=1),
    "batch_size": changed(batch_size=33),
    "standardize": changed(standardize=False),
    "views": changed(views=lambda batch, generator: batch * 1.01),
    "backbone": changed(backbone=nn.Linear(64, 30)),
    "X": lambda hasher, X, y: (hasher, np.where(np.arange(X.size).reshape(X.shape) == 777, X + 1, X), y),
    "order": lambda hasher, X, y: (hasher, X[::-1], y),
    "y": lambda hasher, X, y: (hasher, X, np.roll(y, 1)),
    "class names": lambda hasher, X, y: (hasher, X, y + 1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_fits_start_anew(name, interrupt, tmp_path):
    """A checkpoint of other data or parameters is never continued, and is not lost."""
    hasher = OrthoHasher(**QUICK)
    with_folder(hasher, tmp_path).fit(X, Y)
    other, X2, y2 = CHANGES[name](clone(hasher), X, Y)
    fitted = with_folder(other, tmp_path).fit(X2, y2)
    assert_same(fitted, clone(other).fit(X2, y2), X2)
    assert len(list(tmp_path.iterdir())) == 2
    interrupt(after=0)
    with_folder(hasher, tmp_path).fit(X, Y)


def test_other_parameters_of_a_meta_estimator_start_anew(tmp_path):
    LowerBoundHasher(CSQHasher(**QUICK, checkpoint=tmp_path)).fit(X, Y)
    LowerBoundHasher(CSQHasher(**QUICK, checkpoint=tmp_path), block_bits=4).fit(X, Y)
    CSQHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 3


def test_verbose_and_inference_may_change(interrupt, tmp_path):
    OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    interrupt(after=0)
    OrthoHasher(**QUICK, checkpoint=str(tmp_path), inference="torch").fit(X.tolist(), Y)


def test_warm_start_goes_on_from_the_same_network(interrupt, tmp_path):
    def twice(folder):
        hasher = OrthoHasher(**QUICK, warm_start=True).fit(X, Y)
        return hasher.set_params(max_epochs=2, checkpoint=folder)

    reference = twice(None).fit(X, Y)
    interrupt(after=None)
    hasher = twice(tmp_path)
    interrupt(after=1)
    with pytest.raises(Interruption):
        hasher.fit(X, Y)
    assert len(hasher.history_) == 3
    interrupt(after=1)
    hasher.fit(X, Y)
    assert_same(hasher, reference, X)
    interrupt(after=None)
    hasher.fit(X, Y)  # another start, another training
    assert len(hasher.history_) == 7


def test_grid_search_keeps_its_candidates_apart(interrupt, tmp_path):
    hasher = OrthoHasher(**QUICK, checkpoint=tmp_path)
    grid = {"learning_rate": [0.01, 0.02]}
    search = GridSearchCV(hasher, grid, cv=2, scoring="accuracy", refit=False).fit(X, Y)
    assert len(list(tmp_path.iterdir())) == 4
    interrupt(after=0)
    again = GridSearchCV(hasher, grid, cv=2, scoring="accuracy", refit=False, error_score="raise").fit(X, Y)
    np.testing.assert_array_equal(again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"])


def test_user_interruption_can_be_continued(monkeypatch, tmp_path):
    reference = OrthoHasher(**QUICK).fit(X, Y)
    run_epoch = TrainingLoop.run_epoch

    def press(self, samples, targets, epoch):
        loss = run_epoch(self, samples, targets, epoch)
        if epoch == 1:
            raise KeyboardInterrupt
        return loss

    monkeypatch.setattr(TrainingLoop, "run_epoch", press)
    with pytest.warns(UserWarning, match="of epoch 1"):
        OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    monkeypatch.undo()
    assert_same(OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y), reference, X)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "other"])
@pytest.mark.parametrize("n_damaged", [1, 2])
def test_damaged_files_are_left_out(damage, n_damaged, tmp_path):
    """The one before is taken, or training begins anew; both lead to the same codes."""
    reference = OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    files = sorted(tmp_path.glob("*/*"), reverse=True)
    assert [file.name for file in files] == ["epochs-000003.safetensors", "epochs-000002.safetensors"]
    for file in files[:n_damaged]:
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.write_bytes(
            {
                "cut": raw[: len(raw) // 2],
                "flip": raw,
                "empty": b"",
                "text": b"no checkpoint",
                "other": (2).to_bytes(8, "little") + b"{}",
            }[damage]
        )
    with pytest.warns(UserWarning, match="is damaged and is left out") as record:
        fitted = OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    assert len(record) == n_damaged
    assert_same(fitted, reference, X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y), reference, X)


def test_short_epochs_share_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(Checkpoint, "pause", 3600.0)
    written = []
    monkeypatch.setattr("skhash.training._checkpoint.write_state", lambda path, state: written.append(path.stem))
    OneBitDeepHasher(**QUICK, warm_up_epochs=2, checkpoint=tmp_path).fit(X, Y)
    assert written == ["warm_up-000002", "epochs-000003"]


def test_full_disk_does_not_end_a_training(monkeypatch, tmp_path):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skhash.training._checkpoint.write_state", fail)
    with pytest.warns(UserWarning, match="No checkpoint of this epoch could be written.*No space"):
        fitted = OrthoHasher(**QUICK, checkpoint=tmp_path).fit(X, Y)
    assert_same(fitted, OrthoHasher(**QUICK).fit(X, Y), X)


def test_global_generators_are_not_touched(tmp_path):
    for backbone in (None, Noisy):
        OrthoHasher(**QUICK, backbone=backbone, checkpoint=tmp_path).fit(X, Y)
        before, before_numpy = torch.get_rng_state(), np.random.get_state()[1].copy()
        OrthoHasher(**QUICK, backbone=backbone, checkpoint=tmp_path).fit(X, Y)
        assert torch.equal(torch.get_rng_state(), before)
        np.testing.assert_array_equal(np.random.get_state()[1], before_numpy)


CHILD = """
import sys
import numpy as np
from sklearn.datasets import load_digits
from skhash import {name}
from skhash.training import Checkpoint
Checkpoint.pause = 0.0
X, y = load_digits(return_X_y=True)
hasher = {code}.fit(X[:600], y[:600])
np.save({out!r}, hasher.decision_function(X[:600]))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_killed_processes(tmp_path):
    """Four kills at some moments of the training, then a run to the end."""
    options = "32, max_epochs=60, random_state=0, early_stopping=True, n_iter_no_change=60"
    out = tmp_path / "codes.npy"
    code = f"OrthoHasher({options}, checkpoint={str(tmp_path / 'folder')!r})"
    program = CHILD.format(name="OrthoHasher", code=code, out=str(out))
    moments = np.random.RandomState(0).uniform(0.0, 0.5, 4)
    n_files = set()
    for moment in moments:
        child = subprocess.Popen([sys.executable, "-c", program])
        try:
            deadline = time.monotonic() + 120
            n_seen = len(n_files)
            while child.poll() is None and time.monotonic() < deadline:
                n_files |= {path.name for path in (tmp_path / "folder").glob("*/*.safetensors")}
                if len(n_files) > n_seen:
                    break
                time.sleep(0.005)
            time.sleep(moment)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)
    X, y = load_digits(return_X_y=True)
    reference = OrthoHasher(32, max_epochs=60, random_state=0, early_stopping=True, n_iter_no_change=60)
    expected = reference.fit(X[:600], y[:600]).decision_function(X[:600])
    np.testing.assert_array_equal(np.load(out), expected)


@pytest.mark.parametrize("below", ["", "more"])
def test_a_file_is_no_folder(below, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    hasher = OrthoHasher(bits=8, max_epochs=1, checkpoint=path / below)
    with pytest.raises(
        ValueError, match=r"checkpoint must be a folder or a new path, got '.*file.*', but '.*file' is a file"
    ):
        hasher.fit(np.eye(4), [0, 0, 1, 1])
    assert path.read_text() == "mine"


def test_another_precision_is_another_fit(tmp_path, monkeypatch):
    images, y = np.random.default_rng(0).integers(0, 255, (12, 8, 8), dtype=np.uint8), np.arange(12) % 2
    for dtype in (torch.float32, torch.bfloat16):
        # What "auto" means on processors of two kinds.
        monkeypatch.setattr("skhash.deep._checkpoint.resolve_precision", lambda *a, dtype=dtype, **b: dtype)
        OrthoHasher(bits=8, max_epochs=1, random_state=0, checkpoint=tmp_path).fit(images, y)
    assert len(list(tmp_path.iterdir())) == 2
