"""CIFAR-100: 60,000 colour photographs of a hundred kinds of things, which belong to twenty superclasses."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skhash.datasets._batch_pickle import read_batch
from skhash.datasets._cifar_files import check_batch, join_batches, parse_records, read_member, read_members
from skhash.datasets._parts import FETCH_CONSTRAINTS, SUBSETS, join_parts
from skhash.datasets._safe_pickle import read_pickle
from skhash.datasets._sources import Source, locate
from skhash.utils import StrOptions, validate_params

__all__ = ["fetch_cifar100"]

_N_CLASSES = {"coarse": 20, "fine": 100}  # in the order in which a binary record holds them
_ROWS = {"train": 50_000, "test": 10_000}
_ARCHIVE = "cifar-100-python.tar.gz"
_SHA256 = {_ARCHIVE: "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"}

_SOURCE = Source(
    title="CIFAR-100",
    folders=("cifar100", "cifar-100", "CIFAR-100", "CIFAR100"),
    expected=(
        "cifar-100-python/train, test and meta, cifar-100-binary/train.bin, test.bin, fine_label_names.txt and "
        f"coarse_label_names.txt, or {_ARCHIVE}"
    ),
    url="https://www.cs.toronto.edu/~kriz/",
)

_DESCR = """CIFAR-100: colour photographs, 32 x 32, 100 classes of equal size in 20 superclasses, 50,000 for training
and 10,000 for testing; labels are the {labels} ones. A. Krizhevsky, "Learning Multiple Layers of Features from Tiny
Images", 2009. Read from {layout}."""


@validate_params(
    {**FETCH_CONSTRAINTS, "labels": [StrOptions(set(_N_CLASSES))]},
    prefer_skip_nested_validation=True,
)
def fetch_cifar100(*, data_home=None, subset="all", labels="fine", download=True, return_X_y=False):
    """Load CIFAR-100, from your own copy or from its authors' site.

    =================   ==================
    Classes                            100
    Superclasses                        20
    Samples per class                  600
    Samples total                    60000
    Images              32 x 32 x 3, uint8
    =================   ==================

    It is looked for in `data_home`, in the folder that the environment variable `SKHASH_DATA` names and in the cache
    (`~/.cache/skhash`), and in each of them in a folder `cifar100`, in one of these layouts; the first that is there is
    taken:

    1. the Python files: `cifar-100-python/train`, `test` and `meta`;
    2. the binary files: `cifar-100-binary/train.bin`, `test.bin`, `fine_label_names.txt` and `coarse_label_names.txt`;
    3. the archive of the Python files, `cifar-100-python.tar.gz`, which is what is downloaded.

    The Python files are pickles, but reading them never runs what is in them.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The first folder to look in, and the one to download into; None downloads into the cache.
    subset : {"all", "train", "test"}, default="all"
        Which images; "all" gives the 50,000 training images first, then the 10,000 test images.
    labels : {"fine", "coarse"}, default="fine"
        Whether `target` holds the 100 classes or the 20 superclasses.
    download : bool, default=True
        Whether to download the archive (169 MB) if CIFAR-100 is nowhere to be found. Its checksum is verified.
    return_X_y : bool, default=False
        Whether to return `(images, target)` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With these fields, in the order of the files:

        images : ndarray of uint8 of shape (n_samples, 32, 32, 3)
            Red, green and blue.
        target : ndarray of int64 of shape (n_samples,)
            Classes 0 to 99, or superclasses 0 to 19.
        target_names : list of str
            What they are called.
        is_test : ndarray of bool of shape (n_samples,)
            Which images belong to the standard test part.
        DESCR : str
            A description, with the layout.
        source : str
            Where the data were read from.

    (images, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    FileNotFoundError
        If it is nowhere and cannot be downloaded; the message lists the places and the names.
    ValueError
        If a file is damaged.

    References
    ----------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, University of Toronto,
    2009.

    Examples
    --------
    >>> from skhash.datasets import fetch_cifar100, retrieval_split
    >>> data = fetch_cifar100()  # doctest: +SKIP
    >>> split = retrieval_split(data.images, data.target, protocol="odh-cifar100", random_state=0)  # doctest: +SKIP
    >>> split  # doctest: +SKIP
    RetrievalSplit(protocol='odh-cifar100', query=5000, train=10000, database=55000, R=500)
    """
    copy = locate(_SOURCE, _find_copy, data_home=data_home, download=download, files=_SHA256)
    parts, names = copy.read(copy.path, SUBSETS[subset], labels)
    if len(names) != _N_CLASSES[labels]:
        raise ValueError(f"{copy.path} names {len(names)} {labels} classes; expected {_N_CLASSES[labels]}.")
    data = join_parts(
        {part: join_batches([batch]) for part, batch in parts.items()},
        target_names=names,
        DESCR=_DESCR.format(labels=labels, layout=copy.layout),
        source=str(copy.path),
    )
    return (data.images, data.target) if return_X_y else data


@dataclass(frozen=True)
class _Copy:
    """A copy that was found: `read(path, parts, labels)` gives `{part: (images, labels)}` and the names of classes."""

    layout: str
    path: Path
    read: Callable


def _find_copy(folder):
    """The copy of CIFAR-100 in a folder, or None."""
    for base in (folder / "cifar-100-python", folder):
        if any((base / name).is_file() for name in ("train", "test", "meta")):
            return _Copy("the Python files", base, _read_python)
    for base in (folder / "cifar-100-binary", folder):
        if any((base / f"{part}.bin").is_file() for part in _ROWS):
            return _Copy("the binary files", base, _read_binary)
    if (folder / _ARCHIVE).is_file():
        return _Copy("the archive of Python files", folder / _ARCHIVE, _read_archive)
    return None


def _read_python(path, parts, labels):
    return _parse_pickles(lambda name: read_member(path / name, "CIFAR-100"), parts, labels)


def _read_archive(path, parts, labels):
    found = read_members(path, "cifar-100-python", [*parts, "meta"], _SOURCE.url + _ARCHIVE)
    return _parse_pickles(lambda name: (found[name], f"{name} in {path}"), parts, labels)


def _parse_pickles(read, parts, labels):
    """Batches and names of classes; `read` gives the content and the name of a file."""
    batches = {}
    for part in parts:
        data, name = read(part)
        pixels, numbers = read_batch(data, name, title="CIFAR-100", labels=f"{labels}_labels")
        batches[part] = check_batch(pixels, numbers, name, n_rows=_ROWS[part], n_classes=_N_CLASSES[labels])
    key = f"{labels}_label_names"
    names = read_pickle(
        *read("meta"),
        lambda meta: [str(name) for name in meta[key]],
        what="list of the classes of CIFAR-100",
        expected=f"expected a pickled dict with {key!r}",
    )
    return batches, names


def _read_binary(path, parts, labels):
    batches = {}
    for part in parts:
        data, name = read_member(path / f"{part}.bin", "CIFAR-100")
        pixels, numbers = parse_records(data, name, n_rows=_ROWS[part], n_labels=len(_N_CLASSES))
        column = numbers[:, list(_N_CLASSES).index(labels)]
        batches[part] = check_batch(pixels, column, name, n_rows=_ROWS[part], n_classes=_N_CLASSES[labels])
    names, _ = read_member(path / f"{labels}_label_names.txt", "CIFAR-100")
    return batches, names.decode("utf-8").split()
