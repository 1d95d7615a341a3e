"""The files that a folder or a pattern stands for."""

import os
from pathlib import Path

import pytest

from skhash.perceptual import list_pictures


@pytest.fixture
def folder(tmp_path):
    for name in ["b.png", "a.JPG", "sub/c.webp", "sub/deep/d.tiff", ".hidden.png", ".thumbs/e.png", "notes.txt", "png"]:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "photos" / "folder.png").mkdir()
    return tmp_path / "photos"


def names(source, folder):
    return [os.path.relpath(path, folder) for path in list_pictures(source)]


@pytest.mark.parametrize("kind", [str, Path])
def test_image_files_of_all_visible_folders_sorted(kind, folder):
    assert names(kind(folder), folder) == ["a.JPG", "b.png", "sub/c.webp", "sub/deep/d.tiff"]


def test_patterns_take_what_they_say(folder):
    assert names(str(folder / "*.png"), folder) == ["b.png"]
    assert names(folder / "sub" / "**" / "*.*", folder) == ["sub/c.webp", "sub/deep/d.tiff"]


def test_a_folder_whose_name_looks_like_a_pattern_is_a_folder(tmp_path):
    (tmp_path / "[2024]").mkdir()
    (tmp_path / "[2024]" / "a.png").write_text("")
    assert names(tmp_path / "[2024]", tmp_path) == ["[2024]/a.png"]


def test_links_lead_to_a_file_once(folder, tmp_path):
    for number in range(3):  # 3 ** 40 paths, if each link were followed until the system refuses
        (folder / "sub" / f"loop {number}").symlink_to(folder)
    (folder / "0 link.png").symlink_to(folder / "b.png")
    os.link(folder / "sub" / "c.webp", folder / "sub" / "deep" / "hard.webp")
    (folder / "dangling.png").symlink_to(tmp_path / "nothing.png")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f.gif").write_text("")
    (folder / "elsewhere").symlink_to(outside)
    expected = ["a.JPG", "b.png", "elsewhere/f.gif", "sub/c.webp", "sub/deep/d.tiff"]
    assert names(folder, folder) == expected


def test_nothing_is_an_error(tmp_path):
    for source in (tmp_path, tmp_path / "no such folder", tmp_path / "*.png"):
        with pytest.raises(ValueError, match="no image files in"):
            list_pictures(source)
