"""Tests of the grid of images: selection, frames and scale."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from skhash import HammingIndex, LSHHasher
from skhash.metrics import RetrievedImagesDisplay


@pytest.fixture
def ax():
    return Figure().subplots()


def pictures(n, *shape, dtype=np.uint8, start=0):
    """Images that differ in their value."""
    return (np.zeros((n, *shape), dtype).T + np.arange(start, start + n, dtype=dtype)).T


@pytest.fixture
def search():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (4, 8)), rng.integers(0, 2, (20, 8))
    labels = rng.integers(0, 3, 4), rng.integers(0, 3, 20)
    images = {"query_images": pictures(4, 5, 6, start=100), "database_images": pictures(20, 5, 6)}
    return codes, labels, images


def drawn(display):
    """Value of the first pixel of every image drawn."""
    return np.vectorize(lambda image: np.ravel(image.get_array())[0], otypes=[float])(display.images_)


def titles(display):
    return np.vectorize(lambda small: small.get_title(), otypes=[object])(display.axes_)


def test_the_nearest_are_drawn_in_order_and_framed_by_their_labels(search, ax):
    codes, labels, images = search
    display = RetrievedImagesDisplay.from_predictions(*codes, *labels, **images, n_neighbors=6, ax=ax)
    assert display.axes_.shape == (4, 7)
    distance = (codes[0][:, None] != codes[1]).sum(axis=2)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :6]
    np.testing.assert_array_equal(drawn(display), np.column_stack([range(100, 104), nearest]))
    for row, column in np.ndindex(4, 6):
        small, item = display.axes_[row, column + 1], nearest[row, column]
        right = labels[0][row] == labels[1][item]
        assert small.get_title() == f"{distance[row, item]} {'✓' if right else '✗'}"
        for side in small.spines.values():
            assert side.get_edgecolor() == to_rgba("#009E73" if right else "#D55E00")
            assert (side.get_linestyle() == "solid" or side.get_linestyle() == "-") == right
    assert list(titles(display)[:, 0]) == labels[0].astype(str).tolist()
    assert not ax.axison


def test_without_labels_no_frames(search, ax):
    codes, _, images = search
    display = RetrievedImagesDisplay.from_predictions(*codes, **images, n_neighbors=2, ax=ax)
    assert display.correct is None
    assert display.query_titles is None
    assert display.axes_[0, 1].spines["left"].get_edgecolor() == to_rgba("black")
    assert titles(display)[0, 1] == str(display.distances[0, 0])


def test_multi_hot_labels_are_right_if_one_is_shared(search, ax):
    codes, _, images = search
    rng = np.random.default_rng(1)
    query, items = rng.integers(0, 2, (4, 3)), rng.integers(0, 2, (20, 3))
    display = RetrievedImagesDisplay.from_predictions(*codes, query, items, **images, n_neighbors=20, ax=ax)
    found = drawn(display)[:, 1:].astype(int)
    for row, column in np.ndindex(found.shape):
        assert display.correct[row, column] == (query[row] @ items[found[row, column]] > 0)


def test_rows_choose_the_queries(search, ax):
    codes, labels, images = search
    display = RetrievedImagesDisplay.from_predictions(*codes, *labels, **images, rows=[2, 0], n_neighbors=3, ax=ax)
    assert drawn(display)[:, 0].tolist() == [102, 100]
    assert titles(display)[:, 0].tolist() == labels[0][[2, 0]].astype(str).tolist()
    for rows in ([], [4], [-1], [0.5], [[0]]):
        with pytest.raises(ValueError, match="rows must be a non-empty list of integers from 0 to 3"):
            RetrievedImagesDisplay.from_predictions(*codes, *labels, **images, rows=rows, ax=ax)


@pytest.mark.parametrize("n_neighbors", [1, 3, 5, 100])
def test_a_query_does_not_find_itself_but_its_copies(ax, n_neighbors):
    codes, images = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [1, 1], [0, 1]]), pictures(6, 3, 3)
    display = RetrievedImagesDisplay.from_predictions(
        *(codes, codes),
        query_images=images,
        database_images=images,
        rows=range(6),
        n_neighbors=n_neighbors,
        exclude_self=True,
        ax=ax,
    )
    distance = (codes[:, None] != codes).sum(axis=2)
    np.fill_diagonal(distance, 9)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, : min(n_neighbors, 5)]
    np.testing.assert_array_equal(drawn(display)[:, 1:], nearest)


@pytest.mark.parametrize(
    ("dtype", "values", "limits"),
    [
        (np.uint8, (3, 16), (0, 255)),
        (float, (0.2, 0.9), (0, 1)),
        (np.float32, (-2.0, 3.0), (-2, 3)),
        (int, (0, 16), (0, 16)),
    ],
)
def test_gray_images_share_one_scale(ax, dtype, values, limits):
    images = np.full((2, 4, 4), values[0], dtype)
    images[1] = values[1]
    make = RetrievedImagesDisplay.from_predictions
    display = make([[0]], [[0], [1]], query_images=images[:1], database_images=images, ax=ax)
    assert {image.get_clim() for image in display.images_.flat} == {limits}
    inverted = make([[0]], [[0], [1]], query_images=images[:1], database_images=images, ax=ax, cmap="gray_r")
    assert inverted.images_[0, 0].get_cmap().name == "gray_r"


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [(np.uint8, (0, 200), (0, 200)), (float, (0.25, 0.5), (0.25, 0.5)), (float, (-1.0, 3.0), (0, 1))],
)
def test_color_images_are_shown_as_they_are_or_scaled(ax, dtype, values, expected, first):
    images = np.full((2, 4, 5, 3), values[0], dtype)
    images[1] = values[1]
    given = np.moveaxis(images, -1, 1) if first else images
    display = RetrievedImagesDisplay.from_predictions(
        [[0]], [[0], [1]], query_images=given[:1], database_images=given, ax=ax
    )
    assert display.images_[0, 0].get_array().shape == (4, 5, 3)
    assert drawn(display).tolist() == [[expected[0], *expected]]


def test_one_channel_is_gray_and_tensors_and_pil_images_are_images(ax):
    torch = pytest.importorskip("torch")
    image = pytest.importorskip("PIL.Image")
    gray = pictures(2, 5, 6)
    for given in (gray[:, None], gray[..., None], torch.from_numpy(gray), [image.fromarray(each) for each in gray]):
        display = RetrievedImagesDisplay.from_predictions(
            [[0], [1]], [[0], [1]], query_images=given, database_images=given, ax=ax
        )
        np.testing.assert_array_equal(display.query_images, gray)


def test_channels_are_first_in_tensors_and_last_in_arrays_where_both_could_be(ax):
    torch = pytest.importorskip("torch")
    images = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    for given, expected in ((images, images), (torch.from_numpy(images), images.transpose(0, 2, 3, 1))):
        display = RetrievedImagesDisplay.from_predictions(
            [[0], [1]], [[0], [1]], query_images=given, database_images=given, ax=ax
        )
        np.testing.assert_array_equal(display.query_images, expected)


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (np.zeros((2, 16)), r"query_images must be numbers of shape .* got shape \(2, 16\)"),
        (np.zeros((2, 5, 6, 2)), r"1, 3 or 4 channels; got shape \(2, 5, 6, 2\)"),
        (np.array([["a"]]), "query_images must be numbers"),
        (np.zeros((3, 4, 4)), "query_images has 3 images, but there are 2 codes"),
    ],
)
def test_bad_images(ax, images, match):
    with pytest.raises(ValueError, match=match):
        RetrievedImagesDisplay.from_predictions(
            [[0], [1]], [[0], [1]], query_images=images, database_images=np.zeros((2, 4, 4)), ax=ax
        )


def test_bad_searches(ax):
    images = {"query_images": np.zeros((1, 4, 4)), "database_images": np.zeros((1, 4, 4)), "ax": ax}
    make = RetrievedImagesDisplay.from_predictions
    with pytest.raises(ValueError, match="must have the same number of bits, got 1 and 2"):
        make([[0]], [[0, 1]], **images)
    with pytest.raises(ValueError, match="exclude_self=True requires a database of at least two rows, got 1"):
        make([[0]], [[0]], **images, exclude_self=True)
    with pytest.raises(ValueError, match="exclude_self=True requires query_codes and database_codes to be equal"):
        make([[0]], [[1], [0]], **{**images, "database_images": np.zeros((2, 4, 4))}, exclude_self=True)
    with pytest.raises(
        ValueError, match=r"must have the same shape except for the first axis, got \(4, 4\) and \(4, 5\)"
    ):
        make([[0]], [[0]], **{**images, "database_images": np.zeros((1, 4, 5))})
    with pytest.raises(ValueError, match="query_labels and database_labels must both be passed or both be None"):
        make([[0]], [[0]], [1], **images)
    with pytest.raises(ValueError, match="n_neighbors == 0, must be >= 1"):
        make([[0]], [[0]], **images, n_neighbors=0)


def test_an_index_has_no_images(digits, ax):
    codes = LSHHasher(bits=8, random_state=0).fit_transform(digits.X[:50])
    index = HammingIndex().fit(codes, digits.y[:50])
    make = RetrievedImagesDisplay.from_estimator
    with pytest.raises(ValueError, match="database_images is required: the index stores codes, not images"):
        make(index, codes[:5], digits.y[:5], images=digits.images[:5], ax=ax)
    display = make(
        *(index, codes[:5], digits.y[:5]), images=digits.images[:5], database_images=digits.images[:50], ax=ax
    )
    np.testing.assert_array_equal(display.neighbor_images, digits.images[index.kneighbors(codes[:5], 10)[1]])


def test_images_are_what_the_hasher_takes_unless_given(digits, ax):
    class Flat(LSHHasher):
        """Takes images."""

        def _validate(self, X, **options):
            return super()._validate(np.reshape(X, (len(X), -1)), **options)

    hasher = Flat(bits=64, random_state=0).fit(digits.images)
    X = digits.images[:30]
    alone = RetrievedImagesDisplay.from_estimator(hasher, X, ax=ax, n_neighbors=3)
    np.testing.assert_array_equal(alone.query_images, X[:5])
    both = RetrievedImagesDisplay.from_estimator(hasher, X[:5], X_database=X, ax=ax, n_neighbors=3)
    np.testing.assert_array_equal(both.neighbor_images[:, 0], X[:5])  # no two of these have one code of 64 bits
