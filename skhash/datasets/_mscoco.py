"""MS-COCO 2014: photographs of everyday scenes with up to 80 kinds of objects, as a retrieval data set."""

import json
from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._image_lists import LISTS_EXPECTED, find_lists, join_image_folder, read_image_lists, refuse_counts
from skhash.datasets._parts import LOAD_CONSTRAINTS
from skhash.datasets._sources import Source, locate
from skhash.datasets._split import DUPLICATES, guard, retrieval_split
from skhash.utils import Interval, StrOptions, validate_params

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

_DESCR = """MS-COCO 2014: photographs with at least one of 80 kinds of objects. T.-Y. Lin and others, "Microsoft COCO:
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
def load_mscoco(*, data_home=None, image_folder=None, n_query=None, n_train=None, duplicates="warn", random_state=None):
    """Load MS-COCO of 2014: a published split, or one drawn from the original annotations.

    =================   =====================================
    Labels              80, several per image
    Images              122,218
    Queries             5,000
    Training images     10,000
    Database            117,218, with the training images
    =================   =====================================

    It is looked for in `data_home`, in the folder that the environment variable `SKHASH_DATA` names and in the cache
    (`~/.cache/skhash`), and in each of them in a folder `mscoco`, `coco`, `COCO` or `COCO_2014`, in one of these
    layouts; the first that is there is taken. Nothing is downloaded.

    1. Image lists as those of HashNet and DeepHash-pytorch, a published split: `train.txt`, `test.txt` and
       `database.txt`. A line is the name of an image and 80 columns of 0 or 1.
    2. The original annotations, from which a split is drawn: `instances_train2014.json` and `instances_val2014.json`,
       in the folder or its sub-folder `annotations`. Images with at least one annotated object are kept.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to look in.
    image_folder : str or path-like, default=None
        Where the images are; None means where the lists are, or the folders `train2014` and `val2014` beside
        `annotations`. Names that are relative in the lists are below it. Of names that are absolute (HashNet's lists
        have those of their authors' machine), it replaces the folder that they all share; with None, they stay.
    n_query : int, default=None
        Number of queries, if the split is drawn. None is the protocol's number, 5,000.
    n_train : int, default=None
        Number of training images, if the split is drawn. None is the protocol's number, 10,000.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        What to do about queries of which the training set or the database holds the same file name: warn, leave those
        images out, or do not look. HashNet's own database list holds all of its queries.
    random_state : int, RandomState instance or None, default=None
        Draws the split. Give an integer, and report it: it is part of the protocol. Published lists do not need it.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files, in the order of the annotations, or of `test.txt`, `database.txt` and
            `train.txt`. Whether the files are there is not looked at.
        target : ndarray of uint8 of shape (n_samples, 80)
            1 where the image shows such an object; drawn splits have the categories in the order of their ids.
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
        If a file is missing or not of this form, or there are too few images for the counts.

    Warns
    -----
    LeakageWarning
        If there are such queries and `duplicates="warn"`.

    See Also
    --------
    retrieval_split : With the protocol "mscoco", for features and labels from elsewhere.

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
        split=guard(names, split, duplicates),
        DESCR=_DESCR.format(layout="image lists" if layout == "lists" else "the original annotations"),
        source=str(folder),
    )


def _find_layout(folder):
    """Layout and folder of a copy of MS-COCO, or None."""
    if find_lists(folder):
        return "lists", folder
    for base in (folder / "annotations", folder):
        if any(_annotation_file(base, part).is_file() for part in _PARTS):
            return "annotations", base
    return None


def _annotation_file(folder, part):
    return folder / f"instances_{part}.json"


def _read_annotations(folder):
    """Names, labels and categories of all images with a label."""
    contents = {part: _read_json(_annotation_file(folder, part)) for part in _PARTS}
    names, labels, categories = [], [], None
    for part, (images, annotations, its_categories) in contents.items():
        if len(its_categories) != _N_CATEGORIES or (categories and its_categories != categories):
            raise ValueError(
                f"{_annotation_file(folder, part)} names {len(its_categories)} categories; expected "
                f"{_N_CATEGORIES}, the same in all files."
            )
        categories = its_categories
        row_of = {image: row for row, image in enumerate(images)}
        column_of = {category: column for column, category in enumerate(categories)}
        multi_hot = np.zeros((len(images), _N_CATEGORIES), dtype=np.uint8)
        for image, category in annotations:
            if image not in row_of or category not in column_of:
                raise ValueError(
                    f"{_annotation_file(folder, part)} annotates image {image!r} with category {category!r}, which "
                    "are not both listed in it."
                )
            multi_hot[row_of[image], column_of[category]] = 1
        names += [f"{part}/{file}" for file in images.values()]
        labels.append(multi_hot)
    labels = np.concatenate(labels)
    rows = np.flatnonzero(labels.any(axis=1))
    return np.array(names)[rows], labels[rows], list(categories.values())


def _read_json(path):
    """Images `{id: name}`, annotations `{(image, category)}` and categories `{id: name}`, these by their ids."""
    if not path.is_file():
        raise ValueError(f"{path} is missing, though other files are there.")
    try:
        content = json.loads(path.read_bytes())
        images = {image["id"]: image["file_name"] for image in content["images"]}
        annotations = {(each["image_id"], each["category_id"]) for each in content["annotations"]}
        categories = {each["id"]: each["name"] for each in sorted(content["categories"], key=lambda each: each["id"])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} could not be read ({type(error).__name__}: {error}); expected JSON with images (id, file_name), "
            "annotations (image_id, category_id) and categories (id, name)."
        ) from error
    return images, annotations, categories
