import numpy as np
import pytest

from skhash.datasets import LeakageWarning, load_gldv2
from skhash.metrics import gldv2_map

INDEX = [f"{i:016x}" for i in (0x0123456789ABCDEF, 7, 0xFEDCBA9876543210, 3, 4, 5)]
SOLUTION = [
    ("aaa0000000000001", f"{INDEX[3]} {INDEX[0]}", "Public"),
    ("bbb0000000000002", "None", "Ignored"),
    ("ccc0000000000003", f"{INDEX[5]}", "Private"),
    ("ddd0000000000004", f"{INDEX[1]} {INDEX[2]} {INDEX[4]} {INDEX[2]}", "Private"),
]
TRAIN = [("17", "1110000000000001 2220000000000002"), ("203094", "3330000000000003")]


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")


@pytest.fixture
def files(home):
    """The three lists, in their usual sub-folders."""
    folder = home / "gldv2"
    write(folder / "ground_truth" / "retrieval_solution_v2.1.csv", "id,images,Usage", SOLUTION)
    write(folder / "metadata" / "index.csv", "id", [(image,) for image in INDEX])
    write(folder / "metadata" / "train_clean.csv", "landmark_id,images", TRAIN)
    return folder


def test_all(home, files):
    data = load_gldv2(data_home=home)
    assert data.query_ids == ["aaa0000000000001", "ccc0000000000003", "ddd0000000000004"]
    assert data.index_ids == INDEX
    assert [rows.tolist() for rows in data.ground_truth] == [[0, 3], [5], [1, 2, 4]]
    assert {rows.dtype for rows in data.ground_truth} == {np.dtype(np.int64)}
    assert repr(data.split) == "RetrievalSplit(protocol='gldv2', query=3, train=3, database=6, R=100)"
    assert data.split.take("query", data.filenames).tolist() == [
        f"{files}/test/a/a/a/aaa0000000000001.jpg",
        f"{files}/test/c/c/c/ccc0000000000003.jpg",
        f"{files}/test/d/d/d/ddd0000000000004.jpg",
    ]
    assert data.split.take("database", data.filenames)[0] == f"{files}/index/0/1/2/0123456789abcdef.jpg"
    X_train, y_train = data.split.take("train", data.filenames, data.target)
    assert X_train[2] == f"{files}/train/3/3/3/3330000000000003.jpg"
    assert y_train.tolist() == [17, 17, 203094]
    assert data.target.tolist() == [-1] * 9 + [17, 17, 203094]
    assert data.source == str(files)
    assert "public and private queries" in data.DESCR


@pytest.mark.parametrize(("usage", "queries"), [("public", [0]), ("private", [2, 3])])
def test_usage(home, files, usage, queries):
    data = load_gldv2(data_home=home, usage=usage)
    assert data.query_ids == [SOLUTION[q][0] for q in queries]
    assert len(data.ground_truth) == len(queries)
    assert data.split.protocol == f"gldv2, {usage} queries"


def test_without_training_images_and_in_one_folder(home):
    write(home / "retrieval_solution_v2.1.csv", "id,images,Usage", SOLUTION)
    write(home / "index.csv", "id", [(image,) for image in INDEX])
    data = load_gldv2(data_home=home, image_folder="/photos", train=False)
    assert repr(data.split) == "RetrievalSplit(protocol='gldv2', query=3, train=0, database=6, R=100)"
    assert data.filenames[3] == "/photos/index/0/1/2/0123456789abcdef.jpg"
    with pytest.raises(
        ValueError, match=r"train_clean.csv is missing in .* and in its sub-folders metadata, .*; use train=False"
    ):
        load_gldv2(data_home=home)


def test_the_metric_takes_the_ground_truth(home, files):
    data = load_gldv2(data_home=home, train=False)
    queries = np.eye(3, 8, dtype=np.uint8)
    database = np.zeros((6, 8), dtype=np.uint8)
    for q, rows in enumerate(data.ground_truth):
        database[rows] = queries[q]
    assert float(gldv2_map(queries, database, data.ground_truth)) == 1.0


def test_queries_in_the_index(home, files):
    solution = [*SOLUTION, (INDEX[2], INDEX[0], "Public"), (TRAIN[1][1], INDEX[0], "Public")]
    write(files / "ground_truth" / "retrieval_solution_v2.1.csv", "id,images,Usage", solution)
    message = (
        r"2 rows .* \(2 distinct of 5 queries\): row 7 = query 3 \('fedcba9876543210'\).*the ground truth refers to"
    )
    with pytest.warns(LeakageWarning, match=message) as caught:
        data = load_gldv2(data_home=home)
    assert caught[0].filename == __file__
    assert (len(data.split.query), len(data.split.database)) == (5, 6)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("eee0", "ffffffffffffffff", "Public"),
            "line 6: the query eee0 has 1 images that are not in index.csv, such as 'f",
        ),
        (("eee0", "", "Private"), "line 6: the query eee0 has no images"),
        (("eee0", INDEX[0], "Secret"), "line 6: Usage is 'Secret'; expected Public, Private or Ignored"),
        ((SOLUTION[0][0], INDEX[0], "Public"), "line 6: the query aaa0000000000001 is repeated"),
        (("eee0", INDEX[0]), "line 6: expected 3 fields, got 2"),
        (("e", INDEX[0], "Public"), "line 6: 'e' is not an image id"),
        (("../../x", INDEX[0], "Public"), "line 6: '../../x' is not an image id"),
    ],
)
def test_damaged_solution(home, files, row, message):
    write(files / "ground_truth" / "retrieval_solution_v2.1.csv", "id,images,Usage", [*SOLUTION, row])
    with pytest.raises(ValueError, match=rf"retrieval_solution_v2.1.csv, {message}"):
        load_gldv2(data_home=home)


@pytest.mark.parametrize(
    ("name", "header", "rows", "message"),
    [
        ("metadata/index.csv", "id", [(INDEX[0],)] + [(image,) for image in INDEX], "index.csv holds 1 repeated ids"),
        ("metadata/index.csv", "image", [(INDEX[0],)], r"index.csv has the columns \['image'\]; expected \['id'\]"),
        ("metadata/index.csv", "id", [("a b",)], "index.csv, line 2: 'a b' is not an image id"),
        (
            "metadata/train_clean.csv",
            "landmark_id,images",
            [("x", "abc")],
            "train_clean.csv, line 2: landmark_id is 'x'",
        ),
        (
            "metadata/train_clean.csv",
            "landmark_id,images",
            [("1", "abc d")],
            "train_clean.csv, line 2: 'd' is not an image id",
        ),
        (
            "ground_truth/retrieval_solution_v2.1.csv",
            "id,images,Usage",
            [],
            "holds no queries with Usage Public or Private",
        ),
    ],
)
def test_damaged_lists(home, files, name, header, rows, message):
    write(files / name, header, rows)
    with pytest.raises(ValueError, match=message):
        load_gldv2(data_home=home)


def test_nowhere(home):
    with pytest.raises(FileNotFoundError, match=r"Google Landmarks v2 was not found(.|\n)*retrieval_solution_v2.1.csv"):
        load_gldv2(data_home=home)
