"""Fixtures of the loaders."""

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder to put a data set into; there is none anywhere else."""
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def write_lists():
    """Write image lists: `{"test": [(name, [labels]), ...], ...}`."""

    def write(folder, lists):
        folder.mkdir(parents=True, exist_ok=True)
        for part, entries in lists.items():
            lines = [" ".join([name, *map(str, columns)]) for name, columns in entries]
            (folder / f"{part}.txt").write_text("\n".join(lines) + "\n")

    return write
