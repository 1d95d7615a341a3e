"""Revisited Oxford and Paris: retrieval of buildings with easy, hard and junk images for each query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._loader_common import LOAD_CONSTRAINTS
from skhash.datasets.files._safe_pickle import read_pickle
from skhash.datasets.files._sources import Source, locate
from skhash.datasets.splits._split import COPIES_STAY, RetrievalSplit, handle_copies
from skhash.utils import StrOptions, validate_params

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    _GroundTruth = list[dict[str, NDArray[np.int64]]]

__all__ = ["load_revisited"]

_TITLES = {"roxford5k": "Revisited Oxford", "rparis6k": "Revisited Paris"}
_LEVELS = ("easy", "hard", "junk")

_DESCR = """{title}: photographs of buildings; queries are parts of images, with easy, hard and junk images in the
database. F. Radenovic, A. Iscen, G. Tolias, Y. Avrithis and O. Chum, "Revisiting Oxford and Paris: Large-Scale Image
Retrieval Benchmarking", CVPR 2018."""


@validate_params(
    {"name": [StrOptions(set(_TITLES))], **LOAD_CONSTRAINTS},
    prefer_skip_nested_validation=True,
)
def load_revisited(
    name: Literal["roxford5k", "rparis6k"],
    *,
    data_home: str | os.PathLike[str] | None = None,
    image_folder: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Load queries, database and ground truth of the revisited Oxford or Paris benchmark.

    =================   ===================   ===================
    name                "roxford5k"           "rparis6k"
    =================   ===================   ===================
    Queries             70                    70
    Database            4,993                 6,322
    =================   ===================   ===================

    The file `gnd_roxford5k.pkl` or `gnd_rparis6k.pkl` is searched in `data_home`, in the folder of the environment
    variable `SKHASH_DATA` and in the cache (`~/.cache/skhash`), and in a sub-folder of each of them that has the
    benchmark's name. It is a pickle, but no code in it is executed. Nothing is downloaded.

    Parameters
    ----------
    name : {"roxford5k", "rparis6k"}
        The benchmark.
    data_home : str or path-like, default=None
        The first folder to search.
    image_folder : str or path-like, default=None
        Folder of the images; None uses the folder `jpg` beside the file.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files: the queries, then the database. The files need not exist.
        bounding_boxes : ndarray of float64 of shape (n_queries, 4)
            Left, upper, right and lower edge of the building in each query, in pixels. Queries are cropped to it.
        ground_truth : list of dict of ndarray of int64
            For each query, positions in the database under "easy", "hard" and "junk", ascending, as
            `skhash.metrics.revisited_map` expects them.
        split : RetrievalSplit
            Rows of `filenames`. The training set is empty, and mAP counts the whole ranking.
        DESCR : str
            A description.
        source : str
            Path of the file.

    Raises
    ------
    FileNotFoundError
        If the file is not found; the message lists the places and the names.
    ValueError
        If the file is damaged or malformed.

    Warns
    -----
    LeakageWarning
        If queries are also in the database.

    References
    ----------
    F. Radenovic, A. Iscen, G. Tolias, Y. Avrithis, O. Chum, "Revisiting Oxford and Paris: Large-Scale Image Retrieval
    Benchmarking", CVPR 2018, arXiv:1803.11285.

    Examples
    --------
    >>> from skhash.datasets import load_revisited
    >>> data = load_revisited("roxford5k", data_home="/data/revisitop")  # doctest: +SKIP
    >>> data.split  # doctest: +SKIP
    RetrievalSplit(protocol='roxford5k', query=70, train=0, database=4993, R=None)
    """
    source = Source(
        title=_TITLES[name],
        folders=(name,),
        expected=f"gnd_{name}.pkl",
        no_download="its authors provide the file and the images at cmp.felk.cvut.cz/revisitop",
    )
    path = locate(source, lambda folder: _find(folder / f"gnd_{name}.pkl"), data_home=data_home)
    queries, database, ground_truth, boxes = read_pickle(
        path.read_bytes(),
        path,
        _read_benchmark,
        what="ground truth file of a revisited benchmark",
        expected="expected a pickled dict of imlist, qimlist and gnd, with bbx, easy, hard and junk per query in gnd",
    )
    folder = path.parent / "jpg" if image_folder is None else Path(image_folder).expanduser()
    names = np.array(queries + database)
    split = RetrievalSplit(query=range(len(queries)), train=[], database=range(len(queries), len(names)), protocol=name)
    return Bunch(
        filenames=np.array([str(folder / f"{image}.jpg") for image in names.tolist()]),
        bounding_boxes=boxes,
        ground_truth=ground_truth,
        split=handle_copies(names, split, "warn", remedy=COPIES_STAY),
        DESCR=_DESCR.format(title=_TITLES[name]),
        source=str(path),
    )


def _find(path: Path) -> Path | None:
    return path if path.is_file() else None


def _read_benchmark(content: Any) -> tuple[list[str], list[str], _GroundTruth, NDArray[np.float64]]:
    """Return names of queries and database, ground truth and bounding boxes; `read_pickle` reports any error."""
    queries, database, truth = (content[key] for key in ("qimlist", "imlist", "gnd"))
    for images in (queries, database):
        if not images or not all(isinstance(image, str) for image in images):
            raise ValueError("qimlist and imlist must be lists of strings")
    if len(truth) != len(queries):
        raise ValueError(f"gnd has {len(truth)} entries for {len(queries)} queries")
    ground_truth = [
        {level: _read_rows(entry[level], f"{level!r} of query {q}", len(database)) for level in _LEVELS}
        for q, entry in enumerate(truth)
    ]
    boxes = np.array([np.asarray(entry["bbx"], dtype=np.float64).reshape(4) for entry in truth])
    return queries, database, ground_truth, boxes


def _read_rows(values: Any, what: str, n_database: int) -> NDArray[np.int64]:
    """Return positions in the database, ascending."""
    rows = np.asarray(values)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(f"{what} must be a list of integers, got dtype {rows.dtype} and shape {rows.shape}")
    if rows.size and not 0 <= rows.min() <= rows.max() < n_database:
        raise ValueError(
            f"{what} holds rows from {rows.min()} to {rows.max()}, expected rows of a database of {n_database}"
        )
    return np.unique(rows).astype(np.int64)
