"""Google Landmarks v2: retrieval of landmarks, from its lists of queries, index and training images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._loader_common import LOAD_CONSTRAINTS
from skhash.datasets.files._sources import Source, locate
from skhash.datasets.files._text_files import read_columns
from skhash.datasets.splits._split import COPIES_STAY, RetrievalSplit, handle_copies
from skhash.utils import StrOptions, validate_params

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["load_gldv2"]

_SOLUTION, _INDEX, _TRAIN = "retrieval_solution_v2.1.csv", "index.csv", "train_clean.csv"
_FOLDERS = ("", "metadata", "ground_truth", "test", "index", "train")
_USAGES = {"all": ("Public", "Private"), "public": ("Public",), "private": ("Private",)}

_SOURCE = Source(
    title="Google Landmarks v2",
    folders=("gldv2", "GLDv2", "google-landmark", "google-landmarks-v2"),
    expected=f"{_SOLUTION}, {_INDEX} and {_TRAIN} (also in sub-folders metadata, ground_truth, test, index and train)",
    no_download="the repository cvdfoundation/google-landmark describes lists and images (hundreds of gigabytes)",
)

_DESCR = """Google Landmarks v2: photographs of landmarks; {usage} queries of the retrieval task, version 2.1.
T. Weyand, A. Araujo, B. Cao and J. Sim, "Google Landmarks Dataset v2: A Large-Scale Benchmark for Instance-Level
Recognition and Retrieval", CVPR 2020."""


@validate_params(
    {**LOAD_CONSTRAINTS, "usage": [StrOptions(set(_USAGES))], "train": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def load_gldv2(
    *,
    data_home: str | os.PathLike[str] | None = None,
    image_folder: str | os.PathLike[str] | None = None,
    usage: Literal["all", "public", "private"] = "all",
    train: bool = True,
) -> Bunch:
    """Load queries, index and ground truth of Google Landmarks v2.

    =================   ==========================================
    Queries             1,129 (379 public, 750 private)
    Database            761,757 index images
    Training images     1,580,470 of 81,313 landmarks (cleaned)
    =================   ==========================================

    The lists `retrieval_solution_v2.1.csv` (columns id, images, Usage), `index.csv` (id) and `train_clean.csv`
    (landmark_id, images) are searched in `data_home`, in the folder of the environment variable `SKHASH_DATA` and in
    the cache (`~/.cache/skhash`), in the sub-folder `gldv2` of each of them, and there in the sub-folders `metadata`,
    `ground_truth`, `test`, `index` and `train`. Nothing is downloaded.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to search.
    image_folder : str or path-like, default=None
        The folder whose sub-folders `test`, `index` and `train` hold the images; None uses the folder of the lists.
    usage : {"all", "public", "private"}, default="all"
        The queries to return: those of the public and the private leaderboard, or of one of them. Queries that the
        file marks as "Ignored" are left out.
    train : bool, default=True
        Whether to read the list of training images.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str objects of shape (n_samples,)
            Names of the image files: queries, index and training images, one after the other. The image
            `0123456789abcdef` of the index is `index/0/1/2/0123456789abcdef.jpg`. The files need not exist.
        target : ndarray of int64 of shape (n_samples,)
            Landmark of the training images; -1 for the others, which have no landmark label.
        query_ids : list of str
            Ids of the queries.
        index_ids : list of str
            Ids of the index images.
        ground_truth : list of ndarray of int64
            For each query, positions in `index_ids` of the images that show its landmark, ascending, as
            `skhash.metrics.gldv2_map` expects them.
        split : RetrievalSplit
            Rows of `filenames`; R is 100.
        DESCR : str
            A description.
        source : str
            Folder or file from which the lists were read.

    Raises
    ------
    FileNotFoundError
        If the lists are not found; the message lists the places and the names.
    ValueError
        If a list is missing or malformed, or names an image that is not in the index.

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
    train_ids, landmarks = (
        _read_train(_require(folder, _TRAIN, "; use train=False to load queries and index only")) if train else ([], [])
    )
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
        split=handle_copies(np.array(query_ids + index_ids + train_ids), split, "warn", remedy=COPIES_STAY),
        DESCR=_DESCR.format(usage="public and private" if usage == "all" else usage),
        source=str(folder),
    )


def _find(folder: Path, name: str) -> Path | None:
    """Return the path of a list in the folder or one of its usual sub-folders, or None."""
    paths = (folder / sub_folder / name for sub_folder in _FOLDERS)
    return next((path for path in paths if path.is_file()), None)


def _require(folder: Path, name: str, advice: str = "") -> Path:
    """Return the path of a list that must exist."""
    path = _find(folder, name)
    if path is None:
        raise ValueError(f"{name} is missing in {folder} and in its sub-folders {', '.join(_FOLDERS[1:])}{advice}.")
    return path


def _locate_image(folder: Path, image: str) -> str:
    return f"{folder}/{image[0]}/{image[1]}/{image[2]}/{image}.jpg"


def _check_id(path: Path, number: int, image: str) -> str:
    if len(image) < 3 or not image.isalnum():
        raise ValueError(f"{path}, line {number}: {image!r} is not an image id; expected at least 3 letters or digits.")
    return image


def _read_index(path: Path) -> list[str]:
    ids = [_check_id(path, number, image) for number, (image,) in read_columns(path, ["id"])]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{path} holds {len(ids) - len(set(ids))} repeated ids; expected each image once.")
    return ids


def _read_solution(
    path: Path, index_ids: Sequence[str], usages: Sequence[str]
) -> tuple[list[str], list[NDArray[np.int64]]]:
    """Return the ids of the queries, and for each the positions of its images in the index."""
    position = {image: row for row, image in enumerate(index_ids)}
    solution = {}
    for number, (query, images, usage) in read_columns(path, ["id", "images", "Usage"]):
        if usage not in ("Public", "Private", "Ignored"):
            raise ValueError(f"{path}, line {number}: Usage is {usage!r}; expected Public, Private or Ignored.")
        if usage not in usages:
            continue
        if query in solution:
            raise ValueError(f"{path}, line {number}: the query {query} is repeated; expected each query once.")
        unknown = [image for image in images.split() if image not in position]
        if unknown or not images:
            what = f"{len(unknown)} images that are not in {_INDEX}, such as {unknown[0]!r}" if unknown else "no images"
            raise ValueError(f"{path}, line {number}: the query {query} has {what}.")
        solution[_check_id(path, number, query)] = np.unique([position[image] for image in images.split()])
    if not solution:
        raise ValueError(f"{path} holds no queries with Usage {' or '.join(usages)}.")
    return list(solution), [rows.astype(np.int64) for rows in solution.values()]


def _read_train(path: Path) -> tuple[list[str], list[int]]:
    """Return the ids and landmarks of the training images."""
    ids: list[str] = []
    landmarks: list[int] = []
    for number, (landmark, images) in read_columns(path, ["landmark_id", "images"]):
        if not landmark.isdecimal():
            raise ValueError(f"{path}, line {number}: landmark_id is {landmark!r}; expected an integer.")
        names = [_check_id(path, number, image) for image in images.split()]
        ids += names
        landmarks += [int(landmark)] * len(names)
    return ids, landmarks
