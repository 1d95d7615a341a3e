"""Tests of the bars of bit balance."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skhash.codes import pack_codes
from skhash.metrics import BitBalanceDisplay, bit_balance


@pytest.fixture
def ax():
    return Figure().subplots()


def test_bars_reach_from_the_half_to_the_share_of_ones(ax):
    codes = (np.random.default_rng(0).random((50, 70)) < np.linspace(0, 1, 70)).astype(int)
    display = BitBalanceDisplay.from_predictions(codes, ax=ax)
    assert [bar.get_y() for bar in display.bars_] == [0.5] * 70
    np.testing.assert_allclose([bar.get_y() + bar.get_height() for bar in display.bars_], codes.mean(axis=0))
    np.testing.assert_allclose([bar.get_x() + bar.get_width() / 2 for bar in display.bars_], range(70))
    assert display.bars_.get_label() == f"bit balance = {bit_balance(codes):.3f}"
    assert list(display.balanced_.get_ydata()) == [0.5, 0.5]
    assert ax.get_ylim() == (0, 1)


def test_the_form_of_the_codes_does_not_matter(ax):
    codes = np.random.default_rng(0).integers(0, 2, (20, 70))
    packed = BitBalanceDisplay.from_predictions(pack_codes(codes), bits=70, ax=ax)
    np.testing.assert_array_equal(packed.ones, BitBalanceDisplay.from_predictions(codes, ax=ax).ones)


def test_a_users_label_and_color_win(ax):
    display = BitBalanceDisplay.from_predictions([[0, 1], [1, 1]], ax=ax, label="mine", color="red")
    assert display.bars_.get_label() == "mine"
    assert display.bars_[0].get_facecolor() == (1, 0, 0, 1)
