import hashlib
import re

import pytest

from skhash.datasets.files._sources import Source, locate


@pytest.fixture
def source(tmp_path):
    """A data set of one file, `x.bin`, that can be downloaded from a folder."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "x.bin").write_bytes(b"from the site")
    return Source(
        title="The X set",
        folders=("x-set", "XSet"),
        expected="x.bin",
        url=(tmp_path / "site").as_uri() + "/",
        system_folders=(str(tmp_path / "system"),),
        advice=", install the package x",
    )


@pytest.fixture
def find(source, tmp_path, monkeypatch):
    """Look for the data set, with the cache and SKHASH_DATA in `tmp_path`; gives what the file holds."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("SKHASH_DATA", str(tmp_path / "env"))

    def look(folder):
        return (folder / "x.bin").read_text() if (folder / "x.bin").is_file() else None

    def find(data_home=None, download=False, content=b"from the site"):
        files = {"x.bin": hashlib.sha256(content).hexdigest()}
        return locate(source, look, data_home=data_home, download=download, files=files)

    return find


def put(folder):
    folder.mkdir(parents=True)
    (folder / "x.bin").write_text(str(folder))


def test_order_of_the_places(find, tmp_path):
    home = tmp_path / "home"
    last_to_first = [
        tmp_path / "xdg" / "skhash" / "XSet",
        tmp_path / "xdg" / "skhash" / "x-set",
        tmp_path / "system",
        tmp_path / "env" / "x-set",
        home / "x-set",
    ]
    for folder in last_to_first:
        put(folder)
        assert find(home) == str(folder)
    (home / "x.bin").write_text("directly")
    assert find(str(home)) == "directly"


def test_the_home_folder_may_be_a_tilde(find, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    put(tmp_path / ".cache" / "skhash")
    assert find() == str(tmp_path / ".cache" / "skhash")
    put(tmp_path / "data")
    assert find("~/data") == str(tmp_path / "data")


def test_download_goes_into_the_cache_once(find, tmp_path):
    assert find(download=True) == "from the site"
    assert (tmp_path / "xdg" / "skhash" / "x-set" / "x.bin").is_file()
    (tmp_path / "site" / "x.bin").unlink()
    assert find(download=True) == "from the site"


def test_download_goes_into_data_home(find, tmp_path):
    find(tmp_path / "home", download=True)
    assert (tmp_path / "home" / "x-set" / "x.bin").is_file()
    assert not (tmp_path / "xdg").exists()


def test_what_is_said_when_it_is_nowhere(find, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        find(tmp_path / "home")
    assert str(caught.value) == (
        f"The X set was not found. Searched\n"
        f"  {tmp_path / 'home'} (data_home)\n"
        f"  {tmp_path / 'env'} (environment variable SKHASH_DATA)\n"
        f"  {tmp_path / 'system'} (system package)\n"
        f"  {tmp_path / 'xdg' / 'skhash'} (cache)\n"
        "and their sub-folders x-set, XSet, for x.bin.\n"
        "Downloads are turned off (download=False).\n"
        "Pass the folder that holds the files as data_home= or in the environment variable SKHASH_DATA, install the "
        f"package x, or use download=True on a machine with internet ({(tmp_path / 'site').as_uri()}/)."
    )


def test_what_is_said_when_the_download_fails(find, tmp_path):
    target = re.escape(str(tmp_path / "xdg" / "skhash" / "x-set"))
    with pytest.raises(FileNotFoundError, match=f"The download to {target} failed: .* has sha256 .* expected"):
        find(download=True, content=b"something else")
    (tmp_path / "site" / "x.bin").unlink()
    with pytest.raises(FileNotFoundError, match=f"The download to {target} failed: .*x.bin"):
        find(download=True)


def test_what_is_said_of_a_source_that_is_never_downloaded(source, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    offline = Source(title="The Y set", folders=("y-set",), expected="y.bin", no_download="it is lost")
    with pytest.raises(FileNotFoundError) as caught:
        locate(offline, lambda folder: None, data_home=tmp_path, download=True)
    assert str(caught.value) == (
        f"The Y set was not found. Searched\n  {tmp_path} (data_home)\n  {tmp_path / 'xdg' / 'skhash'} (cache)\n"
        "and their sub-folders y-set, for y.bin.\n"
        "It is not downloaded: it is lost.\n"
        "Pass the folder that holds the files as data_home= or in the environment variable SKHASH_DATA."
    )
