"""Searches of a gallery: neighbors, counts and reasons are those of the codes."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from torch import nn

from skhash import CSQHasher, FeatureExtractor, ITQHasher, PerceptualHasher
from skhash.demo import Gallery, Pictures, load_data_set
from skhash.demo._uploads import Thumbnails

Image = pytest.importorskip("PIL.Image")


def bits_of(text):
    return np.array([int(bit) for bit in text])


@pytest.fixture(scope="module")
def digits():
    return load_data_set("digits")


@pytest.mark.parametrize("radius", [None, 0, 9, 14])
def test_neighbors_are_those_of_an_explicit_comparison(digits, radius):
    gallery = Gallery(digits, method="dhash")
    found = gallery.search(3, n_neighbors=20, radius=radius)
    codes = PerceptualHasher("dhash", draft=True).transform(digits.items.items)
    distances = [(int((code != codes[3]).sum()), row) for row, code in enumerate(codes) if row != 3]
    within = sorted(pair for pair in distances if radius is None or pair[0] <= radius)
    assert [(one["distance"], one["id"]) for one in found["neighbors"]] == within[:20]
    assert found["within"] == len(within)
    assert found["counts"] == [sum(d == each for d, _ in distances) for each in range(65)]
    assert found["n_pictures"] == 999
    for one in found["neighbors"]:
        assert (bits_of(one["code"]) == codes[one["id"]]).all()
        assert (bits_of(one["code"]) != bits_of(found["query"]["code"])).sum() == one["distance"]


def test_a_picture_from_outside_has_all_as_neighbors(digits):
    gallery = Gallery(digits, method="phash", bits=32)
    image = Image.fromarray(digits.items.items[5])
    found = gallery.search(image, n_neighbors=3)
    assert found["query"] == {"id": None, "name": None, "label": None, "code": found["neighbors"][0]["code"]}
    assert (found["neighbors"][0]["id"], found["neighbors"][0]["distance"], found["n_pictures"]) == (5, 0, 1000)
    assert [why["text"] for why in found["neighbors"][0]["why"]] == [
        "0 of 32 bits differ",
        "no other picture is as near",
    ]


def test_reasons_of_labels_count_and_compare(digits):
    found = Gallery(digits, method="average", bits=16).search(10, n_neighbors=100)
    verdicts = set()
    for one in found["neighbors"]:
        texts = {why["text"]: why["agrees"] for why in one["why"]}
        n = sum(found["counts"][: one["distance"] + 1])
        assert (f"{n} of 999 pictures are as near" if n > 1 else "no other picture is as near") in texts
        same = digits.labels[one["id"]] == digits.labels[10]
        assert texts[f"{'same' if same else 'another'} label: {one['label']}"] == same
        verdicts.add(bool(same))
        assert not any("copy" in text for text in texts)  # distances of copies are known for photos alone
    assert verdicts == {True, False}


def test_reasons_of_files_are_copies_and_folders(photos):
    pictures = Pictures.from_folder(photos)
    gallery = Gallery(pictures, method="dhash")
    query = pictures.names.index("cats/0.png")
    first, *others = gallery.search(query, n_neighbors=12)["neighbors"]
    assert first["name"] == "copy of 0.jpg"
    texts = [why["text"] for why in first["why"]]
    assert any(text.startswith("may be a copy") for text in texts)
    assert "same folder" not in texts
    for one in others:
        texts = [why["text"] for why in one["why"]]
        assert ("same folder" in texts) == one["name"].startswith("cats/")
        assert any("copy" in text for text in texts) == (one["distance"] <= 4)
    assert len(others) == 11  # all but the query, the copy and the file that is no picture


def test_a_file_that_is_no_picture_is_left_out(photos):
    pictures = Pictures.from_folder(photos)
    gallery = Gallery(pictures, n_jobs=1)
    assert len(pictures) == 14
    assert len(gallery.prepare().rows) == 13
    with pytest.raises(ValueError, match=r"query: picture 0 is not there or cannot be read"):
        gallery.search(pictures.names.index("broken.jpg"))


def test_learned_codes_find_the_label_more_often(digits):
    gallery = Gallery(digits)
    assert (gallery.method, gallery.bits) == ("posterior", 64)

    def precision(method):
        labels = [
            (
                digits.labels[[one["id"] for one in gallery.search(row, method=method)["neighbors"]]]
                == digits.labels[row]
            )
            for row in range(0, 1000, 10)
        ]
        return np.mean(labels)

    learned, unsupervised, average = precision("posterior"), precision("itq"), precision("average")
    assert learned > unsupervised > average
    assert learned > 0.88


def test_learned_hashers_do_not_see_what_is_shown(digits):
    images, _ = digits.training()
    assert len(images) == 797
    shown = {image.tobytes() for image in digits.items.items}
    assert not shown & {image.tobytes() for image in images}


def test_a_hasher_of_ones_own_is_a_method(digits, photos):
    images, y = digits.training()
    model = CSQHasher(bits=16, max_epochs=1, random_state=0, image_size=16).fit(images[:60, None], y[:60])
    gallery = Gallery(digits, model=model)
    assert (gallery.method, gallery.bits) == ("model", 16)
    found = gallery.search(7, n_neighbors=4)
    assert (bits_of(found["query"]["code"]) == model.transform(digits.items.items[7:8, None])[0]).all()
    upload = Image.fromarray(digits.items.items[7])
    assert gallery.search(upload)["query"]["code"] == found["query"]["code"]


def test_features_and_a_hasher_are_a_method(digits):
    images, _ = digits.training()
    backbone = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
    model = make_pipeline(FeatureExtractor(backbone, image_size=16), ITQHasher(bits=8, random_state=0))
    model.fit([Image.fromarray(image) for image in images[:100]])
    gallery = Gallery(digits, model=model)
    found = gallery.search(7, n_neighbors=4)
    assert (gallery.bits, gallery.methods["model"].title) == (8, "your ITQHasher")
    upload = Image.fromarray(digits.items.items[7])
    assert gallery.search(upload)["query"]["code"] == found["query"]["code"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"method": "rhubarb"}, r"method must be one of .*'dhash'.*, got 'rhubarb'"),
        ({"method": "copynet", "bits": 128}, r"bits must be one of \[16, 32, 64\] for 'copynet', got 128"),
    ],
)
def test_what_cannot_be_chosen_is_refused(digits, choice, message):
    with pytest.raises(ValueError, match=message):
        Gallery(digits, method="dhash").search(0, **choice)


def test_a_model_without_codes_is_refused(digits):
    with pytest.raises(ValueError, match="model must be a hasher of images, or a pipeline that ends in one, got PCA"):
        Gallery(digits, model=make_pipeline(PCA(2)))


def test_what_fails_in_the_background_is_told(digits):
    gallery = Gallery(Pictures("nothing", type(digits.items)(["/no/such.png"]), ["such.png"]), method="dhash")
    with pytest.raises(ValueError, match="method 'dhash': none of the pictures can be read"):
        gallery.prepare()


def test_unknown_data_sets_are_refused():
    with pytest.raises(ValueError, match=r"name must be one of .*'digits'.*, got 'mnist'"):
        load_data_set("mnist")


def test_thumbnails_in_memory_are_bounded(digits, monkeypatch):
    sizes = [len(Thumbnails(digits).get(row)[1]) for row in range(6)]
    monkeypatch.setattr("skhash.demo._uploads._CACHE", sum(sizes[:3]))
    thumbnails = Thumbnails(digits)
    for row in (0, 1, 2, 0, 3, 4, 5):
        thumbnails.get(row)
        kept = sum(len(data) for _, data in thumbnails._made.values())
        assert kept == thumbnails._n_bytes <= sum(sizes[:3])
        assert row in thumbnails._made
        assert 0 in thumbnails._made or row > 2
