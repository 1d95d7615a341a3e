"""Tests of precision@K: the curve is that of `precision_at_k`, K by K."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from skhash.metrics import PrecisionAtKDisplay, precision_at_k


@pytest.fixture
def retrieval():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (7, 6)), rng.integers(0, 2, (40, 6)), rng.integers(0, 3, 7), rng.integers(0, 3, 40)


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.mark.parametrize("ties", ["stable", "expected"])
def test_the_curve(retrieval, ax, ties):
    display = PrecisionAtKDisplay.from_predictions(*retrieval, max_k=25, ties=ties, ax=ax)
    k, precision = display.line_.get_data()
    np.testing.assert_array_equal(k, range(1, 26))
    np.testing.assert_allclose(precision, [precision_at_k(*retrieval, k=k, ties=ties) for k in range(1, 26)])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("K (rank)", "Precision@K")
    assert ax.get_ylim() == (-0.01, 1.01)


def test_the_chance_level_is_that_of_the_whole_database(retrieval, ax):
    display = PrecisionAtKDisplay.from_predictions(*retrieval, max_k=5, ax=ax, plot_chance_level=True)
    share = (retrieval[2][:, None] == retrieval[3]).mean()
    np.testing.assert_allclose(display.chance_level_.get_segments()[0], [[1, share], [5, share]])


def test_a_large_max_k_is_the_whole_database(retrieval, ax):
    assert len(PrecisionAtKDisplay.from_predictions(*retrieval, ax=ax).k) == 40
    with pytest.raises(ValueError, match="max_k == 0, must be >= 1"):
        PrecisionAtKDisplay.from_predictions(*retrieval, max_k=0, ax=ax)


def test_several_curves_share_axes_and_legend(retrieval, ax):
    for ties in ("optimistic", "pessimistic"):
        PrecisionAtKDisplay.from_predictions(*retrieval, ties=ties, name=ties, ax=ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["optimistic", "pessimistic"]
    assert len({line.get_color() for line in ax.lines}) == 2


def test_no_name_no_legend(retrieval, ax):
    assert PrecisionAtKDisplay.from_predictions(*retrieval, ax=ax).ax_.get_legend() is None
