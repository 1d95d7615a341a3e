"""`skhash serve`: what its arguments open, and how it ends."""

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from skhash import CSQHasher
from skhash.cli import PictureIndex, _serve, main
from skhash.cli._main import _make_parser
from skhash.demo import serve

pytest.importorskip("tornado")
pytest.importorskip("PIL.Image")
ROOT = Path(__file__).parents[2]


def open_gallery(*arguments):
    return _serve.make_gallery(_make_parser().parse_args(["serve", *map(str, arguments), "-j", "1"]))


def test_without_arguments_it_shows_digits():
    gallery = open_gallery()
    assert (gallery.pictures.title, len(gallery.pictures), gallery.method) == ("Digits", 1000, "posterior")
    assert open_gallery("digits", "--method", "itq", "--bits", 16).bits == 16


def test_a_folder_is_read_and_an_index_is_not(photos, tmp_path, monkeypatch):
    index = PictureIndex.create(tmp_path / "index", photos, "phash", 32)
    index.update()
    gallery = open_gallery(photos, "--method", "phash", "--bits", 32)
    expected = gallery.search(gallery.pictures.names.index("cats/3.png"))

    def refuse(*_, **__):
        raise AssertionError("a picture was read")

    with monkeypatch.context() as patch:
        patch.setattr("skhash.demo._methods.encode_pictures", refuse)
        opened = open_gallery(tmp_path / "index")
        assert (opened.method, opened.bits, len(opened.pictures)) == ("phash", 32, 13)
        found = opened.search(opened.pictures.names.index("cats/3.png"))
    shown = [(one["name"], one["distance"], one["code"], one["why"]) for one in found["neighbors"]]
    assert shown == [(one["name"], one["distance"], one["code"], one["why"]) for one in expected["neighbors"]]
    assert found["counts"] == expected["counts"]
    other = open_gallery(tmp_path / "index", "--method", "average")  # which the index does not have
    assert len(other.search(0, n_neighbors=100)["neighbors"]) == 12


def test_a_folder_of_pictures_may_contain_settings(tmp_path):
    from PIL import Image

    (tmp_path / "settings.json").write_text('{"theme": "dark"}')
    with pytest.raises(ValueError, match=r"is not an index of pictures: its settings\.json is damaged, or that"):
        open_gallery(tmp_path)
    Image.new("L", (16, 16)).save(tmp_path / "black.png")
    assert open_gallery(tmp_path).pictures.names == ["black.png"]


def test_a_saved_hasher_is_the_first_method(photos, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16), np.uint8)
    CSQHasher(bits=16, max_epochs=1, random_state=0).fit(images, np.arange(20) % 2).save(tmp_path / "hasher.skh")
    gallery = open_gallery("digits", "--model", tmp_path / "hasher.skh")
    assert (gallery.method, gallery.bits, gallery.methods["model"].title) == ("model", 16, "your CSQHasher")
    assert len(gallery.search(0)["query"]["code"]) == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/no/such"], "'/no/such' is neither a folder nor one of the data sets digits, fashion-mnist, cifar10."),
        (["--port", "70000"], "--port must be from 0 to 65535, got 70000."),
        (["--method", "rhubarb"], "got 'rhubarb'"),
        (["--method", "itq", "--bits", "64"], "bits must be one of [16, 32], got 64."),
    ],
)
def test_errors_are_one_line(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr("skhash.demo.serve", lambda *_, **__: None)  # it would not end
    assert main(["serve", *arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("skhash: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_port_that_is_taken_is_an_error_before_pictures_are_read(photos, capsys, monkeypatch):
    monkeypatch.setattr(_serve, "make_gallery", lambda _: pytest.fail("pictures were read"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(photos), "--port", str(port)]) == 1
    expected = f"skhash: error: port {port} is taken; choose another with --port, 0 for any free one.\n"
    assert capsys.readouterr().err == expected


def test_an_index_without_pictures_is_an_error(photos, tmp_path, capsys):
    PictureIndex.create(tmp_path / "index", photos, "dhash")
    assert main(["serve", str(tmp_path / "index")]) == 1
    assert "is an index without pictures" in capsys.readouterr().err


def test_a_missing_library_names_the_extra(monkeypatch, capsys, photos):
    real = builtins.__import__

    def without_tornado(name, *arguments, **options):
        if name.partition(".")[0] == "tornado":
            raise ImportError("No module named 'tornado'")
        return real(name, *arguments, **options)

    monkeypatch.setattr("skhash.utils._optional.import_module", without_tornado)
    assert main(["serve", str(photos)]) == 1
    assert "pip install 'scikit-hash[demo]'" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "warns"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)])
def test_who_can_see_the_pictures_is_said(host, warns, monkeypatch):
    gallery, served = open_gallery("digits", "--method", "dhash"), []
    monkeypatch.setattr("skhash.demo._server._serve", lambda _, *arguments: served.append(arguments))
    monkeypatch.setattr("asyncio.run", lambda _: None)
    with pytest.warns(UserWarning, match="can see the pictures") if warns else nullcontext():
        serve(gallery, host=host)
    assert served == [(host, 8077, (), None)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of Unix")
@pytest.mark.parametrize("by", ["SIGINT", "SIGTERM"])
def test_it_serves_until_it_is_told_to_stop(photos, by):
    command = [sys.executable, "-m", "skhash.demo", str(photos), "--method", "dhash", "--port", "0", "-j", "1"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"13 pictures at (http://127\.0\.0\.1:\d+/) \(Ctrl-C stops\)\n", line)
        assert found, line
        with urllib.request.urlopen(found[1]) as answer:
            assert b"skhash" in answer.read()
        process.send_signal(getattr(signal, by))
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "skhash: 1 of 14 files cannot be read\n")
