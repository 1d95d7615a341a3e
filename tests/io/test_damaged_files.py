"""Damaged and crafted files: equal to what was saved, or refused by a ValueError that names the file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import skhash
from skhash import HammingIndex, ITQHasher, LSHHasher, OrthoHasher, PCAHasher, SpectralHasher
from skhash.io import _container

SCRIPT = Path(__file__).with_name("damage.py")
X = np.random.default_rng(0).normal(size=(24, 6))


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory and reads it from /proc")
def test_many_damaged_and_crafted_files():
    """`SKHASH_DAMAGED_FILES=3000` takes more of them."""
    n = int(os.environ.get("SKHASH_DAMAGED_FILES", "300"))
    run = subprocess.run([sys.executable, SCRIPT, str(n), "0"], capture_output=True, text=True, timeout=2 * n + 120)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    counts = found["counts"]
    assert sum(counts.values()) == n
    assert set(counts) <= {
        "damaged: equal", "damaged: ValueError", "crafted: equal", "crafted: ValueError", "crafted: other codes",
        "crafted: refused in use",
    }, run.stderr[-3000:]  # fmt: skip
    assert found["events"] == []
    assert counts["damaged: ValueError"] > n / 3
    assert counts["crafted: ValueError"] > n / 5


@pytest.fixture
def file(tmp_path):
    """A file, its description and its tensors."""
    path = tmp_path / "x.skh"
    LSHHasher(8, random_state=0).fit(X, np.arange(24) % 3).save(path)
    return path, *_container.parse(path, path.read_bytes())


def refused(path, state, tensors, message):
    with open(path, "wb") as out:
        _container.write(out, state, tensors)
    with pytest.raises(ValueError, match=message) as caught:
        skhash.load(path)
    assert str(caught.value).startswith(str(path))


STATE = ("estimator", "state")
CRAFTED = {
    "another class": (("estimator", "class"), "os.system", r"'os\.system' is not an estimator"),
    "a module": (("estimator", "class"), "skhash.cli", r"'skhash\.cli' is not an estimator"),
    "a function": (("estimator", "class"), "skhash.load", r"'skhash\.load' is not an estimator"),
    "a private name": (("estimator", "class"), "skhash.__class__", "is not an estimator"),
    "a class without a table": (("estimator", "class"), "sklearn.FunctionTransformer2", "is not an estimator"),
    "a parameter": (("estimator", "parameters", "fit"), 1, "has no parameter or attribute 'fit'"),
    "a wrong parameter": (("estimator", "parameters", "bits"), -1, "'bits' parameter of LSHHasher"),
    "a method": ((*STATE, "transform"), 1, "has no parameter or attribute 'transform'"),
    "a dunder": ((*STATE, "__class__"), 1, "has no parameter or attribute '__class__'"),
    "another kind": ((*STATE, "components_"), "text", "components_ of LSHHasher must be float64 2, got str"),
    "a count": ((*STATE, "n_features_in_"), -3, "n_features_in_ of LSHHasher must be count"),
    "fewer features": ((*STATE, "n_features_in_"), 5, r"mean_ of shape \(6,\) for 5 features"),
    "more bits": ((*STATE, "_n_features_out"), 9, "label_index_ with codes of 8 bits for 9 bits"),
    "bits of the index": ((*STATE, "label_index_", "bits"), 65, "codes of 65 bits do not have 1 words"),
    "unknown type": ((*STATE, "mean_"), {"type": "pickle", "data": "x"}, "unknown type 'pickle'"),
    "unknown key": ((*STATE, "mean_", "x"), 1, "a value of the type 'array' has the keys"),
    "used twice": ((*STATE, "mean_"), {"type": "array", "tensor": "0"}, "cannot be loaded"),
    "axes": ((*STATE, "components_", "axes"), [0, 0], r"the axes \[0, 0\]"),
    "forward reference": ((*STATE, "mean_"), {"type": "same", "number": 99}, "cannot be loaded"),
    "no file": (("estimator",), {"type": "path", "path": "/"}, "describes a 'path'"),
    "folder": (
        (*STATE, "label_index_"),
        {"type": "folder", "class": "HammingIndex", "folder": "../x", "parameters": {}},
        "this is a single file",
    ),
    "texts": (
        (*STATE, "classes_"),
        {"type": "texts", "shape": [10**4], "items": ["a" * 10**4, *[""] * (10**4 - 1)]},
        "much larger than the texts",
    ),
    "objects": (
        (*STATE, "classes_"),
        {"type": "objects", "shape": [2**20, 2**20], "items": []},
        "0 items do not have the shape",
    ),
    "more to say": (("more",), 1, "its description has the keys"),
}


@pytest.mark.parametrize(("place", "value", "message"), CRAFTED.values(), ids=CRAFTED)
def test_crafted_descriptions(file, place, value, message):
    path, state, tensors = file
    parent = state
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    refused(path, state, tensors, message)


def test_deep_descriptions(file):
    path, state, tensors = file
    for depth in (150, 900):
        node = 1
        for _ in range(depth):
            node = [node]
        state["estimator"]["state"]["_made_with"] = node
        refused(path, state, tensors, "nested more than 100 deep|cannot be read")
    path.write_bytes(path.read_bytes().replace(b'{\\"library\\"', b'{\\"library\\":' + b"[" * 12, 1))
    with pytest.raises(ValueError, match="damaged"):
        skhash.load(path)


def test_tensors_of_nobody_and_of_other_types(file):
    path, state, tensors = file
    refused(path, state, {**tensors, str(len(tensors)): np.zeros(3)}, "belong to nothing")
    name = state["estimator"]["state"]["components_"]["tensor"]
    refused(path, state, {**tensors, name: tensors[name].astype("f4")}, "must be float64 2, got ndarray")
    refused(
        path, state, {**tensors, name: tensors[name][:, :5].copy()}, r"components_ of shape \(8, 5\) for 6 features"
    )


def test_keys_that_occur_twice(file):
    path, *_ = file
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    text = raw[8 : 8 + size].rstrip()
    doubled = text[:-1] + b',"__metadata__":{}}'
    path.write_bytes(len(doubled).to_bytes(8, "little") + doubled + raw[8 + size :])
    with pytest.raises(ValueError, match="a key occurs twice"):
        skhash.load(path)


def test_swapped_places_of_equal_tensors(tmp_path):
    """Only a checksum over names and data sees it."""
    path = tmp_path / "x"
    SpectralHasher(8, random_state=0).fit(X).save(path)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    same = [name for name, entry in header.items() if name != "__metadata__"]
    pair = next(
        (a, b) for a in same for b in same
        if a < b and (header[a]["dtype"], header[a]["shape"]) == (header[b]["dtype"], header[b]["shape"])
    )  # fmt: skip
    first, second = (header[name]["data_offsets"] for name in pair)
    header[pair[0]]["data_offsets"], header[pair[1]]["data_offsets"] = second, first
    text = json.dumps(header, separators=(",", ":")).encode().ljust(size)
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])
    with pytest.raises(ValueError, match="expected CRC-32"):
        skhash.load(path)


def test_newer_versions_and_other_formats(file, tmp_path):
    from safetensors.numpy import save_file

    path, *_ = file
    path.write_bytes(path.read_bytes().replace(b'"version":"1"', b'"version":"2"'))
    with pytest.raises(ValueError, match="has version '2' of the format, expected '1'"):
        skhash.load(path)
    save_file({"0": np.zeros(3)}, tmp_path / "other", {"format": "np"})
    with pytest.raises(ValueError, match="is not a saved estimator: its format is 'np'"):
        skhash.load(tmp_path / "other")
    save_file({"0": np.zeros(3)}, tmp_path / "none")
    with pytest.raises(ValueError, match="its header has no metadata"):
        skhash.load(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match="it has 5 bytes"):
        skhash.load(tmp_path / "text")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="neither a saved estimator nor a saved index"):
        skhash.load(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        skhash.load(tmp_path / "missing")


@pytest.mark.skipif(os.name == "nt", reason="no pipes in folders")
def test_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(ValueError, match="is not a regular file"):
        skhash.load(tmp_path / "x")


@pytest.fixture
def folder(tmp_path):
    """A saved pipeline with an index, and the description."""
    path = tmp_path / "pipeline"
    skhash.save(make_pipeline(ITQHasher(8, random_state=0), HammingIndex()).fit(X), path)
    return path, *_container.parse(path, (path / "estimator.skh").read_bytes())


@pytest.mark.parametrize("name", ["../pipeline", "/etc", "index-0123", "index-0123456789abcdef/..", "", None, 3])
def test_names_that_lead_elsewhere(folder, name):
    path, state, tensors = folder
    state["estimator"]["parameters"]["steps"][1]["items"][1]["folder"] = name
    with open(path / "estimator.skh", "wb") as out:
        _container.write(out, state, tensors)
    with pytest.raises(ValueError, match="must be index- and 16 hexadecimal digits"):
        skhash.load(path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights")
@pytest.mark.parametrize("entry", ["estimator.skh", "index-*", "index-*/header.json", "index-*/codes-*"])
def test_links_in_a_folder(folder, entry):
    path, *_ = folder
    (found,) = path.glob(entry)
    moved = path.parent / "moved"
    found.rename(moved)
    found.symlink_to(moved)
    with pytest.raises(ValueError, match=r"is a link|is not a folder"):
        skhash.load(path)


def test_a_missing_index(folder):
    path, *_ = folder
    (index,) = path.glob("index-*")
    index.rename(path / "other")
    with pytest.raises(ValueError, match=r"estimator.skh is damaged: .* is not a folder"):
        skhash.load(path)


def test_layers_are_not_made_of_anything(tmp_path):
    path = tmp_path / "x.skh"
    hasher = OrthoHasher(8, backbone="mlp", max_epochs=1, random_state=0).fit(X, np.arange(24) % 3)
    hasher.save(path)
    changes = [
        (("attributes", "forward"), 1, "MLP cannot have an attribute 'forward'"),
        (("attributes", "_modules"), 1, "MLP cannot have an attribute '_modules'"),
        (("children", "forward"), {"type": "device", "name": "cpu"}, "MLP cannot have an attribute 'forward'"),
        (("children", "0", "settings", "in_features"), 2**20, r"weight of Linear has shape \(512, 6\)"),
        (("children", "0", "settings", "in_features"), 2**40, "which is too large for a layer"),
        (("children", "0", "settings", "bias"), True, "bias of Linear is there or not"),
        (("children", "0", "settings", "x"), 1, "Linear cannot be made of"),
        (("children", "0", "class"), "torch.LSTM", "'torch.LSTM' is not a layer"),
        (("children", "0", "class"), "skhash.os", "'skhash.os' is not a layer"),
        (("children", "0", "parameters", "weight"), None, "weight of Linear is there or not"),
        (("children", "0", "parameters", "weight"), 1.5, "weight of Linear is not a tensor"),
        (("buffers", "forward"), None, "MLP cannot have an attribute 'forward'"),
        (("transient",), ["x"], "are not buffers of skhash.MLP"),
    ]
    for place, value, message in changes:
        state, tensors = _container.parse(path, path.read_bytes())
        parent = state["estimator"]["state"]["module_"]["children"]["backbone"]
        for key in place[:-1]:
            parent = parent[key]
        parent[place[-1]] = value
        refused(tmp_path / "y.skh", state, tensors, message)


def test_axes_of_spectral_hashing_are_rows_of_its_components(tmp_path):
    hasher = SpectralHasher(8, random_state=0).fit(X)
    hasher.axes_ = hasher.axes_ + 6
    hasher.save(tmp_path / "x")
    with pytest.raises(ValueError, match="axes_ from 6 to"):
        skhash.load(tmp_path / "x")


def test_an_older_file_lacks_a_parameter(tmp_path):
    path = tmp_path / "x"
    PCAHasher(8).fit(X).save(path)
    state, tensors = _container.parse(path, path.read_bytes())
    del state["estimator"]["parameters"]["bits"]
    with open(path, "wb") as out:
        _container.write(out, state, tensors)
    assert skhash.load(path).bits == 64


@pytest.mark.parametrize("name", ["Hidden", "save"])
def test_only_public_names_of_classes_are_looked_up(file, monkeypatch, name):
    monkeypatch.setattr(skhash, name, PCAHasher, raising=False)
    path, state, tensors = file
    state["estimator"]["class"] = f"skhash.{name}"
    refused(path, state, tensors, f"'skhash.{name}' is not an estimator")
