"""Retrieval splits: queries, training set and database by a named protocol, guarded against leakage."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from skhash.datasets.splits._draw import draw_parts
from skhash.datasets.splits._leakage import LeakageWarning, describe_copies, find_copies
from skhash.datasets.splits._protocols import PROTOCOLS, RetrievalProtocol
from skhash.utils import Interval, StrOptions, local_random_state, read_labels, validate_params

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.utils import RandomStateLike

__all__ = ["RetrievalSplit", "retrieval_split"]

DUPLICATES = {"warn", "drop", "ignore"}
COPIES_STAY = "they are kept, because the ground truth refers to positions in the database"
_PARTS = ("query", "train", "database", "validation")


@dataclass(frozen=True, eq=False, repr=False, init=False)
class RetrievalSplit:
    """Row numbers of the parts of a retrieval experiment.

    Parameters
    ----------
    query : array-like of int of shape (n_query,)
        The queries.
    train : array-like of int of shape (n_train,)
        The training set.
    database : array-like of int of shape (n_database,)
        The samples that are searched. They may include the training rows, but never the queries.
    validation : array-like of int of shape (n_validation,), default=()
        Samples for model selection, if the protocol reserves any.
    protocol : str, default="custom"
        Name of the protocol, with every deviation from it.
    R : int, default=None
        Number of results per query that mAP@R counts; None counts the whole ranking.
    random_state : int, default=None
        Seed of the draw, if it was an integer: the seed is part of the protocol.

    See Also
    --------
    retrieval_split : Draw a split by a protocol.

    Examples
    --------
    >>> from skhash.datasets import RetrievalSplit
    >>> split = RetrievalSplit(query=[0], train=[1, 2], database=[1, 2, 3])
    >>> split
    RetrievalSplit(protocol='custom', query=1, train=2, database=3, R=None)
    >>> split.take("train", ["a.png", "b.png", "c.png", "d.png"])
    ['b.png', 'c.png']
    """

    query: NDArray[np.int64]
    train: NDArray[np.int64]
    database: NDArray[np.int64]
    validation: NDArray[np.int64]
    protocol: str
    R: int | None
    random_state: int | None

    def __init__(
        self,
        query: ArrayLike,
        train: ArrayLike,
        database: ArrayLike,
        validation: ArrayLike = (),
        protocol: str = "custom",
        R: int | None = None,
        random_state: int | None = None,
    ) -> None:
        # Written out, because the parts may be given as any array-like and are stored as int64.
        parts = zip(_PARTS, (query, train, database, validation), strict=True)
        fields = {part: _check_rows(part, rows) for part, rows in parts}
        for name, value in {**fields, "protocol": protocol, "R": R, "random_state": random_state}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        counts = [f"{part}={len(getattr(self, part))}" for part in _PARTS if part != "validation"]
        if len(self.validation):
            counts.append(f"validation={len(self.validation)}")
        return f"RetrievalSplit(protocol={self.protocol!r}, {', '.join(counts)}, R={self.R})"

    def take(self, part: Literal["query", "train", "database", "validation"], *collections: Any) -> Any:
        """Return the rows of one part of arrays, DataFrames, tensors or lists.

        Parameters
        ----------
        part : {"query", "train", "database", "validation"}
            The part.
        *collections : array, DataFrame, tensor or sequence
            Collections with one entry per sample.

        Returns
        -------
        taken : object or list of objects
            The rows, in a collection of the same type (a list for any sequence); a list of such results if several
            collections are passed.

        Raises
        ------
        ValueError
            If `part` is unknown or no collection is passed.

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
            raise ValueError(
                "take needs at least one collection, got none: use split.take('train', X) or split.take('train', X, y)."
            )
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
    X: Any,
    y: ArrayLike,
    *,
    protocol: str | RetrievalProtocol = "cifar10-1",
    n_query: int | Literal["test"] | None = None,
    n_train: int | Literal["all"] | None = None,
    n_validation: int | None = None,
    train_in_database: bool | None = None,
    is_test: ArrayLike | None = None,
    duplicates: Literal["warn", "drop", "ignore"] = "warn",
    random_state: RandomStateLike = None,
) -> RetrievalSplit:
    """Divide a data set into queries, training set and database.

    The samples of each class are shuffled. The first `n_query` become queries, the next `n_validation` validation
    samples, the next `n_train` training samples. The remaining ones are the database, with or without the training
    samples. Counts are **per class**, except for the last two of these protocols:

    ==================== ========= ======== ========== =========== ==== =================================
    protocol             queries   training validation training in R    on CIFAR-10 (or on the data set
                                                       database         in the name): queries / training
                                                                        / database
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

    "nuswide21" is for multi-hot labels and counts **per label**: the samples are visited in random order, and each is
    assigned to the first of its labels that still needs training samples or, after these, queries. "mscoco" counts
    samples of the **whole data set**, independently of their labels.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Features, images, or any list. Only its length and, for the leakage guard, equal rows matter.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Class labels, integers or strings. A multi-hot matrix is accepted if nothing is drawn per class: for
        "nuswide21", "mscoco" and "cifar10-2".
    protocol : str or RetrievalProtocol, default="cifar10-1"
        A name from the table, or a protocol of your own.
    n_query : int or "test", default=None
        Number of queries, in the unit of the protocol (usually per class); "test" uses the rows where `is_test` is
        True. Here and below, None uses the protocol's number.
    n_train : int or "all", default=None
        Number of training samples, in the same unit; "all" trains on the whole database.
    n_validation : int, default=None
        Number of validation samples, in the same unit.
    train_in_database : bool, default=None
        Whether the training samples stay in the database.
    is_test : array-like of bool of shape (n_samples,), default=None
        The data set's own test part. Required by `n_query="test"` (protocols "cifar10-2", "imagenet100"), otherwise
        ignored.
    duplicates : {"warn", "drop", "ignore"}, default="warn"
        How to handle rows of the training set, the validation set and the database that are identical to a query:
        "warn" keeps them and warns, "drop" leaves them out, "ignore" skips the search for them. See `check_leakage`.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw. Pass an integer and report it: it is part of the protocol.

    Returns
    -------
    split : RetrievalSplit
        Row numbers of each part, in ascending order.

    Raises
    ------
    ValueError
        If a class or label has too few samples for the counts (the message names it), if `y` is multi-hot but the
        protocol needs classes, or if `is_test` is missing.

    Warns
    -----
    LeakageWarning
        If queries have identical copies elsewhere and `duplicates="warn"`.

    See Also
    --------
    check_leakage : The guard alone, for other splits.

    Notes
    -----
    `skhash.datasets.PROTOCOLS` names the papers that use each protocol. Those that count per class are meant for data
    sets with one label per sample and classes of equal size; on other data, the counts apply to every class, too.
    Published lists of ImageNet100, NUS-WIDE and MS-COCO are read by `load_imagenet100`, `load_nuswide21` and
    `load_mscoco`.

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
    return handle_copies(X, split, duplicates)


def handle_copies(
    X: Any, split: RetrievalSplit, duplicates: str, remedy: str = "use duplicates='drop' to leave them out"
) -> RetrievalSplit:
    """Warn about rows that are identical to a query, or return the split without them, or skip the search for them.

    Call it directly from a public function with `validate_params`: the warning then points to the caller of that
    function.
    """
    copies = np.empty((0, 2), dtype=np.int64) if duplicates == "ignore" else find_copies(X, split)
    if len(copies) == 0:
        return split
    if duplicates == "drop":
        return _without(split, copies[:, 1])
    warnings.warn(describe_copies(copies, split, X, remedy), LeakageWarning, stacklevel=4)
    return split


def _make_plan(protocol: str | RetrievalProtocol, **wanted: Any) -> RetrievalProtocol:
    """Return the protocol with the user's deviations, which become part of its name."""
    plan = PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    changes = {key: value for key, value in wanted.items() if value is not None and value != getattr(plan, key)}
    name = ", ".join([plan.name, *(f"{key}={value!r}" for key, value in changes.items())])
    return replace(plan, **changes, name=name)


def _check_rows(part: str, rows: ArrayLike) -> NDArray[np.int64]:
    """Check the row numbers of a part and return them as int64."""
    array = np.asarray(rows)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{part} must be a 1-D array of integer row numbers, got dtype {array.dtype} and shape {array.shape}."
        )
    return array.astype(np.int64)


def _without(split: RetrievalSplit, rows: NDArray[np.int64]) -> RetrievalSplit:
    """Return the split without these rows in any part except the queries."""
    others = {part: getattr(split, part) for part in _PARTS if part != "query"}
    kept = {part: members[~np.isin(members, rows)] for part, members in others.items()}
    return replace(split, **kept, protocol=f"{split.protocol}, {len(np.unique(rows))} copies of queries dropped")


def _take_rows(collection: Any, rows: NDArray[np.int64]) -> Any:
    """Return rows of an array, a DataFrame, a tensor or any sequence."""
    if hasattr(collection, "iloc"):
        return collection.iloc[rows]
    if hasattr(collection, "shape"):
        return collection[rows]
    return [collection[row] for row in rows.tolist()]
