import mmap

import numpy as np

from skhash.utils import is_mapped, read_only


def test_a_read_only_view_shares_memory_and_leaves_the_original_writable():
    array = np.arange(4)
    view = read_only(array)
    assert not view.flags.writeable
    assert array.flags.writeable
    assert np.shares_memory(view, array)


def test_mapped_arrays_are_told_through_views(tmp_path):
    path = tmp_path / "x.bin"
    path.write_bytes(bytes(64))
    mapped = np.memmap(path, np.uint8, "r")
    assert is_mapped(mapped)
    assert is_mapped(read_only(mapped)[3:].view(np.int8))
    assert is_mapped(np.frombuffer(mmap.mmap(-1, 8), np.uint8))
    assert not is_mapped(np.zeros(3))
    assert not is_mapped(np.array(mapped))
    assert type(read_only(mapped)) is np.ndarray
