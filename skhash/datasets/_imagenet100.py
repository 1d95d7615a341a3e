"""ImageNet100: a hundred classes of ImageNet, from the image lists of HashNet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._loader_common import LOAD_CONSTRAINTS
from skhash.datasets.files._image_lists import LISTS_EXPECTED, has_image_lists, join_image_folder, read_image_lists
from skhash.datasets.files._sources import Source, locate
from skhash.datasets.splits._split import DUPLICATES, handle_copies
from skhash.utils import StrOptions, validate_params

if TYPE_CHECKING:
    import os

__all__ = ["load_imagenet100"]

_N_CLASSES = 100

_SOURCE = Source(
    title="ImageNet100",
    folders=("imagenet100", "imagenet", "ImageNet100"),
    expected=f"the image lists {LISTS_EXPECTED}",
    no_download=(
        "the lists are in the repositories thuml/HashNet and swuxyj/DeepHash-pytorch, ImageNet "
        "provides the images to users who accept its terms"
    ),
)

_DESCR = """ImageNet100: photographs of 100 classes of ImageNet, chosen by Z. Cao, M. Long, J. Wang and P. S. Yu,
"HashNet: Deep Learning to Hash by Continuation", ICCV 2017. Read from image lists."""


@validate_params(
    {**LOAD_CONSTRAINTS, "duplicates": [StrOptions(DUPLICATES)]},
    prefer_skip_nested_validation=True,
)
def load_imagenet100(
    *,
    data_home: str | os.PathLike[str] | None = None,
    image_folder: str | os.PathLike[str] | None = None,
    duplicates: Literal["warn", "drop", "ignore"] = "warn",
) -> Bunch:
    """Load the published split of ImageNet100 from HashNet's image lists.

    =================   =======================================
    Classes                                                 100
    Queries             5,000, of ImageNet's validation images
    Training images                         13,000 (or 10,000)
    Database            128,503, with the training images
    =================   =======================================

    The lists `train.txt`, `test.txt` and `database.txt` are searched in `data_home`, in the folder of the environment
    variable `SKHASH_DATA` and in the cache (`~/.cache/skhash`), and in a sub-folder `imagenet100` or `imagenet` of each
    of them. A line holds the name of an image and 100 columns, one of them 1 and the others 0; or a name and the number
    of the class. Nothing is downloaded.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search.
    image_folder : str or path-like, default=None
        Folder of the images; None uses the folder of the lists. Relative names in the lists are joined to it. For
        absolute names (HashNet's lists hold those of their authors' machine), it replaces their common folder; None
        keeps them.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        How to handle images that are in `test.txt` and also in another list: "warn" keeps them and warns, "drop" leaves
        them out of the training set and the database, "ignore" skips the search for them.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files: first `test.txt`, then the images of `database.txt` and `train.txt`, each once.
            The files need not exist.
        target : ndarray of int64 of shape (n_samples,)
            Classes 0 to 99. The lists do not contain class names.
        split : RetrievalSplit
            The split of the lists; R is 1000.
        DESCR : str
            A description.
        source : str
            Folder or file from which the lists were read.

    Raises
    ------
    FileNotFoundError
        If the lists are not found; the message lists the places and the names.
    ValueError
        If a list is missing or malformed.

    Warns
    -----
    LeakageWarning
        If queries are also in another list and `duplicates="warn"`.

    See Also
    --------
    retrieval_split : Draws a split by the protocols "imagenet100" and "imagenet100-lbhash", without lists.

    References
    ----------
    Z. Cao, M. Long, J. Wang, P. S. Yu, "HashNet: Deep Learning to Hash by Continuation", ICCV 2017.

    Examples
    --------
    >>> from skhash.datasets import load_imagenet100
    >>> data = load_imagenet100(data_home="HashNet/pytorch/data", image_folder="/data/imagenet")  # doctest: +SKIP
    >>> data.split  # doctest: +SKIP
    RetrievalSplit(protocol='imagenet100', query=5000, train=13000, database=128503, R=1000)
    >>> X_train, y_train = data.split.take("train", data.filenames, data.target)  # doctest: +SKIP
    """
    folder = locate(_SOURCE, lambda folder: folder if has_image_lists(folder) else None, data_home=data_home)
    names, labels, split = read_image_lists(folder, _N_CLASSES, "imagenet100", class_numbers=True)
    wrong = np.flatnonzero(labels.sum(axis=1) != 1)
    if len(wrong):
        raise ValueError(
            f"{names[wrong[0]]} has {labels[wrong[0]].sum()} classes in the lists of {folder}; expected 1."
        )
    return Bunch(
        filenames=join_image_folder(names, folder, image_folder),
        target=labels.argmax(axis=1).astype(np.int64),
        split=handle_copies(names, split, duplicates),
        DESCR=_DESCR,
        source=str(folder),
    )
