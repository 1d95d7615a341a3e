import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from skhash.datasets import LeakageWarning, RetrievalProtocol, RetrievalSplit, retrieval_split

PARTS = ("query", "train", "database", "validation")


def labels_of(n_classes, per_class):
    """Interleaved labels: 0, 1, 2, 0, 1, 2, ..."""
    return np.tile(np.arange(n_classes), per_class)


@pytest.mark.parametrize(
    ("protocol", "n_query", "n_train", "n_database", "n_validation", "shared"),
    [
        ("lbhash", 1000, 5000, 54000, 0, 0),
        ("cifar10-1", 1000, 5000, 59000, 0, 5000),
        ("sdc", 1000, 5000, 59000, 0, 5000),
        ("bihalf-2", 1000, 5000, 59000, 0, 5000),
        ("cifar10-2", 10000, 50000, 50000, 0, 50000),
        ("cibhash", 5000, 5000, 50000, 5000, 5000),
        ("modfire", 1000, 10000, 59000, 0, 10000),
    ],
)
def test_counts_on_cifar10(protocol, n_query, n_train, n_database, n_validation, shared):
    y = labels_of(10, 6000)
    is_test = np.arange(60000) >= 50000
    split = retrieval_split(range(60000), y, protocol=protocol, is_test=is_test, random_state=0)
    sizes = [len(getattr(split, part)) for part in PARTS]
    assert sizes == [n_query, n_train, n_database, n_validation]
    assert len(np.intersect1d(split.train, split.database)) == shared
    for part in PARTS:
        assert len(set(np.bincount(y[getattr(split, part)], minlength=10))) == 1
    assert split.protocol == protocol


def test_counts_on_cifar100():
    split = retrieval_split(range(60000), labels_of(100, 600), protocol="odh-cifar100", random_state=0)
    assert [len(getattr(split, part)) for part in PARTS] == [5000, 10000, 55000, 0]
    assert split.R == 500


@pytest.mark.parametrize(("protocol", "n_train"), [("imagenet100", 13000), ("imagenet100-lbhash", 10000)])
def test_counts_on_imagenet100(protocol, n_train):
    y, is_test = labels_of(100, 1335), np.arange(133500) < 5000
    split = retrieval_split(range(133500), y, protocol=protocol, is_test=is_test, random_state=0)
    assert [len(getattr(split, part)) for part in PARTS] == [5000, n_train, 128500, 0]
    np.testing.assert_array_equal(split.query, np.arange(5000))
    assert set(np.bincount(y[split.train])) == {n_train // 100}
    assert np.isin(split.train, split.database).all()
    assert split.R == 1000


def test_counts_on_nuswide21():
    y = np.random.RandomState(0).uniform(size=(20000, 21)) < 0.1
    split = retrieval_split(range(20000), y.astype(int), protocol="nuswide21", random_state=0)
    assert [len(getattr(split, part)) for part in PARTS] == [2100, 10500, 17900, 0]
    assert np.isin(split.train, split.database).all()
    np.testing.assert_array_equal(split.database, np.setdiff1d(np.arange(20000), split.query))
    assert (y[split.query].sum(axis=0) >= 100).all()
    assert (y[split.train].sum(axis=0) >= 500).all()
    assert split.R == 5000


@pytest.mark.parametrize("y", [labels_of(3, 6000), np.eye(3, dtype=int)[labels_of(3, 6000)]])
def test_counts_on_mscoco(y):
    split = retrieval_split(range(18000), y, protocol="mscoco", random_state=0)
    assert [len(getattr(split, part)) for part in PARTS] == [5000, 10000, 13000, 0]
    assert np.isin(split.train, split.database).all()
    np.testing.assert_array_equal(split.database, np.setdiff1d(np.arange(18000), split.query))
    assert split.R == 5000


def test_the_whole_data_set_is_too_small():
    message = "The data set has 14999 samples, but protocol 'mscoco' needs at least 15000 (n_query=5000, "
    with pytest.raises(ValueError, match=re.escape(message)):
        retrieval_split(range(14999), labels_of(1, 14999), protocol="mscoco")


def test_an_empty_database():
    plan = RetrievalProtocol("all gone", 1, 1, train_in_database=False, per="label")
    with pytest.raises(ValueError, match="Protocol 'all gone' leaves the database empty"):
        retrieval_split(range(4), np.eye(2, dtype=int)[[0, 1, 0, 1]], protocol=plan)


def test_labels_with_the_test_part_as_queries():
    y = np.random.RandomState(0).randint(0, 2, (40, 3))
    is_test = np.arange(40) % 4 == 0
    split = retrieval_split(range(40), y, protocol="nuswide21", n_query="test", n_train=2, is_test=is_test)
    np.testing.assert_array_equal(split.query, np.flatnonzero(is_test))
    np.testing.assert_array_equal(split.database, np.flatnonzero(~is_test))
    assert len(split.train) == 6
    assert np.isin(split.train, split.database).all()
    every = retrieval_split(range(40), y, protocol="nuswide21", n_query=2, n_train="all", random_state=0)
    assert (len(every.query), len(every.train), len(every.database)) == (6, 34, 34)


def test_counts_on_fashion_mnist():
    split = retrieval_split(range(70000), labels_of(10, 7000), random_state=0)
    assert [len(getattr(split, part)) for part in PARTS] == [1000, 5000, 69000, 0]
    assert split.R is None


@given(
    sizes=st.lists(st.integers(8, 15), min_size=2, max_size=4),
    n_query=st.integers(1, 3),
    n_train=st.one_of(st.integers(1, 3), st.just("all")),
    n_validation=st.integers(0, 1),
    train_in_database=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_every_split_has(sizes, n_query, n_train, n_validation, train_in_database, seed):
    train_in_database = train_in_database or n_train == "all"
    y = np.random.RandomState(0).permutation(np.repeat([f"class {c}" for c in range(len(sizes))], sizes))
    options = {
        "n_query": n_query,
        "n_train": n_train,
        "n_validation": n_validation,
        "train_in_database": train_in_database,
        "random_state": seed,
    }
    split = retrieval_split(np.arange(len(y)), y, **options)
    for part in PARTS:
        rows = getattr(split, part)
        assert rows.dtype == np.int64
        np.testing.assert_array_equal(rows, np.unique(rows))  # ascending, none twice
        np.testing.assert_array_equal(rows, getattr(retrieval_split(np.arange(len(y)), y, **options), part))
    query, train, database, validation = (set(getattr(split, part).tolist()) for part in PARTS)
    assert not query & (train | database | validation)
    assert not validation & (train | database)
    assert query | train | database | validation == set(range(len(y)))
    assert train <= database if train_in_database else not train & database
    for c, size in enumerate(sizes):
        counts = [int((y[list(rows)] == f"class {c}").sum()) for rows in (query, train, validation)]
        rest = size - n_query - n_validation
        assert counts == [n_query, rest if n_train == "all" else n_train, n_validation]
    assert split.random_state == seed


def test_seeds_and_generators():
    y = labels_of(5, 40)
    first, second = (retrieval_split(range(200), y, n_query=5, n_train=5, random_state=seed) for seed in (0, 1))
    assert not np.array_equal(first.query, second.query)
    from_generator = retrieval_split(range(200), y, n_query=5, n_train=5, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(from_generator.query, first.query)
    assert from_generator.random_state is None


def test_draws_follow_the_rows_of_each_class_in_order():
    y = labels_of(3, 20)
    split = retrieval_split(range(60), y, n_query=4, n_train=5, random_state=7)
    rng = np.random.RandomState(7)
    shuffled = [rng.permutation(np.flatnonzero(y == c)) for c in range(3)]
    np.testing.assert_array_equal(split.query, np.sort(np.concatenate([rows[:4] for rows in shuffled])))
    np.testing.assert_array_equal(split.train, np.sort(np.concatenate([rows[4:9] for rows in shuffled])))


def test_picks_are_uniform():
    y = np.zeros(6, dtype=int)
    picks = [retrieval_split(range(6), y, n_query=1, n_train=1, random_state=s).query[0] for s in range(600)]
    assert np.bincount(picks, minlength=6).min() > 60


def test_protocols_that_share_counts_share_queries():
    y = labels_of(3, 700)
    first, second = (retrieval_split(range(2100), y, protocol=p, random_state=3) for p in ("lbhash", "sdc"))
    np.testing.assert_array_equal(first.query, second.query)
    np.testing.assert_array_equal(first.train, second.train)


def test_deviations_are_in_the_name():
    split = retrieval_split(range(40), labels_of(2, 20), protocol="sdc", n_query=3, n_train=4, random_state=0)
    assert repr(split) == "RetrievalSplit(protocol='sdc, n_query=3, n_train=4', query=6, train=8, database=34, R=1000)"
    same = retrieval_split(range(1400), labels_of(2, 700), protocol="sdc", n_query=100, train_in_database=True)
    assert same.protocol == "sdc"


def test_own_protocol():
    mine = RetrievalProtocol("mine", n_query=2, n_train=3, n_validation=1, R=7)
    split = retrieval_split(range(40), labels_of(2, 20), protocol=mine, random_state=0)
    expected = "RetrievalSplit(protocol='mine', query=4, train=6, database=34, validation=2, R=7)"
    assert repr(split) == expected


def test_standard_test_part_takes_any_labels():
    is_test = np.arange(12) % 3 == 0
    multi_hot = np.eye(3, dtype=int)[labels_of(3, 4)] | np.eye(3, dtype=int)[labels_of(3, 4)[::-1]]
    for y in (labels_of(3, 4), multi_hot):
        split = retrieval_split(range(12), y, protocol="cifar10-2", is_test=is_test.tolist())
        np.testing.assert_array_equal(split.query, [0, 3, 6, 9])
        np.testing.assert_array_equal(split.database, np.flatnonzero(~is_test))
        np.testing.assert_array_equal(split.train, split.database)


def test_standard_test_part_with_a_drawn_training_set():
    y, is_test = labels_of(2, 10), np.arange(20) < 6
    split = retrieval_split(range(20), y, protocol="cifar10-2", is_test=is_test, n_train=3, random_state=0)
    np.testing.assert_array_equal(split.query, np.arange(6))
    np.testing.assert_array_equal(np.bincount(y[split.train]), [3, 3])
    np.testing.assert_array_equal(split.database, np.arange(6, 20))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Class 'b' has 8 samples .and 1 more classes have too few., but protocol 'cifar10-1' needs at least 600"),
        ({"n_query": 4, "n_train": 5}, "Class 'b' has 8 samples, but protocol 'cifar10-1, n_query=4, n_train=5' needs"),
        (
            {"n_query": 4, "n_train": 4, "train_in_database": False},
            "needs at least 9 of each class .n_query=4, n_validation=0, n_train=4, train_in_database=False",
        ),
        ({"n_query": 8, "n_train": "all"}, "needs at least 9 of each class"),
        ({"n_query": 4, "n_train": 2, "n_validation": 3}, "needs at least 9 of each class"),
    ],
)
def test_small_classes_are_named(options, message):
    y = ["a"] * 9 + ["b"] * 8
    with pytest.raises(ValueError, match=message):
        retrieval_split(range(17), y, **options)


def test_the_least_that_will_do():
    y = ["a"] * 9 + ["b"] * 8
    split = retrieval_split(range(17), y, n_query=4, n_train=3, train_in_database=False, random_state=0)
    assert len(split.database) == 3
    assert len(retrieval_split(range(17), y, n_query=4, n_train=4, random_state=0).database) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "cifar"}, "The 'protocol' parameter of retrieval_split must be .*'lbhash'"),
        ({"n_query": 0}, "The 'n_query' parameter of retrieval_split must be an int in the range"),
        ({"duplicates": "keep"}, "The 'duplicates' parameter"),
        (
            {"n_query": 1, "n_train": "all", "train_in_database": False},
            "train_in_database must be True if n_train='all', got False",
        ),
        (
            {"protocol": "cifar10-2"},
            "is_test is required: protocol 'cifar10-2' uses the data set's own test part as queries",
        ),
        ({"protocol": "cifar10-2", "is_test": [1, 0] * 6}, r"must be a bool array of shape \(12,\), got dtype int64"),
        ({"protocol": "cifar10-2", "is_test": [True]}, r"got dtype bool and shape \(1,\)"),
        ({"protocol": "cifar10-2", "is_test": [False] * 12}, "is_test is True for 0 of 12 rows"),
        ({"protocol": "cifar10-2", "is_test": [True] * 12}, "is_test is True for 12 of 12 rows"),
        (
            {"protocol": "cifar10-2", "is_test": [True] * 4 + [False] * 8, "n_train": 3},
            "Class 2 has 2 samples outside is_test",
        ),
    ],
)
def test_bad_options(options, message):
    y = labels_of(3, 4) if options.get("n_train") != 3 else [0, 1, 2, 2] + [0, 0, 0, 1, 1, 1, 2, 2]
    with pytest.raises(ValueError, match=message):
        retrieval_split(range(12), y, **options)


def test_bad_labels():
    multi_hot = np.eye(3, dtype=int)[labels_of(3, 4)]
    with pytest.raises(ValueError, match="needs one label per sample, but y is a multi-hot matrix with 3 columns"):
        retrieval_split(range(12), multi_hot, n_query=1, n_train=1)
    with pytest.raises(ValueError, match="X has 11, y has 12"):
        retrieval_split(range(11), labels_of(3, 4), n_query=1, n_train=1)


def test_take_keeps_the_kind():
    split = RetrievalSplit(query=[0], train=[2, 1], database=[1, 2, 3])
    X = np.arange(8).reshape(4, 2)
    np.testing.assert_array_equal(split.take("train", X), X[[2, 1]])
    names = ["a", "b", "c", "d"]
    assert split.take("train", names) == ["c", "b"]
    assert split.take("database", tuple(names)) == ["b", "c", "d"]
    frame = pd.DataFrame({"x": [1, 2, 3, 4]}, index=[9, 8, 7, 6])
    pd.testing.assert_frame_equal(split.take("train", frame), frame.iloc[[2, 1]])
    assert split.take("train", pl.DataFrame({"x": [1, 2, 3, 4]}))["x"].to_list() == [3, 2]
    X_query, y_query, empty = *split.take("query", X, names), split.take("validation", X)
    assert (X_query.tolist(), y_query, empty.shape) == ([[0, 1]], ["a"], (0, 2))


def test_take_from_a_tensor():
    torch = pytest.importorskip("torch")
    split = RetrievalSplit(query=[0], train=[2, 1], database=[1, 2, 3])
    assert split.take("train", torch.arange(4)).tolist() == [2, 1]


def test_take_says_what_it_takes():
    split = RetrievalSplit(query=[0], train=[1], database=[1])
    with pytest.raises(ValueError, match=r"part must be one of \['query', 'train', 'database', 'validation'\]"):
        split.take("test", [1, 2])
    with pytest.raises(ValueError, match="take needs at least one collection, got none"):
        split.take("train")


@pytest.mark.parametrize("rows", [[True, False], [0.5], [[0, 1]]])
def test_parts_are_row_numbers(rows):
    with pytest.raises(ValueError, match="train must be a 1-D array of integer row numbers, got dtype"):
        RetrievalSplit(query=[0], train=rows, database=[1])


def test_duplicates_warn_drop_ignore():
    y = labels_of(2, 20)
    X = np.arange(80).reshape(40, 2)
    options = {"n_query": 3, "n_train": 4, "n_validation": 2, "random_state": 0}
    clean = retrieval_split(X, y, **options)
    X[clean.train[0]] = X[clean.validation[1]] = X[clean.query[2]]
    X[np.setdiff1d(clean.database, clean.train)[5]] = X[clean.query[4]]
    with pytest.warns(LeakageWarning, match=r"3 rows .* identical to a query \(2 distinct of 6 queries\)") as caught:
        warned = retrieval_split(X, y, **options)
    assert caught[0].filename == __file__
    dropped = retrieval_split(X, y, **options, duplicates="drop")
    ignored = retrieval_split(X, y, **options, duplicates="ignore")
    for part in PARTS:
        np.testing.assert_array_equal(getattr(warned, part), getattr(clean, part))
        np.testing.assert_array_equal(getattr(ignored, part), getattr(clean, part))
    assert [len(getattr(dropped, part)) for part in PARTS] == [6, 7, 28, 3]
    assert dropped.protocol == f"{clean.protocol}, 3 copies of queries dropped"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert retrieval_split(list(X), y, **options).protocol == clean.protocol


def test_digits_need_counts_of_their_own():
    X, y = load_digits(return_X_y=True)
    message = "Class 8 has 174 samples (and 9 more classes have too few), but protocol 'lbhash' needs at least 601"
    with pytest.raises(ValueError, match=re.escape(message)):
        retrieval_split(X, y, protocol="lbhash")
