"""Revisited Oxford and Paris: retrieval of buildings with easy, hard and junk images for each query."""

from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from skhash.datasets._parts import LOAD_CONSTRAINTS
from skhash.datasets._safe_pickle import read_pickle
from skhash.datasets._sources import Source, locate
from skhash.datasets._split import POSITIONS_STAY, RetrievalSplit, guard
from skhash.utils import StrOptions, validate_params

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
def load_revisited(name, *, data_home=None, image_folder=None):
    """Load queries, database and ground truth of the revisited Oxford or Paris benchmark.

    =================   ===================   ===================
    name                "roxford5k"           "rparis6k"
    =================   ===================   ===================
    Queries             70                    70
    Database            4,993                 6,322
    =================   ===================   ===================

    The file `gnd_roxford5k.pkl` or `gnd_rparis6k.pkl` is looked for in `data_home`, in the folder that the environment
    variable `SKHASH_DATA` names and in the cache (`~/.cache/skhash`), and in each of them in a folder of the
    benchmark's name. It is a pickle, but reading it never runs what is in it. Nothing is downloaded.

    Parameters
    ----------
    name : {"roxford5k", "rparis6k"}
        Which benchmark.
    data_home : str or path-like, default=None
        The first folder to look in.
    image_folder : str or path-like, default=None
        Where the images are; None means the folder `jpg` beside the file.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields:

        filenames : ndarray of str of shape (n_samples,)
            Names of the image files: the queries, then the database. Whether the files are there is not looked at.
        bounding_boxes : ndarray of float64 of shape (n_queries, 4)
            Left, upper, right and lower edge of each query's building, in pixels. Queries are cropped to it.
        ground_truth : list of dict of ndarray of int64
            For each query, positions in the database under "easy", "hard" and "junk", ascending, as
            `skhash.metrics.revisited_map` takes them.
        split : RetrievalSplit
            Rows of `filenames`. There is no training set, and mAP counts the whole ranking.
        DESCR : str
            A description.
        source : str
            Where the file was read from.

    Raises
    ------
    FileNotFoundError
        If the file is nowhere; the message lists the places and the names.
    ValueError
        If the file is damaged or not of this form.

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
        no_download="file and images are at its authors' site, cmp.felk.cvut.cz/revisitop",
    )
    path = locate(source, lambda folder: _find(folder / f"gnd_{name}.pkl"), data_home=data_home)
    queries, database, ground_truth, boxes = read_pickle(
        path.read_bytes(),
        path,
        _read_benchmark,
        what="ground truth of a revisited benchmark",
        expected="expected a pickled dict of imlist, qimlist and gnd, this with bbx, easy, hard and junk of each query",
    )
    folder = path.parent / "jpg" if image_folder is None else Path(image_folder).expanduser()
    names = np.array(queries + database)
    split = RetrievalSplit(query=range(len(queries)), train=[], database=range(len(queries), len(names)), protocol=name)
    return Bunch(
        filenames=np.array([str(folder / f"{image}.jpg") for image in names.tolist()]),
        bounding_boxes=boxes,
        ground_truth=ground_truth,
        split=guard(names, split, "warn", remedy=POSITIONS_STAY),
        DESCR=_DESCR.format(title=_TITLES[name]),
        source=str(path),
    )


def _find(path):
    return path if path.is_file() else None


def _read_benchmark(content):
    """Names of queries and database, ground truth and bounding boxes; any error is reported by `read_pickle`."""
    queries, database, truth = (content[key] for key in ("qimlist", "imlist", "gnd"))
    for images in (queries, database):
        if not images or not all(isinstance(image, str) for image in images):
            raise ValueError("qimlist and imlist must be lists of names")
    if len(truth) != len(queries):
        raise ValueError(f"gnd has {len(truth)} entries for {len(queries)} queries")
    ground_truth = [
        {level: _read_rows(entry[level], f"{level!r} of query {q}", len(database)) for level in _LEVELS}
        for q, entry in enumerate(truth)
    ]
    boxes = np.array([np.asarray(entry["bbx"], dtype=np.float64).reshape(4) for entry in truth])
    return queries, database, ground_truth, boxes


def _read_rows(rows, what, n_database):
    """Positions in the database, ascending."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(f"{what} must be a list of integers, got dtype {rows.dtype} and shape {rows.shape}")
    if rows.size and not 0 <= rows.min() <= rows.max() < n_database:
        raise ValueError(f"{what} names rows from {rows.min()} to {rows.max()} of a database of {n_database}")
    return np.unique(rows).astype(np.int64)
