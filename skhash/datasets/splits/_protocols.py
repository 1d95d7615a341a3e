"""The retrieval protocols of the literature, defined in one place.

A protocol defines how many samples (usually of each class) become queries and training samples, whether the training
samples stay in the database, and the depth R of mAP@R. Papers that name only the data set differ in all three, and
scores under different protocols cannot be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from types import MappingProxyType
from typing import Literal

from skhash.utils import check_option

__all__ = ["PROTOCOLS", "RetrievalProtocol"]

PER = ("class", "label", "data set")


@dataclass(frozen=True)
class RetrievalProtocol:
    """Rule that divides a data set into queries, training set and database.

    Parameters
    ----------
    name : str
        Name of the protocol.
    n_query : int or "test"
        Number of queries, drawn at random; per class unless `per` says otherwise. "test" uses the data set's own test
        part as queries.
    n_train : int or "all"
        Number of training samples, counted in the same way and drawn at random; "all" trains on the whole database.
    n_validation : int, default=0
        Number of validation samples, counted in the same way. They are neither queries nor in the database.
    train_in_database : bool, default=True
        Whether the training samples are part of the database. This raises mAP, because some of the results were seen
        in training.
    R : int, default=None
        Number of results per query that mAP@R counts; None counts the whole ranking.
    used_by : str, default=""
        The papers that use it.
    per : {"class", "label", "data set"}, default="class"
        Unit of the counts: each class, each column of a multi-hot matrix (a sample counts for one of its labels), or
        the whole data set.

    Examples
    --------
    >>> from skhash.datasets import RetrievalProtocol
    >>> RetrievalProtocol("ours", n_query=10, n_train=50, R=100).train_in_database
    True
    """

    name: str
    n_query: int | Literal["test"]
    n_train: int | Literal["all"]
    n_validation: int = 0
    train_in_database: bool = True
    R: int | None = None
    used_by: str = ""
    per: Literal["class", "label", "data set"] = "class"

    def __post_init__(self) -> None:
        check_option("per", self.per, PER)
        counts = {"n_query": ("test", 1), "n_train": ("all", 1), "n_validation": (None, 0)}
        for name, (word, least) in counts.items():
            value = getattr(self, name)
            if not (value == word if isinstance(value, str) else isinstance(value, Integral) and value >= least):
                raise ValueError(
                    f"{name} must be an integer >= {least}{f' or {word!r}' if word else ''}, got {value!r}."
                )


# The counts in the comments are those of CIFAR-10, or of the data set in the name: queries / training / database.
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
    # 5,000 / 13,000 / 128,503; the queries are ImageNet's validation images
    RetrievalProtocol("imagenet100", "test", 130, R=1000, used_by="HashNet, OrthoHash, SDC, ODH on ImageNet100"),
    # 4,983 / 10,000 / 128,503
    RetrievalProtocol("imagenet100-lbhash", "test", 100, R=1000, used_by="LBHash on ImageNet100"),
    # 2,100 / 10,500 / 193,734
    RetrievalProtocol("nuswide21", 100, 500, R=5000, per="label", used_by="DeepHash-pytorch, OrthoHash, LBHash, SDC"),
    # 5,000 / 10,000 / 117,218
    RetrievalProtocol("mscoco", 5000, 10000, R=5000, per="data set", used_by="HashNet, OrthoHash, SDC"),
)

PROTOCOLS: Mapping[str, RetrievalProtocol] = MappingProxyType({protocol.name: protocol for protocol in _TABLE})
