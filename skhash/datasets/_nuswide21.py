"""NUS-WIDE: photographs with several labels each; retrieval uses the 21 most frequent labels."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._loader_common import LOAD_CONSTRAINTS
from skhash.datasets.files._image_lists import (
    LISTS_EXPECTED,
    has_image_lists,
    join_image_folder,
    read_image_lists,
    refuse_counts,
)
from skhash.datasets.files._sources import Source, locate
from skhash.datasets.files._text_files import digits_to_matrix, read_lines
from skhash.datasets.splits._split import DUPLICATES, handle_copies, retrieval_split
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

__all__ = ["load_nuswide21"]

_N_CONCEPTS = 81
_N_KEPT = 21

_SOURCE = Source(
    title="NUS-WIDE",
    folders=("nuswide21", "nuswide_21", "nus_wide", "NUS-WIDE"),
    expected=(
        f"the image lists {LISTS_EXPECTED}, or the original files Groundtruth/AllLabels/Labels_*.txt and "
        "ImageList/Imagelist.txt"
    ),
    no_download="its authors' links are dead, and the images belong to the users of Flickr",
)

_DESCR = """NUS-WIDE-21: photographs from Flickr with at least one of the 21 most frequent of 81 concepts. T.-S. Chua
and others, "NUS-WIDE: A Real-World Web Image Database from National University of Singapore", CIVR 2009. Read from
{layout}."""


@validate_params(
    {
        **LOAD_CONSTRAINTS,
        "n_query": [Interval(Integral, 1, None, closed="left"), None],
        "n_train": [Interval(Integral, 1, None, closed="left"), None],
        "duplicates": [StrOptions(DUPLICATES)],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_nuswide21(
    *,
    data_home: str | os.PathLike[str] | None = None,
    image_folder: str | os.PathLike[str] | None = None,
    n_query: int | None = None,
    n_train: int | None = None,
    duplicates: Literal["warn", "drop", "ignore"] = "warn",
    random_state: RandomStateLike = None,
) -> Bunch:
    """Load NUS-WIDE with its 21 most frequent concepts: a published split, or one drawn from the original files.

    =================   ================================================
    Labels              21, several per image
    Images              195,834
    Queries             2,100, that is 100 per label
    Training images     10,500, that is 500 per label
    Database            193,734, with the training images
    =================   ================================================

    The data set is searched in `data_home`, in the folder of the environment variable `SKHASH_DATA` and in the cache
    (`~/.cache/skhash`), and in a sub-folder `nuswide21`, `nuswide_21`, `nus_wide` or `NUS-WIDE` of each
    of them. The first of these layouts that is found is read. Nothing is downloaded.

    1. Image lists in the format of HashNet and DeepHash-pytorch, a published split: `train.txt`, `test.txt` and
       `database.txt`. A line holds the name of an image and 21 columns of 0 or 1.
    2. The original files, from which a split is drawn: `ImageList/Imagelist.txt`, the names of 269,648 images, and
       `Groundtruth/AllLabels/Labels_<concept>.txt` for each of the 81 concepts, a line of 0 or 1 for every image. The
       21 most frequent concepts are used, in alphabetical order (of equally frequent ones, those that come first), and
       the images that have at least one of them.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search.
    image_folder : str or path-like, default=None
        Folder of the images; None uses the folder of the lists, or the sub-folder `Flickr` of the original files.
        Relative names in the lists are joined to it. For absolute names (those of another machine), it replaces their
        common folder; None keeps them.
    n_query : int, default=None
        Number of queries per label, if the split is drawn. None uses the protocol's number, 100.
    n_train : int, default=None
        Number of training images per label, if the split is drawn. None uses the protocol's number, 500.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        How to handle images of the training set or the database that have the file name of a query: "warn" keeps them
        and warns, "drop" leaves them out, "ignore" skips the search for them.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw. Pass an integer and report it: it is part of the protocol. Not used for published lists.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files, in the order of the original list, or of `test.txt`, `database.txt` and
            `train.txt`. The files need not exist.
        target : ndarray of uint8 of shape (n_samples, 21)
            1 if the image has the label.
        target_names : list of str, or None
            Names of the labels; None for image lists, which do not contain them.
        split : RetrievalSplit
            The split of the lists, or the drawn one; R is 5000.
        DESCR : str
            A description that names the layout.
        source : str
            Folder or file from which the data were read.

    Raises
    ------
    FileNotFoundError
        If the data set is not found; the message lists the places and the names.
    ValueError
        If a file is missing or malformed, or if a label has too few images for the counts.

    Warns
    -----
    LeakageWarning
        If there are such images and `duplicates="warn"`.

    See Also
    --------
    retrieval_split : Draws a split by the protocol "nuswide21" for other features and labels.

    Notes
    -----
    The split is drawn as in DeepHash-pytorch: the images are visited in random order, and each is assigned to the first
    of its labels that still needs training images or, after these, queries. Published copies differ in the number of
    images.

    References
    ----------
    T.-S. Chua, J. Tang, R. Hong, H. Li, Z. Luo, Y. Zheng, "NUS-WIDE: A Real-World Web Image Database from National
    University of Singapore", CIVR 2009.

    Examples
    --------
    >>> from skhash.datasets import load_nuswide21
    >>> data = load_nuswide21(data_home="/data/NUS-WIDE", random_state=0)  # doctest: +SKIP
    >>> data.split  # doctest: +SKIP
    RetrievalSplit(protocol='nuswide21', query=2100, train=10500, database=193734, R=5000)
    """
    layout, folder = locate(_SOURCE, _find_layout, data_home=data_home)
    if layout == "lists":
        refuse_counts(folder, n_query=n_query, n_train=n_train)
        names, labels, split = read_image_lists(folder, _N_KEPT, "nuswide21")
        concepts, images = None, folder
    else:
        names, labels, concepts = _read_original(folder)
        images = folder / "Flickr"
        split = retrieval_split(
            names,
            labels,
            protocol="nuswide21",
            n_query=n_query,
            n_train=n_train,
            duplicates="ignore",
            random_state=random_state,
        )
    return Bunch(
        filenames=join_image_folder(names, images, image_folder),
        target=labels,
        target_names=concepts,
        split=handle_copies(names, split, duplicates),
        DESCR=_DESCR.format(layout="image lists" if layout == "lists" else "the original files"),
        source=str(folder),
    )


def _find_layout(folder: Path) -> tuple[str, Path] | None:
    """Return layout and folder of a copy of NUS-WIDE, or None."""
    if has_image_lists(folder):
        return "lists", folder
    if (folder / "Groundtruth" / "AllLabels").is_dir():
        return "original", folder
    return None


def _read_original(folder: Path) -> tuple[NDArray[np.str_], NDArray[np.uint8], list[str]]:
    """Return names and labels of the images with one of the most frequent concepts, and the names of these."""
    names = [line.strip().replace("\\", "/") for line in read_lines(folder / "ImageList" / "Imagelist.txt")]
    files = sorted((folder / "Groundtruth" / "AllLabels").glob("Labels_*.txt"))
    if len(files) != _N_CONCEPTS:
        raise ValueError(
            f"{folder / 'Groundtruth' / 'AllLabels'} holds {len(files)} files Labels_*.txt; expected {_N_CONCEPTS}."
        )
    concepts = [file.stem.removeprefix("Labels_") for file in files]
    labels = digits_to_matrix([_read_concept(file, len(names)) for file in files], len(names)).T
    kept = np.sort(np.argsort(-labels.sum(axis=0, dtype=np.int64), kind="stable")[:_N_KEPT])
    labels = labels[:, kept]
    rows = np.flatnonzero(labels.any(axis=1))
    return np.array(names)[rows], np.ascontiguousarray(labels[rows]), [concepts[column] for column in kept]


def _read_concept(path: Path, n_images: int) -> str:
    """Return the column of one concept as a string of 0 and 1."""
    lines = [line.strip() for line in read_lines(path)]
    if len(lines) != n_images:
        raise ValueError(f"{path} holds {len(lines)} lines; expected {n_images}, the number of lines of Imagelist.txt.")
    wrong = [number for number, line in enumerate(lines, start=1) if line not in ("0", "1")]
    if wrong:
        raise ValueError(f"{path}, line {wrong[0]}: expected 0 or 1, got {lines[wrong[0] - 1]!r}.")
    return "".join(lines)
