"""The two functions that touch files: listing and opening pictures."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

from skhash.utils import open_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".webp", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".pcx",
)  # fmt: skip


def list_pictures(source: str | os.PathLike[str]) -> list[str]:
    """Return the paths of the image files of a folder and its subfolders, or of a glob pattern, sorted.

    Parameters
    ----------
    source : str or Path
        A folder, in which files are known by their suffix and names that begin with a dot are left out; or a pattern
        such as ``"photos/**/*.jpg"``. Links are followed, and a file that several paths lead to is listed once: by a
        path that is not a link, if there is one, and has the fewest folders.

    Returns
    -------
    paths : list of str
        The paths, each beginning with `source`.

    Raises
    ------
    ValueError
        If there are no image files.
    """
    root = os.fspath(source)
    if glob.has_magic(root) and not os.path.exists(root):
        found = glob.iglob(root, recursive=True)
    else:
        found = _walk(root)
    files: dict[tuple[int, int], tuple[bool, int, str]] = {}
    for path in found:
        if not os.path.isfile(path):
            continue
        status = os.stat(path)
        key = status.st_dev, status.st_ino
        files[key] = min((os.path.islink(path), path.count(os.sep), path), files.get(key, (True, len(path), path)))
    if not files:
        raise ValueError(f"X: no image files in {root!r}; expected a folder with some, a pattern or a list of paths.")
    return sorted(path for *_, path in files.values())


def _walk(root: str) -> Iterator[str]:
    """Yield the image files below a folder, and each folder once, whatever links lead to it."""
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(
            (name for name in subfolders if not name.startswith(".")),
            key=lambda name: (os.path.islink(os.path.join(folder, name)), name),
        )
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield os.path.join(folder, name)


def open_picture(item: Any, background: Any, name: str | None) -> Image:
    """Return a decoded image of mode "L" or "RGB".

    Parameters
    ----------
    item : str, Path, binary file or PIL.Image.Image
        The image.
    background : str or tuple of int
        Color on which transparent images are composited.
    name : str or None
        What error messages call the image; None takes the path or the mode.

    Returns
    -------
    image : PIL.Image.Image
        The pixels.
    """
    return open_image(item, background, name=name)
