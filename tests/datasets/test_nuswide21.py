import warnings

import numpy as np
import pytest

from skhash.datasets import LeakageWarning, load_nuswide21, retrieval_split

N_IMAGES = 400


@pytest.fixture
def original(home):
    """The original files of a small NUS-WIDE: 81 concepts; those with an even number are rare."""
    rng = np.random.RandomState(0)
    labels = rng.uniform(size=(N_IMAGES, 81)) < np.where(np.arange(81) % 2 == 1, 0.03, 0.005)
    labels[:, 1:42:2] |= rng.uniform(size=(N_IMAGES, 21)) < 0.06
    labels[5] = False
    folder = home / "NUS-WIDE"
    (folder / "Groundtruth" / "AllLabels").mkdir(parents=True)
    (folder / "ImageList").mkdir()
    for concept, column in enumerate(labels.T):
        lines = "".join(f"{int(value)}\n" for value in column)
        (folder / "Groundtruth" / "AllLabels" / f"Labels_c{concept:02}.txt").write_text(lines)
    names = [f"folder{i % 3}\\{i:04}.jpg" for i in range(N_IMAGES)]
    (folder / "ImageList" / "Imagelist.txt").write_bytes("\r\n".join(names).encode())
    return folder, labels


def test_original_files(home, original):
    folder, labels = original
    order = sorted(range(81), key=lambda concept: (-labels[:, concept].sum(), concept))
    kept = sorted(order[:21])
    rows = [row for row in range(N_IMAGES) if labels[row, kept].any()]
    data = load_nuswide21(data_home=home, n_query=2, n_train=4, random_state=3)
    assert data.target_names == [f"c{concept:02}" for concept in kept]
    assert 0 < len(rows) < N_IMAGES
    np.testing.assert_array_equal(data.target, labels[np.ix_(rows, kept)])
    assert data.target.dtype == np.uint8
    assert data.filenames.tolist() == [f"{folder}/Flickr/folder{row % 3}/{row:04}.jpg" for row in rows]
    split = data.split
    assert (len(split.query), len(split.train), len(split.database)) == (42, 84, len(rows) - 42)
    assert set(split.train) <= set(split.database)
    assert not set(split.query) & set(split.database)
    assert (split.protocol, split.R, split.random_state) == ("nuswide21, n_query=2, n_train=4", 5000, 3)
    assert data.DESCR.endswith("Read from\nthe original files.")
    assert data.source == str(folder)
    drawn = retrieval_split(data.filenames, data.target, protocol="nuswide21", n_query=2, n_train=4, random_state=3)
    np.testing.assert_array_equal(drawn.query, split.query)


def test_the_protocol_s_counts_are_the_default(home, original):
    with pytest.raises(ValueError, match=r"Label \d+ has \d+ samples, of which \d+ could be drawn .* needs 500 there"):
        load_nuswide21(data_home=home, random_state=0)


def test_image_folder(home, original):
    data = load_nuswide21(data_home=home, image_folder="/photos", n_query=1, n_train=1)
    assert data.filenames[0].startswith("/photos/folder")


def test_names_that_are_there_twice(home, original):
    folder, _ = original
    clean = load_nuswide21(data_home=home, n_query=2, n_train=4, random_state=3)
    path = folder / "ImageList" / "Imagelist.txt"
    query = clean.filenames[clean.split.query[0]].removeprefix(f"{folder}/Flickr/").replace("/", "\\")
    other = clean.filenames[np.setdiff1d(clean.split.database, clean.split.train)[0]]
    other = other.removeprefix(f"{folder}/Flickr/").replace("/", "\\")
    path.write_text("\n".join(query if line == other else line for line in path.read_text().splitlines()))
    options = {"data_home": home, "n_query": 2, "n_train": 4, "random_state": 3}
    with pytest.warns(LeakageWarning, match=r"1 rows .* \(1 distinct of 42 queries\)") as caught:
        load_nuswide21(**options)
    assert caught[0].filename == __file__
    dropped = load_nuswide21(**options, duplicates="drop")
    assert len(dropped.split.database) == len(clean.split.database) - 1


def columns(*labels):
    return [int(column in labels) for column in range(21)]


@pytest.mark.parametrize("sub_folder", ["", "nuswide21", "nus_wide"])
def test_lists(home, write_lists, sub_folder):
    database = [(f"images/{i}.jpg", columns(i % 21, 3 * i % 21)) for i in range(30)]
    queries = [("images/q.jpg", columns(0, 20)), ("images/r.jpg", columns(4))]
    write_lists(home / sub_folder, {"test": queries, "database": database, "train": database[2:12]})
    data = load_nuswide21(data_home=home)
    assert repr(data.split) == "RetrievalSplit(protocol='nuswide21', query=2, train=10, database=30, R=5000)"
    assert data.target.tolist() == [labels for _, labels in queries + database]
    assert data.filenames[0] == f"{home / sub_folder}/images/q.jpg"
    assert data.target_names is None
    assert data.DESCR.endswith("Read from\nimage lists.")
    write_lists(home / sub_folder, {"test": [("x", [1])]})
    with pytest.raises(ValueError, match=r"test.txt, line 1: expected a name, then 21 columns of 0 or 1; got 'x 1'"):
        load_nuswide21(data_home=home)


def test_queries_in_the_database_list(home, write_lists):
    database = [(f"{i}.jpg", columns(i % 21)) for i in range(30)]
    write_lists(home, {"test": database[:3], "database": database, "train": database[2:12]})
    with pytest.warns(LeakageWarning, match=r"3 rows .* \(3 distinct of 3 queries\): row 3 = query 0 \('0.jpg'\)"):
        load_nuswide21(data_home=home)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_nuswide21(data_home=home, duplicates="drop")
    assert (len(data.split.query), len(data.split.train), len(data.split.database)) == (3, 9, 27)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "AllLabels holds 80 files Labels_.*; expected 81"),
        (
            lambda path: path.write_text("0\n" * 399),
            r"Labels_c07.txt holds 399 lines; expected 400, the number of lines of Imagelist",
        ),
        (lambda path: path.write_text("0\n" * 401), "Labels_c07.txt holds 401 lines; expected 400"),
        (lambda path: path.write_text("0\n" * 399 + "2\n"), "Labels_c07.txt, line 400: expected 0 or 1, got '2'"),
        (lambda path: path.write_text("0\n\n" + "1\n" * 398), "Labels_c07.txt, line 2: expected 0 or 1, got ''"),
        (lambda path: (path.parents[2] / "ImageList" / "Imagelist.txt").unlink(), "Imagelist.txt is missing"),
    ],
)
def test_damaged_original_files(home, original, damage, message):
    damage(original[0] / "Groundtruth" / "AllLabels" / "Labels_c07.txt")
    with pytest.raises(ValueError, match=message):
        load_nuswide21(data_home=home, n_query=1, n_train=1)


def test_nowhere(home):
    with pytest.raises(FileNotFoundError, match=r"NUS-WIDE was not found(.|\n)*Imagelist.txt(.|\n)*links are dead"):
        load_nuswide21(data_home=home)
