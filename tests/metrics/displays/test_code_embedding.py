"""Tests of the map of codes."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances
from threadpoolctl import threadpool_limits

from skhash.metrics import CodeEmbeddingDisplay


@pytest.fixture(autouse=True)
def _one_thread():
    with threadpool_limits(1):  # t-SNE's threads wait for each other for seconds on a busy machine
        yield


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def codes():
    """Three groups of 20 codes, two bits or fewer from 0s, 1s, and half and half."""
    rng = np.random.default_rng(0)
    centers = np.repeat([[0] * 32, [1] * 32, [0] * 16 + [1] * 16], 20, axis=0)
    flips = np.zeros((60, 32), int)
    np.put_along_axis(flips, rng.integers(0, 32, (60, 2)), 1, axis=1)
    return centers ^ flips


@pytest.fixture
def y():
    return np.repeat(["a", "b", "c"], 20)


def embed(*args, **options):
    return CodeEmbeddingDisplay.from_predictions(*args, **{"random_state": 0, "perplexity": 5, **options})


def test_it_is_scikit_learns_t_sne_of_the_hamming_distances(codes, ax):
    distances = 32 * pairwise_distances(codes, metric="hamming")
    tsne = TSNE(metric="precomputed", init="random", perplexity=5, random_state=0)
    display = embed(codes, ax=ax)
    np.testing.assert_allclose(display.embedding, tsne.fit_transform(distances), rtol=0.05, atol=0.5)
    np.testing.assert_array_equal(display.points_[0].get_offsets(), display.embedding)


def test_each_class_has_its_points_color_and_marker(codes, y, ax):
    display = embed(codes, y, ax=ax, name="codes")
    for label, points in zip("abc", display.points_, strict=True):
        np.testing.assert_array_equal(points.get_offsets(), display.embedding[y == label])
        assert points.get_label() == label
    assert len({tuple(points.get_facecolor()[0]) for points in display.points_}) == 3
    assert len({points.get_paths()[0].vertices.tobytes() for points in display.points_}) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]
    assert ax.get_legend().get_title().get_text() == "codes"


def test_groups_stay_together(codes, y, ax):
    embedding = embed(codes, y, ax=ax).embedding
    distances = pairwise_distances(embedding) + np.diag(np.full(60, np.inf))
    assert (y[distances.argmin(axis=1)] == y).mean() > 0.9


def test_n_max_draws_a_subset_with_its_labels(codes, y, ax):
    codes, y = np.tile(codes, (100, 1)), np.tile(y, 100)
    with pytest.raises(
        ValueError, match=r"codes must have at most 5000 rows for t-SNE, got 6000; n_max selects a subset"
    ):
        embed(codes, y, ax=ax)
    display = embed(codes, y, ax=ax, n_max=40)
    assert display.embedding.shape == (40, 2)
    assert display.labels.shape == (40,)
    again, other = embed(codes, y, ax=ax, n_max=40), embed(codes, y, ax=ax, n_max=40, random_state=1)
    np.testing.assert_array_equal(again.embedding, display.embedding)
    assert (other.embedding != display.embedding).any()
    np.testing.assert_array_equal(embed(codes[:60], y[:60], ax=ax, n_max=100).labels, y[:60])


def test_the_global_random_state_is_left_alone(codes, ax):
    before = repr(np.random.get_state())
    embed(codes, ax=ax, n_max=30, random_state=None)
    assert repr(np.random.get_state()) == before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"y": np.ones((60, 2), int)}, "y must be one class label per code or None, got a multi-hot matrix"),
        ({"y": np.zeros(59, int)}, "y must have one row per code, 60, got 59"),
        ({"n_max": 1}, "n_max == 1, must be >= 2"),
        ({"n_max": 5001}, "n_max == 5001, must be <= 5000"),
        ({"perplexity": 60}, "perplexity"),
    ],
)
def test_bad_input(codes, ax, options, match):
    with pytest.raises(ValueError, match=match):
        embed(codes, **{"ax": ax, **options})
