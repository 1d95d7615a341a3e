"""The retrieval protocols of the literature for single-label, balanced data, written down once.

A protocol says how many samples of each class become queries and training samples, whether the training samples stay
in the database, and the depth R of mAP@R. Papers that name only the data set differ in all three; figures made under
different protocols cannot be compared.
"""

from dataclasses import dataclass
from numbers import Integral
from types import MappingProxyType

__all__ = ["PROTOCOLS", "RetrievalProtocol"]


@dataclass(frozen=True)
class RetrievalProtocol:
    """How to divide a data set into queries, training set and database.

    Parameters
    ----------
    name : str
        What to call it.
    n_query : int or "test"
        Queries per class, drawn at random; "test" takes the data set's own test part as queries.
    n_train : int or "all"
        Training samples per class, drawn at random; "all" trains on the whole database.
    n_validation : int, default=0
        Validation samples per class, which are neither queries nor in the database.
    train_in_database : bool, default=True
        Whether the training samples are searched too. That raises mAP: part of what is found was trained on.
    R : int, default=None
        How many results per query count in mAP@R; None counts the whole ranking.
    used_by : str, default=""
        Where it comes from.

    Examples
    --------
    >>> from skhash.datasets import RetrievalProtocol
    >>> RetrievalProtocol("ours", n_query=10, n_train=50, R=100).train_in_database
    True
    """

    name: str
    n_query: int | str
    n_train: int | str
    n_validation: int = 0
    train_in_database: bool = True
    R: int | None = None
    used_by: str = ""

    def __post_init__(self):
        counts = {"n_query": ("test", 1), "n_train": ("all", 1), "n_validation": (None, 0)}
        for name, (word, least) in counts.items():
            value = getattr(self, name)
            if not (value == word if isinstance(value, str) else isinstance(value, Integral) and value >= least):
                raise ValueError(
                    f"{name} must be an integer >= {least}{f' or {word!r}' if word else ''}, got {value!r}."
                )


# The counts in the comments are those of CIFAR-10 (CIFAR-100 for the last): queries / training / database.
_TABLE = (
    # 1,000 / 5,000 / 54,000
    RetrievalProtocol("lbhash", 100, 500, train_in_database=False, used_by="LBHash; `cifar10` of DeepHash-pytorch"),
    # 1,000 / 5,000 / 59,000
    RetrievalProtocol("cifar10-1", 100, 500, used_by="OrthoHash; `cifar10-1` of DeepHash-pytorch"),
    RetrievalProtocol("sdc", 100, 500, R=1000, used_by="SDC"),
    RetrievalProtocol("bihalf-2", 100, 500, used_by="BiHalf, second setting"),
    # 10,000 / 50,000 / 50,000
    RetrievalProtocol("cifar10-2", "test", "all", used_by="GreedyHash II, BiHalf I (some report R=1000)"),
    # 5,000 / 5,000 / 50,000, and 5,000 for validation
    RetrievalProtocol("cibhash", 500, 500, n_validation=500, R=1000, used_by="CIBHash"),
    # 1,000 / 10,000 / 59,000
    RetrievalProtocol("modfire", 100, 1000, used_by="modfire, the LBHash authors' framework"),
    # 5,000 / 10,000 / 55,000
    RetrievalProtocol("odh-cifar100", 50, 100, R=500, used_by="ODH on CIFAR-100"),
)

PROTOCOLS = MappingProxyType({protocol.name: protocol for protocol in _TABLE})
