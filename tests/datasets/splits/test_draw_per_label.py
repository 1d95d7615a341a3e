import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skhash.datasets import RetrievalProtocol, retrieval_split


def drawn_by_loops(y, n_query, n_train, n_validation, seed):
    """Parts as the spec says: in random order, for the first label that needs samples, training before queries."""
    need = {"train": n_train, "query": n_query, "validation": n_validation}
    left = {(label, part): count for label in range(y.shape[1]) for part, count in need.items()}
    parts = {"train": [], "query": [], "validation": [], "rest": []}
    for row in np.random.RandomState(seed).permutation(len(y)).tolist():
        wanted = [(label, part) for label in range(y.shape[1]) if y[row, label] for part in need if left[label, part]]
        if wanted:
            left[wanted[0]] -= 1
        parts[wanted[0][1] if wanted else "rest"].append(row)
    return parts, left


@given(
    y=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=20, max_size=40),
    n_query=st.integers(1, 2),
    n_train=st.integers(1, 3),
    n_validation=st.integers(0, 1),
    train_in_database=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_matches_loops(y, n_query, n_train, n_validation, train_in_database, seed):
    y = np.array(y, dtype=int)
    parts, left = drawn_by_loops(y, n_query, n_train, n_validation, seed)
    assume(y.any() and parts["rest"])
    plan = RetrievalProtocol("p", n_query, n_train, n_validation, train_in_database=train_in_database, per="label")
    if any(left.values()):
        with pytest.raises(ValueError, match=r"^Label . has .* could be drawn"):
            retrieval_split(range(len(y)), y, protocol=plan, random_state=seed)
        return
    split = retrieval_split(range(len(y)), y, protocol=plan, random_state=seed)
    for part in ("query", "train", "validation"):
        np.testing.assert_array_equal(getattr(split, part), sorted(parts[part]))
    database = parts["rest"] + (parts["train"] if train_in_database else [])
    np.testing.assert_array_equal(split.database, sorted(database))


def test_a_label_without_enough_samples_is_named():
    y = np.zeros((20, 3), dtype=int)
    y[:, 0] = 1
    y[:4, 1] = 1
    y[4:, 2] = 1
    message = (
        "Label 1 has 4 samples, of which 3 could be drawn for the part 'train', but protocol 'nuswide21, n_query=1, "
        "n_train=5' needs 5 there. Each sample counts for one label only (n_query=1, n_validation=0, n_train=5). Pass "
        "smaller counts per label: n_query=..., n_train=..."
    )
    # With this seed one of the four samples of label 1 is drawn for label 0.
    with pytest.raises(ValueError, match=re.escape(message)):
        retrieval_split(range(20), y, protocol="nuswide21", n_query=1, n_train=5, random_state=0)


def test_one_label_per_sample_counts_as_multi_hot():
    y = np.arange(60) % 3
    split = retrieval_split(range(60), y, protocol="nuswide21", n_query=2, n_train=4, random_state=0)
    assert np.bincount(y[split.query]).tolist() == [2, 2, 2]
    assert np.bincount(y[split.train]).tolist() == [4, 4, 4]
