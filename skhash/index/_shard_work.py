"""The work on one part of a `ShardedHammingIndex`, what carries it out, and the merge of the answers."""

import os
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skhash.index.hamming._hamming_index import HammingIndex
from skhash.index.storage._blocks import open_current
from skhash.utils import import_optional

__all__ = ["Answer", "SavedPart", "merge", "read_part", "runner"]


@dataclass(frozen=True)
class SavedPart:
    """A saved index in one state, which travels to processes and machines in place of its codes."""

    path: str
    crc32: str


def read_part(part):
    """Read what a user gave as a part: what is sent to processes and machines, and the fitted index."""
    if isinstance(part, HammingIndex):
        check_is_fitted(part)
        part = copy(part)  # as it is now, whatever becomes of it
        return part, part
    if isinstance(part, (str, os.PathLike)):
        folder = Path(part).absolute()
        saved = open_current(folder)
        return SavedPart(str(folder), saved.crc32), HammingIndex._restore(saved)
    index = HammingIndex().fit(part)
    return index, index


@lru_cache(maxsize=1024)
def _open(part):
    """Open a saved part, once in each process."""
    saved = open_current(Path(part.path))
    if saved.crc32 != part.crc32:
        raise ValueError(f"{part.path} has changed since the ShardedHammingIndex was made; make a new one.")
    return HammingIndex._restore(saved)


@dataclass(frozen=True)
class Answer:
    """Neighbours, query after query: how many, their distances, their ids, and labels if these were asked for.

    The ids that a part gave itself count on from those of the parts before.
    """

    counts: np.ndarray
    distances: np.ndarray
    ids: np.ndarray
    labels: np.ndarray | None


def answer(part, first_id, queries, k, radius, labelled):
    """Search one part, a `SavedPart` or a `HammingIndex`: its `k` nearest codes, all if it has fewer, or a radius."""
    index = _open(part) if isinstance(part, SavedPart) else part
    if k is None:
        counts, distances, rows = index._within(queries, radius)
    else:
        counts = np.full(len(queries), min(k, index.n_samples_fit_))
        found = index._nearest(queries, counts[0]) if counts.any() else (np.empty(0, np.int32), np.empty(0, np.int64))
        distances, rows = (array.ravel() for array in found)
    collection = index._collection
    ids = collection.ids_of(rows)
    ids = ids if collection.next_id is None else ids + first_id
    return Answer(counts, distances, ids, collection.labels[rows].decode() if labelled else None)


def merge(answers, k=None):
    """Merge the answers of all parts, each query's by (distance, part, row), and keep the first `k` of each query."""
    counts = sum(part.counts for part in answers)
    query = np.concatenate([np.repeat(np.arange(len(counts)), part.counts) for part in answers])
    distances = np.concatenate([part.distances for part in answers])
    order = np.lexsort((distances, query))  # stable: equal distances stay in the order of parts and rows
    if k is not None:
        order = order.reshape(len(counts), -1)[:, :k].ravel()
        counts = np.full(len(counts), k)
    ids = np.concatenate([part.ids for part in answers])[order]
    labels = None if answers[0].labels is None else np.concatenate([part.labels for part in answers])[order]
    return Answer(counts, distances[order], ids, labels)


def runner(executor, parts, indexes):
    """Make the function that searches all parts: `run(queries, k, radius, labelled)` gives an answer of each.

    Threads search the `indexes`, which are open here; processes and machines the `parts`, saved ones at their paths.
    """
    first_ids = np.cumsum([0, *(index._collection.next_id or 0 for index in indexes)])[:-1].tolist()
    if isinstance(executor, str) and executor == "dask":
        executor = import_optional("distributed", extra="dask", purpose='executor="dask"').get_client()
    if executor is None:
        return lambda *what: [answer(*part, *what) for part in zip(indexes, first_ids, strict=True)]
    if isinstance(executor, Integral) and not isinstance(executor, bool) and executor != 0:
        return _with_joblib({"n_jobs": int(executor), "require": "sharedmem"}, indexes, first_ids)
    if isinstance(executor, str) and executor == "joblib":
        return _with_joblib({}, parts, first_ids)
    if hasattr(executor, "scatter"):
        return _with_dask(executor, parts, first_ids)
    raise ValueError(
        f'executor must be None, a number of threads, "joblib", "dask" or a distributed.Client, got {executor!r}.'
    )


def _with_joblib(options, parts, first_ids):
    def run(*what):
        return Parallel(**options)(delayed(answer)(*part, *what) for part in zip(parts, first_ids, strict=True))

    return run


def _with_dask(client, parts, first_ids):
    parts = [part if isinstance(part, SavedPart) else client.scatter(part, hash=False) for part in parts]

    def run(queries, *what):
        queries = client.scatter(queries, hash=False, broadcast=True)
        tasks = zip(parts, first_ids, strict=True)
        return client.gather([client.submit(answer, *part, queries, *what, pure=False) for part in tasks])

    return run
