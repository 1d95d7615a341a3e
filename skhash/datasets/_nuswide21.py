"""NUS-WIDE: photographs with several labels each, of which the 21 most frequent are used for retrieval."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._image_lists import LISTS_EXPECTED, find_lists, join_image_folder, read_image_lists, refuse_counts
from skhash.datasets._parts import LOAD_CONSTRAINTS
from skhash.datasets._sources import Source, locate
from skhash.datasets._split import DUPLICATES, guard, retrieval_split
from skhash.datasets._text_files import digits_to_matrix, read_lines
from skhash.utils import Interval, StrOptions, validate_params

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
    no_download="the links of its authors are dead, and the images belong to the users of Flickr",
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
    *, data_home=None, image_folder=None, n_query=None, n_train=None, duplicates="warn", random_state=None
):
    """Load NUS-WIDE with its 21 most frequent concepts: a published split, or one drawn from the original files.

    =================   ================================================
    Labels              21, several per image
    Images              195,834
    Queries             2,100, that is 100 per label
    Training images     10,500, that is 500 per label
    Database            193,734, with the training images
    =================   ================================================

    It is looked for in `data_home`, in the folder that the environment variable `SKHASH_DATA` names and in the cache
    (`~/.cache/skhash`), and in each of them in a folder `nuswide21`, `nuswide_21`, `nus_wide` or `NUS-WIDE`, in one of
    these layouts; the first that is there is taken. Nothing is downloaded.

    1. Image lists as those of HashNet and DeepHash-pytorch, a published split: `train.txt`, `test.txt` and
       `database.txt`. A line is the name of an image and 21 columns of 0 or 1.
    2. The original files, from which a split is drawn: `ImageList/Imagelist.txt`, the names of 269,648 images, and
       `Groundtruth/AllLabels/Labels_<concept>.txt` for each of the 81 concepts, a line of 0 or 1 for every image. The
       21 concepts that most images have are kept, in alphabetical order (the first of equally frequent ones), and the
       images that have at least one of them.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to look in.
    image_folder : str or path-like, default=None
        Where the images are; None means where the lists are, or a folder `Flickr` beside the original files. Names that
        are relative in the lists are below it. Of names that are absolute (those of another machine), it replaces the
        folder that they all share; with None, they stay.
    n_query : int, default=None
        Queries per label, if the split is drawn. None is the protocol's number, 100.
    n_train : int, default=None
        Training images per label, if the split is drawn. None is the protocol's number, 500.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        What to do about queries of which the training set or the database holds the same file name: warn, leave those
        images out, or do not look.
    random_state : int, RandomState instance or None, default=None
        Draws the split. Give an integer, and report it: it is part of the protocol. Published lists do not need it.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files, in the order of the original list, or of `test.txt`, `database.txt` and
            `train.txt`. Whether the files are there is not looked at.
        target : ndarray of uint8 of shape (n_samples, 21)
            1 where the image has the label.
        target_names : list of str, or None
            What the labels are called; image lists do not say that.
        split : RetrievalSplit
            The lists or what was drawn, with R = 5000.
        DESCR : str
            A description, with the layout.
        source : str
            Where the data were read from.

    Raises
    ------
    FileNotFoundError
        If it is nowhere; the message lists the places and the names.
    ValueError
        If a file is missing or not of this form, or a label has too few images for the counts.

    Warns
    -----
    LeakageWarning
        If there are such queries and `duplicates="warn"`.

    See Also
    --------
    retrieval_split : With the protocol "nuswide21", for features and labels from elsewhere.

    Notes
    -----
    The split is drawn as DeepHash-pytorch's was: images in random order, each for the first of its labels that still
    needs training images or, after these, queries. Published copies differ in the number of images.

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
        split=guard(names, split, duplicates),
        DESCR=_DESCR.format(layout="image lists" if layout == "lists" else "the original files"),
        source=str(folder),
    )


def _find_layout(folder):
    """Layout and folder of a copy of NUS-WIDE, or None."""
    if find_lists(folder):
        return "lists", folder
    if (folder / "Groundtruth" / "AllLabels").is_dir():
        return "original", folder
    return None


def _read_original(folder):
    """Names, labels and concepts of the images that have one of the most frequent concepts."""
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


def _read_concept(path, n_images):
    """The 0 and 1 of one concept as a string."""
    lines = [line.strip() for line in read_lines(path)]
    if len(lines) != n_images:
        raise ValueError(f"{path} holds {len(lines)} lines; expected {n_images}, as many as Imagelist.txt.")
    wrong = [number for number, line in enumerate(lines, start=1) if line not in ("0", "1")]
    if wrong:
        raise ValueError(f"{path}, line {wrong[0]}: expected 0 or 1, got {lines[wrong[0] - 1]!r}.")
    return "".join(lines)
