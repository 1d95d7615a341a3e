"""Tests of the curves of a training."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator

from skhash.metrics import TrainingHistoryDisplay


class Fitted(BaseEstimator):
    """An estimator with a history."""

    def __init__(self, history=()):
        self.history_ = list(history)

    def fit(self, X, y=None):
        return self


HISTORY = [
    {"center_distance": 9.0, "loss": 2.0, "stage": 1},
    {"center_distance": 4.0, "loss": 1.0, "stage": 2, "class_distance": 3.0},
]


@pytest.fixture
def ax():
    return Figure().subplots()


def test_curves_are_the_history(ax):
    estimator = Fitted(HISTORY)
    display = TrainingHistoryDisplay.from_estimator(estimator, curves=["center_distance", "loss"], ax=ax)
    assert [list(line.get_ydata()) for line in display.lines_] == [[9, 4], [2, 1]]
    assert [list(line.get_xdata()) for line in display.lines_] == [[1, 2], [1, 2]]
    assert [line.get_label() for line in display.lines_] == ["Fitted: Code to its center", "Fitted: loss"]
    assert display.transition_.get_segments()[0][:, 0].tolist() == [1.5, 1.5]
    assert ax.get_ylim()[0] == 0
    higher = TrainingHistoryDisplay([1, 2], {"loss": [50.0, 0.0]}).plot(ax)
    assert higher.ax_.get_ylim()[1] >= 50
    bare = TrainingHistoryDisplay.from_estimator(estimator, curves=["loss"], name="", ax=Figure().subplots())
    assert [line.get_label() for line in bare.lines_] == ["loss"]


def test_epochs_without_a_value_are_gaps(ax):
    display = TrainingHistoryDisplay.from_estimator(Fitted(HISTORY), curves=["class_distance"], ax=ax)
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [np.nan, 3])


def test_each_second_stage_has_a_line(ax):
    twice = [{"loss": 1.0, "stage": stage} for stage in (1, 1, 2, 1, 2)]
    display = TrainingHistoryDisplay.from_estimator(Fitted(twice), curves=["loss"], ax=ax)
    assert display.transition == [2, 4]
    assert [segment[0, 0] for segment in display.transition_.get_segments()] == [2.5, 4.5]
    other = TrainingHistoryDisplay.from_estimator(Fitted(twice[:2]), curves=["loss"], ax=Figure().subplots())
    assert other.transition_ is None


def test_users_style_wins(ax):
    display = TrainingHistoryDisplay([1], {"loss": [1.0]}).plot(ax, color="red")
    assert display.lines_[0].get_color() == "red"
    assert display.lines_[0].get_label() == "loss"


def test_a_curve_that_is_not_there():
    with pytest.raises(ValueError, match=r"history of Fitted, one of \['center_dist.*\], got 'center_movement'"):
        TrainingHistoryDisplay.from_estimator(Fitted(HISTORY), curves=["center_movement"])
