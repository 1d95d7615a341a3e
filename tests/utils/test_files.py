import os

import pytest

from skhash.utils import atomic_replace


def test_the_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with atomic_replace(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["data.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")

    def write_half():
        with atomic_replace(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["data.bin"]


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError, match="it is a directory"), atomic_replace(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match="no such directory"), atomic_replace(tmp_path / "missing" / "x"):
        pass
