"""Draw queries, validation, training and database samples per class, per label or from the whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.datasets.splits._draw_per_label import draw_per_label

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from skhash.datasets.splits._protocols import RetrievalProtocol
    from skhash.utils import Labels


def draw_parts(
    labels: Labels, plan: RetrievalProtocol, is_test: ArrayLike | None, rng: np.random.RandomState
) -> dict[str, NDArray[np.int64]]:
    """Return ascending row numbers of each part of a `RetrievalSplit`, drawn by `plan`."""
    if plan.n_train == "all" and not plan.train_in_database:
        raise ValueError(
            "train_in_database must be True if n_train='all', got False: the training set would be the whole database "
            "and leave it empty."
        )
    query, rows = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if plan.n_query == "test":
        is_test = _check_is_test(is_test, len(labels), plan)
        query, rows = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    counts = {
        "query": 0 if isinstance(plan.n_query, str) else plan.n_query,
        "validation": plan.n_validation,
        "train": 0 if isinstance(plan.n_train, str) else plan.n_train,
    }
    if plan.per == "label" and any(counts.values()):
        parts = draw_per_label(labels, rows, counts, plan, rng)
    else:
        parts = _draw_per_class(_divide(labels, rows, counts, plan), counts, rng)
    rest = parts.pop("rest")
    if plan.n_train == "all":
        parts["train"] = rest
    parts["database"] = np.union1d(rest, parts["train"]) if plan.train_in_database else rest
    if not len(parts["database"]):
        raise ValueError(f"Protocol {plan.name!r} leaves the database empty; expected at least 1 sample.")
    parts["query"] = np.concatenate([query, parts["query"]])
    return {part: np.sort(members) for part, members in parts.items()}


def _draw_per_class(
    pools: list[NDArray[np.int64]], counts: dict[str, int], rng: np.random.RandomState
) -> dict[str, NDArray[np.int64]]:
    """Draw from each pool of rows, in the order of `counts`; the remaining rows are the part "rest"."""
    shuffled = [rng.permutation(pool) for pool in pools]
    parts, start = {}, 0
    for part, count in counts.items():
        parts[part] = np.concatenate([rows[start : start + count] for rows in shuffled])
        start += count
    return parts | {"rest": np.concatenate([rows[start:] for rows in shuffled])}


def _divide(
    labels: Labels, rows: NDArray[np.int64], counts: dict[str, int], plan: RetrievalProtocol
) -> list[NDArray[np.int64]]:
    """Return the rows of each class, or all rows in one pool if nothing is counted per class."""
    wanted = sum(counts.values())
    # The database needs at least one sample, which may be a training sample if these stay in the database.
    need = wanted if plan.train_in_database and counts["train"] else wanted + 1
    if wanted == 0:
        return [rows]
    if plan.per != "class":
        if len(rows) < need:
            raise ValueError(_describe_shortage(f"The data set has {len(rows)}", need, plan))
        return [rows]
    if labels.multilabel:
        raise ValueError(
            f"Protocol {plan.name!r} draws samples per class and needs one label per sample, but y is a multi-hot "
            f"matrix with {len(labels.classes)} columns. Use a protocol for such data ('nuswide21', 'mscoco'), "
            "n_query='test' with is_test= and n_train='all', or build RetrievalSplit(query=, train=, database=) from "
            "the row numbers of a published list."
        )
    codes = labels.codes[rows]
    sizes = np.bincount(codes, minlength=len(labels.classes))
    if sizes.min() < need:
        raise ValueError(_describe_small_classes(labels.classes, sizes, need, plan))
    return np.split(rows[np.argsort(codes, kind="stable")], np.cumsum(sizes)[:-1])


def _check_is_test(is_test: ArrayLike | None, n_samples: int, plan: RetrievalProtocol) -> NDArray[np.bool_]:
    """Check that the test flags are valid and that both queries and other samples remain."""
    if is_test is None:
        raise ValueError(
            f"is_test is required: protocol {plan.name!r} uses the data set's own test part as queries. Pass a bool "
            "array, for example fetch_cifar10().is_test."
        )
    flags = np.asarray(is_test)
    if flags.dtype != bool or flags.shape != (n_samples,):
        raise ValueError(
            f"is_test must be a bool array of shape ({n_samples},), got dtype {flags.dtype} and shape {flags.shape}."
        )
    if flags.all() or not flags.any():
        raise ValueError(
            f"is_test is True for {flags.sum()} of {n_samples} rows; expected at least one True (a query) and one "
            "False (a database sample)."
        )
    return flags


def _describe_small_classes(classes: NDArray[Any], sizes: NDArray[np.int64], need: int, plan: RetrievalProtocol) -> str:
    """Compose the error message that names the smallest class."""
    smallest = int(np.argmin(sizes))
    outside = " outside is_test" if plan.n_query == "test" else ""
    n_others = int((sizes < need).sum()) - 1
    others = f" (and {n_others} more classes have too few)" if n_others else ""
    found = f"Class {classes.tolist()[smallest]!r} has {sizes[smallest]}"
    return _describe_shortage(found, f"{need} of each class", plan, f"{outside}{others}")


def _describe_shortage(found: str, need: int | str, plan: RetrievalProtocol, where: str = "") -> str:
    """Compose the error message: how many samples exist, how many the protocol needs, and what to do."""
    return (
        f"{found} samples{where}, but protocol {plan.name!r} needs at least {need} (n_query={plan.n_query!r}, "
        f"n_validation={plan.n_validation}, n_train={plan.n_train!r}, train_in_database={plan.train_in_database}). "
        f"Pass smaller counts{' per class' if plan.per == 'class' else ''}: n_query=..., n_train=..."
    )
