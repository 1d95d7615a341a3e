"""Tests of the base class and helpers of the Displays."""

import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from skhash.metrics.displays._base import COLORS, LINES, MARKERS, merge_style, plot_chance, plot_curve, scatter_style


def test_a_users_alias_replaces_the_default():
    assert merge_style({"color": "red", "linewidth": 2}, {"c": "blue"}, Line2D) == {"color": "blue", "linewidth": 2}
    assert merge_style({"linestyle": "-"}, None, Line2D) == {"linestyle": "-"}
    with pytest.raises(TypeError, match="aliases"):
        merge_style({}, {"c": "blue", "color": "blue"}, Line2D)


def test_curves_differ_in_color_and_in_line_style_and_the_chance_level_is_none_of_them():
    ax = Figure().subplots()
    lines = []
    for number in range(4):
        lines.append(plot_curve(ax, [0, 1], [0, 1], str(number), {}))
        plot_chance(ax, 0.5, (0, 1), None)
    assert [line.get_color() for line in lines] == list(COLORS[:4])
    assert len({line.get_linestyle() for line in lines}) == 4
    assert plot_curve(ax, [0, 1], [0, 1], None, {"ls": ":"}).get_linestyle() == ":"


def test_points_repeat_a_pair_of_color_and_marker_late():
    styles = [scatter_style(number, "", {}) for number in range(100)]
    assert len({(style["color"], style["marker"]) for style in styles}) == 100
    assert (len(COLORS), len(MARKERS), len(LINES)) == (10, 11, 5)


@pytest.mark.parametrize("given", [{"c": [1, 2]}, {"color": "red"}, {"fc": "red"}])
def test_a_users_color_of_points_is_the_only_one(given):
    style = scatter_style(0, "", given)
    ax = Figure().subplots()
    points = ax.scatter([0, 1], [0, 1], **style)
    if "c" not in given:
        assert [tuple(color) for color in points.get_facecolor()] == [(1, 0, 0, 1)]
    else:
        assert list(points.get_array()) == [1, 2]
