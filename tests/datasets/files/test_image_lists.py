import numpy as np
import pytest

from skhash.datasets.files._image_lists import has_image_lists, join_image_folder, read_image_lists, refuse_counts

A, B, C = [1, 0, 0], [0, 1, 1], [0, 0, 0]


def test_rows_and_labels(home, write_lists):
    lists = {
        "test": [("q/1.jpg", A), ("q/2.jpg", B)],
        "database": [("d/1.jpg", B), ("d/2.jpg", C), ("d/3.jpg", A)],
        "train": [("d/3.jpg", A), ("t/1.jpg", B)],
    }
    write_lists(home, lists)
    assert has_image_lists(home)
    names, labels, split = read_image_lists(home, 3, "mscoco")
    assert names.tolist() == ["q/1.jpg", "q/2.jpg", "d/1.jpg", "d/2.jpg", "d/3.jpg", "t/1.jpg"]
    assert labels.tolist() == [A, B, B, C, A, B]
    assert labels.dtype == np.uint8
    for part, file in (("query", "test"), ("database", "database"), ("train", "train")):
        assert split.take(part, names.tolist()) == [name for name, _ in lists[file]]
    assert (split.protocol, split.R, split.random_state) == ("mscoco", 5000, None)


def test_a_query_in_other_lists_gets_a_row_of_its_own(home, write_lists):
    write_lists(home, {"test": [("x", A)], "database": [("x", A), ("y", B)], "train": [("x", A)]})
    names, _, split = read_image_lists(home, 3, "mscoco")
    assert names.tolist() == ["x", "x", "y"]
    assert [split.query.tolist(), split.database.tolist(), split.train.tolist()] == [[0], [1, 2], [1]]


def test_an_image_that_a_list_names_twice_is_there_twice(home, write_lists):
    write_lists(home, {"test": [("x", A), ("x", A)], "database": [("y", B), ("y", B)], "train": [("y", B)]})
    names, _, split = read_image_lists(home, 3, "mscoco")
    assert names.tolist() == ["x", "x", "y"]
    assert [split.query.tolist(), split.database.tolist(), split.train.tolist()] == [[0, 1], [2, 2], [2]]


def test_class_numbers(home, write_lists):
    write_lists(home, {"test": [("x", [2])], "database": [("y", [0])], "train": [("z", [0, 1, 0])]})
    _, labels, _ = read_image_lists(home, 3, "imagenet100", class_numbers=True)
    assert labels.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    "line",
    [
        "x 0 1",
        "x 0 1 0 1",
        "x 0 1 2",
        "x 0 1 -1",
        "x 0 10",
        "x 0 1 0.0",
        "x 010",
        "x",
        "0 1 0",
        "a name 0 1 0",
        "x 3",
        "",
    ],
)
def test_bad_lines(home, write_lists, line):
    write_lists(home, {"test": [("x", A)], "database": [("y", A)], "train": [("y", A)]})
    (home / "train.txt").write_text(f"y 1 0 0\n{line}\nz 1 0 0\n")
    for class_numbers in (False, True):
        with pytest.raises(ValueError, match=r"train.txt, line 2: expected a name, then 3 columns of 0 or 1.*; got"):
            read_image_lists(home, 3, "mscoco", class_numbers=class_numbers)


def test_a_class_number_is_no_label_of_several(home, write_lists):
    write_lists(home, {"test": [("x", [2])], "database": [("y", A)], "train": [("y", A)]})
    with pytest.raises(ValueError, match=r"test.txt, line 1: expected a name, then 3 columns of 0 or 1; got 'x 2'"):
        read_image_lists(home, 3, "mscoco")


def test_long_lines_are_shortened(home, write_lists):
    write_lists(home, {"test": [("x", [0] * 100)], "database": [("y", A)], "train": [("y", A)]})
    with pytest.raises(ValueError, match=r"got 'x 0 0 [0 ]+ \.\.\. [0 ]+ \(100 columns\)'"):
        read_image_lists(home, 3, "mscoco")


def test_bad_lists(home, write_lists):
    write_lists(home, {"test": [("x", A)], "database": [("y", A), ("z", B)], "train": [("z", A)]})
    with pytest.raises(ValueError, match=r"home.train.txt has other labels for z than an earlier line"):
        read_image_lists(home, 3, "mscoco")
    (home / "train.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"train.txt is empty; expected the name of an image"):
        read_image_lists(home, 3, "mscoco")
    (home / "train.txt").write_bytes(b"\xff\xfe 0 1 0\n")
    with pytest.raises(ValueError, match=r"train.txt is not a UTF-8 text file"):
        read_image_lists(home, 3, "mscoco")
    (home / "train.txt").unlink()
    with pytest.raises(ValueError, match=r"train.txt is missing, although other files of the data set exist"):
        read_image_lists(home, 3, "mscoco")
    (home / "database.txt").unlink()
    assert not has_image_lists(home)


def test_image_folder(tmp_path, monkeypatch):
    relative = np.array(["image/x.jpg", "y.jpg"])
    assert join_image_folder(relative, tmp_path, None).tolist() == [f"{tmp_path}/image/x.jpg", f"{tmp_path}/y.jpg"]
    assert join_image_folder(relative, tmp_path, "/i").tolist() == ["/i/image/x.jpg", "/i/y.jpg"]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert join_image_folder(relative, "/lists", "~/i").tolist() == [f"{tmp_path}/i/image/x.jpg", f"{tmp_path}/i/y.jpg"]


def test_image_folder_in_place_of_another_machine_s():
    theirs = np.array(["/home/them/coco/val2014/1.jpg", "/home/them/coco/train2014/2.jpg", "3.jpg"])
    assert join_image_folder(theirs[:2], "/lists", None).tolist() == theirs[:2].tolist()
    ours = ["/coco/val2014/1.jpg", "/coco/train2014/2.jpg", "/coco/3.jpg"]
    assert join_image_folder(theirs, "/lists", "/coco").tolist() == ours
    assert join_image_folder(theirs[:1], "/lists", "/coco/val2014").tolist() == ours[:1]


def test_counts_are_refused_where_lists_are_a_split():
    refuse_counts("folder", n_query=None, n_train=None)
    with pytest.raises(
        ValueError, match=r"n_train=5 cannot be used, because the image lists in folder define the split"
    ):
        refuse_counts("folder", n_query=None, n_train=5)
