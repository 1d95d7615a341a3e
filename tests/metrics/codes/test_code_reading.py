import numpy as np
import pytest
from sklearn import config_context

from skhash.codes import pack_codes
from skhash.metrics.codes._code_reading import (
    CACHED,
    bit_columns,
    bit_rows,
    count_pairs,
    number_groups,
    read_classes,
)
from skhash.utils import memory_batches

CODES = np.random.default_rng(0).integers(0, 2, (9, 70), dtype=np.uint8)


@pytest.mark.parametrize("memory", [1024, 1e-3, 1e-9])
def test_blocks_make_up_the_codes(memory):
    rows = np.array([8, 0, 0, 3])
    with config_context(working_memory=memory):
        by_rows = list(bit_rows(pack_codes(CODES), 70))
        by_columns = list(bit_columns(pack_codes(CODES), 70, rows=rows))
    np.testing.assert_array_equal(np.vstack(by_rows), CODES)
    np.testing.assert_array_equal(np.hstack([values for _, values in by_columns]), CODES[rows])
    assert [k for places, _ in by_columns for k in range(70)[places]] == list(range(70))
    if memory == 1e-9:
        assert (len(by_rows), len(by_columns)) == (9, 70)


def test_batches_keep_to_both_limits():
    def first(n_rows, bytes_per_row, max_bytes=CACHED):
        return next(memory_batches(n_rows, bytes_per_row, max_bytes=max_bytes))

    assert [part.stop for part in memory_batches(10, 1, max_bytes=CACHED)] == [10]
    with config_context(working_memory=1):
        assert first(10**9, 2**10).stop == 2**10
        assert first(10**9, 2**30).stop == 1
    assert first(10**9, 1).stop == CACHED
    assert first(10**8, 2**10, max_bytes=np.inf).stop == 2**20


def test_classes_without_samples_are_dropped():
    labels = read_classes(np.array([[0, 1, 0, 1], [0, 0, 0, 1]]), 2)
    np.testing.assert_array_equal(labels.codes, [[1, 1], [0, 1]])
    np.testing.assert_array_equal(labels.classes, [1, 3])


def test_no_labels_at_all():
    with pytest.raises(ValueError, match="y must be class labels or a multi-hot matrix, got None"):
        read_classes(None, 2)


def test_groups_of_equal_rows_are_numbered_in_order():
    rows = np.array([[2, 0], [1, 9], [2, 0], [1, 3], [1, 9]])
    np.testing.assert_array_equal(number_groups(rows), [2, 1, 2, 0, 1])
    rows = np.random.default_rng(0).integers(0, 3, (200, 3)).astype(np.uint64)
    np.testing.assert_array_equal(number_groups(rows), np.unique(rows, axis=0, return_inverse=True)[1].ravel())


def test_pairs():
    assert count_pairs([0, 1, 2, 5]) == 0 + 0 + 1 + 10
    assert count_pairs(10**9) == 10**9 * (10**9 - 1) // 2
