"""Tests of mAP against the lower-bound ratio."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from skhash.metrics import MapAgainstLowerBoundDisplay, lower_bound_ratio, mean_average_precision


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def noisy():
    """Labels, and codes of 30 queries and 60 items that become more random from setting to setting."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    centers = np.repeat(np.eye(3, dtype=int), 8, axis=1)
    codes = {f"noise {noise}": centers[y] ^ (rng.random((90, 24)) < noise) for noise in (0.1, 0.2, 0.3, 0.4, 0.5)}
    queries, database = ({name: part[rows] for name, part in codes.items()} for rows in (slice(30), slice(30, 90)))
    return queries, database, y[:30], y[30:]


def test_points_are_the_two_scores(noisy, ax):
    queries, database, yq, yd = noisy
    display = MapAgainstLowerBoundDisplay.from_predictions(*noisy, percentile=80, R=20, ties="expected", ax=ax)
    ratios = [lower_bound_ratio(codes, yd, percentile=80) for codes in database.values()]
    scores = [mean_average_precision(queries[name], database[name], yq, yd, R=20, ties="expected") for name in database]
    np.testing.assert_allclose(display.points_.get_offsets(), np.transpose([ratios, scores]))
    assert display.rank_correlation_ == pytest.approx(spearmanr(ratios, scores).statistic)
    assert f"rank correlation {display.rank_correlation_:.2f}, n = 5" in display.points_.get_label()
    assert [text.get_text() for text in display.texts_] == list(queries)


def test_settings_need_no_names(noisy, ax):
    queries, database, yq, yd = noisy
    named = MapAgainstLowerBoundDisplay.from_predictions(*noisy, ax=ax, plot_settings=False)
    assert named.texts_ == []
    bare = MapAgainstLowerBoundDisplay.from_predictions(list(queries.values()), list(database.values()), yq, yd, ax=ax)
    assert bare.settings is None
    np.testing.assert_array_equal(bare.mean_average_precision, named.mean_average_precision)
    assert bare.points_.get_facecolor().tolist() != named.points_.get_facecolor().tolist()  # on the same axes


def test_infinite_ratios_are_at_the_right_border_and_count(ax):
    display = MapAgainstLowerBoundDisplay(
        np.array([1.0, 2.0, np.inf]), np.array([0.2, 0.1, 0.9]), settings=np.array(["a", "b", "c"])
    ).plot(ax)
    np.testing.assert_array_equal(display.points_.get_offsets(), [[1, 0.2], [2, 0.1]])
    np.testing.assert_array_equal(display.infinite_.get_offsets(), [[1, 0.9]])
    at = display.infinite_.get_offset_transform().transform(display.infinite_.get_offsets())
    assert ax.transAxes.inverted().transform(at)[0, 0] == pytest.approx(1)
    assert display.rank_correlation_ == pytest.approx(0.5)
    ax.figure.canvas.draw()


@pytest.mark.parametrize("scores", [([1.0, 2.0], [0.1, 0.2]), ([1.0] * 4, [0.1, 0.2, 0.3, 0.4])])
def test_no_rank_correlation_where_there_is_none(ax, scores):
    display = MapAgainstLowerBoundDisplay(*map(np.array, scores)).plot(ax)
    assert np.isnan(display.rank_correlation_)


def test_bad_settings(noisy, ax):
    queries, database, yq, yd = noisy
    make = MapAgainstLowerBoundDisplay.from_predictions
    with pytest.raises(ValueError, match="must have the same settings in the same order"):
        make(queries, dict(reversed(database.items())), yq, yd, ax=ax)
    with pytest.raises(ValueError, match="must have the same settings in the same order, got 4 and 5"):
        make(list(queries.values())[1:], list(database.values()), yq, yd, ax=ax)
    for bad in ({}, [], np.zeros((3, 4))):
        with pytest.raises(ValueError, match="query_codes must be a dict or a list with at least one setting"):
            make(bad, bad, yq, yd, ax=ax)
