"""find_duplicates and its class: folders, one image, more pictures, other hashers, damaged files."""

import base64
import re
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skhash import PerceptualHasher, find_duplicates
from skhash.base import BaseHasher
from skhash.duplicates import DuplicateFinder, encode_pictures, make_hasher
from skhash.perceptual import KINDS, read_items

Image = pytest.importorskip("PIL.Image")
ImageOps = pytest.importorskip("PIL.ImageOps")


def names(found, folder):
    return [[name.removeprefix(f"{folder}/") for name in group] for group in found.groups]


def test_a_folder(photos):
    found = find_duplicates(photos)
    assert names(found, photos) == [["0.png", "0 again.jpg", "0 half.png"], ["more/1 double.png", "1.png"]]
    assert found.keep == [f"{photos}/0.png", f"{photos}/more/1 double.png"]
    assert found.reasons == ["largest file", "most pixels"]
    assert found.redundant == [f"{photos}/0 again.jpg", f"{photos}/0 half.png", f"{photos}/1.png"]
    assert (found.n_pictures, found.hasher, found.bits, len(found)) == (11, "phash+dhash", 128, 2)
    assert [name for name, _ in found.skipped] == [f"{photos}/empty.png", f"{photos}/more/broken.jpg"]
    assert found.skipped[0][1] == f"'{photos}/empty.png' is not an image file that Pillow can read."
    assert found.skipped[1][1].startswith(f"'{photos}/more/broken.jpg' is damaged: image file is truncated")
    assert repr(found).startswith("Duplicates(2 groups, 3 of 11 pictures redundant, 2 skipped; phash+dhash of 128 bits")


@pytest.mark.parametrize("hasher", KINDS)
def test_every_kind_has_a_default_distance_that_finds_the_copies(hasher, photos):
    found = find_duplicates(photos, hasher)
    assert {frozenset(group) for group in names(found, photos)} == {
        frozenset(["0.png", "0 again.jpg", "0 half.png"]),
        frozenset(["more/1 double.png", "1.png"]),
    }


def test_errors_raise_or_are_called(photos):
    with pytest.raises(ValueError, match=r"empty\.png"):
        find_duplicates(photos, errors="raise")
    called = []
    found = find_duplicates(photos, errors=lambda name, error: called.append((name, type(error))))
    assert called == [(f"{photos}/empty.png", ValueError), (f"{photos}/more/broken.jpg", ValueError)]
    assert len(found.skipped) == 2

    def stop(name, error):
        raise KeyError(name)

    with pytest.raises(KeyError, match=r"empty\.png"):
        find_duplicates(photos, errors=stop)
    with pytest.raises(ValueError, match="errors"):
        find_duplicates(photos, errors="ignore")


def test_a_file_that_is_gone_is_skipped(photos):
    found = find_duplicates([photos / "gone.png", photos / "0.png"])
    assert found.skipped == [(f"{photos}/gone.png", f"'{photos}/gone.png' does not exist; expected an image file.")]


def test_the_progress_bar_is_on_the_standard_error_stream(photos, capsys):
    find_duplicates(photos, progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "13/13" in captured.err


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_threads_change_nothing(n_jobs, photos):
    assert find_duplicates(photos, n_jobs=n_jobs).to_dict() == find_duplicates(photos).to_dict()


def test_folder_against_folder(photos, tmp_path):
    """A group must have pictures of both; duplicates inside of one folder alone are not reported."""
    Image.open(photos / "3.png").resize((100, 70)).save(tmp_path / "3 small.png")
    for name in ("new", "new again"):
        Image.fromarray(np.arange(96 * 128 * 3).reshape(96, 128, 3).astype(np.uint8)).save(tmp_path / f"{name}.png")
    found = find_duplicates(tmp_path, against=photos)
    assert found.groups == [[f"{photos}/3.png", f"{tmp_path}/3 small.png"]]
    assert [pair[:2] for pair in found.pairs] == [(f"{tmp_path}/3 small.png", f"{photos}/3.png")]
    assert len(find_duplicates(photos, against=photos)) == 0  # a file is no duplicate of itself


def test_a_folder_against_one_inside_of_it(photos, tmp_path):
    """A picture that both have is found with a copy that one of them has."""
    inside = tmp_path / "inside"
    inside.mkdir()
    for path in (tmp_path / "3.png", inside / "2.png", inside / "2 again.png"):
        Image.open(photos / f"{path.stem[0]}.png").save(path)
    Image.open(photos / "3.png").resize((100, 70)).save(inside / "3 small.png")
    expected = [[f"{tmp_path}/3.png", f"{inside}/3 small.png"]]
    for images, against in ((tmp_path, inside), (inside, tmp_path)):
        found = find_duplicates(images, against=against)
        assert found.groups == expected
        assert [set(pair[:2]) for pair in found.pairs] == [set(expected[0])]
    finder = DuplicateFinder().fit(tmp_path).add(inside).add(inside)
    assert finder.duplicates(across=True).groups == expected


def test_no_images(photos):
    for call in (find_duplicates, DuplicateFinder().fit(photos).query, DuplicateFinder().fit(photos).add):
        with pytest.raises(ValueError, match="X is empty; expected images"):
            call([])
        with pytest.raises(ValueError, match="X is a matrix of numbers; expected images"):
            call([[1.0, 2.0]])


def test_one_image_against_many(photos):
    finder = DuplicateFinder().fit(photos)
    matches = finder.query([Image.open(photos / "0.png").resize((200, 150)), np.zeros((9, 9), np.uint8)])
    assert {name for name, _ in matches[0]} == {f"{photos}/{name}" for name in ("0.png", "0 again.jpg", "0 half.png")}
    distances = [distance for _, distance in matches[0]]
    assert distances == sorted(distances)
    assert matches[1] == []
    assert (f"{photos}/0 again.jpg", 0) in finder.query([photos / "0 again.jpg"])[0]
    assert finder.query([photos / "7.png"]) == [[(f"{photos}/7.png", 0)]]
    with pytest.raises(ValueError, match=r"empty\.png"):
        finder.query([photos / "empty.png"])


def test_adding_in_parts_is_fitting_at_once(photos):
    paths = sorted(str(path) for path in photos.rglob("*.*g"))
    whole = DuplicateFinder().fit(paths).duplicates()
    parts = DuplicateFinder().add(paths[:4]).add(paths[4:5]).add(paths[:9]).add(paths)
    assert parts.duplicates().to_dict() == whole.to_dict()
    assert sorted(parts.duplicates().pairs) == sorted(whole.pairs)
    assert parts.fit(paths[:1]).duplicates().n_pictures == 1


def test_a_path_that_comes_again_is_no_duplicate(photos, tmp_path):
    (tmp_path / "link.png").symlink_to(photos / "0.png")
    found = find_duplicates([photos / "0.png", photos / "0.png", tmp_path / "link.png"])
    assert (found.n_pictures, found.groups, found.pairs) == (1, [], [])


def test_searches_of_several_blocks(monkeypatch):
    images = [np.repeat(np.array([[n >> bit & 1 for bit in range(5)]], np.uint8) * 255, 2, 0) for n in range(32)]
    whole = DuplicateFinder(CodeHasher(bits=5), max_distance=1).fit(images).duplicates()
    monkeypatch.setattr("skhash.duplicates._distinct._BLOCK", 3)
    blocks = DuplicateFinder(CodeHasher(bits=5), max_distance=1).fit(images[:20]).add(images[20:]).duplicates()
    assert len(whole.pairs) == 32 * 5 // 2
    assert sorted(blocks.pairs) == sorted(whole.pairs)


def test_codes_that_are_known_give_the_same_groups(photos):
    items = read_items(photos)
    names = list(items.items)
    hasher = make_hasher("phash+dhash")
    encoded = encode_pictures(items, names, range(len(items)), hasher)
    finder = DuplicateFinder(hasher).fit_encoded(encoded, items)
    assert finder.duplicates().to_dict() == find_duplicates(photos).to_dict()
    assert finder.add(photos).duplicates().n_pictures == 11  # nothing is read again, not even the damaged ones
    assert len(finder.skipped_) == 2


def test_a_missing_distance_is_found_before_anything_is_decoded(photos):
    with pytest.raises(ValueError, match="max_distance is None"):
        find_duplicates([photos / "no such file.png"], MeanHasher(), errors="raise")


def test_pictures_that_are_no_files_are_numbered_on(photos):
    image = np.asarray(Image.open(photos / "5.png"))
    finder = DuplicateFinder().fit([image[::2, ::2], np.zeros((4, 4), np.uint8)]).add([image])
    assert finder.duplicates().groups == [[2, 0]]
    assert [picture.n_bytes for picture in finder.pictures_] == [None] * 3


def test_numbers_are_not_given_twice(photos):
    """A path that comes twice takes one place, but the images after it keep their positions."""
    path = photos / "5.png"
    black, white = (Image.new("L", (4, 4), value) for value in (0, 255))
    finder = DuplicateFinder().fit([path, path, black]).add([white]).add([white])
    assert [picture.name for picture in finder.pictures_] == [str(path), 2, 3, 4]


class MeanHasher(BaseHasher):
    """Eight bits of the mean brightness, as a unary number. It keeps the sizes of the lists that it got."""

    def __init__(self, bits=8):
        self.bits = bits
        self.sizes = []
        self.thread = threading.get_ident()

    def fit(self, X, y=None):
        return self

    def _check_fitted(self):
        pass

    def _validate(self, X):
        self.sizes.append(len(X))
        assert threading.get_ident() == self.thread
        return X

    def _project(self, samples):
        for image in samples:
            yield np.asarray(image.convert("L")).mean() - np.arange(16, 256, 32)[None]


def test_any_hasher_of_images(photos, monkeypatch):
    paths = [str(photos / f"{number}.png") for number in range(8)]
    with pytest.raises(ValueError, match="max_distance is None; expected a number of bits for MeanHasher"):
        find_duplicates(paths, MeanHasher())
    monkeypatch.setattr("skhash.duplicates._encoding._PIXELS", 3 * 96 * 128)
    hasher = MeanHasher()
    found = find_duplicates([*paths, photos / "empty.png"], hasher, 0)
    assert hasher.sizes == [3, 3, 2]  # bounded by pixels
    means = {path: int(np.asarray(Image.open(path).convert("L")).mean() + 16) // 32 for path in paths}
    expected = [[path for path in paths if means[path] == level] for level in sorted(set(means.values()))]
    assert sorted(map(sorted, found.groups)) == sorted(group for group in expected if len(group) > 1)
    assert found.hasher == "MeanHasher"


def test_sizes_are_those_of_the_files_though_fewer_pixels_are_decoded(tmp_path):
    y, x = np.mgrid[:1200, :1600]
    image = Image.fromarray((128 + 100 * np.sin(x / 200) * np.cos(y / 150)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "large.jpg", exif=exif)
    image.resize((801, 601)).save(tmp_path / "small.png")
    found = find_duplicates(tmp_path)
    assert found.keep == [f"{tmp_path}/large.jpg"]
    assert [(each.width, each.height) for each in found.details[0].pictures] == [(1600, 1200), (801, 601)]
    assert found.details[0].read(0).size == (1600, 1200)


def test_longer_codes_have_a_proportional_distance(photos):
    assert find_duplicates(photos, PerceptualHasher("phash", bits=256)).max_distance == 24


def test_parameters_are_checked(photos):
    for parameters, message in [
        ({"hasher": "dash"}, "hasher must be one of"),
        ({"max_distance": -1}, "max_distance"),
        ({"max_distance": 128}, "max_distance is 128; expected fewer than the 128 bits of a code"),
        ({"linkage": "single"}, "linkage"),
    ]:
        with pytest.raises(ValueError, match=message):
            find_duplicates(photos, **parameters)
    with pytest.raises(TypeError, match=r"hasher must be one of .* fitted hasher of images"):
        find_duplicates(photos, 3)
    with pytest.raises(TypeError, match="hasher must be"):
        find_duplicates(photos, PerceptualHasher)
    with pytest.raises(ValueError, match="matrix of numbers"):
        find_duplicates(np.eye(3))
    with pytest.raises(NotFittedError):
        DuplicateFinder().duplicates()
    with pytest.raises(NotFittedError):
        DuplicateFinder().query([np.zeros((4, 4))])
    assert clone(DuplicateFinder("phash", linkage="complete")).get_params()["linkage"] == "complete"


def test_nothing_readable_is_no_error(photos):
    finder = DuplicateFinder().fit([photos / "empty.png"])
    assert finder.duplicates().groups == []
    assert finder.query([photos / "0.png"]) == [[]]
    assert finder.add([photos / "0.png", photos / "0 half.png"]).duplicates().keep == [f"{photos}/0.png"]


class CodeHasher(MeanHasher):
    """The code of an image is its first row of pixels."""

    def _project(self, samples):
        for image in samples:
            yield np.asarray(image)[:1].astype(float) - 0.5


codes = st.lists(st.tuples(*[st.booleans()] * 5), min_size=1, max_size=14)


@settings(max_examples=60)
@given(codes, st.integers(0, 3), st.sampled_from(["connected", "complete"]), st.integers(0, 13))
def test_groups_and_pairs_of_any_codes_by_loops(codes, radius, linkage, n_later):
    images = [np.repeat(np.array(code, np.uint8)[None] * 255, 2, axis=0) for code in codes]
    finder = DuplicateFinder(CodeHasher(bits=5), max_distance=radius, linkage=linkage)
    n_first = max(1, len(images) - n_later)
    finder.fit(images[:n_first])
    if images[n_first:]:
        finder.add(images[n_first:])
    found = finder.duplicates()
    n = len(codes)
    distance = {
        (a, b): sum(x != y for x, y in zip(codes[a], codes[b], strict=True)) for a in range(n) for b in range(n)
    }
    pairs = sorted((a, b, d) for (a, b), d in distance.items() if a < b and d <= radius)
    assert sorted(found.pairs) == pairs
    if linkage == "connected":
        groups = [{a} for a in range(n)]
        for a, b, _ in pairs:
            both = next(g for g in groups if a in g) | next(g for g in groups if b in g)
            groups = [g for g in groups if not g & both] + [both]
    else:  # all pictures have one size: the rank is the position
        groups, free = [], list(range(n))
        while free:
            head = free[0]
            group = {head}
            for row in sorted(free[1:], key=lambda row: (distance[head, row], row)):
                if all(distance[row, member] <= radius for member in group):
                    group.add(row)
            groups.append(group)
            free = [row for row in free if row not in group]
    assert found.groups == sorted(sorted(group) for group in groups if len(group) > 1)
    for group in found.details:
        assert group.distances == [distance[group.names[0], name] for name in group.names]
    later = set(range(n_first, n))
    across = finder.duplicates(across=True)
    assert sorted(across.pairs) == [pair for pair in pairs if (pair[0] in later) != (pair[1] in later)]
    assert across.groups == [group for group in found.groups if 0 < len(later & set(group)) < len(group)]


def test_a_frame_and_a_dict(photos):
    found = find_duplicates(photos)
    frame = found.to_frame()
    assert frame["group"].tolist() == [0, 0, 0, 1, 1]
    assert frame["keep"].tolist() == [True, False, False, True, False]
    assert frame["reason"].tolist() == ["largest file", "", "", "most pixels", ""]
    assert frame[["width", "height"]].values.tolist() == [[128, 96], [128, 96], [64, 48], [256, 192], [128, 96]]
    assert frame["bytes"][0] == (photos / "0.png").stat().st_size
    assert frame["modified"].dt.year.tolist() == [2023] * 5
    assert list(find_duplicates([photos / "7.png"]).to_frame().columns) == list(frame.columns)
    contents = found.to_dict()
    assert contents["groups"][1]["keep"] == f"{photos}/more/1 double.png"
    assert contents["groups"][0]["pictures"][0]["modified"] == "2023-11-14T22:13:20+00:00"
    assert contents["skipped"][0]["name"] == f"{photos}/empty.png"


def test_the_page_needs_no_other_file_and_escapes_names(photos, tmp_path):
    name = "<b>&\"x'.png"
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.open(photos / "2.png").save(tmp_path / folder / f"{folder}.jpg", comment=b"a secret")
        (tmp_path / folder / f"{folder}.jpg").rename(tmp_path / folder / name)
    (tmp_path / "<i>.png").write_text("damaged")
    found = find_duplicates(tmp_path)
    page = found.to_html(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "<b>&" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;&amp;&quot;x&#x27;.png" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert found.to_html(max_groups=0).count("data:image") == 0
    assert b"a secret" not in b"".join(base64.b64decode(text) for text in re.findall(r"base64,([^\"]+)", page))
    assert "1 more groups are not shown" in found.to_html(max_groups=0)
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    assert "FileNotFoundError" in found.to_html()


def test_the_default_distance_of_copynet_separates_copies_from_others(painted):
    """Of 60 generated pictures, each cropped and mirrored; at 0 copies would be missed, at 30 others be found."""
    copies = [
        ImageOps.mirror(picture).crop((3, 2, picture.width - 3, picture.height - 2)).resize((90, 70))
        for picture in painted
    ]
    found = find_duplicates([*painted, *copies], hasher="copynet")
    assert (found.max_distance, found.bits) == (7, 64)
    right = {(row, row + 60) for row in range(60)}
    pairs = {tuple(sorted(pair[:2])) for pair in found.pairs}
    assert len(pairs & right) >= 54
    assert len(pairs - right) <= 6
    assert find_duplicates(painted, PerceptualHasher("copynet", bits=32)).max_distance == 3
