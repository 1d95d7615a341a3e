"""Find picture files, and leave out those that cannot be read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from joblib import effective_n_jobs

from skhash.perceptual import list_pictures
from skhash.utils import check_option, map_threads, measure_image, open_image, read_color, to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Color: TypeAlias = "str | tuple[int, int, int]"
    ErrorRule: TypeAlias = "str | Callable[[str, Exception], object]"
    Source: TypeAlias = "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]"

_COLUMNS = ("pandas", "polars", "pyarrow")


class ImageList(list[str]):
    """Paths of pictures that were checked: a list, which every estimator takes as `X`.

    Parameters
    ----------
    paths : iterable of str, default=()
        Paths of the pictures that can be read.
    skipped : iterable of (str, str), default=()
        Paths of the others, and why they were skipped.
    kept : array-like of bool, default=None
        For each path that was checked, whether it is in the list: ``y[images.kept]`` are the labels of the list. None
        means that all are.

    Attributes
    ----------
    skipped : list of (str, str)
        Paths of the pictures that cannot be read, and why.
    kept : ndarray of bool
        For each path that was checked, whether it is in the list.
    """

    def __init__(
        self, paths: Iterable[str] = (), skipped: Iterable[tuple[str, str]] = (), kept: Iterable[bool] | None = None
    ) -> None:
        super().__init__(paths)
        self.skipped = list(skipped)
        self.kept: NDArray[np.bool_] = np.ones(len(self), bool) if kept is None else np.array(kept, bool)

    @property
    def paths(self) -> list[str]:
        """The paths as a plain list."""
        return list(self)


def find_images(source: Source) -> list[str]:
    """Return the paths of picture files.

    Parameters
    ----------
    source : str, Path or iterable of paths
        A folder, whose subfolders are searched, too; a pattern such as ``"photos/**/*.jpg"``; or paths: a list, an
        array, a generator, or a column or frame of one column of pandas, polars or Arrow. In a folder, files are known
        by their suffix, names that begin with a dot are left out, links are followed, and a file that several paths
        lead to is listed once.

    Returns
    -------
    paths : list of str
        The paths: sorted if `source` is a folder or a pattern, otherwise as they are.

    Raises
    ------
    ValueError
        If there are no picture files.
    TypeError
        If `source` is none of these.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhash.images import find_images
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.jpg", "a.png", "notes.txt"):
    ...     (folder / name).touch()
    >>> [Path(path).name for path in find_images(folder)]
    ['a.png', 'b.jpg']
    """
    if isinstance(source, (str, os.PathLike)):
        if os.path.isfile(source):
            return [os.fspath(source)]
        return list_pictures(source)
    if type(source).__module__.partition(".")[0] in _COLUMNS:
        source = to_numpy(source, "source").ravel().tolist()
    if isinstance(source, np.ndarray):
        source = source.ravel().tolist()
    if isinstance(source, (bytes, dict)) or not isinstance(source, Iterable):
        raise TypeError(f"source has type {type(source).__name__}; expected a folder, a pattern or a list of paths.")
    paths = list(source)
    for number, path in enumerate(paths):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"source[{number}] has type {type(path).__name__}; expected a path.")
    if not paths:
        raise ValueError("source has no paths; expected at least one.")
    return [os.fspath(path) for path in paths]


def check_images(
    source: Source,
    *,
    errors: ErrorRule = "raise",
    decode: bool = True,
    background: Color = "white",
    n_jobs: int | None = None,
) -> ImageList:
    """Read picture files once, and leave out those that are damaged.

    Parameters
    ----------
    source : str, Path or iterable of paths
        Picture files, as for `find_images`.
    errors : {"raise", "skip"} or callable, default="raise"
        What happens to a file that cannot be read. A callable gets its path and the exception; the file is skipped if
        it returns.
    decode : bool, default=True
        Whether all pixels are decoded, which finds truncated files. False reads headers alone: it takes a fraction of
        the time, and finds what is empty, no picture, or too large.
    background : str or tuple of int, default="white"
        Color on which transparent images are composited.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a `joblib.parallel_config` context; -1 means all cores.

    Returns
    -------
    images : ImageList
        The paths of the others, with `skipped` and `kept`.

    Raises
    ------
    ValueError
        If a file is damaged and `errors` is "raise", or no file can be read. The first damaged one is named.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skhash.images import check_images
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (8, 8)).save(folder / "a.png")
    >>> (folder / "b.png").touch()
    >>> images = check_images(folder, errors="skip")
    >>> len(images), images.kept
    (1, array([ True, False]))
    >>> np.array(["cat", "dog"])[images.kept]
    array(['cat'], dtype='<U3')
    """
    if not callable(errors):
        check_option("errors", errors, ("raise", "skip"))
    read_color(background)
    paths = find_images(source)

    def check(path: str) -> Exception | None:
        try:
            if decode:
                open_image(path, background)
            else:
                measure_image(path)
        except Exception as error:  # Pillow's plugins raise anything on damaged files
            return error
        return None

    found = map_threads(check, paths, effective_n_jobs(n_jobs))  # pyright: ignore[reportArgumentType]  None is valid
    return select_images(paths, found, errors)


def select_images(paths: list[str], found: list[Exception | None], errors: ErrorRule) -> ImageList:
    """Return the paths without an exception; deal with the others as `errors` says."""
    skipped = []
    for path, error in zip(paths, found, strict=True):
        if error is None:
            continue
        if errors == "raise":
            raise error if isinstance(error, (ValueError, OSError)) else ValueError(f"X: {path!r}: {explain(error)}")
        if callable(errors):
            errors(path, error)
        skipped.append((path, explain(error)))
    kept = np.array([error is None for error in found])
    if not kept.any():
        raise ValueError(f"source: none of {len(paths)} files can be read; the first one: {skipped[0][1]}")
    return ImageList([path for path, fine in zip(paths, kept, strict=True) if fine], skipped, kept)


def explain(error: Any) -> str:
    """Return why a picture was skipped; errors of this library begin with the name of an argument."""
    if isinstance(error, ValueError) or str(error).startswith("X: "):
        return str(error).removeprefix("X: ")
    return f"{type(error).__name__}: {error}"
