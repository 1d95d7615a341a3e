import copy
import pickle

import numpy as np
import pytest

from skhash.metrics import Score

PER_QUERY = np.array([0.25, np.nan, 0.75])


def test_a_score_is_a_float():
    score = Score(0.5, "mAP@all", PER_QUERY)
    assert isinstance(score, float)
    assert score == 0.5
    assert score + 1 == 1.5
    assert type(float(score)) is float
    assert repr(score) == str(score) == "0.5"
    assert f"{score:.3f}" == "0.500"
    assert {score: 1}[0.5] == 1
    assert score.definition == "mAP@all"
    assert score.per_query is PER_QUERY
    assert Score(0.5, "x").per_query is None


def test_of_a_numpy_float():
    assert repr(Score(np.float64(0.25), "x")) == "0.25"


@pytest.mark.parametrize(
    "make", [copy.copy, copy.deepcopy, *(lambda s, p=p: pickle.loads(pickle.dumps(s, p)) for p in range(2, 6))]
)
def test_copies_keep_all(make):
    twin = make(Score(0.5, "mAP@all", PER_QUERY))
    assert isinstance(twin, Score)
    assert (twin, twin.definition) == (0.5, "mAP@all")
    np.testing.assert_array_equal(twin.per_query, PER_QUERY)
