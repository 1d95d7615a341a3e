"""Maps hold no open file, and end with the last view of them."""

import gc
import mmap
import os
import sys

import joblib
import numpy as np
import pytest

from skhash import HammingIndex
from skhash.index.storage import _mapping
from skhash.index.storage._mapping import map_file
from skhash.utils import is_mapped

SIZES = [1, 255, mmap.PAGESIZE, mmap.PAGESIZE + 1, 3 * mmap.PAGESIZE]
no_files = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="numpy's map is used")


@pytest.fixture
def path(tmp_path):
    content = np.random.default_rng(0).integers(0, 256, 4 * mmap.PAGESIZE, dtype=np.uint8)
    (tmp_path / "data").write_bytes(content.tobytes())
    return tmp_path / "data"


def next_handle():
    """Return the number that the next open file will get."""
    handle = os.dup(0)
    os.close(handle)
    return handle


def n_maps(path):
    with open("/proc/self/maps") as file:
        return sum(str(path) in line for line in file)


@pytest.mark.parametrize("size", SIZES)
def test_the_beginning_of_a_file(path, size):
    data = map_file(path, size)
    assert data.tobytes() == path.read_bytes()[:size]
    assert type(data) is np.ndarray
    assert is_mapped(data)
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 1


@no_files
def test_maps_hold_no_open_file(path):
    before = next_handle()
    maps = [map_file(path, size) for size in SIZES * 20]
    assert next_handle() == before
    assert all(data[-1] == path.read_bytes()[len(data) - 1] for data in maps)
    HammingIndex().fit([[0, 1], [1, 1]], [3, 4], ids=[5, 9]).save(path.parent / "index")
    opened = [HammingIndex.open(path.parent / "index") for _ in range(20)]
    assert next_handle() == before
    assert all(index.kneighbors([[1, 1]], 1)[1].tolist() == [[9]] for index in opened)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="lists the maps of this process")
def test_a_map_ends_with_its_last_view(path):
    data = [map_file(path, 100) for _ in range(3)]
    assert n_maps(path) == 3
    view = data[0][10:20][::2]
    data.clear()
    gc.collect()
    assert n_maps(path) == 1
    assert view.tobytes() == path.read_bytes()[10:20:2]
    del view
    gc.collect()
    assert n_maps(path) == 0


def test_a_file_may_be_larger_than_the_memory(tmp_path):
    with open(tmp_path / "data", "wb") as file:
        file.truncate(2**40)  # takes no space
    assert map_file(tmp_path / "data", 2**40)[-1] == 0


def test_a_map_outlives_the_name_of_its_file(path):
    data, content = map_file(path, 1000), path.read_bytes()
    if os.name != "nt":
        path.unlink()
    assert data.tobytes() == content[:1000]


def test_joblib_sends_the_name_of_the_file(path, tmp_path):
    data = map_file(path, 2 * mmap.PAGESIZE)
    assert os.path.samefile(data.base.filename, path)
    joblib.dump(data, tmp_path / "copy")
    np.testing.assert_array_equal(joblib.load(tmp_path / "copy"), data)


@no_files
@pytest.mark.skipif(sys.version_info >= (3, 13), reason="the mmap of Python does it")
def test_what_cannot_be_mapped(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="could not be mapped into memory: "):
        _mapping._map_untracked(handle, 10)
    os.close(handle)
