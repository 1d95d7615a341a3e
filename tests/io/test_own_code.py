"""Backbones, functions and views that are not the library's: named, and used only with the caller's consent."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from torch import nn

import skhash
from skhash import FeatureExtractor, ITQHasher, LowerBoundHasher, LSHHasher, OrthoHasher
from skhash.nn import PretrainedBackbone
from skhash.training import ImageViews, SampleViews

X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
y = np.arange(40) % 2
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 8, 8), dtype=np.uint8)
MODULE = __name__


class Net(nn.Module):
    def __init__(self, width=5):
        super().__init__()
        self.width, self.scale = width, lambda x: 2 * x  # what no file could hold
        self.layer = nn.Linear(6, width)
        self.norm = nn.BatchNorm1d(width)
        self.layer.bias.requires_grad_(False)  # what the file changes

    def forward(self, x):
        return self.norm(self.scale(self.layer(x)))


class Picture(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, ::3]


def make_layers():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh())


def count(x):
    return x.flatten(1).cumsum(1)


def brighten(image):
    return image + 0.1


def hasher_with(backbone, **options):
    return OrthoHasher(8, backbone=backbone, max_epochs=1, random_state=0, **options)


def saved(tmp_path, estimator):
    skhash.save(estimator, tmp_path / "x")
    return tmp_path / "x"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The tests' modules have no importable name of their own."""
    import sys
    import types

    module = types.ModuleType("own_nets")
    for thing in (Net, Picture, make_layers, count, brighten):
        monkeypatch.setattr(thing, "__module__", "own_nets")
        setattr(module, thing.__name__, thing)
    monkeypatch.setitem(sys.modules, "own_nets", module)
    return module


def test_layers_of_torch_need_no_consent(tmp_path):
    backbone = nn.Sequential(nn.Linear(6, 5), nn.LayerNorm(5), nn.GELU("tanh"), nn.Dropout(0.2), nn.PReLU())
    hasher = hasher_with(backbone, warm_start=True).fit(X, y)
    loaded = skhash.load(saved(tmp_path, hasher))
    np.testing.assert_array_equal(loaded.decision_function(X), hasher.decision_function(X))
    assert loaded.fit(X, y).history_[1]["loss"] == hasher.fit(X, y).history_[1]["loss"]


@pytest.mark.parametrize(
    ("backbone", "kinds"), [(Net(), 1), (Net, 1), (make_layers, 1)], ids=["module", "class", "function"]
)
def test_own_backbones(tmp_path, backbone, kinds, importable):
    hasher = hasher_with(backbone).fit(X, y)
    if isinstance(backbone, nn.Module):
        hasher.module_.backbone.layer.bias.requires_grad_(True)
        hasher.module_.backbone.norm.weight.requires_grad_(False)
    path = saved(tmp_path, hasher)
    name = f"own_nets:{'make_layers' if backbone is make_layers else 'Net'}"
    with pytest.raises(ValueError, match=rf"needs code that is not part of skhash: \['{name}'\]. Nothing was loaded"):
        skhash.load(path)
    with pytest.raises(ValueError, match=rf"trusted=\['{name}'\].*allow=\{{'{name}': {name[9:]}\}}"):
        skhash.load(path, trusted=["own_nets:other"], allow={"other": Net})
    given = getattr(importable, name[9:])
    for consent in ({"trusted": [name]}, {"allow": {name: given}}):
        loaded = skhash.load(path, **consent)
        np.testing.assert_array_equal(loaded.decision_function(X), hasher.decision_function(X))
        if not isinstance(backbone, nn.Module):
            assert loaded.backbone is backbone
        else:
            learns = {key: each.requires_grad for key, each in loaded.module_.backbone.named_parameters()}
            assert learns == {"layer.weight": True, "layer.bias": True, "norm.weight": False, "norm.bias": True}
            assert loaded.module_.backbone.training is False


def test_nothing_is_imported_without_consent(tmp_path, monkeypatch):
    path = saved(tmp_path, hasher_with(Net).fit(X, y))
    asked = []
    monkeypatch.setattr("skhash.io._trust.import_module", lambda name: asked.append(name))
    with pytest.raises(ValueError, match="Nothing was loaded"):
        skhash.load(path)
    assert asked == []


def test_modules_with_arguments_need_a_factory(tmp_path):
    hasher = hasher_with(Net(width=7)).fit(X, y)
    path = saved(tmp_path, hasher)
    with pytest.raises(ValueError, match="own_nets:Net does not have the tensors of the file"):
        skhash.load(path, trusted=["own_nets:Net"])
    loaded = skhash.load(path, allow={"own_nets:Net": lambda: Net(width=7)})
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))
    with pytest.raises(ValueError, match=r"could not be made without arguments \(division by zero\): pass allow="):
        skhash.load(path, allow={"own_nets:Net": lambda: 1 / 0})
    with pytest.raises(ValueError, match="made an object of the type int, expected a torch module"):
        skhash.load(path, allow={"own_nets:Net": lambda: 1})


def test_functions_without_a_name(tmp_path):
    hasher = hasher_with(lambda: nn.Linear(6, 4)).fit(X, y)
    path = saved(tmp_path, hasher)
    name = f"{MODULE}:test_functions_without_a_name.<locals>.<lambda>"
    with pytest.raises(ValueError, match="cannot be imported"):
        skhash.load(path, trusted=[name])
    np.testing.assert_array_equal(skhash.load(path, allow={name: make_layers}).transform(X), hasher.transform(X))
    with pytest.raises(TypeError, match=r"backbone of FeatureExtractor: .* has no name of its own"):
        skhash.save(FeatureExtractor(nn.Linear(3, 3).forward), tmp_path / "y")
    with pytest.raises(TypeError, match="trusted must be a list of names"):
        skhash.load(path, trusted=name)


def test_parts_of_own_code(tmp_path):
    """A network that is partly the library's, and a wrapper around one that is not."""
    backbone = PretrainedBackbone(Picture(), size=4)
    hasher = make_pipeline(FeatureExtractor(backbone), ITQHasher(8, random_state=0)).fit(IMAGES)
    path = saved(tmp_path, hasher)
    with pytest.raises(ValueError, match=r"skhash: \['own_nets:Picture'\]"):
        skhash.load(path)
    loaded = skhash.load(path, trusted=["own_nets:Picture"])
    np.testing.assert_array_equal(loaded.transform(IMAGES), hasher.transform(IMAGES))
    wrapped = LowerBoundHasher(hasher_with(Net())).fit(X, y)
    loaded = skhash.load(saved(tmp_path, wrapped), trusted=["own_nets:Net"])
    np.testing.assert_array_equal(loaded.predict(X), wrapped.predict(X))


def test_functions_of_features_and_views(tmp_path):
    extractor = FeatureExtractor(count, cache_key="count").fit(IMAGES)
    loaded = skhash.load(saved(tmp_path, extractor), trusted=["own_nets:count"])
    np.testing.assert_array_equal(loaded.transform(IMAGES), extractor.transform(IMAGES))
    views = (ImageViews(flip=0.0), SampleViews(brighten))
    hasher = OrthoHasher(8, views=views, max_epochs=1)
    with pytest.raises(ValueError, match="own_nets:brighten"):
        skhash.load(saved(tmp_path, hasher))
    assert skhash.load(tmp_path / "x", allow={"own_nets:brighten": brighten}).views == views


@pytest.mark.filterwarnings("ignore")
def test_trained_networks_by_name(tmp_path):
    """A TorchScript file is a program: it is run only if it is trusted."""
    script = str(tmp_path / "net.pt")
    torch.jit.save(torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), torch.zeros(1, 1, 8, 8)), script)
    hasher = OrthoHasher(8, backbone=script, max_epochs=2, random_state=0).fit(IMAGES, y[:24])
    path = saved(tmp_path, hasher)
    with pytest.raises(ValueError, match=r"needs code that is not part of skhash: \['.*net.pt'\]"):
        skhash.load(path)
    loaded = skhash.load(path, trusted=[script])
    np.testing.assert_array_equal(loaded.decision_function(IMAGES), hasher.decision_function(IMAGES))


@pytest.mark.filterwarnings("ignore")
def test_features_of_trained_networks_by_name(tmp_path):
    """Their state has a copy of the network."""
    script = str(tmp_path / "net.pt")
    torch.jit.save(torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), torch.zeros(1, 1, 8, 8)), script)
    extractor = FeatureExtractor(script).fit(IMAGES)
    skhash.save(make_pipeline(extractor, LSHHasher(8)), tmp_path / "x")
    with pytest.raises(ValueError, match=r"needs code that is not part of skhash: \['.*net.pt'\]"):
        skhash.load(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x", trusted=[script])
    np.testing.assert_array_equal(loaded[0].transform(IMAGES), extractor.transform(IMAGES))


@pytest.mark.parametrize("backbone", ["net.pt", np.str_("net.pt"), "torchvision:resnet18"])
@pytest.mark.parametrize("cls", [FeatureExtractor, OrthoHasher])
def test_trained_networks_that_fit_would_load(tmp_path, cls, backbone):
    """A parameter alone is enough to run a program, or to download weights, in the next `fit`."""
    path = saved(tmp_path, make_pipeline(cls(backbone=backbone)))
    with pytest.raises(ValueError, match=f"needs code that is not part of skhash: .'{backbone}'"):
        skhash.load(path)
    assert skhash.load(path, trusted=[str(backbone)])[0].backbone == backbone


def test_what_is_trusted_is_a_list_and_what_is_allowed_a_dict(tmp_path):
    path = saved(tmp_path, OrthoHasher())
    for trusted in ("net.pt", True, None):
        with pytest.raises(TypeError, match="trusted must be a list of names, got"):
            skhash.load(path, trusted=trusted)
    with pytest.raises(TypeError, match="allow must be a dict of names and what they stand for, got"):
        skhash.load(path, allow=["net.pt"])


def test_a_module_in_place_of_a_function_that_makes_it(tmp_path):
    path = saved(tmp_path, hasher_with(Net()).fit(X, y))
    with pytest.raises(ValueError, match="own_nets:Net is given as a module: pass a function"):
        skhash.load(path, allow={"own_nets:Net": Net()})


def test_hooks_are_refused(tmp_path):
    hasher = hasher_with(nn.Sequential(nn.Linear(6, 5))).fit(X, y)
    hasher.module_.backbone[0].register_forward_hook(lambda *_: None)
    with pytest.raises(TypeError, match="module_ of OrthoHasher: a layer of the class Linear has hooks"):
        hasher.save(tmp_path / "x")
