"""Queries of classes that the database does not have: a warning in every score, not only zeros."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import KFold, cross_val_score

from skhash import HammingIndex, ShardedHammingIndex
from skhash.metrics import make_map_scorer, make_retrieval_scorer

CODES = np.eye(6, dtype=np.uint8)
MESSAGE = "No query has a label that is in the database, so every score is 0"
LABELS = {
    "integers": (np.repeat([1, 2], 3), [3], [2]),
    "strings": (np.repeat(["cat", "dog"], 3), ["fox"], ["dog"]),
    "multi-hot": (np.repeat([[1, 0, 0], [0, 1, 0]], 3, axis=0), [[0, 0, 1]], [[0, 1, 1]]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_every_score_warns_once_and_only_then(kind):
    y, unknown, known = LABELS[kind]
    index = HammingIndex().fit(CODES, y)
    shards = ShardedHammingIndex([HammingIndex().fit(CODES[i::2], y[i::2]) for i in range(2)])
    scores = [
        index.score,
        shards.score,
        lambda X, labels: make_map_scorer()(index, X, labels),
        lambda X, labels: make_retrieval_scorer("map")(index, X, labels)["map"],
    ]
    for score in scores:
        with pytest.warns(UserWarning, match=MESSAGE) as found:
            assert score(CODES[:1], unknown) == 0
        assert len(found) == 1
        assert found[0].filename == __file__
        assert score(CODES[:1], known) > 0
        assert score(CODES[:2], np.concatenate([unknown, known])) > 0


def test_labels_of_another_kind_are_an_error_without_a_warning():
    index = HammingIndex().fit(CODES, np.repeat([1, 2], 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for labels, message in ((["a"], "must both be strings"), ([[0, 1]], "must be of the same kind")):
            with pytest.raises(ValueError, match=message):
                index.score(CODES[:1], labels)


def test_a_class_whose_codes_were_removed_is_unknown():
    index = HammingIndex().fit(CODES, np.repeat([1, 2], 3)).remove([0, 1, 2])
    with pytest.warns(UserWarning, match=MESSAGE):
        index.score(CODES[:1], [1])


def test_cross_validation_of_samples_sorted_by_class():
    y = np.repeat([0, 1, 2], 2)
    with pytest.warns(UserWarning, match=MESSAGE):
        assert cross_val_score(HammingIndex(), CODES, np.eye(3, dtype=int)[y], cv=KFold(3)).tolist() == [0, 0, 0]
    with pytest.warns(UserWarning, match=MESSAGE):
        assert cross_val_score(HammingIndex(), CODES, y, cv=KFold(3)).tolist() == [0, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cross_val_score(HammingIndex(), CODES, y, cv=2)
