"""Subclasses of the library's hashers: saved by name, with their loss in full, and loaded with the caller's consent."""

import sys
import types

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skhash
from skhash import CSQHasher, LowerBoundHasher
from skhash.deep import DeepHasher

X = np.random.default_rng(0).normal(size=(60, 6))
y = np.arange(60) % 3
NAMES = ["own:Hasher", "own:Loss"]


class Loss(nn.Module):
    def __init__(self, centers, options):
        super().__init__()
        self.register_buffer("centers", torch.as_tensor(centers, dtype=torch.float32))
        self.options, self.scores = options, nn.Linear(centers.shape[1], len(centers))

    def forward(self, z, targets):
        pull = torch.relu(self.options["margin"] - z * self.centers[targets]).mean()
        return pull + nn.functional.cross_entropy(self.scores(z), targets)

    def class_scores(self, z):
        return self.scores(z)


class Hasher(DeepHasher):
    def __init__(self, bits=8, *, margin=1.0, **training):
        super().__init__(bits, **training)
        self.margin = margin

    def _make_criterion(self, context):
        centers = skhash.centers.make_hash_centers(context.n_classes, self.bits, random_state=context.random_state)
        return Loss(centers, {"margin": self.margin, "names": ["a", ("b",)]})


class WithFunction(Hasher):
    def _make_criterion(self, context):
        loss = super()._make_criterion(context)
        loss.function = lambda z: z  # what no file can hold
        return loss


class Renamed(CSQHasher):
    pass


@pytest.fixture(autouse=True)
def own(monkeypatch):
    """The tests' modules have no importable name of their own."""
    module = types.ModuleType("own")
    for thing in (Loss, Hasher, WithFunction, Renamed):
        monkeypatch.setattr(thing, "__module__", "own")
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, "own", module)
    return module


@pytest.fixture
def hasher():
    return Hasher(margin=0.7, max_epochs=3, warm_start=True, random_state=0).fit(X, y)


@pytest.mark.parametrize("consent", [{"trusted": NAMES}, {"allow": {"own:Hasher": Hasher, "own:Loss": Loss}}])
def test_codes_scores_and_training_come_back(tmp_path, hasher, consent):
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x", **consent)
    assert type(loaded) is Hasher
    assert loaded.get_params() == hasher.get_params()
    np.testing.assert_array_equal(loaded.decision_function(X), hasher.decision_function(X))
    np.testing.assert_array_equal(loaded.predict(X), hasher.predict(X))
    criterion = loaded.module_.criterion
    assert type(criterion) is Loss
    assert criterion.options == {"margin": 0.7, "names": ["a", ("b",)]}
    assert torch.equal(criterion.scores.weight, hasher.module_.criterion.scores.weight)
    assert loaded.fit(X, y).history_[-1]["loss"] == hasher.fit(X, y).history_[-1]["loss"]  # goes on


def test_nothing_is_loaded_without_consent(tmp_path, hasher, monkeypatch):
    hasher.save(tmp_path / "x")
    asked = []
    monkeypatch.setattr("skhash.io._trust.import_module", lambda name: asked.append(name))
    with pytest.raises(ValueError, match=r"code that is not part of skhash: \['own:Hasher', 'own:Loss'\]. Nothing was"):
        skhash.load(tmp_path / "x")
    with pytest.raises(ValueError, match=r"not part of skhash: \['own:Loss'\]"):
        skhash.load(tmp_path / "x", trusted=["own:Hasher"])
    assert asked == []


def test_within_a_pipeline_and_around(tmp_path):
    pipeline = make_pipeline(StandardScaler(), Hasher(max_epochs=1, random_state=0), skhash.HammingIndex()).fit(X, y)
    skhash.save(pipeline, tmp_path / "pipeline")
    np.testing.assert_array_equal(skhash.load(tmp_path / "pipeline", trusted=NAMES).predict(X), pipeline.predict(X))
    wrapped = LowerBoundHasher(Hasher(max_epochs=1, random_state=0)).fit(X, y)
    wrapped.save(tmp_path / "wrapped")
    with pytest.raises(ValueError, match=r"\['own:Hasher', 'own:Loss'\]"):
        skhash.load(tmp_path / "wrapped")
    loaded = skhash.load(tmp_path / "wrapped", trusted=NAMES)
    np.testing.assert_array_equal(loaded.decision_function(X), wrapped.decision_function(X))


def test_a_subclass_with_the_librarys_loss(tmp_path):
    hasher = Renamed(8, max_epochs=1, random_state=0).fit(X, y)
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x", trusted=["own:Renamed"])
    assert type(loaded) is Renamed
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))


def test_before_fit(tmp_path):
    skhash.save(Hasher(margin=0.5), tmp_path / "x")
    assert skhash.load(tmp_path / "x", trusted=["own:Hasher"]).margin == 0.5


def test_a_loss_that_is_not_plain_is_made_by_the_caller(tmp_path):
    hasher = WithFunction(max_epochs=1, random_state=0).fit(X, y)
    hasher.save(tmp_path / "x")
    with pytest.raises(ValueError, match="own:Loss could not be made without arguments"):
        skhash.load(tmp_path / "x", trusted=["own:WithFunction", "own:Loss"])
    allow = {"own:WithFunction": WithFunction, "own:Loss": lambda: Loss(np.ones((3, 8)), {"margin": 1.0})}
    loaded = skhash.load(tmp_path / "x", allow=allow)
    np.testing.assert_array_equal(loaded.predict(X), hasher.predict(X))


@pytest.mark.parametrize(
    ("allow", "message"),
    [
        ({"own:Hasher": dict, "own:Loss": Loss}, "own:Hasher stands for <class 'dict'>, expected a class of hashers"),
        ({"own:Hasher": print, "own:Loss": Loss}, "own:Hasher stands for <built-in.*>, expected a class of hashers"),
        ({"own:Hasher": Hasher, "own:Loss": lambda: 1}, "own:Loss stands for .*, expected a class of torch modules"),
        ({"own:Hasher": CSQHasher, "own:Loss": Loss}, "has no parameter or attribute 'margin' in this release"),
    ],
)
def test_what_is_given_must_fit(tmp_path, hasher, allow, message):
    hasher.save(tmp_path / "x")
    with pytest.raises(ValueError, match=message):
        skhash.load(tmp_path / "x", allow=allow)


def test_attributes_that_the_format_lacks_are_named(tmp_path, hasher):
    hasher.purity_ = 0.5
    with pytest.raises(TypeError, match="Hasher has the attribute 'purity_', which is not in the format"):
        hasher.save(tmp_path / "x")
