"""Tests of the histograms of distances: heights and arrow against a loop over all pairs."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure

from skhash.metrics import DistanceHistogramDisplay


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 2, (30, 7))


def distances_of_pairs(codes, share):
    """Distances of the pairs that share a label, and of the others."""
    found = {True: [], False: []}
    for i, j in combinations(range(len(codes)), 2):
        found[bool(share(i, j))].append((codes[i] != codes[j]).sum())
    return found[True], found[False]


@pytest.mark.parametrize("multi_hot", [False, True])
def test_heights_and_arrow(codes, ax, multi_hot):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, (30, 3)) if multi_hot else rng.integers(0, 3, 30)
    intra, inter = distances_of_pairs(codes, lambda i, j: (y[i] & y[j]).any() if multi_hot else y[i] == y[j])
    display = DistanceHistogramDisplay.from_predictions(codes, y, ax=ax)
    for patch, distances in ((display.intra_, intra), (display.inter_, inter)):
        heights, edges, _ = patch.get_data()
        np.testing.assert_allclose(heights, np.bincount(distances, minlength=8) / len(distances))
        np.testing.assert_array_equal(edges, np.arange(9) - 0.5)
    arrow = display.arrow_
    np.testing.assert_allclose([arrow.xyann[0], arrow.xy[0]], [np.mean(intra), np.mean(inter)])
    assert arrow.xyann[1] == arrow.xy[1] > max(display.intra_.get_data()[0].max(), display.inter_.get_data()[0].max())
    assert display.separability_ == pytest.approx(np.mean(inter) - np.mean(intra))
    written = f"separability {np.mean(inter) - np.mean(intra):.2f} bits"
    assert written in [text.get_text() for text in ax.texts]
    assert ax.get_xlim() == (-0.5, 7.5)


def test_without_the_arrow(codes, ax):
    display = DistanceHistogramDisplay.from_predictions(codes, np.arange(30) % 3, ax=ax, plot_separability=False)
    assert display.arrow_ is None
    assert not ax.texts


def test_the_two_are_told_apart_without_color_and_styled_apart(codes, ax):
    y = np.arange(30) % 3
    display = DistanceHistogramDisplay.from_predictions(codes, y, ax=ax, inter_kw={"alpha": 0.2}, ls="--")
    assert (display.intra_.get_hatch(), display.inter_.get_hatch()) == (None, "///")
    assert (display.intra_.get_alpha(), display.inter_.get_alpha()) == (0.6, 0.2)
    assert display.intra_.get_linestyle() == display.inter_.get_linestyle() == "--"


@pytest.mark.parametrize(("y", "kind"), [(np.arange(30), "intra"), (np.zeros(30, int), "inter")])
def test_both_kinds_of_pairs_are_needed(codes, ax, y, kind):
    with pytest.raises(ValueError, match=f"{kind} must count at least one pair"):
        DistanceHistogramDisplay.from_predictions(codes, y, ax=ax)
