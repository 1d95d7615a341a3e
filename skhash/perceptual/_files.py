"""The two functions that touch files: listing and opening pictures."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.utils import import_optional, open_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".webp", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".pcx",
)  # fmt: skip

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")


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
        missing = "" if os.path.lexists(root) or glob.has_magic(root) else ", which does not exist"
        raise ValueError(
            f"X: no image files in {root!r}{missing}; expected a folder with some, a pattern or a list of paths."
        )
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


def open_picture(item: Any, background: Any, name: str | None, at_least: int | None = None) -> Image:
    """Return a decoded image of mode "L" or "RGB".

    Parameters
    ----------
    item : str, Path, binary file or PIL.Image.Image
        The image.
    background : str or tuple of int
        Color on which transparent images are composited.
    name : str or None
        What error messages call the image; None takes the path or the mode.
    at_least : int, default=None
        JPEG files are decoded at a half, a quarter or an eighth of their size if neither side gets shorter than this.
        None decodes all pixels.

    Returns
    -------
    image : PIL.Image.Image
        The pixels.
    """
    if at_least is None or not may_be_reduced(item):
        return open_image(item, background, name=name)
    module = import_optional("PIL.Image", extra="vision", purpose="Reading image files")
    try:
        with module.open(item) as image:
            if image.width * image.height <= (module.MAX_IMAGE_PIXELS or np.inf):
                image.draft(None, (at_least, at_least))  # which other formats ignore
                return open_image(image, background, name=name)
    except Exception:  # what is wrong with the file is said by the function that knows its name
        pass
    return open_image(item, background, name=name)


def draft_side(size: Sequence[int]) -> int:
    """Return the length that sides of a JPEG file must keep where the image is resized afterwards.

    Parameters
    ----------
    size : sequence of int
        Height and width to which it is resized.

    Returns
    -------
    at_least : int
        Twice the longer one, as in Pillow's `thumbnail`, so that resizing has enough pixels to average.
    """
    return 2 * max(size)


def may_be_reduced(item: Any) -> bool:
    """Check whether `open_picture` may decode fewer pixels than an image has.

    Parameters
    ----------
    item : object
        The image.

    Returns
    -------
    may_be_reduced : bool
        Whether it is the path of a file that is named as JPEG files are.
    """
    return isinstance(item, (str, os.PathLike)) and os.fspath(item).lower().endswith(_JPEG)
