"""Draw queries, validation, training and database samples from each class of a data set."""

import numpy as np


def draw_parts(labels, plan, is_test, rng):
    """Row numbers of each part of a `RetrievalSplit`, drawn from each class by `plan`, ascending."""
    query, pools = _divide(labels, plan, is_test)
    after_query = 0 if plan.n_query == "test" else plan.n_query
    after_validation = after_query + plan.n_validation
    after_train = None if plan.n_train == "all" else after_validation + plan.n_train
    shuffled = [rng.permutation(pool) for pool in pools]
    cuts = {
        "query": slice(0, after_query),
        "validation": slice(after_query, after_validation),
        "train": slice(after_validation, after_train),
        "database": slice(after_validation if plan.train_in_database else after_train, None),
    }
    parts = {part: np.sort(np.concatenate([rows[cut] for rows in shuffled])) for part, cut in cuts.items()}
    return parts | {"query": np.sort(np.concatenate([query, parts["query"]]))}


def _divide(labels, plan, is_test):
    """Queries that are given, and the rows that the rest is drawn from, class by class."""
    query, rows = np.empty(0, dtype=np.int64), np.arange(len(labels))
    if plan.n_query == "test":
        is_test = _read_is_test(is_test, len(labels), plan)
        query, rows = np.flatnonzero(is_test), np.flatnonzero(~is_test)
    if plan.n_train == "all" and not plan.train_in_database:
        raise ValueError("n_train='all' trains on the whole database, so train_in_database=False would leave it empty.")
    n_query = 0 if plan.n_query == "test" else plan.n_query
    n_train = 0 if plan.n_train == "all" else plan.n_train
    if n_query + plan.n_validation + n_train == 0:
        return query, [rows]
    if labels.multilabel:
        raise ValueError(
            f"Protocol {plan.name!r} draws samples per class and needs one label per sample, but y is a multi-hot "
            f"matrix with {len(labels.classes)} columns. Use n_query='test' with is_test= and n_train='all', or "
            "build RetrievalSplit(query=, train=, database=) from the row numbers of a published list."
        )
    codes = labels.codes[rows]
    sizes = np.bincount(codes, minlength=len(labels.classes))
    need = n_query + plan.n_validation + (max(n_train, 1) if plan.train_in_database else n_train + 1)
    if sizes.min() < need:
        raise ValueError(_describe_small_classes(labels.classes, sizes, need, plan))
    return query, np.split(rows[np.argsort(codes, kind="stable")], np.cumsum(sizes)[:-1])


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
    return (
        f"Class {classes.tolist()[smallest]!r} has {sizes[smallest]} samples{outside}{others}, but protocol "
        f"{plan.name!r} needs at least {need} of each class (n_query={plan.n_query!r}, "
        f"n_validation={plan.n_validation}, n_train={plan.n_train!r}, train_in_database={plan.train_in_database}). "
        "Give your own counts per class: retrieval_split(X, y, n_query=..., n_train=...)."
    )
