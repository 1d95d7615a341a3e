"""Draw queries, validation, training and database samples, from each class or label of a data set or from all."""

import numpy as np

from skhash.datasets._draw_per_label import draw_per_label


def draw_parts(labels, plan, is_test, rng):
    """Row numbers of each part of a `RetrievalSplit`, drawn by `plan`, ascending."""
    if plan.n_train == "all" and not plan.train_in_database:
        raise ValueError("n_train='all' trains on the whole database, so train_in_database=False would leave it empty.")
    query, rows = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if plan.n_query == "test":
        is_test = _read_is_test(is_test, len(labels), plan)
        query, rows = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    counts = {
        "query": 0 if plan.n_query == "test" else plan.n_query,
        "validation": plan.n_validation,
        "train": 0 if plan.n_train == "all" else plan.n_train,
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
        raise ValueError(f"Protocol {plan.name!r} leaves nothing to search: the database is empty.")
    parts["query"] = np.concatenate([query, parts["query"]])
    return {part: np.sort(members) for part, members in parts.items()}


def _draw_per_class(pools, counts, rng):
    """Draw from each pool of rows, first queries, then validation, then training samples; "rest" is what is left."""
    shuffled = [rng.permutation(pool) for pool in pools]
    parts, start = {}, 0
    for part, count in counts.items():
        parts[part] = np.concatenate([rows[start : start + count] for rows in shuffled])
        start += count
    return parts | {"rest": np.concatenate([rows[start:] for rows in shuffled])}


def _divide(labels, rows, counts, plan):
    """Rows of each class, or all of them in one pool where nothing is counted by class."""
    wanted = sum(counts.values())
    need = wanted if plan.train_in_database and counts["train"] else wanted + 1
    if wanted == 0:
        return [rows]
    if plan.per != "class":
        if len(rows) < need:
            raise ValueError(_describe_too_few(f"The data set has {len(rows)}", need, plan))
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


def _read_is_test(is_test, n_samples, plan):
    """Check the test flags, and that they leave something to search."""
    if is_test is None:
        raise ValueError(
            f"Protocol {plan.name!r} takes the data set's own test part as queries: give is_test=, a bool array, "
            "for example fetch_cifar10().is_test."
        )
    is_test = np.asarray(is_test)
    got = f"dtype {is_test.dtype} and shape {is_test.shape}"
    if is_test.dtype != bool or is_test.shape != (n_samples,):
        raise ValueError(f"is_test must be a bool array of shape ({n_samples},), got {got}.")
    if is_test.all() or not is_test.any():
        raise ValueError(f"is_test marks {is_test.sum()} of {n_samples} rows; queries and database both need some.")
    return is_test


def _describe_small_classes(classes, sizes, need, plan):
    """Name the smallest class and say what the protocol asks of it."""
    smallest = int(np.argmin(sizes))
    outside = " outside is_test" if plan.n_query == "test" else ""
    n_others = int((sizes < need).sum()) - 1
    others = f" (and {n_others} more classes have too few)" if n_others else ""
    found = f"Class {classes.tolist()[smallest]!r} has {sizes[smallest]}"
    return _describe_too_few(found, f"{need} of each class", plan, f"{outside}{others}")


def _describe_too_few(found, need, plan, where=""):
    """Say how many samples there are, how many the protocol asks for, and what to do."""
    return (
        f"{found} samples{where}, but protocol {plan.name!r} needs at least {need} (n_query={plan.n_query!r}, "
        f"n_validation={plan.n_validation}, n_train={plan.n_train!r}, train_in_database={plan.train_in_database}). "
        f"Give your own counts{' per class' if plan.per == 'class' else ''}: n_query=..., n_train=..."
    )
