"""Fashion-MNIST: 70,000 gray images of clothes, from the four IDX files that Zalando and Debian distribute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from skhash.datasets._loader_common import FETCH_CONSTRAINTS, SUBSETS, join_parts
from skhash.datasets.files._compressed import read_gzip
from skhash.datasets.files._sources import Source, locate
from skhash.utils import validate_params

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray
    from sklearn.utils import Bunch

__all__ = ["fetch_fashion_mnist"]

_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Checksums of the files on Zalando's site. Debian's files have the same content, but are compressed differently.
_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_PREFIX = {"train": "train", "test": "t10k"}

_SOURCE = Source(
    title="Fashion-MNIST",
    folders=("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"),
    expected=f"{', '.join(_SHA256)} (with or without .gz)",
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    system_folders=("/usr/share/datasets/fashion-mnist",),
    advice=", install Debian's package dataset-fashion-mnist",
)

_DESCR = """Fashion-MNIST: gray product photographs of clothes, 28 x 28, 10 classes of equal size, 60,000 for training
and 10,000 for testing. Xiao, Rasul and Vollgraf (2017), arXiv:1708.07747. MIT license, (c) Zalando SE."""


@overload
def fetch_fashion_mnist(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_fashion_mnist(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: Literal[True],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
@validate_params(FETCH_CONSTRAINTS, prefer_skip_nested_validation=True)
def fetch_fashion_mnist(
    *,
    data_home: str | os.PathLike[str] | None = None,
    subset: Literal["all", "train", "test"] = "all",
    download: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Load Fashion-MNIST from a local copy or from its authors' site.

    =================   ==============
    Classes                         10
    Samples per class             7000
    Samples total                70000
    Images              28 x 28, uint8
    =================   ==============

    The four IDX files, compressed or not, are searched in `data_home`, in the folder of the environment variable
    `SKHASH_DATA`, in the folder of Debian's package `dataset-fashion-mnist` (`/usr/share/datasets/fashion-mnist`) and
    in the cache (`~/.cache/skhash`), and in the sub-folder `fashion-mnist` of each of them.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search, and the target of the download. None downloads into the cache.
    subset : {"all", "train", "test"}, default="all"
        The images to return; "all" returns the 60,000 training images first, then the 10,000 test images.
    download : bool, default=True
        Whether to download files (31 MB) that are not found. Their checksums are verified.
    return_X_y : bool, default=False
        Whether to return `(images, target)` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields, in the order of the files:

        images : ndarray of uint8 of shape (n_samples, 28, 28)
            Gray values; 0 is black.
        target : ndarray of int64 of shape (n_samples,)
            Classes 0 to 9.
        target_names : list of str
            Names of the classes.
        is_test : ndarray of bool of shape (n_samples,)
            True for images of the standard test part.
        DESCR : str
            A description.
        source : str
            Folder or file from which the data were read.

    (images, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    FileNotFoundError
        If the files are not found and cannot be downloaded; the message lists the places and the names.
    ValueError
        If a file is damaged.

    References
    ----------
    H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms", 2017, arXiv:1708.07747.

    Examples
    --------
    >>> from skhash.datasets import fetch_fashion_mnist, retrieval_split
    >>> data = fetch_fashion_mnist()  # doctest: +SKIP
    >>> split = retrieval_split(data.images, data.target, protocol="cifar10-1", random_state=0)  # doctest: +SKIP
    >>> split  # doctest: +SKIP
    RetrievalSplit(protocol='cifar10-1', query=1000, train=5000, database=69000, R=None)
    """
    parts = SUBSETS[subset]
    stems = {part: _PREFIX[part] for part in parts}
    files = {name: sha256 for name, sha256 in _SHA256.items() if name.startswith(tuple(stems.values()))}
    found = locate(
        _SOURCE, lambda folder: _find_files(folder, files), data_home=data_home, download=download, files=files
    )
    loaded = {part: _read_part(found, stem) for part, stem in stems.items()}
    folder = found[next(iter(files))].parent
    data = join_parts(loaded, target_names=list(_CLASSES), DESCR=_DESCR, source=str(folder))
    return (data.images, data.target) if return_X_y else data


def _find_files(folder: Path, names: Iterable[str]) -> dict[str, Path] | None:
    """Return the path of each file, compressed or not, or None if one is missing."""
    found = {}
    for name in names:
        paths = [path for path in (folder / name, folder / name.removesuffix(".gz")) if path.is_file()]
        if not paths:
            return None
        found[name] = paths[0]
    return found


def _read_part(found: Mapping[str, Path], prefix: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images and labels of one part, checked against each other."""
    images_path, labels_path = (found[f"{prefix}-{kind}-ubyte.gz"] for kind in ("images-idx3", "labels-idx1"))
    images, labels = _read_idx(images_path, 3), _read_idx(labels_path, 1)
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{images_path} holds images of shape {images.shape[1:]}; expected (28, 28).")
    if len(labels) != len(images):
        raise ValueError(f"{labels_path} holds {len(labels)} labels; expected {len(images)}, the number of images.")
    if labels.size and labels.max() >= len(_CLASSES):
        raise ValueError(f"{labels_path} holds label {labels.max()}; expected labels from 0 to {len(_CLASSES) - 1}.")
    return images, labels


def _read_idx(path: Path, n_dims: int) -> NDArray[Any]:
    """Read an IDX file of bytes: two zero bytes, type 8, the number of dimensions, their sizes, the data."""
    data = read_gzip(path) if path.suffix == ".gz" else path.read_bytes()
    magic, start = bytes([0, 0, 8, n_dims]), 4 + 4 * n_dims
    if data[:4] != magic or len(data) < start:
        raise ValueError(f"{path} starts with {data[:4].hex()!r}; expected an IDX file with magic {magic.hex()!r}.")
    shape = tuple(np.frombuffer(data, ">u4", n_dims, offset=4).tolist())
    size = start + math.prod(shape)
    if len(data) != size:
        raise ValueError(f"{path} has a size of {len(data)} bytes; expected {size} for its shape {shape}.")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
