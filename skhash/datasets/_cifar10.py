"""CIFAR-10: 60,000 color photographs of ten classes, from any of its usual layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from skhash.datasets._loader_common import FETCH_CONSTRAINTS, SUBSETS, join_parts
from skhash.datasets.files._cifar_files import (
    check_batch,
    join_batches,
    parse_pickle,
    parse_records,
    read_archive_files,
    read_required_file,
)
from skhash.datasets.files._image_files import read_class_folders, read_jpeg_npz
from skhash.datasets.files._sources import Source, locate
from skhash.utils import validate_params

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray
    from sklearn.utils import Bunch

    _Batch = tuple[NDArray[np.uint8], NDArray[Any]]
    _Parts = dict[str, _Batch]

__all__ = ["fetch_cifar10"]

_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_BATCHES = {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)}
_BATCH_ROWS = 10_000
_ARCHIVE = "cifar-10-python.tar.gz"
_SHA256 = {_ARCHIVE: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"}

_SOURCE = Source(
    title="CIFAR-10",
    folders=("cifar10", "cifar-10", "CIFAR-10", "CIFAR10"),
    expected=(
        f"cifar-10-batches-py/data_batch_1, cifar-10-batches-bin/data_batch_1.bin, {_ARCHIVE}, "
        "train/airplane/*.png with test/airplane/*.png, or cifar10_jpeg.npz"
    ),
    url="https://www.cs.toronto.edu/~kriz/",
)

_DESCR = """{title}: color photographs, 32 x 32, 10 classes of equal size, 50,000 for training and 10,000 for testing.
A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Read from {layout}."""


@overload
def fetch_cifar10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_cifar10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: Literal[True],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
@validate_params(FETCH_CONSTRAINTS, prefer_skip_nested_validation=True)
def fetch_cifar10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load CIFAR-10 from a local copy in any usual layout, or from its authors' site.

    =================   ==================
    Classes                             10
    Samples per class                 6000
    Samples total                    60000
    Images              32 x 32 x 3, uint8
    =================   ==================

    The data set is searched in `data_home`, in the folder of the environment variable `SKHASH_DATA` and in the cache
    (`~/.cache/skhash`), and in the sub-folder `cifar10` of each of them. The first of these layouts that is found is
    read:

    1. the Python batches: `cifar-10-batches-py/data_batch_1` ... `data_batch_5`, `test_batch`;
    2. the binary batches: `cifar-10-batches-bin/data_batch_1.bin` and so on;
    3. the archive of the Python batches, `cifar-10-python.tar.gz`, which is also the file that is downloaded;
    4. class folders of image files: `train/airplane/*.png`, `test/airplane/*.png` and so on (needs Pillow);
    5. `cifar10_jpeg.npz`, a copy as JPEG files (needs Pillow). Its pixels differ from the original ones: scores that
       are computed from it should be labeled "CIFAR-10 (JPEG copy)", as in `DESCR`.

    The Python batches are pickles, but no code in them is executed.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search, and the target of the download. None downloads into the cache.
    subset : {"all", "train", "test"}, default="all"
        The images to return; "all" returns the 50,000 training images first, then the 10,000 test images.
    download : bool, default=True
        Whether to download the archive (170 MB) if CIFAR-10 is not found. Its checksum is verified.
    return_X_y : bool, default=False
        Whether to return `(images, target)` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields, in the order of the files (layouts 4 and 5: sorted by class):

        images : ndarray of uint8 of shape (n_samples, 32, 32, 3)
            The images; the channels are red, green and blue.
        target : ndarray of int64 of shape (n_samples,)
            Classes 0 to 9.
        target_names : list of str
            Names of the classes.
        is_test : ndarray of bool of shape (n_samples,)
            True for images of the standard test part.
        DESCR : str
            A description that names the layout.
        source : str
            Folder or file from which the data were read.

    (images, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    FileNotFoundError
        If the data set is not found and cannot be downloaded; the message lists the places and the names.
    ValueError
        If a file is damaged.

    References
    ----------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, University of Toronto,
    2009.

    Examples
    --------
    >>> from skhash.datasets import fetch_cifar10, retrieval_split
    >>> data = fetch_cifar10()  # doctest: +SKIP
    >>> split = retrieval_split(data.images, data.target, protocol="lbhash", random_state=0)  # doctest: +SKIP
    >>> split  # doctest: +SKIP
    RetrievalSplit(protocol='lbhash', query=1000, train=5000, database=54000, R=None)
    """
    copy = locate(_SOURCE, _find_copy, data_home=data_home, download=download, files=_SHA256)
    loaded = copy.read(copy.path, SUBSETS[subset])
    title = "CIFAR-10 (JPEG copy)" if copy.read is _read_npz else "CIFAR-10"
    data = join_parts(
        loaded,
        target_names=list(_CLASSES),
        DESCR=_DESCR.format(title=title, layout=copy.layout),
        source=str(copy.path),
    )
    return (data.images, data.target) if return_X_y else data


@dataclass(frozen=True)
class _Copy:
    """A copy of the data set; `read(path, parts)` returns `{part: (images, labels)}`."""

    layout: str
    path: Path
    read: Callable[[Path, Sequence[str]], _Parts]


def _find_copy(folder: Path) -> _Copy | None:
    """Return the copy of CIFAR-10 in a folder, or None."""
    for base in (folder / "cifar-10-batches-py", folder):
        if any((base / name).is_file() for name in (*_BATCHES["train"], *_BATCHES["test"])):
            return _Copy("the Python batches", base, _read_python_batches)
    for base in (folder / "cifar-10-batches-bin", folder):
        if any((base / f"{name}.bin").is_file() for name in (*_BATCHES["train"], *_BATCHES["test"])):
            return _Copy("the binary batches", base, _read_binary_batches)
    if (folder / _ARCHIVE).is_file():
        return _Copy("the archive of Python batches", folder / _ARCHIVE, _read_archive)
    if all((folder / part / name).is_dir() for part in _BATCHES for name in _CLASSES):
        return _Copy("class folders of image files", folder, _read_folders)
    if (folder / "cifar10_jpeg.npz").is_file():
        return _Copy("cifar10_jpeg.npz", folder / "cifar10_jpeg.npz", _read_npz)
    return None


def _read_python_batches(path: Path, parts: Sequence[str]) -> _Parts:
    return _read_batches(parts, lambda name: _parse_python(*read_required_file(path / name, "CIFAR-10")))


def _read_binary_batches(path: Path, parts: Sequence[str]) -> _Parts:
    return _read_batches(parts, lambda name: _parse_binary(*read_required_file(path / f"{name}.bin", "CIFAR-10")))


def _read_archive(path: Path, parts: Sequence[str]) -> _Parts:
    names = [name for part in parts for name in _BATCHES[part]]
    found = read_archive_files(path, "cifar-10-batches-py", names, _SOURCE.url + _ARCHIVE)
    return _read_batches(parts, lambda name: _parse_python(found[name], f"{name} in {path}"))


def _read_folders(path: Path, parts: Sequence[str]) -> _Parts:
    return {part: read_class_folders(path / part, _CLASSES) for part in parts}


def _read_npz(path: Path, parts: Sequence[str]) -> _Parts:
    return read_jpeg_npz(path, _CLASSES, parts)


def _read_batches(parts: Sequence[str], read: Callable[[str], _Batch]) -> _Parts:
    return {part: join_batches([read(name) for name in _BATCHES[part]]) for part in parts}


def _parse_python(data: bytes, name: object) -> _Batch:
    return check_batch(*parse_pickle(data, name), name, n_rows=_BATCH_ROWS, n_classes=len(_CLASSES))


def _parse_binary(data: bytes, name: object) -> _Batch:
    pixels, labels = parse_records(data, name, n_rows=_BATCH_ROWS, n_labels=1)
    return check_batch(pixels, labels[:, 0], name, n_rows=_BATCH_ROWS, n_classes=len(_CLASSES))
