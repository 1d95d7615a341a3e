import json
import warnings

import numpy as np
import pytest

from skhash.datasets import LeakageWarning, load_mscoco

# As in the original, ids of categories have gaps, and their order in the file is none.
CATEGORIES = [{"id": 3 * i + 1, "name": f"thing {i}", "supercategory": "things"} for i in range(80)]


@pytest.fixture
def annotations(home):
    """Annotations of 30 and 20 images, of which every fifth has none, and the labels that are expected."""
    rng = np.random.RandomState(0)
    folder, expected, first = home / "coco" / "annotations", {}, 0
    folder.mkdir(parents=True)
    for part, n in (("train2014", 30), ("val2014", 20)):
        ids = rng.permutation(1000)[:n].tolist()
        images = [{"id": i, "file_name": f"COCO_{part}_{i:012}.jpg", "height": 4} for i in ids]
        marks = []
        for i in ids:
            name = f"{part}/COCO_{part}_{i:012}.jpg"
            shown = [] if (first := first + 1) % 5 == 0 else rng.randint(0, 80, 3).tolist()
            marks += [{"image_id": i, "category_id": 3 * c + 1, "iscrowd": 0, "id": len(marks)} for c in shown]
            if shown:
                expected[name] = [int(c in shown) for c in range(80)]
        content = {"images": images, "annotations": marks[::-1], "categories": CATEGORIES[::-1], "info": {}}
        (folder / f"instances_{part}.json").write_text(json.dumps(content))
    return folder, expected


def test_annotations(home, annotations):
    folder, expected = annotations
    data = load_mscoco(data_home=home, n_query=8, n_train=12, random_state=1)
    assert data.filenames.tolist() == [f"{home}/coco/{name}" for name in expected]
    assert data.target.tolist() == list(expected.values())
    assert data.target.shape == (40, 80)
    assert data.target.dtype == np.uint8
    assert data.target_names == [f"thing {i}" for i in range(80)]
    split = data.split
    assert (len(split.query), len(split.train), len(split.database)) == (8, 12, 32)
    assert set(split.train) <= set(split.database) == set(range(40)) - set(split.query)
    assert (split.protocol, split.R, split.random_state) == ("mscoco, n_query=8, n_train=12", 5000, 1)
    assert data.source == str(folder)
    assert "the original annotations" in data.DESCR
    again = load_mscoco(data_home=folder, image_folder="/coco", n_query=8, n_train=12, random_state=1)
    np.testing.assert_array_equal(again.split.query, split.query)
    assert again.filenames[0].startswith("/coco/train2014/COCO_train2014_")
    assert load_mscoco(data_home=folder, n_query=8, n_train=12).filenames[0] == data.filenames[0]


def test_the_protocol_s_counts_are_the_default(home, annotations):
    with pytest.raises(ValueError, match="The data set has 40 samples, but protocol 'mscoco' needs at least 15000"):
        load_mscoco(data_home=home, random_state=0)


def test_lists_whose_database_holds_the_queries(home, write_lists):
    """As in HashNet's lists, with their authors' folder."""
    theirs = [
        (f"/home/them/coco/{p}2014/COCO_{i}.jpg", np.eye(80, dtype=int)[i]) for p in ("val", "train") for i in (5, 9)
    ]
    write_lists(home / "coco", {"test": theirs[:2], "database": theirs, "train": theirs[2:]})
    with pytest.warns(
        LeakageWarning, match=r"2 rows .*\(2 distinct of 2 queries\): row 2 = query 0 \('/home/them/coco/val"
    ):
        data = load_mscoco(data_home=home)
    assert data.filenames[0] == theirs[0][0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_mscoco(data_home=home, image_folder="/coco", duplicates="drop")
    assert data.split.take("query", data.filenames.tolist()) == ["/coco/val2014/COCO_5.jpg", "/coco/val2014/COCO_9.jpg"]
    assert data.split.take("database", data.filenames.tolist()) == [
        "/coco/train2014/COCO_5.jpg",
        "/coco/train2014/COCO_9.jpg",
    ]
    np.testing.assert_array_equal(data.target[data.split.query].argmax(axis=1), [5, 9])
    assert data.target_names is None
    assert repr(data.split) == (
        "RetrievalSplit(protocol='mscoco, 2 copies of queries dropped', query=2, train=2, database=2, R=5000)"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": CATEGORIES[1:]}, r"val2014.json holds 79 categories; expected 80, the same in all files"),
        (
            {"categories": [*CATEGORIES[1:], {"id": 1, "name": "else"}]},
            r"val2014.json holds 80 categories; .* the same",
        ),
        (
            {"annotations": [{"image_id": -5, "category_id": 1}]},
            r"val2014.json annotates image -5 with category 1; expected ids",
        ),
        (
            {"annotations": [{"image_id": -5}]},
            r"could not be read \(KeyError: 'category_id'\); expected JSON with images",
        ),
        ({"annotations": [{"image_id": [1], "category_id": 1}]}, r"could not be read \(TypeError: .*unhashable"),
        ({"images": [7]}, r"val2014.json could not be read \(TypeError"),
        ({"images": []}, r"val2014.json annotates image \d+ with category \d+"),
    ],
)
def test_damaged_annotations(home, annotations, change, message):
    path = annotations[0] / "instances_val2014.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        load_mscoco(data_home=home, n_query=8, n_train=12)


def test_truncated_and_missing_annotations(home, annotations):
    path = annotations[0] / "instances_train2014.json"
    path.write_text(path.read_text()[:1000])
    with pytest.raises(ValueError, match=r"instances_train2014.json could not be read \(JSONDecodeError"):
        load_mscoco(data_home=home)
    path.unlink()
    with pytest.raises(
        ValueError, match=r"instances_train2014.json is missing, although other files of the data set exist"
    ):
        load_mscoco(data_home=home)


def test_nowhere(home):
    with pytest.raises(
        FileNotFoundError, match=r"MS-COCO was not found(.|\n)*instances_val2014.json(.|\n)*cocodataset"
    ):
        load_mscoco(data_home=home)
