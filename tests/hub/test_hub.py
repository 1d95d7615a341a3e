"""Models in folders, and in a repository that a stand-in for the client's API keeps in a folder."""

import json
import shutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skhash
from skhash.hub import from_pretrained, make_card, push_to_hub, save_pretrained

X, Y = load_digits(return_X_y=True)
X, Y = X[:300], Y[:300]


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """Replace the client by one that keeps repositories in a folder, and hands out links as the real cache does."""
    calls = []

    class Api:
        def __init__(self, **options):
            calls.append(("init", options))

        def create_repo(self, repo_id, *, private, exist_ok):
            assert exist_ok
            calls.append(("create", repo_id, private))
            (tmp_path / "registry" / repo_id).mkdir(parents=True, exist_ok=True)

        def upload_folder(self, *, repo_id, folder_path, revision, commit_message, delete_patterns):
            calls.append(("upload", repo_id, revision, commit_message, delete_patterns))
            shutil.rmtree(tmp_path / "registry" / repo_id)
            shutil.copytree(folder_path, tmp_path / "registry" / repo_id)
            return SimpleNamespace(commit_url=f"{repo_id}@1")

    def snapshot_download(repo_id, *, local_dir, **options):
        calls.append(("download", repo_id, options))
        source = tmp_path / "registry" / repo_id
        if local_dir is not None:
            shutil.copytree(source, local_dir, dirs_exist_ok=True)
            return str(local_dir)
        snapshot = tmp_path / "cache" / repo_id
        for path in source.rglob("*"):
            if path.is_file():
                target = snapshot / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                target.symlink_to(path)
        return str(snapshot)

    fake = ModuleType("huggingface_hub")
    fake.HfApi, fake.snapshot_download = Api, snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return calls


def fitted():
    return skhash.OrthoHasher(16, max_epochs=1, random_state=0, checkpoint=None).fit(X, Y)


def test_a_folder_has_the_model_and_its_card(tmp_path):
    hasher = fitted()
    folder = tmp_path / "new" / "model"
    save_pretrained(hasher, folder, license="bsd-3-clause", metrics={"mAP@all": 0.5925})
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "model.skh"]
    np.testing.assert_array_equal(from_pretrained(folder).transform(X), hasher.transform(X))
    np.testing.assert_array_equal(from_pretrained(str(folder)).predict(X), hasher.predict(X))
    card = (folder / "README.md").read_text()
    for line in (
        'license: "bsd-3-clause"',
        f"hasher = from_pretrained({str(folder)!r})",
        "| input | 64 (features) |",
        "| bits | 16 |",
        "| classes | 10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 |",
        "| max_epochs | 1 |",
        "| mAP@all | 0.5925 |",
        f"| skhash | {skhash.__version__} |",
    ):
        assert line in card.splitlines()
    save_pretrained(skhash.LSHHasher(8).fit(X), folder)
    assert "license" not in (folder / "README.md").read_text()
    assert isinstance(from_pretrained(folder), skhash.LSHHasher)


def test_the_lines_of_a_card_load_the_model(tmp_path):
    hasher = fitted()
    save_pretrained(hasher, tmp_path)
    code = (tmp_path / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    assert code.count("\n") == 4
    names = {"X": X}
    exec(code, names)
    np.testing.assert_array_equal(names["codes"], hasher.transform(X))


def test_push_and_load(registry, monkeypatch, tmp_path):
    hasher = make_pipeline(StandardScaler(), skhash.ITQHasher(16, random_state=0)).fit(X, Y)
    url = push_to_hub(hasher, "me/digits", private=True, token="secret", metrics={"recall@10": 1})
    assert url == "me/digits@1"
    client = {"library_name": "scikit-hash", "library_version": skhash.__version__}
    assert registry == [
        ("init", {"token": "secret", **client}),
        ("create", "me/digits", True),
        ("upload", "me/digits", None, "Upload Pipeline", ["model.skh", "model.skh/*"]),
    ]
    loaded = from_pretrained("me/digits", revision="1", token="secret")
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))
    patterns = ["model.skh", "model.skh/*", "README.md"]
    options = {"revision": "1", "token": "secret", "allow_patterns": patterns, **client}
    assert registry[-1] == ("download", "me/digits", options)
    card = (tmp_path / "registry" / "me" / "digits" / "README.md").read_text()
    assert "| steps | StandardScaler, ITQHasher |" in card
    assert "| itqhasher__bits | 16 |" in card
    assert "| recall@10 | 1 |" in card
    assert "secret" not in card


def test_an_index_is_loaded_from_the_links_of_a_cache(registry, tmp_path):
    pipeline = make_pipeline(skhash.ITQHasher(16, random_state=0), skhash.HammingIndex()).fit(X, Y)
    push_to_hub(pipeline, "me/index")
    np.testing.assert_array_equal(from_pretrained("me/index").predict(X), pipeline.predict(X))
    with pytest.raises(ValueError, match="mmap=True needs local_dir, a folder of its own for the files of me/index"):
        from_pretrained("me/index", mmap=True)
    mapped = from_pretrained("me/index", mmap=True, local_dir=tmp_path / "mine")
    np.testing.assert_array_equal(mapped.predict(X), pipeline.predict(X))


def test_nothing_is_uploaded_that_cannot_be_saved(registry):
    with pytest.raises(TypeError, match="metrics must map names to numbers, got 'mAP': 'high'"):
        push_to_hub(fitted(), "me/digits", metrics={"mAP": "high"})
    with pytest.raises(TypeError, match="estimator must be an estimator"):
        push_to_hub("hasher", "me/digits")
    assert registry == []


class Backbone(torch.nn.Sequential):
    def __init__(self):
        super().__init__(torch.nn.Linear(64, 8))


def test_own_code_needs_trust(tmp_path):
    hasher = skhash.OrthoHasher(8, backbone=Backbone, max_epochs=1, random_state=0).fit(X, Y)
    save_pretrained(hasher, tmp_path)
    with pytest.raises(ValueError, match="Backbone"):
        from_pretrained(tmp_path)
    name = f"{Backbone.__module__}:Backbone"
    loaded = from_pretrained(tmp_path, allow={name: Backbone})
    np.testing.assert_array_equal(loaded.transform(X), hasher.transform(X))


def test_cards_name_no_local_paths_and_stay_tables(tmp_path):
    hasher = skhash.OrthoHasher(8, max_epochs=1, random_state=0, checkpoint=tmp_path / "private")
    labels = np.array([f"a|b\n<b>{label}" for label in Y])
    card = make_card(hasher.fit(X, labels), "me/digits", license='a"b', description="One.\n")
    assert "private" not in card
    assert "| classes | 10: a\\|b &lt;b>0, a\\|b &lt;b>1" in card
    assert json.loads(card.splitlines()[1].partition(": ")[2]) == 'a"b'
    assert "\n\nOne.\n\n" in card
    assert "Results" not in card


def test_cards_of_images_and_packed_networks(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 16, 20), dtype=np.uint8)
    hasher = skhash.OrthoHasher(8, backbone="bireal_tiny", max_epochs=1, random_state=0).fit(images, Y[:40] % 2)
    assert "| input | 3 x 16 x 20 (images, channels, height, width) |" in make_card(hasher, "m")
    packed = hasher.to_packed()
    save_pretrained(packed, tmp_path)
    assert "| input | 16 x 20 x 3 (images, height, width, channels) |" in (tmp_path / "README.md").read_text()
    np.testing.assert_array_equal(from_pretrained(tmp_path).transform(images), hasher.transform(images))


def test_what_is_no_model(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"has no model\.skh: it was not written by push_to_hub"):
        from_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(
        ImportError, match=r"from_pretrained\('me/x'\), which is no folder, needs .* 'scikit-hash\[hub\]'"
    ):
        from_pretrained("me/x")
    with pytest.raises(ImportError, match=r"push_to_hub needs huggingface_hub, .* 'scikit-hash\[hub\]'"):
        push_to_hub(fitted(), "me/x")


def test_the_client_has_the_arguments_that_are_passed():
    hub = pytest.importorskip("huggingface_hub")
    import inspect

    def names(function):
        return set(inspect.signature(function).parameters)

    assert {"token", "library_name", "library_version"} <= names(hub.HfApi.__init__)
    assert {"repo_id", "private", "exist_ok"} <= names(hub.HfApi.create_repo)
    uploaded = {"repo_id", "folder_path", "revision", "commit_message", "delete_patterns"}
    assert uploaded <= names(hub.HfApi.upload_folder)
    downloaded = {"repo_id", "revision", "local_dir", "token", "allow_patterns", "library_name", "library_version"}
    assert downloaded <= names(hub.snapshot_download)
