"""The search of one part of a sharded index, its execution by threads or clusters, and the merge of answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import numpy as np
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skhash.index.collection._labels import checked
from skhash.index.hamming._hamming_index import HammingIndex
from skhash.index.storage._blocks import open_current
from skhash.utils import import_optional

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.collection._collection import Collection
    from skhash.index.storage._header import IndexKind
    from skhash.utils import Labels

    Part: TypeAlias = Any  # a SavedPart, or a fitted index
    Run: TypeAlias = Callable[..., list["Answer"]]
    Found: TypeAlias = tuple[NDArray[np.int64], NDArray[Any], NDArray[np.int64]]
    Find: TypeAlias = Callable[..., Found]
    Search: TypeAlias = Callable[..., "Answer"]
    Value = TypeVar("Value")

__all__ = ["Answer", "SavedPart", "agree", "describe_ids", "describe_labels", "merge", "read_part", "runner"]

_MERGED_AT_ONCE = 2**16  # neighbors


@dataclass(frozen=True)
class SavedPart:
    """A saved index in one state, which is sent to processes and machines in place of its codes.

    Parameters
    ----------
    path : str
        Absolute path of the folder.
    crc32 : str
        Checksum of the header, which identifies the state.
    index_type : type
        The class of the index.
    kind : {"hamming", "embedding"}
        The kind of the folder.
    """

    path: str
    crc32: str
    index_type: Any
    kind: IndexKind


@dataclass(frozen=True)
class Answer:
    """Neighbors, query after query.

    Parameters
    ----------
    counts : ndarray of int64 of shape (n_queries,)
        Number of neighbors of each query.
    distances : ndarray of int32 of shape (n_found,)
        Distances; of float64 for continuous queries.
    ids : ndarray of int64 or of object of shape (n_found,)
        Ids; counted ones continue from those of the parts before.
    labels : ndarray of shape (n_found,) or (n_found, n_classes), or None
        Labels, if they were requested.
    """

    counts: NDArray[np.int64]
    distances: NDArray[Any]
    ids: NDArray[Any]
    labels: NDArray[Any] | None


def read_part(part: Any, index_type: Any = HammingIndex, kind: IndexKind = "hamming") -> tuple[Part, Any]:
    """Read a part in any form; return what is sent to processes and machines, and the fitted index."""
    if isinstance(part, index_type):
        check_is_fitted(part)
        part = copy(part)  # its current state, which later changes of the original do not reach
        return part, part
    if isinstance(part, (str, os.PathLike)):
        folder = Path(part).absolute()
        saved = open_current(folder, kind=kind)
        return SavedPart(str(folder), saved.crc32, index_type, kind), index_type._restore(saved)
    index = index_type().fit(part)
    return index, index


@lru_cache(maxsize=1024)
def _open(part: SavedPart) -> Any:
    """Open a saved part, once in each process."""
    saved = open_current(Path(part.path), kind=part.kind)
    if saved.crc32 != part.crc32:
        name = f"Sharded{part.index_type.__name__}"
        raise ValueError(f"{part.path} has changed since the {name} was created; create a new one.")
    return part.index_type._restore(saved)


def find_codes(
    index: HammingIndex, queries: NDArray[Any], k: int | None, radius: int | None, query_bits: int | None
) -> Found:
    """Find the `k` nearest codes of each query, all if there are fewer or `k` is None, within a radius.

    Queries are packed codes, or with `query_bits` continuous codes. Returns the number of neighbors of each query, and
    their distances and rows, query after query.
    """
    if query_bits is not None:
        n_found = min(cast("int", k), index.n_samples_fit_)
        counts = np.full(len(queries), n_found)
        distances, rows = index._nearest_asymmetric(queries, n_found, query_bits)
        distances, rows = distances.ravel(), rows.ravel()
    elif radius is not None or k is None:
        counts, distances, rows = index._within(queries, radius, max_neighbors=k)
    else:
        counts = np.full(len(queries), min(k, index.n_samples_fit_))
        distances, rows = np.empty(0, np.int32), np.empty(0, np.int64)
        if counts.any():
            distances, rows = index._nearest(queries, int(counts[0]))
            distances, rows = distances.ravel(), rows.ravel()
    return counts, distances, rows


def answer(find: Find, part: Part, first_id: int, queries: NDArray[Any], with_labels: bool, *request: Any) -> Answer:
    """Search one part; `find` takes the index, the queries and the request."""
    index = _open(part) if isinstance(part, SavedPart) else part
    counts, distances, rows = find(index, queries, *request)
    collection = index._collection
    labels = checked(collection.labels[rows]).decode() if with_labels and collection.labels is not None else None
    ids = collection.to_ids(rows)
    if collection.next_id is not None:
        ids += first_id
    return Answer(counts, distances, ids, labels)


def merge(answers: Sequence[Answer], k: int | None = None) -> Answer:
    """Merge the answers of all parts, each query's by (distance, part, row), and keep the first `k` of each query.

    Some queries at a time: beside the answers and the result this takes no memory that grows with them.
    """
    totals = np.sum([part.counts for part in answers], axis=0)
    counts = totals if k is None else np.minimum(totals, k)
    starts = [np.concatenate([[0], part.counts.cumsum()]) for part in answers]
    ends = np.concatenate([[0], counts.cumsum()])
    distances = np.empty(ends[-1], answers[0].distances.dtype)
    ids = np.empty(ends[-1], np.result_type(*(part.ids.dtype for part in answers)))
    found = [part.labels for part in answers if part.labels is not None]
    labels = None
    if found:
        labels = np.empty((ends[-1], *found[0].shape[1:]), np.result_type(*(some.dtype for some in found)))
    for first, last in _chunks(totals):
        parts = [slice(start[first], start[last]) for start in starts]
        some, near = slice(first, last), _pick([part.distances for part in answers], parts)
        query = np.concatenate([np.repeat(np.arange(last - first), part.counts[some]) for part in answers])
        order = np.lexsort((near, query))  # stable: equal distances stay in the order of parts and rows
        if k is not None:
            before = totals[some].cumsum() - totals[some]
            order = order[np.arange(len(order)) - np.repeat(before, totals[some]) < k]
        place = slice(ends[first], ends[last])
        distances[place] = near[order]
        ids[place] = _pick([part.ids for part in answers], parts)[order]
        if labels is not None:
            labels[place] = _pick(found, parts)[order]
    return Answer(counts, distances, ids, labels)


def _chunks(totals: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Divide queries into chunks of about as many neighbors, from the number of neighbors of each."""
    chunk = totals.cumsum() // _MERGED_AT_ONCE
    bounds = [0, *(np.flatnonzero(np.diff(chunk)) + 1).tolist(), len(totals)]
    return list(pairwise(bounds))


def _pick(arrays: Sequence[NDArray[Any]], parts: Sequence[slice]) -> NDArray[Any]:
    """Join a slice of each array."""
    return np.concatenate([array[part] for array, part in zip(arrays, parts, strict=True)])


def runner(executor: Any, parts: Sequence[Part], indexes: Sequence[Any], find: Find = find_codes) -> Run:
    """Return the function that searches all parts: `run(queries, with_labels, *request)` returns an answer of each.

    A request is what `find` takes after the index and the queries. Threads search the `indexes`, which are open in this
    process; processes and machines search the `parts`, saved ones at their paths.
    """
    search = partial(answer, find)
    first_ids = np.cumsum([0, *(index._collection.next_id or 0 for index in indexes)])[:-1].tolist()
    if isinstance(executor, str) and executor == "dask":
        executor = import_optional("distributed", extra="dask", purpose='executor="dask"').get_client()
    if executor is None:
        return _in_turn(search, indexes, first_ids)
    if isinstance(executor, Integral) and not isinstance(executor, bool) and executor != 0:
        return _with_joblib({"n_jobs": int(executor), "require": "sharedmem"}, search, indexes, first_ids)
    if isinstance(executor, str) and executor == "joblib":
        return _with_joblib({}, search, parts, first_ids)
    if hasattr(executor, "scatter"):
        return _with_dask(executor, search, parts, first_ids)
    raise ValueError(
        f'executor must be None, a number of threads, "joblib", "dask" or a distributed.Client, got {executor!r}.'
    )


def _in_turn(search: Search, parts: Sequence[Part], first_ids: Sequence[int]) -> Run:
    """Return the function that searches the parts one after the other."""

    def run(*request: Any) -> list[Answer]:
        return [search(*part, *request) for part in zip(parts, first_ids, strict=True)]

    return run


def _with_joblib(options: dict[str, Any], search: Search, parts: Sequence[Part], first_ids: Sequence[int]) -> Run:
    """Return the function that searches the parts with joblib."""

    def run(*request: Any) -> list[Answer]:
        calls = (delayed(search)(*part, *request) for part in zip(parts, first_ids, strict=True))
        return cast("list[Answer]", Parallel(**options)(calls))

    return run


def _with_dask(client: Any, search: Search, parts: Sequence[Part], first_ids: Sequence[int]) -> Run:
    """Return the function that searches the parts on a Dask cluster."""
    parts = [part if isinstance(part, SavedPart) else client.scatter(part, hash=False) for part in parts]

    def run(queries: NDArray[Any], *request: Any) -> list[Answer]:
        queries = client.scatter(queries, hash=False, broadcast=True)
        tasks = zip(parts, first_ids, strict=True)
        return client.gather([client.submit(search, *part, queries, *request, pure=False) for part in tasks])

    return run


def agree(name: str, values: Sequence[Value]) -> Value:
    """Return the value that all parts have in common; raise ValueError if they differ."""
    for number, value in enumerate(values):
        if value != values[0]:
            raise ValueError(f"All parts must have the same {name}: part 0 has {values[0]}, part {number} has {value}.")
    return values[0]


def describe_labels(labels: Labels | None) -> str | None:
    """Describe the kind of labels, which must be the same for all parts."""
    if labels is None:
        return None
    if labels.multilabel:
        return f"multi-hot with {len(labels.classes)} columns"
    return "text" if labels.classes.dtype.kind in "OSUT" else "numbers"


def describe_ids(collection: Collection) -> str:
    """Describe the kind of ids, which must be the same for all parts."""
    return "user-defined ids" if collection.next_id is None else "counted ids"
