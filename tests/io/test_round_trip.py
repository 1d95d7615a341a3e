"""Every estimator comes back from a file as it was, in this process and in a fresh one."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import skhash
from skhash import (
    CSQHasher,
    GreedyHasher,
    HashNetHasher,
    ITQHasher,
    LowerBoundHasher,
    LSHHasher,
    OneBitDeepHasher,
    OrthoHasher,
    PCAHasher,
    PosteriorHasher,
    SpectralHasher,
)
from skhash.training import Recipe, Steps
from skhash.utils import all_hashers

RNG = np.random.default_rng(0)
FEATURES = pd.DataFrame(RNG.normal(size=(48, 12)), columns=[f"f{k}" for k in range(12)])
LABELS = np.repeat(["ant", "bee", "cat"], 16)
FEATURES.loc[LABELS == "bee"] += 2
IMAGES = RNG.integers(0, 256, (48, 12, 12, 3), dtype=np.uint8)
LINEAR = [LSHHasher, PCAHasher, ITQHasher, SpectralHasher]


def make(cls):
    if cls is LowerBoundHasher:
        return cls(CSQHasher(8, max_epochs=1, random_state=0))
    hasher = cls()
    small = {"bits": 16, "max_epochs": 1, "warm_up_epochs": 1, "random_state": 0}
    return hasher.set_params(**{name: value for name, value in small.items() if name in hasher.get_params()})


CASES = [
    (f"{name}-{kind}", cls, data)
    for name, cls in all_hashers()
    for kind, data in (("features", FEATURES), ("images", IMAGES))
    if not (cls in [*LINEAR, PosteriorHasher] and kind == "images")
]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Fit and save all hashers once; load them in one fresh process, which stores what they compute."""
    folder = tmp_path_factory.mktemp("saved")
    np.save(folder / "images.npy", IMAGES)
    FEATURES.to_csv(folder / "features.csv", index=False)
    fitted = {}
    for name, cls, data in CASES:
        with np.errstate(all="ignore"):
            fitted[name] = make(cls).fit(data, LABELS)
        fitted[name].save(folder / f"{name}.skh")
    code = f"""
import pathlib, sys, warnings
import numpy as np, pandas as pd, skhash
folder = pathlib.Path({str(folder)!r})
data = {{"features": pd.read_csv(folder / "features.csv"), "images": np.load(folder / "images.npy")}}
for path in sorted(folder.glob("*.skh")):
    hasher, X = skhash.load(path), data[path.stem.rpartition("-")[2]]
    names = getattr(hasher, "feature_names_in_", np.zeros(0))
    z, codes, labels = hasher.decision_function(X), hasher.transform(X), hasher.predict(X)
    np.savez(path.with_suffix(".npz"), z=z, codes=codes, labels=labels, names=names.astype(str))
    (folder / (path.stem + ".txt")).write_text(repr(sorted(hasher.get_params(deep=False).items())))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
    return folder, fitted


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "cls", "data"), CASES, ids=[case[0] for case in CASES])
def test_a_fresh_process_computes_the_same(saved, name, cls, data):
    folder, fitted = saved
    hasher, found = fitted[name], np.load(folder / f"{name}.npz")
    np.testing.assert_array_equal(found["codes"], hasher.transform(data))
    np.testing.assert_array_equal(found["z"], hasher.decision_function(data))
    np.testing.assert_array_equal(found["labels"], hasher.predict(data))
    assert found["names"].tolist() == list(getattr(hasher, "feature_names_in_", []))
    assert (folder / f"{name}.txt").read_text() == repr(sorted(hasher.get_params(deep=False).items()))


def assert_same(old, new, place="estimator"):
    """Compare everything that an object holds."""
    assert type(old) is type(new), place
    if isinstance(old, torch.nn.Module):
        assert old.training == new.training
        assert [name for name, _ in old.named_modules()] == [name for name, _ in new.named_modules()]
        wanted, found = old.state_dict(), new.state_dict()
        assert list(wanted) == list(found)
        for key, value in wanted.items():
            assert value.dtype == found[key].dtype
            assert value.stride() == found[key].stride(), key
            assert torch.equal(value, found[key]), key
        frozen = [[p.requires_grad for p in module.parameters()] for module in (old, new)]
        assert frozen[0] == frozen[1]
    elif isinstance(old, np.ndarray):
        assert old.dtype.kind == new.dtype.kind, place
        assert old.strides == new.strides or old.dtype.kind == "U", place
        np.testing.assert_array_equal(old, new, place)
    elif isinstance(old, (list, tuple)):
        assert len(old) == len(new), place
        for each, other in zip(old, new, strict=True):
            assert_same(each, other, place)
    elif isinstance(old, dict):
        assert list(old) == list(new), place
        for key, value in old.items():
            assert_same(value, new[key], f"{place} {key}")
    elif isinstance(old, skhash.HammingIndex):
        np.testing.assert_array_equal(old.codes_, new.codes_)
        assert_same(old.labels_ and old.labels_.decode(), new.labels_ and new.labels_.decode())
        assert repr(old) == repr(new)
    elif hasattr(old, "get_params"):
        assert_same(old.__getstate__(), new.__getstate__(), type(old).__name__)
    elif isinstance(old, np.random.RandomState):
        assert old.get_state()[1:3][1] == new.get_state()[1:3][1]
        np.testing.assert_array_equal(old.get_state()[1], new.get_state()[1])
    elif hasattr(old, "__dict__") and type(old).__module__.startswith("skhash"):
        assert_same(vars(old), vars(new), place)
    else:
        assert old == new, place


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [case[0] for case in CASES])
def test_everything_that_pickle_keeps_comes_back(saved, name):
    folder, fitted = saved
    loaded = skhash.load(folder / f"{name}.skh")
    assert_same(fitted[name], loaded)
    assert clone(loaded).get_params(deep=False).keys() == fitted[name].get_params(deep=False).keys()


@pytest.mark.parametrize("cls", [cls for _, cls in all_hashers()])
def test_unfitted_hashers_come_back_unfitted(tmp_path, cls):
    hasher = make(cls)
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    assert repr(loaded) == repr(hasher)
    if loaded.__sklearn_tags__().requires_fit:
        with pytest.raises(NotFittedError):
            check_is_fitted(loaded)


@pytest.mark.parametrize("cls", LINEAR)
def test_partial_fit_goes_on(tmp_path, cls):
    X = FEATURES.to_numpy()
    hasher = cls(bits=8).partial_fit(X[:30])
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    assert_same(hasher._summary, loaded._summary, "summary")
    for each in (hasher, loaded):
        each.partial_fit(X[30:])
    np.testing.assert_array_equal(loaded.decision_function(X), hasher.decision_function(X))
    assert loaded.n_samples_seen_ == 48


def test_after_fit_partial_fit_says_why_it_cannot_go_on(tmp_path):
    LSHHasher(bits=8).fit(FEATURES).save(tmp_path / "x")
    with pytest.raises(ValueError, match="leaves out the summary"):
        skhash.load(tmp_path / "x").partial_fit(FEATURES)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", [OrthoHasher, HashNetHasher, OneBitDeepHasher])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_goes_on_as_it_does_after_pickling(tmp_path, cls, method):
    hasher = make(cls).set_params(warm_start=True)
    getattr(hasher, method)(FEATURES, LABELS)
    hasher.save(tmp_path / "x")
    loaded, pickled = skhash.load(tmp_path / "x"), pickle.loads(pickle.dumps(hasher))
    for each in (pickled, loaded):
        getattr(each, method)(FEATURES, LABELS)
    np.testing.assert_array_equal(loaded.decision_function(FEATURES), pickled.decision_function(FEATURES))
    assert [row["loss"] for row in loaded.history_] == [row["loss"] for row in pickled.history_]
    assert len(loaded.history_) == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "hasher",
    [
        LSHHasher(300, directions="hadamard", center=True, random_state=np.random.RandomState(3)),
        ITQHasher(np.int64(8), max_iter=np.int32(3)),
        PCAHasher(4).set_output(transform="pandas"),
        CSQHasher(8, centers=np.where(RNG.random((3, 8)) < 0.5, -1, 1), max_epochs=1, views=None),
        OrthoHasher(8, recipe=Recipe(max_epochs=1, schedule=Steps(0.5, at=(0.2, 0.7)))),
        GreedyHasher(8, max_epochs=1, backbone="mlp", device=torch.device("cpu"), early_stopping=True),
        OneBitDeepHasher(8, max_epochs=1, warm_up_epochs=1, backbone="binary_mlp", random_state=1),
    ],
    ids=lambda hasher: type(hasher).__name__,
)
def test_unusual_parameters(tmp_path, hasher):
    X = np.concatenate([FEATURES] * 30, axis=1) if hasher.bits == 300 else FEATURES.to_numpy()
    hasher = copy.deepcopy(hasher).fit(X, LABELS)
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    assert_same(hasher, loaded)
    np.testing.assert_array_equal(np.asarray(loaded.transform(X)), np.asarray(hasher.transform(X)))
    assert type(loaded.transform(X)) is type(hasher.transform(X))


@pytest.mark.parametrize(
    "y", [RNG.integers(0, 2, (48, 5)), np.arange(48) % 3, np.arange(48) % 2 == 0, LABELS.astype(object)]
)
def test_all_forms_of_labels(tmp_path, y):
    hasher = PCAHasher(8).fit(FEATURES, y)
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    np.testing.assert_array_equal(loaded.predict(FEATURES), hasher.predict(FEATURES))
    assert loaded.classes_.dtype == hasher.classes_.dtype


def test_shared_and_transposed_tensors(tmp_path):
    first, second = torch.nn.Linear(12, 12), torch.nn.Linear(12, 12)
    second.weight = first.weight
    first.bias.requires_grad_(False)
    backbone = torch.nn.Sequential(first, torch.nn.ReLU(), second, first)
    second.register_buffer("seen", torch.zeros(2, 3, 4).permute(2, 0, 1), persistent=False)
    hasher = OrthoHasher(8, backbone=backbone.to(torch.float32), max_epochs=1, random_state=0).fit(FEATURES, LABELS)
    hasher.save(tmp_path / "x")
    loaded = skhash.load(tmp_path / "x")
    network = loaded.module_.backbone
    assert network[0] is network[3]
    assert network[0].weight is network[2].weight
    assert not network[0].bias.requires_grad
    assert network[2].seen.stride() == (1, 12, 4)
    assert list(network[2].state_dict()) == ["weight", "bias"]
    assert loaded.backbone is loaded._made_with["backbone"]
    np.testing.assert_array_equal(loaded.transform(FEATURES), hasher.transform(FEATURES))


def test_saving_and_loading_draw_no_global_random_numbers(saved, tmp_path):
    _, fitted = saved
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    fitted["OrthoHasher-images"].save(tmp_path / "x")
    skhash.load(tmp_path / "x")
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


def test_linear_hashers_load_without_torch(tmp_path):
    ITQHasher(8, random_state=0).fit(FEATURES, LABELS).save(tmp_path / "x")
    code = f"import sys, skhash; skhash.load({str(tmp_path / 'x')!r}); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_any_reader_of_safetensors_can_open_a_file(tmp_path):
    from safetensors import safe_open

    hasher = PCAHasher(8).fit(FEATURES)
    hasher.save(tmp_path / "x")
    with safe_open(tmp_path / "x", "numpy") as file:
        arrays = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
    assert any(np.array_equal(array, hasher.components_) for array in arrays)
