"""The pictures that a page shows: those of a folder, or of a data set with labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skhash.perceptual import ImageItems, list_pictures
from skhash.utils import check_option

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA_SETS = ("digits", "fashion-mnist", "cifar10")
_SHOWN = 1000  # of the 1,797 digits; hashers learn from the others
_LEARNED = 10_000  # training images of the larger sets


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures with names and, if they have some, labels.

    Parameters
    ----------
    title : str
        What the page calls them.
    items : ImageItems
        The pictures.
    names : sequence of str
        A name for each. Names of files are relative to their folder, so that a page does not tell where it lies.
    labels : ndarray of int of shape (n_pictures,), default=None
        Rows of `label_names`.
    label_names : sequence of str, default=()
        Names of the classes.
    in_folders : bool, default=False
        Whether names are paths, so that two pictures can be in the same folder.
    training : callable, default=None
        Returns pixels (n, height, width) or (n, height, width, channels) and labels of other pictures of the same kind,
        from which hashers may learn.
    """

    title: str
    items: ImageItems
    names: Sequence[str]
    labels: NDArray[np.int64] | None = None
    label_names: Sequence[str] = ()
    in_folders: bool = False
    training: Callable[[], tuple[NDArray[np.uint8], NDArray[np.int64]]] | None = None

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_files(cls, paths: Sequence[str], root: str | os.PathLike[str]) -> Self:
        """Take picture files.

        Parameters
        ----------
        paths : sequence of str
            Paths of the files.
        root : str or Path
            The folder that names are relative to.

        Returns
        -------
        pictures : Pictures
            The pictures.
        """
        names = [Path(os.path.relpath(path, root)).as_posix() for path in paths]
        return cls(Path(root).resolve().name or os.fspath(root), ImageItems(list(paths)), names, in_folders=True)

    @classmethod
    def from_folder(cls, root: str | os.PathLike[str]) -> Self:
        """List the picture files of a folder and its subfolders.

        Parameters
        ----------
        root : str or Path
            The folder.

        Returns
        -------
        pictures : Pictures
            The pictures, sorted by path.

        Raises
        ------
        ValueError
            If there are no picture files.
        """
        return cls.from_files(list_pictures(root), root)

    def label_of(self, row: int) -> str | None:
        """Return the label of a picture.

        Parameters
        ----------
        row : int
            Position of the picture.

        Returns
        -------
        label : str or None
            None without labels.
        """
        return None if self.labels is None else self.label_names[int(self.labels[row])]

    def folder_of(self, row: int) -> str | None:
        """Return the folder of a picture.

        Parameters
        ----------
        row : int
            Position of the picture.

        Returns
        -------
        folder : str or None
            Path relative to the folder of all pictures, where that one is "."; None if they are not files.
        """
        return (self.names[row].rpartition("/")[0] or ".") if self.in_folders else None


def load_data_set(name: str) -> Pictures:
    """Load a data set with labels. Nothing is downloaded.

    Parameters
    ----------
    name : {"digits", "fashion-mnist", "cifar10"}
        "digits" are 1,000 images of scikit-learn's handwritten digits; hashers learn from the other 797. The others are
        the 10,000 test images, hashers learn from the first 10,000 training images.

    Returns
    -------
    pictures : Pictures
        The images that are shown and searched.

    Raises
    ------
    ValueError
        If there is no data set of this name.
    FileNotFoundError
        If the data set is not on this machine.

    Examples
    --------
    >>> from skhash.demo import load_data_set
    >>> digits = load_data_set("digits")
    >>> len(digits), digits.label_of(0)
    (1000, '1')
    """
    check_option("name", name, DATA_SETS)
    if name == "digits":
        return _load_digits()
    from skhash.datasets import fetch_cifar10, fetch_fashion_mnist

    fetch = fetch_fashion_mnist if name == "fashion-mnist" else fetch_cifar10
    data = fetch(subset="test", download=False)

    def train() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images, target = fetch(subset="train", download=False, return_X_y=True)
        rows = np.random.default_rng(0).permutation(len(images))[:_LEARNED]  # some copies are sorted by class
        return images[rows], target[rows]

    title = "Fashion-MNIST" if name == "fashion-mnist" else "CIFAR-10"
    return _of_arrays(title, data.images, data.target, data.target_names, train)


def _load_digits() -> Pictures:
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    images, target = np.rint(data.images * (255 / 16)).astype(np.uint8), data.target.astype(np.int64)
    rest = len(images) - _SHOWN
    names = [str(number) for number in data.target_names]
    return _of_arrays("Digits", images[rest:], target[rest:], names, lambda: (images[:rest], target[:rest]))


def _of_arrays(
    title: str, images: NDArray[np.uint8], target: NDArray[np.int64], label_names: Sequence[str], training: Callable
) -> Pictures:
    names = [f"{label_names[label]} #{row}" for row, label in enumerate(target.tolist())]
    return Pictures(title, ImageItems(images), names, target, label_names, training=training)
