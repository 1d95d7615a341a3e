import os
import pickle

import numpy as np
import pytest

from skhash.datasets import LeakageWarning, load_revisited
from skhash.metrics import revisited_map

DATABASE = [f"building_{i:06}" for i in range(8)]
QUERIES = ["query_000013", "query_000026"]
BOXES = [[136.5, 34.1, 648.5, 955.7], [0, 1, 20, 30]]
TRUTH = [{"easy": [5, 2], "hard": [], "junk": [7]}, {"easy": [0], "hard": [3, 1], "junk": []}]


def content(as_rows=list, **changes):
    gnd = [
        {"bbx": box} | {level: as_rows(rows) for level, rows in entry.items()}
        for box, entry in zip(BOXES, TRUTH, strict=True)
    ]
    return {"imlist": DATABASE, "qimlist": QUERIES, "gnd": gnd} | changes


def write(home, data, name="roxford5k", protocol=2):
    folder = home / name
    folder.mkdir(exist_ok=True)
    (folder / f"gnd_{name}.pkl").write_bytes(pickle.dumps(data, protocol=protocol))
    return folder


def array_of(dtype):
    return lambda rows: np.array(rows, dtype=dtype)


@pytest.mark.parametrize("name", ["roxford5k", "rparis6k"])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "as_rows",
    [list, array_of("<i8"), array_of(">i4"), array_of(np.uint16), lambda rows: [np.int64(row) for row in rows]],
    ids=["lists", "int64", "big-endian", "uint16", "numpy integers"],
)
def test_contents(home, name, protocol, as_rows):
    folder = write(home, content(as_rows), name, protocol)
    data = load_revisited(name, data_home=home)
    names = [f"{folder}/jpg/{image}.jpg" for image in QUERIES + DATABASE]
    assert data.filenames.tolist() == names
    assert data.split.take("query", names) == names[:2]
    assert data.split.take("database", names) == names[2:]
    assert repr(data.split) == f"RetrievalSplit(protocol='{name}', query=2, train=0, database=8, R=None)"
    for entry, expected in zip(data.ground_truth, TRUTH, strict=True):
        assert {level: rows.tolist() for level, rows in entry.items()} == {k: sorted(v) for k, v in expected.items()}
        assert {rows.dtype for rows in entry.values()} == {np.dtype(np.int64)}
    np.testing.assert_array_equal(data.bounding_boxes, BOXES)
    assert data.source == str(folder / f"gnd_{name}.pkl")
    assert data.DESCR.startswith("Revisited Oxford" if name == "roxford5k" else "Revisited Paris")


def test_boxes_as_arrays_and_another_image_folder(home):
    data = content()
    for entry in data["gnd"]:
        entry["bbx"] = np.array(entry["bbx"], dtype=np.float32)
    write(home, data)
    data = load_revisited("roxford5k", data_home=home / "roxford5k", image_folder="/photos")
    np.testing.assert_allclose(data.bounding_boxes, BOXES, rtol=1e-6)
    assert data.bounding_boxes.dtype == np.float64
    assert data.filenames[2] == "/photos/building_000000.jpg"


def test_the_metric_takes_the_ground_truth(home):
    write(home, content())
    data = load_revisited("roxford5k", data_home=home)
    queries = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], dtype=np.uint8)
    database = np.array([queries[int(i in (0, 1, 3))] for i in range(8)])
    database[[4, 6]] = [0, 0, 1, 1]
    scores = revisited_map(queries, database, data.ground_truth, difficulty="medium")
    assert float(scores.map) == 1.0


def test_queries_in_the_database(home):
    write(home, content(imlist=[*DATABASE[:-1], QUERIES[1]]))
    with pytest.warns(
        LeakageWarning, match=r"1 rows .*row 9 = query 1 \('query_000026'\).*the ground truth refers to"
    ) as caught:
        load_revisited("roxford5k", data_home=home)
    assert caught[0].filename == __file__


class Attack:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_in_the_pickle_is_run(home, tmp_path):
    write(home, content(more=Attack(tmp_path / "hacked")))
    message = r"gnd_roxford5k.pkl is not a valid ground truth file of a revisited benchmark \(UnpicklingError: it ref"
    with pytest.raises(ValueError, match=message):
        load_revisited("roxford5k", data_home=home)
    assert not (tmp_path / "hacked").exists()


def changed(**changes):
    return content(gnd=[content()["gnd"][0] | changes, content()["gnd"][1]])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(easy=[8]), "'easy' of query 0 holds rows from 8 to 8, expected rows of a database of 8"),
        (changed(junk=[-1, 2]), "'junk' of query 0 holds rows from -1 to 2"),
        (changed(hard=[0.5]), "'hard' of query 0 must be a list of integers, got dtype float64"),
        (changed(hard=[[1]]), r"'hard' of query 0 must be a list of integers, got .*shape \(1, 1\)"),
        (changed(bbx=[1, 2, 3]), "ValueError: cannot reshape"),
        (content(gnd=content()["gnd"][:1]), "gnd has 1 entries for 2 queries"),
        (content(imlist=[1, 2]), "qimlist and imlist must be lists of strings"),
        (content(qimlist=[]), "qimlist and imlist must be lists of strings"),
        ({"imlist": DATABASE, "qimlist": QUERIES}, "KeyError: 'gnd'"),
        ({**content(), "gnd": [{"bbx": BOXES[0]}] * 2}, "KeyError: 'easy'"),
    ],
)
def test_damage(home, data, message):
    write(home, data)
    with pytest.raises(
        ValueError, match=rf"gnd_roxford5k.pkl is not a valid ground truth .*{message}.*expected a pickled dict"
    ):
        load_revisited("roxford5k", data_home=home)


def test_nowhere(home):
    write(home, content(), "rparis6k")
    with pytest.raises(FileNotFoundError, match=r"Revisited Oxford was not found(.|\n)*gnd_roxford5k.pkl"):
        load_revisited("roxford5k", data_home=home)


def test_bad_name(home):
    with pytest.raises(ValueError, match="The 'name' parameter of load_revisited must be a str among"):
        load_revisited("oxford5k", data_home=home)
