"""Retrieval splits: queries, training set and database by a named protocol, guarded against leakage."""

import warnings
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from skhash.datasets._draw import draw_parts
from skhash.datasets._leakage import LeakageWarning, describe_copies, find_copies
from skhash.datasets._protocols import PROTOCOLS, RetrievalProtocol
from skhash.utils import Interval, StrOptions, local_random_state, read_labels, validate_params

__all__ = ["RetrievalSplit", "retrieval_split"]

DUPLICATES = {"warn", "drop", "ignore"}
POSITIONS_STAY = "they stay, as the ground truth counts positions in the database"
_PARTS = ("query", "train", "database", "validation")


@dataclass(frozen=True, eq=False, repr=False)
class RetrievalSplit:
    """Row numbers of the parts of a retrieval experiment.

    Parameters
    ----------
    query : array-like of int of shape (n_query,)
        What is searched for.
    train : array-like of int of shape (n_train,)
        What the hasher learns from.
    database : array-like of int of shape (n_database,)
        What is searched. It may contain the training rows, never the queries.
    validation : array-like of int of shape (n_validation,), default=()
        What choices are made on, where the protocol sets rows aside for that.
    protocol : str, default="custom"
        The protocol's name, with every deviation from it.
    R : int, default=None
        How many results per query count in mAP@R; None counts the whole ranking.
    random_state : int, default=None
        The seed of the draw, where it was one integer: the seed is part of the protocol.

    See Also
    --------
    retrieval_split : Make one by a protocol.

    Examples
    --------
    >>> from skhash.datasets import RetrievalSplit
    >>> split = RetrievalSplit(query=[0], train=[1, 2], database=[1, 2, 3])
    >>> split
    RetrievalSplit(protocol='custom', query=1, train=2, database=3, R=None)
    >>> split.take("train", ["a.png", "b.png", "c.png", "d.png"])
    ['b.png', 'c.png']
    """

    query: np.ndarray
    train: np.ndarray
    database: np.ndarray
    validation: np.ndarray = ()
    protocol: str = "custom"
    R: int | None = None
    random_state: int | None = None

    def __post_init__(self):
        for part in _PARTS:
            rows = np.asarray(getattr(self, part))
            if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
                raise ValueError(
                    f"{part} must hold row numbers, 1-D and integer, got dtype {rows.dtype} and shape {rows.shape}."
                )
            object.__setattr__(self, part, rows.astype(np.int64))

    def __repr__(self):
        counts = [f"{part}={len(getattr(self, part))}" for part in _PARTS if part != "validation"]
        if len(self.validation):
            counts.append(f"validation={len(self.validation)}")
        return f"RetrievalSplit(protocol={self.protocol!r}, {', '.join(counts)}, R={self.R})"

    def take(self, part, *collections):
        """Pick the rows of one part from arrays, DataFrames, tensors or lists.

        Parameters
        ----------
        part : {"query", "train", "database", "validation"}
            Which part.
        *collections : array, DataFrame, tensor or sequence
            Whatever has one entry per sample.

        Returns
        -------
        taken : object or list of objects
            Of the same kind as what was given (a list for any sequence); a list of them if several were given.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash.datasets import RetrievalSplit
        >>> split = RetrievalSplit(query=[0], train=[1, 2], database=[1, 2, 3])
        >>> X_train, y_train = split.take("train", np.eye(4), ["cat", "dog", "dog", "cat"])
        >>> X_train.shape, y_train
        ((2, 4), ['dog', 'dog'])
        """
        if part not in _PARTS:
            raise ValueError(f"part must be one of {list(_PARTS)}, got {part!r}.")
        if not collections:
            raise ValueError("take needs something to take from: split.take('train', X) or split.take('train', X, y).")
        taken = [_take_rows(collection, getattr(self, part)) for collection in collections]
        return taken[0] if len(taken) == 1 else taken


@validate_params(
    {
        "protocol": [StrOptions(set(PROTOCOLS)), RetrievalProtocol],
        "n_query": [Interval(Integral, 1, None, closed="left"), StrOptions({"test"}), None],
        "n_train": [Interval(Integral, 1, None, closed="left"), StrOptions({"all"}), None],
        "n_validation": [Interval(Integral, 0, None, closed="left"), None],
        "train_in_database": ["boolean", None],
        "is_test": ["array-like", None],
        "duplicates": [StrOptions(DUPLICATES)],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def retrieval_split(
    X,
    y,
    *,
    protocol="cifar10-1",
    n_query=None,
    n_train=None,
    n_validation=None,
    train_in_database=None,
    is_test=None,
    duplicates="warn",
    random_state=None,
):
    """Divide a data set into queries, training set and database.

    The samples of each class are shuffled; its first `n_query` become queries, the next `n_validation` validation
    samples, the next `n_train` training samples, and what is left is the database, with or without the training
    samples. Counts are **per class**, but for the last two of these protocols:

    ==================== ========= ======== ========== =========== ==== =================================
    protocol             queries   training validation training in R    on CIFAR-10 (or what it is for):
                                                       database         queries / training / database
    ==================== ========= ======== ========== =========== ==== =================================
    "lbhash"             100       500      0          no          all  1,000 / 5,000 / 54,000
    "cifar10-1"          100       500      0          yes         all  1,000 / 5,000 / 59,000
    "sdc"                100       500      0          yes         1000 1,000 / 5,000 / 59,000
    "bihalf-2"           100       500      0          yes         all  1,000 / 5,000 / 59,000
    "cifar10-2"          test part all      0          yes         all  10,000 / 50,000 / 50,000
    "cibhash"            500       500      500        yes         1000 5,000 / 5,000 / 50,000
    "modfire"            100       1000     0          yes         all  1,000 / 10,000 / 59,000
    "odh-cifar100"       50        100      0          yes         500  5,000 / 10,000 / 55,000
    "imagenet100"        test part 130      0          yes         1000 5,000 / 13,000 / 128,503
    "imagenet100-lbhash" test part 100      0          yes         1000 4,983 / 10,000 / 128,503
    "nuswide21"          100       500      0          yes         5000 2,100 / 10,500 / 193,734
    "mscoco"             5000      10000    0          yes         5000 5,000 / 10,000 / 117,218
    ==================== ========= ======== ========== =========== ==== =================================

    "nuswide21" is for multi-hot labels and counts **per label**: the samples are gone through in random order, and each
    goes to the first of its labels that still needs training samples or, after these, queries. "mscoco" counts samples
    of the **whole data set**, whatever their labels.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Features, images, or a list of anything; only its length and the identity of its rows matter.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels, integers or strings. A multi-hot matrix will do where nothing is drawn per class: for "nuswide21",
        "mscoco" and "cifar10-2".
    protocol : str or RetrievalProtocol, default="cifar10-1"
        A name from the table, or a protocol of your own.
    n_query : int or "test", default=None
        Queries, counted as the protocol does (per class, as a rule); "test" takes the rows where `is_test`. None is the
        protocol's number, here and below.
    n_train : int or "all", default=None
        Training samples, counted alike; "all" trains on the whole database.
    n_validation : int, default=None
        Validation samples, counted alike.
    train_in_database : bool, default=None
        Whether the training samples stay in the database.
    is_test : array-like of bool of shape (n_samples,), default=None
        The data set's own test part. Needed by `n_query="test"` (protocols "cifar10-2", "imagenet100"), else not looked
        at.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        What to do about rows of the training set, the validation set and the database that are identical to a query:
        warn, leave them out, or do not look. See `check_leakage`.
    random_state : int, RandomState instance or None, default=None
        Draws the samples. Give an integer, and report it: it is part of the protocol.

    Returns
    -------
    split : RetrievalSplit
        Row numbers of each part, in ascending order.

    Raises
    ------
    ValueError
        If a class or label has too few samples for the counts (the message names it), `y` is multi-hot where classes
        are needed, or `is_test` is missing.

    Warns
    -----
    LeakageWarning
        If queries have identical copies elsewhere and `duplicates="warn"`.

    See Also
    --------
    check_leakage : The guard alone, for splits from elsewhere.

    Notes
    -----
    `skhash.datasets.PROTOCOLS` says who uses which protocol. Those that count per class are for data sets of one label
    per sample and classes of equal size; the counts apply to every class of other data, too. Published lists of
    ImageNet100, NUS-WIDE and MS-COCO are read by `load_imagenet100`, `load_nuswide21` and `load_mscoco`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash.datasets import retrieval_split
    >>> X, y = load_digits(return_X_y=True)
    >>> split = retrieval_split(X, y, protocol="lbhash", n_query=10, n_train=50, random_state=0)
    >>> split
    RetrievalSplit(protocol='lbhash, n_query=10, n_train=50', query=100, train=500, database=1197, R=None)
    >>> X_train, y_train = split.take("train", X, y)
    >>> X[split.query].shape
    (100, 64)
    """
    n_samples = X.shape[0] if hasattr(X, "shape") else len(X)
    labels = read_labels(y, n_samples=n_samples)
    plan = _make_plan(
        protocol,
        n_query=n_query,
        n_train=n_train,
        n_validation=n_validation,
        train_in_database=train_in_database,
    )
    split = RetrievalSplit(
        **draw_parts(labels, plan, is_test, local_random_state(random_state)),
        protocol=plan.name,
        R=plan.R,
        random_state=int(random_state) if isinstance(random_state, Integral) else None,
    )
    return guard(X, split, duplicates)


def guard(X, split, duplicates, remedy="duplicates='drop' leaves them out"):
    """Warn of rows that are identical to a query, or give the split without them, or do not look.

    To be called by a public function with `validate_params`, so that the warning is about the line that called that.
    """
    copies = np.empty((0, 2)) if duplicates == "ignore" else find_copies(X, split)
    if len(copies) == 0:
        return split
    if duplicates == "drop":
        return _without(split, copies[:, 1])
    warnings.warn(describe_copies(copies, split, X, remedy), LeakageWarning, stacklevel=4)
    return split


def _make_plan(protocol, **wanted):
    """The protocol with the user's deviations, which go into its name."""
    plan = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    changes = {key: value for key, value in wanted.items() if value is not None and value != getattr(plan, key)}
    name = ", ".join([plan.name, *(f"{key}={value!r}" for key, value in changes.items())])
    return replace(plan, **changes, name=name)


def _without(split, rows):
    """The split with these rows left out of everything but the queries."""
    others = {part: getattr(split, part) for part in _PARTS if part != "query"}
    kept = {part: members[~np.isin(members, rows)] for part, members in others.items()}
    return replace(split, **kept, protocol=f"{split.protocol}, {len(np.unique(rows))} copies of queries dropped")


def _take_rows(collection, rows):
    """Rows of an array, a DataFrame, a tensor or any sequence."""
    if hasattr(collection, "iloc"):
        return collection.iloc[rows]
    if hasattr(collection, "shape"):
        return collection[rows]
    return [collection[row] for row in rows.tolist()]
