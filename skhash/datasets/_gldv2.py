"""Google Landmarks v2: retrieval of landmarks, by its lists of queries, index and training images."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._parts import LOAD_CONSTRAINTS
from skhash.datasets._sources import Source, locate
from skhash.datasets._split import POSITIONS_STAY, RetrievalSplit, guard
from skhash.datasets._text_files import read_columns
from skhash.utils import StrOptions, validate_params

__all__ = ["load_gldv2"]

_SOLUTION, _INDEX, _TRAIN = "retrieval_solution_v2.1.csv", "index.csv", "train_clean.csv"
_FOLDERS = ("", "metadata", "ground_truth", "test", "index", "train")
_USAGES = {"all": ("Public", "Private"), "public": ("Public",), "private": ("Private",)}

_SOURCE = Source(
    title="Google Landmarks v2",
    folders=("gldv2", "GLDv2", "google-landmark", "google-landmarks-v2"),
    expected=f"{_SOLUTION}, {_INDEX} and {_TRAIN} (also in sub-folders metadata, ground_truth, test, index and train)",
    no_download="lists and images (hundreds of gigabytes) are told of in the repository cvdfoundation/google-landmark",
)

_DESCR = """Google Landmarks v2: photographs of landmarks; {usage} queries of the retrieval task, version 2.1.
T. Weyand, A. Araujo, B. Cao and J. Sim, "Google Landmarks Dataset v2: A Large-Scale Benchmark for Instance-Level
Recognition and Retrieval", CVPR 2020."""


@validate_params(
    {**LOAD_CONSTRAINTS, "usage": [StrOptions(set(_USAGES))], "train": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_gldv2(*, data_home=None, image_folder=None, usage="all", train=True):
    """Load queries, index and ground truth of Google Landmarks v2.

    =================   ==========================================
    Queries             1,129 (379 public, 750 private)
    Database            761,757 index images
    Training images     1,580,470 of 81,313 landmarks (cleaned)
    =================   ==========================================

    The lists `retrieval_solution_v2.1.csv` (columns id, images, Usage), `index.csv` (id) and `train_clean.csv`
    (landmark_id, images) are looked for in `data_home`, in the folder that the environment variable `SKHASH_DATA` names
    and in the cache (`~/.cache/skhash`), in each of them in a folder `gldv2`, and there in the sub-folders `metadata`,
    `ground_truth`, `test`, `index` and `train`. Nothing is downloaded.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to look in.
    image_folder : str or path-like, default=None
        The folder in which `test`, `index` and `train` hold the images; None means the folder where the lists were
        found.
    usage : {"all", "public", "private"}, default="all"
        Which queries: those of the public and the private leader board, or of one of them. Queries that the file
        marks "Ignored" are left out.
    train : bool, default=True
        Whether to read the list of training images, too.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str objects of shape (n_samples,)
            Names of the image files: queries, index and training images, one after the other. The image
            `0123456789abcdef` of the index is `index/0/1/2/0123456789abcdef.jpg`. Whether the files are there is not
            looked at.
        target : ndarray of int64 of shape (n_samples,)
            Landmark of the training images; -1 for the others, which have no label of their own.
        query_ids : list of str
            Ids of the queries.
        index_ids : list of str
            Ids of the index images.
        ground_truth : list of ndarray of int64
            For each query, positions in `index_ids` of the images that show its landmark, ascending, as
            `skhash.metrics.gldv2_map` takes them.
        split : RetrievalSplit
            Rows of `filenames`, with R = 100.
        DESCR : str
            A description.
        source : str
            Where the lists were read from.

    Raises
    ------
    FileNotFoundError
        If the lists are nowhere; the message lists the places and the names.
    ValueError
        If a list is missing or not of this form, or names an image that is not in the index.

    Warns
    -----
    LeakageWarning
        If queries are also in the index or the training set.

    References
    ----------
    T. Weyand, A. Araujo, B. Cao, J. Sim, "Google Landmarks Dataset v2: A Large-Scale Benchmark for Instance-Level
    Recognition and Retrieval", CVPR 2020, arXiv:2004.01804.

    Examples
    --------
    >>> from skhash.datasets import load_gldv2
    >>> data = load_gldv2(data_home="/data/gldv2", train=False)  # doctest: +SKIP
    >>> data.split  # doctest: +SKIP
    RetrievalSplit(protocol='gldv2', query=1129, train=0, database=761757, R=100)
    """
    folder = locate(_SOURCE, lambda folder: folder if _find(folder, _SOLUTION) else None, data_home=data_home)
    index_ids = _read_index(_require(folder, _INDEX))
    query_ids, ground_truth = _read_solution(_require(folder, _SOLUTION), index_ids, _USAGES[usage])
    train_ids, landmarks = _read_train(_require(folder, _TRAIN, " (or use train=False)")) if train else ([], [])
    first_train = len(query_ids) + len(index_ids)
    split = RetrievalSplit(
        query=range(len(query_ids)),
        train=range(first_train, first_train + len(train_ids)),
        database=range(len(query_ids), first_train),
        protocol="gldv2" if usage == "all" else f"gldv2, {usage} queries",
        R=100,
    )
    images = folder if image_folder is None else Path(image_folder).expanduser()
    parts = {"test": query_ids, "index": index_ids, "train": train_ids}
    names = [_locate_image(images / part, image) for part, its_ids in parts.items() for image in its_ids]
    return Bunch(
        filenames=np.array(names, dtype=object),
        target=np.concatenate([np.full(first_train, -1), np.array(landmarks, dtype=np.int64)]),
        query_ids=query_ids,
        index_ids=index_ids,
        ground_truth=ground_truth,
        split=guard(np.array(query_ids + index_ids + train_ids), split, "warn", remedy=POSITIONS_STAY),
        DESCR=_DESCR.format(usage="public and private" if usage == "all" else usage),
        source=str(folder),
    )


def _find(folder, name):
    """Path of a list in the folder or one of its usual sub-folders, or None."""
    paths = (folder / sub_folder / name for sub_folder in _FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def _require(folder, name, advice=""):
    """Path of a list that must be there."""
    path = _find(folder, name)
    if path is None:
        raise ValueError(f"{name} is neither in {folder} nor in its sub-folders {', '.join(_FOLDERS[1:])}{advice}.")
    return path


def _locate_image(folder, image):
    return f"{folder}/{image[0]}/{image[1]}/{image[2]}/{image}.jpg"


def _check_id(path, number, image):
    if len(image) < 3 or not image.isalnum():
        raise ValueError(f"{path}, line {number}: {image!r} is no id of an image.")
    return image


def _read_index(path):
    ids = [_check_id(path, number, image) for number, (image,) in read_columns(path, ["id"])]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path} names {len(ids) - len(set(ids))} images twice.")
    return ids


def _read_solution(path, index_ids, usages):
    """Ids of the queries, and positions in the index of the images of each."""
    position = {image: row for row, image in enumerate(index_ids)}
    solution = {}
    for number, (query, images, usage) in read_columns(path, ["id", "images", "Usage"]):
        if usage not in ("Public", "Private", "Ignored"):
            raise ValueError(f"{path}, line {number}: Usage is {usage!r}; expected Public, Private or Ignored.")
        if usage not in usages:
            continue
        if query in solution:
            raise ValueError(f"{path}, line {number}: the query {query} is there twice.")
        unknown = [image for image in images.split() if image not in position]
        if unknown or not images:
            what = f"{len(unknown)} images that are not in {_INDEX}, such as {unknown[0]!r}" if unknown else "no image"
            raise ValueError(f"{path}, line {number}: the query {query} has {what}.")
        solution[_check_id(path, number, query)] = np.unique([position[image] for image in images.split()])
    if not solution:
        raise ValueError(f"{path} holds no query with Usage {' or '.join(usages)}.")
    return list(solution), [rows.astype(np.int64) for rows in solution.values()]


def _read_train(path):
    """Ids and landmarks of the training images."""
    ids, landmarks = [], []
    for number, (landmark, images) in read_columns(path, ["landmark_id", "images"]):
        if not landmark.isdecimal():
            raise ValueError(f"{path}, line {number}: landmark_id is {landmark!r}; expected an integer.")
        names = [_check_id(path, number, image) for image in images.split()]
        ids += names
        landmarks += [int(landmark)] * len(names)
    return ids, landmarks
