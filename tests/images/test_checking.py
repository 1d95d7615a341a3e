import os
import warnings

import numpy as np
import pytest

from skhash import OrthoHasher
from skhash.images import ImageList, check_images, find_images, load_image_folder

image_module = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)


def picture(height=24, width=32):
    return image_module.fromarray(RNG.integers(0, 256, (height, width, 3), np.uint8))


# Name of a file: a function that writes it, and what is said of it, or None if it is read.
def _truncated(path):
    picture().save(path)
    path.write_bytes(path.read_bytes()[:-400])


def _broken_exif(path):
    exif = image_module.Exif()
    exif[0x0112] = 6
    picture().save(path, exif=exif)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Exif\0\0", b"Exif\0\0\xff\xff", 1))


def _rotated(path):
    exif = image_module.Exif()
    exif[0x0112] = 6
    picture().save(path, exif=exif)


def _float(path, high=255.0):
    image_module.fromarray(np.linspace(0, high, 64, dtype=np.float32).reshape(8, 8)).save(path)


FILES = {
    "truncated.jpg": (_truncated, "damaged"),
    "empty.jpg": (lambda path: path.touch(), "not an image"),
    "text.png": (lambda path: path.write_text("hello"), "not an image"),
    "pixel.png": (lambda path: picture(1, 1).save(path), None),
    "huge.png": (lambda path: image_module.new("1", (20_000, 10_000)).save(path), "larger than Pillow's limit"),
    "cmyk.jpg": (lambda path: picture().convert("CMYK").save(path), None),
    "deep.png": (lambda path: image_module.fromarray(np.eye(8, dtype=np.uint16) << 15).save(path), None),
    "float.tif": (_float, None),
    "bright.tif": (lambda path: _float(path, 1000.0), "floating-point gray values"),
    "animated.gif": (lambda path: picture().save(path, save_all=True, append_images=[picture()]), None),
    "rotated.jpg": (_rotated, None),
    "transparent.png": (lambda path: image_module.new("RGBA", (8, 8), (255, 0, 0, 100)).save(path), None),
    "exif.jpg": (_broken_exif, None),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for number, (name, (write, _)) in enumerate(FILES.items()):
        place = root / ("a", "b")[number % 2]
        place.mkdir(exist_ok=True)
        write(place / name)
    (root / "a" / ".hidden.png").touch()
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    return root


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_a_folder_of_every_kind_of_file(folder, n_jobs):
    images = check_images(folder, errors="skip", n_jobs=n_jobs)
    paths = find_images(folder)
    assert [os.path.basename(path) for path in paths] == [os.path.basename(p) for p in sorted(paths)]
    assert len(paths) == len(FILES)
    read = {name for name, (_, reason) in FILES.items() if reason is None}
    assert {os.path.basename(path) for path in images} == read
    assert [path for path, kept in zip(paths, images.kept, strict=True) if kept] == images.paths
    assert len(images.skipped) == len(FILES) - len(read)
    for path, reason in images.skipped:
        assert FILES[os.path.basename(path)][1] in reason
        assert path in reason


@pytest.mark.parametrize("name", [name for name, (_, reason) in FILES.items() if reason])
def test_damage_is_raised_with_the_name_of_the_file(tmp_path, name):
    FILES[name][0](tmp_path / name)
    with pytest.raises(ValueError, match=name):
        check_images([tmp_path / name])
    with pytest.raises(ValueError, match=rf"none of 1 files can be read.*{name}"):
        check_images([tmp_path / name], errors="skip")


def test_a_missing_file_is_skipped_with_a_sentence(folder):
    missing = str(folder / "nowhere.png")
    images = check_images([missing, *find_images(folder)], errors="skip")
    assert images.skipped[0] == (missing, f"{missing!r} does not exist; expected an image file.")


def test_headers_alone_do_not_find_truncated_files(folder):
    assert any(path.endswith("truncated.jpg") for path in check_images(folder, errors="skip", decode=False))


def test_a_callable_is_told_and_may_raise(folder):
    told = []
    images = check_images(folder, errors=lambda path, error: told.append((path, type(error))))
    assert [path for path, _ in told] == [path for path, _ in images.skipped]

    def stop(path, error):
        raise RuntimeError(path)

    with pytest.raises(RuntimeError, match="photos"):
        check_images(folder, errors=stop)
    with pytest.raises(ValueError, match=r"errors must be one of .*got 'ignore'"):
        check_images(folder, errors="ignore")


def test_a_plugin_that_raises_anything_names_the_file(tmp_path, monkeypatch):
    picture().save(tmp_path / "x.png")

    def fail(*args):
        raise ZeroDivisionError("plugin")

    monkeypatch.setattr("skhash.images._checking.open_image", fail)
    with pytest.raises(ValueError, match=r"x\.png': ZeroDivisionError: plugin"):
        check_images(tmp_path)


def test_labels_are_the_names_of_subfolders_and_stay_aligned(folder):
    data = load_image_folder(folder, errors="skip")
    assert data.target_names == ["a", "b"]
    assert [os.path.relpath(path, folder).split(os.sep)[0] for path in data.data] == [
        data.target_names[label] for label in data.target
    ]
    assert len(data.skipped) == sum(reason is not None for _, reason in FILES.values())
    X, y = load_image_folder(folder, errors="skip", return_X_y=True)
    assert data.data == X
    assert np.array_equal(y, data.target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of many sizes
        codes = OrthoHasher(bits=16, image_size=8, max_epochs=1, random_state=0).fit(X, y).transform(X)
    assert codes.shape == (len(X), 16)


def test_pictures_outside_of_subfolders_are_refused(tmp_path):
    (tmp_path / "a").mkdir()
    picture().save(tmp_path / "a" / "x.png")
    picture().save(tmp_path / "y.png")
    with pytest.raises(ValueError, match=r"y\.png' lies in no subfolder; expected"):
        load_image_folder(tmp_path)
    with pytest.raises(ValueError, match=r"path is .*nowhere'; expected a folder"):
        load_image_folder(tmp_path / "nowhere")


def test_sources_of_paths(tmp_path):
    pandas = pytest.importorskip("pandas")
    for name in ("b.png", "a.png"):
        picture().save(tmp_path / name)
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for source in (
        tmp_path,
        str(tmp_path),
        str(tmp_path / "*.png"),
        paths,
        (path for path in paths),
        np.array(paths)[:, None],
        pandas.Series(paths, index=[3, 4]),
        pandas.DataFrame({"path": paths}),
    ):
        assert find_images(source) == paths
    assert find_images(paths[::-1]) == paths[::-1]
    assert find_images(paths[0]) == paths[:1]
    with pytest.raises(ValueError, match=r"no image files in '.*empty'"):
        find_images(tmp_path / "empty")
    with pytest.raises(TypeError, match=r"source\[1\] has type int; expected a path"):
        find_images([paths[0], 5])
    with pytest.raises(TypeError, match="source has type int; expected a folder"):
        find_images(5)
    with pytest.raises(ValueError, match="source has no paths"):
        find_images([])


def test_a_list_of_images_is_a_list():
    images = ImageList(["a", "b"], [("c", "damaged")], [True, True, False])
    assert images == ["a", "b"]
    assert images.kept.tolist() == [True, True, False]
    assert ImageList(["a"]).kept.tolist() == [True]
