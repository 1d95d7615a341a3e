"""CIFAR-100: 60,000 color photographs of a hundred classes in twenty superclasses."""

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
from skhash.datasets.files._safe_pickle import read_pickle
from skhash.datasets.files._sources import Source, locate
from skhash.utils import StrOptions, validate_params

if TYPE_CHECKING:
    import os

    import numpy as np
    from numpy.typing import NDArray
    from sklearn.utils import Bunch

    _Batch = tuple[NDArray[np.uint8], NDArray[Any]]
    _Parts = dict[str, _Batch]

__all__ = ["fetch_cifar100"]

_N_CLASSES = {"coarse": 20, "fine": 100}  # in the order of the columns of a binary record
_ROWS = {"train": 50_000, "test": 10_000}
_ARCHIVE = "cifar-100-python.tar.gz"
_SHA256 = {_ARCHIVE: "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"}

_SOURCE = Source(
    title="CIFAR-100",
    folders=("cifar100", "cifar-100", "CIFAR-100", "CIFAR100"),
    expected=(
        "cifar-100-python/train, test and meta, cifar-100-binary/train.bin, test.bin, fine_label_names.txt and "
        f"coarse_label_names.txt, or {_ARCHIVE}"
    ),
    url="https://www.cs.toronto.edu/~kriz/",
)

_DESCR = """CIFAR-100: color photographs, 32 x 32, 100 classes of equal size in 20 superclasses, 50,000 for training
and 10,000 for testing; labels are the {labels} ones. A. Krizhevsky, "Learning Multiple Layers of Features from Tiny
Images", 2009. Read from {layout}."""


@overload
def fetch_cifar100(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    labels: Literal["fine", "coarse"] = "fine",
    download: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_cifar100(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    labels: Literal["fine", "coarse"] = "fine",
    download: bool = True,
    return_X_y: Literal[True],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
@validate_params(
    {**FETCH_CONSTRAINTS, "labels": [StrOptions(set(_N_CLASSES))]},
    prefer_skip_nested_validation=True,
)
def fetch_cifar100(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    labels: Literal["fine", "coarse"] = "fine",
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load CIFAR-100 from a local copy or from its authors' site.

    =================   ==================
    Classes                            100
    Superclasses                        20
    Samples per class                  600
    Samples total                    60000
    Images              32 x 32 x 3, uint8
    =================   ==================

    The data set is searched in `data_home`, in the folder of the environment variable `SKHASH_DATA` and in the cache
    (`~/.cache/skhash`), and in the sub-folder `cifar100` of each of them. The first of these layouts that is found is
    read:

    1. the Python files: `cifar-100-python/train`, `test` and `meta`;
    2. the binary files: `cifar-100-binary/train.bin`, `test.bin`, `fine_label_names.txt` and `coarse_label_names.txt`;
    3. the archive of the Python files, `cifar-100-python.tar.gz`, which is also the file that is downloaded.

    The Python files are pickles, but no code in them is executed.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search, and the target of the download. None downloads into the cache.
    subset : {"all", "train", "test"}, default="all"
        The images to return; "all" returns the 50,000 training images first, then the 10,000 test images.
    labels : {"fine", "coarse"}, default="fine"
        Whether `target` holds the 100 classes or the 20 superclasses.
    download : bool, default=True
        Whether to download the archive (169 MB) if CIFAR-100 is not found. Its checksum is verified.
    return_X_y : bool, default=False
        Whether to return `(images, target)` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields, in the order of the files:

        images : ndarray of uint8 of shape (n_samples, 32, 32, 3)
            The images; the channels are red, green and blue.
        target : ndarray of int64 of shape (n_samples,)
            Classes 0 to 99, or superclasses 0 to 19.
        target_names : list of str
            Their names.
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
    >>> from skhash.datasets import fetch_cifar100, retrieval_split
    >>> data = fetch_cifar100()  # doctest: +SKIP
    >>> split = retrieval_split(data.images, data.target, protocol="odh-cifar100", random_state=0)  # doctest: +SKIP
    >>> split  # doctest: +SKIP
    RetrievalSplit(protocol='odh-cifar100', query=5000, train=10000, database=55000, R=500)
    """
    copy = locate(_SOURCE, _find_copy, data_home=data_home, download=download, files=_SHA256)
    parts, names = copy.read(copy.path, SUBSETS[subset], labels)
    if len(names) != _N_CLASSES[labels]:
        raise ValueError(
            f"{copy.path} holds the names of {len(names)} {labels} classes; expected {_N_CLASSES[labels]}."
        )
    data = join_parts(
        {part: join_batches([batch]) for part, batch in parts.items()},
        target_names=names,
        DESCR=_DESCR.format(labels=labels, layout=copy.layout),
        source=str(copy.path),
    )
    return (data.images, data.target) if return_X_y else data


@dataclass(frozen=True)
class _Copy:
    """A copy of the data set; `read(path, parts, labels)` returns `{part: (images, labels)}` and the class names."""

    layout: str
    path: Path
    read: Callable[[Path, Sequence[str], str], tuple[_Parts, list[str]]]


def _find_copy(folder: Path) -> _Copy | None:
    """Return the copy of CIFAR-100 in a folder, or None."""
    for base in (folder / "cifar-100-python", folder):
        if any((base / name).is_file() for name in ("train", "test", "meta")):
            return _Copy("the Python files", base, _read_python)
    for base in (folder / "cifar-100-binary", folder):
        if any((base / f"{part}.bin").is_file() for part in _ROWS):
            return _Copy("the binary files", base, _read_binary)
    if (folder / _ARCHIVE).is_file():
        return _Copy("the archive of Python files", folder / _ARCHIVE, _read_archive)
    return None


def _read_python(path: Path, parts: Sequence[str], labels: str) -> tuple[_Parts, list[str]]:
    return _parse_pickles(lambda name: read_required_file(path / name, "CIFAR-100"), parts, labels)


def _read_archive(path: Path, parts: Sequence[str], labels: str) -> tuple[_Parts, list[str]]:
    found = read_archive_files(path, "cifar-100-python", [*parts, "meta"], _SOURCE.url + _ARCHIVE)
    return _parse_pickles(lambda name: (found[name], f"{name} in {path}"), parts, labels)


def _parse_pickles(
    read: Callable[[str], tuple[bytes, object]], parts: Sequence[str], labels: str
) -> tuple[_Parts, list[str]]:
    """Return batches and class names; `read` returns the content and the name of a file."""
    batches = {}
    for part in parts:
        data, name = read(part)
        pixels, numbers = parse_pickle(data, name, title="CIFAR-100", labels=f"{labels}_labels")
        batches[part] = check_batch(pixels, numbers, name, n_rows=_ROWS[part], n_classes=_N_CLASSES[labels])
    key = f"{labels}_label_names"
    names = read_pickle(
        *read("meta"),
        lambda meta: [str(name) for name in meta[key]],
        what="list of the classes of CIFAR-100",
        expected=f"expected a pickled dict with {key!r}",
    )
    return batches, names


def _read_binary(path: Path, parts: Sequence[str], labels: str) -> tuple[_Parts, list[str]]:
    batches = {}
    for part in parts:
        data, name = read_required_file(path / f"{part}.bin", "CIFAR-100")
        pixels, numbers = parse_records(data, name, n_rows=_ROWS[part], n_labels=len(_N_CLASSES))
        column = numbers[:, list(_N_CLASSES).index(labels)]
        batches[part] = check_batch(pixels, column, name, n_rows=_ROWS[part], n_classes=_N_CLASSES[labels])
    names, _ = read_required_file(path / f"{labels}_label_names.txt", "CIFAR-100")
    return batches, names.decode("utf-8").split()
