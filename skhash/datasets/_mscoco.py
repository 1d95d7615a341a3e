"""MS-COCO 2014: photographs of everyday scenes with labels of 80 object categories, as a retrieval data set."""

from __future__ import annotations

import json
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
from skhash.datasets.splits._split import DUPLICATES, handle_copies, retrieval_split
from skhash.utils import Interval, StrOptions, validate_params

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

__all__ = ["load_mscoco"]

_N_CATEGORIES = 80
_PARTS = ("train2014", "val2014")

_SOURCE = Source(
    title="MS-COCO",
    folders=("mscoco", "coco", "COCO", "COCO_2014"),
    expected=(
        f"the image lists {LISTS_EXPECTED}, or the original files annotations/instances_train2014.json and "
        "annotations/instances_val2014.json"
    ),
    no_download="images (19 GB) and annotations of 2014 are at cocodataset.org",
)

_DESCR = """MS-COCO 2014: photographs with at least one of 80 object categories. T.-Y. Lin and others, "Microsoft COCO:
Common Objects in Context", ECCV 2014. Read from {layout}."""


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
def load_mscoco(
    *,
    data_home: str | os.PathLike[str] | None = None,
    image_folder: str | os.PathLike[str] | None = None,
    n_query: int | None = None,
    n_train: int | None = None,
    duplicates: Literal["warn", "drop", "ignore"] = "warn",
    random_state: RandomStateLike = None,
) -> Bunch:
    """Load MS-COCO 2014: a published split, or one drawn from the original annotations.

    =================   =====================================
    Labels              80, several per image
    Images              122,218
    Queries             5,000
    Training images     10,000
    Database            117,218, with the training images
    =================   =====================================

    The data set is searched in `data_home`, in the folder of the environment variable `SKHASH_DATA` and in the cache
    (`~/.cache/skhash`), and in a sub-folder `mscoco`, `coco`, `COCO` or `COCO_2014` of each
    of them. The first of these layouts that is found is read. Nothing is downloaded.

    1. Image lists in the format of HashNet and DeepHash-pytorch, a published split: `train.txt`, `test.txt` and
       `database.txt`. A line holds the name of an image and 80 columns of 0 or 1.
    2. The original annotations, from which a split is drawn: `instances_train2014.json` and `instances_val2014.json`,
       in the folder or its sub-folder `annotations`. Only images with at least one annotated object are used.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search.
    image_folder : str or path-like, default=None
        Folder of the images; None uses the folder of the lists, or the parent folder of `annotations`, which holds
        `train2014` and `val2014`. Relative names in the lists are joined to it. For absolute names (HashNet's lists
        hold those of their authors' machine), it replaces their common folder; None keeps them.
    n_query : int, default=None
        Number of queries, if the split is drawn. None uses the protocol's number, 5,000.
    n_train : int, default=None
        Number of training images, if the split is drawn. None uses the protocol's number, 10,000.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        How to handle images of the training set or the database that have the file name of a query: "warn" keeps them
        and warns, "drop" leaves them out, "ignore" skips the search for them. HashNet's own database list holds all of
        its queries.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw. Pass an integer and report it: it is part of the protocol. Not used for published lists.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files, in the order of the annotations, or of `test.txt`, `database.txt` and
            `train.txt`. The files need not exist.
        target : ndarray of uint8 of shape (n_samples, 80)
            1 if the image shows an object of the category. In drawn splits, categories are ordered by their ids.
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
        If a file is missing or malformed, or if there are too few images for the counts.

    Warns
    -----
    LeakageWarning
        If there are such images and `duplicates="warn"`.

    See Also
    --------
    retrieval_split : Draws a split by the protocol "mscoco" for other features and labels.

    References
    ----------
    T.-Y. Lin, M. Maire, S. Belongie, L. Bourdev, R. Girshick, J. Hays, P. Perona, D. Ramanan, C. L. Zitnick,
    P. Dollar, "Microsoft COCO: Common Objects in Context", ECCV 2014, arXiv:1405.0312.

    Examples
    --------
    >>> from skhash.datasets import load_mscoco
    >>> data = load_mscoco(data_home="/data/coco", random_state=0)  # doctest: +SKIP
    >>> data.split  # doctest: +SKIP
    RetrievalSplit(protocol='mscoco', query=5000, train=10000, database=117218, R=5000)
    """
    layout, folder = locate(_SOURCE, _find_layout, data_home=data_home)
    if layout == "lists":
        refuse_counts(folder, n_query=n_query, n_train=n_train)
        names, labels, split = read_image_lists(folder, _N_CATEGORIES, "mscoco")
        categories, images = None, folder
    else:
        names, labels, categories = _read_annotations(folder)
        images = folder.parent if folder.name == "annotations" else folder
        split = retrieval_split(
            names,
            labels,
            protocol="mscoco",
            n_query=n_query,
            n_train=n_train,
            duplicates="ignore",
            random_state=random_state,
        )
    return Bunch(
        filenames=join_image_folder(names, images, image_folder),
        target=labels,
        target_names=categories,
        split=handle_copies(names, split, duplicates),
        DESCR=_DESCR.format(layout="image lists" if layout == "lists" else "the original annotations"),
        source=str(folder),
    )


def _find_layout(folder: Path) -> tuple[str, Path] | None:
    """Return layout and folder of a copy of MS-COCO, or None."""
    if has_image_lists(folder):
        return "lists", folder
    for base in (folder / "annotations", folder):
        if any(_annotation_file(base, part).is_file() for part in _PARTS):
            return "annotations", base
    return None


def _annotation_file(folder: Path, part: str) -> Path:
    return folder / f"instances_{part}.json"


def _read_annotations(folder: Path) -> tuple[NDArray[np.str_], NDArray[np.uint8], list[str]]:
    """Return names and labels of all images with a label, and the names of the categories."""
    contents = {part: _read_json(_annotation_file(folder, part)) for part in _PARTS}
    names: list[str] = []
    matrices: list[NDArray[np.uint8]] = []
    categories: dict[Any, str] = {}
    for part, (images, marks, part_categories) in contents.items():
        if len(part_categories) != _N_CATEGORIES or (categories and part_categories != categories):
            raise ValueError(
                f"{_annotation_file(folder, part)} holds {len(part_categories)} categories; expected "
                f"{_N_CATEGORIES}, the same in all files."
            )
        categories = part_categories
        row_of = {image: row for row, image in enumerate(images)}
        column_of = {category: column for column, category in enumerate(categories)}
        multi_hot = np.zeros((len(images), _N_CATEGORIES), dtype=np.uint8)
        for image, category in marks:
            if image not in row_of or category not in column_of:
                raise ValueError(
                    f"{_annotation_file(folder, part)} annotates image {image!r} with category {category!r}; "
                    "expected ids that the file lists under images and categories."
                )
            multi_hot[row_of[image], column_of[category]] = 1
        names += [f"{part}/{file}" for file in images.values()]
        matrices.append(multi_hot)
    labels = np.concatenate(matrices)
    rows = np.flatnonzero(labels.any(axis=1))
    return np.array(names)[rows], labels[rows], list(categories.values())


def _read_json(path: Path) -> tuple[dict[Any, str], set[tuple[Any, Any]], dict[Any, str]]:
    """Return images `{id: name}`, annotations `{(image, category)}` and categories `{id: name}`, sorted by id."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, although other files of the data set exist.")
    try:
        content = json.loads(path.read_bytes())
        images = {image["id"]: image["file_name"] for image in content["images"]}
        marks = {(each["image_id"], each["category_id"]) for each in content["annotations"]}
        categories = {each["id"]: each["name"] for each in sorted(content["categories"], key=lambda each: each["id"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} could not be read ({type(error).__name__}: {error}); expected JSON with images (id, file_name), "
            "annotations (image_id, category_id) and categories (id, name)."
        ) from error
    return images, marks, categories
