import warnings

import numpy as np
import pytest

from skhash.datasets import LeakageWarning, check_leakage, load_imagenet100


def one_hot(label):
    return [int(column == label) for column in range(100)]


def made_up():
    """Lists of 5 queries, 30 training images and a database of 40."""
    image = "image/n{:08}.JPEG".format
    database = [(image(i), one_hot(7 * i % 100)) for i in range(40)]
    queries = [(f"val_image/{i}.JPEG", one_hot(20 * i)) for i in range(5)]
    return {"test": queries, "train": database[35:4:-1], "database": database}


@pytest.mark.parametrize("sub_folder", ["", "imagenet100", "imagenet"])
def test_lists(home, write_lists, sub_folder):
    lists = made_up()
    write_lists(home / sub_folder, lists)
    data = load_imagenet100(data_home=home)
    assert data.source == str(home / sub_folder)
    assert data.filenames.tolist() == [f"{home / sub_folder}/{n}" for n, _ in lists["test"] + lists["database"]]
    np.testing.assert_array_equal(data.target, [*range(0, 100, 20), *(7 * i % 100 for i in range(40))])
    assert data.target.dtype == np.int64
    np.testing.assert_array_equal(data.split.query, np.arange(5))
    np.testing.assert_array_equal(data.split.database, np.arange(5, 45))
    np.testing.assert_array_equal(data.split.train, np.arange(40, 9, -1))
    assert repr(data.split) == "RetrievalSplit(protocol='imagenet100', query=5, train=31, database=40, R=1000)"
    assert data.DESCR.startswith("ImageNet100")
    assert check_leakage(data.filenames, data.split).shape == (0, 2)


def test_class_numbers_and_image_folder(home, write_lists):
    lists = made_up()
    write_lists(home, {part: [(n, [c.index(1)]) for n, c in entries] for part, entries in lists.items()})
    data = load_imagenet100(data_home=str(home), image_folder="/data/imagenet")
    np.testing.assert_array_equal(data.target[:5], range(0, 100, 20))
    X, y = data.split.take("query", data.filenames, data.target)
    assert X[1] == "/data/imagenet/val_image/1.JPEG"
    assert y[1] == 20


def test_queries_in_other_lists(home, write_lists):
    lists = made_up()
    lists["database"] += lists["test"][1:4]
    lists["train"] += lists["test"][3:]
    write_lists(home, lists)
    message = (
        r"4 rows of .* are identical to a query \(4 distinct of 5 queries\): row 45 = query 1 \('val_image/1.JPEG'\), "
        r".*, \.\.\.\. .* use duplicates='drop' to leave them out"
    )
    with pytest.warns(LeakageWarning, match=message) as caught:
        warned = load_imagenet100(data_home=home)
    assert caught[0].filename == __file__
    assert (len(warned.split.train), len(warned.split.database)) == (33, 43)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ignored = load_imagenet100(data_home=home, duplicates="ignore").split
        dropped = load_imagenet100(data_home=home, duplicates="drop").split
    np.testing.assert_array_equal(ignored.database, warned.split.database)
    np.testing.assert_array_equal(dropped.query, np.arange(5))
    np.testing.assert_array_equal(dropped.database, np.arange(5, 45))
    np.testing.assert_array_equal(dropped.train, np.arange(40, 9, -1))
    assert dropped.protocol == "imagenet100, 4 copies of queries dropped"


@pytest.mark.parametrize(("columns", "n"), [([0] * 100, 0), ([1, 1] + [0] * 98, 2)])
def test_one_class_each(home, write_lists, columns, n):
    lists = made_up()
    write_lists(home, lists | {"train": [("x.JPEG", columns)]})
    with pytest.raises(ValueError, match=rf"x.JPEG has {n} classes in the lists of .*; expected 1"):
        load_imagenet100(data_home=home)


def test_nowhere(home):
    with pytest.raises(FileNotFoundError) as caught:
        load_imagenet100(data_home=home)
    assert str(caught.value) == (
        f"ImageNet100 was not found. Searched\n  {home} (data_home)\n  {home.parent / 'xdg' / 'skhash'} (cache)\n"
        "and their sub-folders imagenet100, imagenet, ImageNet100, for the image lists train.txt, test.txt and "
        "database.txt.\nIt is not downloaded: the lists are in the repositories thuml/HashNet and "
        "swuxyj/DeepHash-pytorch, ImageNet provides the images to users who accept its terms.\n"
        "Pass the folder that holds the files as data_home= or in the environment variable SKHASH_DATA."
    )


def test_bad_option(home):
    with pytest.raises(ValueError, match="The 'duplicates' parameter of load_imagenet100"):
        load_imagenet100(data_home=home, duplicates="keep")
