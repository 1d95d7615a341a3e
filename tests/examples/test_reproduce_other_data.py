"""The claims on data sets that are not here run on miniatures in the published layouts."""

import importlib
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
FOLDER = Path(__file__).parents[2] / "examples" / "reproduce"
NAMES = ["nus-wide-gain-hashnet", "imagenet100-recognition", "imagenet100-margin", "ms-coco-losses", "imagenet100-beta",
         "gldv2-beta", "gldv2-same-domain", "roxford5k-shift", "rparis6k-shift"]  # fmt: skip


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("other_data")
    for name in ("other_data", "_claims"):
        sys.modules.pop(name, None)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("SKHASH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return tmp_path / "home"


def picture(path, kind, rng):
    """Write a small picture of one of some kinds."""
    pattern = np.random.RandomState(kind).randint(0, 200, (8, 8, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pattern + rng.randint(0, 56, (8, 8, 3))).astype(np.uint8)).save(path)


def imagenet100(home, rng):
    lists = {"test": 10, "train": 40, "database": 60}
    for part, n in lists.items():
        lines = []
        for i in range(n):
            name = f"{part if part == 'test' else 'train'}_image/{i}.jpg"  # the database holds the training images
            picture(home / "imagenet100" / name, i % 5, rng)
            lines.append(f"{name} {i % 5}")
        (home / "imagenet100" / f"{part}.txt").write_text("\n".join(lines))


def nuswide(home, rng):
    labels = np.zeros((400, 81), dtype=int)
    labels[np.arange(400), np.arange(400) % 21] = 1
    labels[np.arange(400), (np.arange(400) // 21) % 21] = 1
    names = [f"{i:04}.jpg" for i in range(400)]
    for i, name in enumerate(names):
        picture(home / "NUS-WIDE" / "Flickr" / name, i % 21, rng)
    for sub in ("Groundtruth/AllLabels", "ImageList"):
        (home / "NUS-WIDE" / sub).mkdir(parents=True)
    for concept in range(81):
        text = "".join(f"{value}\n" for value in labels[:, concept])
        (home / "NUS-WIDE" / "Groundtruth" / "AllLabels" / f"Labels_c{concept:02}.txt").write_text(text)
    (home / "NUS-WIDE" / "ImageList" / "Imagelist.txt").write_text("\n".join(names))


def coco(home, rng):
    (home / "coco" / "annotations").mkdir(parents=True)
    categories = [{"id": 3 * i + 1, "name": f"thing {i}"} for i in range(80)]
    for part, first, n in (("train2014", 0, 40), ("val2014", 40, 20)):
        names = {i: f"COCO_{part}_{i:012}.jpg" for i in range(first, first + n)}
        for i, name in names.items():
            picture(home / "coco" / part / name, i % 6, rng)
        marks = [
            {"image_id": i, "category_id": 3 * (c % 80) + 1, "id": 2 * i} for i in names for c in (i % 6, i % 5 + 6)
        ]
        content = {
            "images": [{"id": i, "file_name": name} for i, name in names.items()],
            "annotations": marks,
            "categories": categories,
        }
        (home / "coco" / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))


def gldv2(home, rng):
    def image(part, name, kind):
        picture(home / "gldv2" / part / name[0] / name[1] / name[2] / f"{name}.jpg", kind, rng)

    index, queries, train = ([f"{k}{i:015x}" for i in range(n)] for k, n in (("1", 30), ("2", 6), ("3", 40)))
    for part, names in (("index", index), ("test", queries), ("train", train)):
        for i, name in enumerate(names):
            image(part, name, i % 6)
    solution = [f"{q},{' '.join(index[i] for i in range(30) if i % 6 == k)},Private" for k, q in enumerate(queries)]
    landmarks = [f"{100 + k},{' '.join(train[i] for i in range(40) if i % 6 == k)}" for k in range(6)]
    for name, lines in (
        ("retrieval_solution_v2.1.csv", ["id,images,Usage", *solution]),
        ("index.csv", ["id", *index]),
        ("train_clean.csv", ["landmark_id,images", *landmarks]),
    ):
        (home / "gldv2" / name).write_text("\n".join(lines) + "\n")


def revisited(home, rng, name):
    database, queries = [f"building_{i}" for i in range(12)], ["query_0", "query_1"]
    for i, image in enumerate(database + queries):
        picture(home / name / "jpg" / f"{image}.jpg", 50 + i % 4, rng)
    truth = [{"bbx": [0, 0, 8, 8], "easy": [q], "hard": [q + 4, q + 8], "junk": []} for q in range(2)]
    content = {"imlist": database, "qimlist": queries, "gnd": truth}
    (home / name / f"gnd_{name}.pkl").write_bytes(pickle.dumps(content))


@pytest.mark.filterwarnings("ignore")
def test_claims_run_on_miniatures(script, home):
    rng = np.random.RandomState(0)
    imagenet100(home, rng)
    nuswide(home, rng)
    coco(home, rng)
    gldv2(home, rng)
    for name in ("roxford5k", "rparis6k"):
        revisited(home, rng, name)
    arguments = [*NAMES, "--quick", "--data", str(home), "--extractor", "pixels"]
    rows = {row["id"]: row for row in script.check_all(arguments)}
    assert list(rows) == [c.id for c in script.CLAIMS if c.id in NAMES]
    for name, row in rows.items():
        assert row["verdict"] in ("reproduced", "same direction", "not reproduced"), row
        assert np.isfinite(row["ours"]).all(), name
    # Kinds of pictures differ clearly, so that every search finds something.
    assert min(rows["imagenet100-beta"]["ours"]) > 50
    assert min(rows["gldv2-beta"]["ours"]) > 50


def test_without_data_claims_cannot_be_run(script, home):
    rows = script.check_all(["--quick", "--data", str(home)])
    assert {row["verdict"] for row in rows} == {"cannot be run here"}
    assert all(row["ours"] is None and "was not found" in row["note"] for row in rows)
