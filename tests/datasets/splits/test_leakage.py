import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from skhash.datasets import LeakageWarning, RetrievalSplit, check_leakage
from skhash.datasets.splits import _leakage


def copies_by_loops(X, split):
    """Every row of the other parts with the first query that it equals."""
    others = sorted({*split.train.tolist(), *split.validation.tolist(), *split.database.tolist()})
    pairs = []
    for row in others:
        equal = [query for query in sorted(split.query.tolist()) if (X[row] == X[query]).all()]
        pairs += [(equal[0], row)] if equal else []
    return pairs


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@given(values=st.lists(st.integers(0, 2), min_size=24, max_size=24), block=st.sampled_from([1, 7, 1 << 24]))
def test_matches_loops(dtype, values, block):
    X = np.array(values, dtype=dtype).reshape(12, 2)
    split = RetrievalSplit(query=[5, 1, 9], train=[0, 2], validation=[3], database=[2, 4, 6, 7, 8, 10, 11])
    expected = copies_by_loops(X, split)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_leakage, "_BLOCK_BYTES", block)
        if expected:
            with pytest.warns(LeakageWarning, match=f"^{len(expected)} rows"):
                copies = check_leakage(X, split)
        else:
            copies = check_leakage(X, split)
    assert copies.dtype == np.int64
    assert copies.reshape(-1, 2).tolist() == [list(pair) for pair in expected]


def test_images_frames_tensors_and_names():
    torch = pytest.importorskip("torch")
    X = np.random.RandomState(0).randint(0, 256, size=(6, 2, 2, 3)).astype(np.uint8)
    X[4] = X[0]
    split = RetrievalSplit(query=[0], train=[1], database=[1, 2, 3, 4, 5])
    names = np.array(["a.png", "b.png", "c.png", "d.png", "a.png", "e.png"])
    for form in (X, X[:, ::-1], torch.from_numpy(X), pd.DataFrame(X.reshape(6, -1)), X[:, 0, 0, 0], names):
        with pytest.warns(LeakageWarning, match="row 4 = query 0"):
            assert check_leakage(form, split).tolist() == [[0, 4]]


def test_what_has_no_row_bytes_is_only_checked_by_index():
    split = RetrievalSplit(query=[0], train=[1], database=[1, 2])
    for X in (["a", "b", "a"], np.array(["a", "b", "a"], dtype=object), csr_array(np.ones((3, 2)))):
        assert check_leakage(X, split).shape == (0, 2)


@pytest.mark.parametrize("part", ["train", "database", "validation"])
def test_shared_rows_are_an_error(part):
    parts = {"query": [7, 1, 3], "train": [4], "database": [4, 5], "validation": []} | {part: [3, 7]}
    with pytest.raises(ValueError, match=r"2 of 3 queries are also in .* for example row 3"):
        check_leakage(np.arange(8), RetrievalSplit(**parts))


def test_message_gives_three_examples_and_the_way_out():
    X = np.zeros((1200, 1))
    split = RetrievalSplit(query=[0, 1], train=[2], database=np.arange(2, 1200))
    message = (
        r"^1,198 rows of the training set, the validation set or the database are identical to a query "
        r"\(1 distinct of 2 queries\): row 2 = query 0, row 3 = query 0, row 4 = query 0, \.\.\.\. .*duplicates='drop'"
    )
    with pytest.warns(LeakageWarning, match=message) as caught:
        check_leakage(X, split)
    assert caught[0].filename == __file__
