"""Tests of precision over recall: the curve is that of an explicit loop."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skhash.metrics import RetrievalPrecisionRecallDisplay


@pytest.fixture
def retrieval():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (7, 6)), rng.integers(0, 2, (40, 6)), rng.integers(0, 3, 7), rng.integers(0, 3, 40)


@pytest.fixture
def ax():
    return Figure().subplots()


def expected_curve(query, database, query_labels, database_labels, by):
    """Precision and recall of each query up to each threshold, by loops, then their means."""
    precision, recall = [], []
    for code, label in zip(query, query_labels, strict=True):
        distance = (code != database).sum(axis=1)
        relevant = database_labels == label
        order = np.argsort(distance, kind="stable")
        tops = [order[:r] for r in range(1, 41)] if by == "rank" else [np.flatnonzero(distance <= r) for r in range(7)]
        precision.append([relevant[top].mean() if len(top) else 0 for top in tops])
        recall.append([relevant[top].sum() / relevant.sum() for top in tops])
    return np.mean(recall, axis=0), np.mean(precision, axis=0)


@pytest.mark.parametrize(("by", "thresholds"), [("rank", range(1, 41)), ("radius", range(7))])
def test_the_curve(retrieval, ax, by, thresholds):
    display = RetrievalPrecisionRecallDisplay.from_predictions(*retrieval, by=by, ax=ax)
    np.testing.assert_array_equal(display.thresholds, thresholds)
    np.testing.assert_allclose(display.line_.get_data(), expected_curve(*retrieval, by))
    assert ax.get_lines() == [display.line_]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Recall", "Precision")
    assert ax.get_xlim() == ax.get_ylim() == (-0.01, 1.01)
    assert display.line_.get_label() == f"by {by}"


@pytest.mark.parametrize("by", ["rank", "radius"])
def test_the_chance_level_is_the_share_of_relevant_items(retrieval, ax, by):
    display = RetrievalPrecisionRecallDisplay.from_predictions(*retrieval, by=by, ax=ax)
    assert display.chance_level_ is None
    share = (retrieval[2][:, None] == retrieval[3]).mean()
    display.plot(ax, plot_chance_level=True, chance_level_kw={"lw": 3})
    np.testing.assert_allclose(display.chance_level_.get_segments()[0], [[0, share], [1, share]])
    assert display.chance_level_.get_linewidth() == 3
    assert f"Chance level (precision = {share:.2f})" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_marks_are_at_their_thresholds(retrieval, ax):
    display = RetrievalPrecisionRecallDisplay.from_predictions(*retrieval, by="radius", ax=ax, marks=[2, 5])
    assert [mark.get_text() for mark in display.marks_] == ["radius 2", "radius 5"]
    recall, precision = expected_curve(*retrieval, "radius")
    np.testing.assert_allclose([mark.xy for mark in display.marks_], np.transpose([recall, precision])[[2, 5]])
    with pytest.raises(ValueError, match="marks must be thresholds of the curve, 0 to 6, got 7"):
        display.plot(ax, marks=[7])


def test_what_cannot_be_drawn_is_refused(retrieval, ax):
    with pytest.raises(ValueError, match=r"by must be one of \['rank', 'radius'\], got 'distance'"):
        RetrievalPrecisionRecallDisplay.from_predictions(*retrieval, by="distance", ax=ax)
    bare = RetrievalPrecisionRecallDisplay(np.array([1]), np.array([0.5]), np.array([0.5]), by="distance")
    with pytest.raises(ValueError, match="got 'distance'"):
        bare.plot(ax)
    bare.by = "rank"
    with pytest.raises(ValueError, match="plot_chance_level=True requires prevalence"):
        bare.plot(ax, plot_chance_level=True)


def test_options_reach_the_search(retrieval, ax):
    make = RetrievalPrecisionRecallDisplay.from_predictions
    best, worst = (make(*retrieval, ties=ties, ax=ax) for ties in ("optimistic", "pessimistic"))
    assert (best.precision[:-1] > worst.precision[:-1]).any()
    assert (best.precision >= worst.precision - 1e-12).all()
    random = [make(*retrieval, ties="random", random_state=seed, ax=ax).precision for seed in (0, 0, 1)]
    np.testing.assert_array_equal(random[0], random[1])
    assert (random[0] != random[2]).any()
    zero, skip = (make(*retrieval, by="radius", empty_ball=empty, ax=ax) for empty in ("zero", "skip"))
    assert skip.precision[0] > zero.precision[0]
