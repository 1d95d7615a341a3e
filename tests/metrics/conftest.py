"""Rankings by plain loops, written from the definitions, as references for the ranking metrics."""

from dataclasses import dataclass
from itertools import chain, permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st

WIDTHS = [1, 2, 3, 7, 8, 16, 33, 63, 64, 65, 128, 129, 200, 256, 257, 300]
ANIMALS = np.array(["ant", "bee", "cow", "dog", "elk"])


@dataclass(frozen=True)
class Case:
    """Codes and labels of both sides; with `exclude_self` query `i` is item `i`."""

    queries: np.ndarray
    database: np.ndarray
    query_labels: np.ndarray
    labels: np.ndarray
    exclude_self: bool

    @property
    def sides(self):
        return self.queries, self.database, self.query_labels, self.labels


@st.composite
def cases(draw, max_items=12, exclude_self=None):
    """Few codes of any width, many of them equal; labels of any kind, in part without a partner.

    `exclude_self` is drawn if it is None.
    """
    rng = np.random.RandomState(draw(st.integers(0, 2**20)))
    bits, n = draw(st.sampled_from(WIDTHS)), draw(st.integers(2, max_items))
    pool = rng.randint(0, 2, (draw(st.integers(1, 8)), bits))
    kind = draw(st.sampled_from(["numbers", "strings", "multi-hot"]))

    def labels_of(n, first):
        if kind == "multi-hot":
            return rng.randint(0, 2, (n, 4)) * rng.randint(0, 2, (n, 4))  # a third of the rows is empty
        classes = rng.randint(first, first + 4, n)
        return ANIMALS[classes] if kind == "strings" else 7 * classes - 5

    database, labels = pool[rng.randint(0, len(pool), n)], labels_of(n, 0)
    if draw(st.booleans()) if exclude_self is None else exclude_self:
        return Case(database, database, labels, labels, True)
    n_queries = draw(st.integers(1, 6))
    queries = np.where(rng.rand(n_queries, 1) < 0.5, pool[rng.randint(0, len(pool), n_queries)], pool[0] ^ 1)
    return Case(queries, database, labels_of(n_queries, 1), labels, False)


def items_of(case, q, order=None):
    """Distance of each item from query `q` and number of labels in common, without the query itself."""
    for row in range(len(case.database)) if order is None else order:
        if not (case.exclude_self and row == q):
            distance = sum(int(a) != int(b) for a, b in zip(case.queries[q], case.database[row], strict=True))
            if case.labels.ndim == 2:
                shared = sum(int(a) * int(b) for a, b in zip(case.query_labels[q], case.labels[row], strict=True))
            else:
                shared = int(case.query_labels[q] == case.labels[row])
            yield distance, shared


def rankings(case, q, ties="stable", seed=0):
    """List every ranking that the rule for ties admits, all equally likely: numbers of shared labels, nearest first."""
    shuffle = np.random.RandomState(seed).permutation(len(case.database)) if ties == "random" else None
    items = list(items_of(case, q, shuffle))
    groups = [[shared for d, shared in items if d == distance] for distance in sorted({d for d, _ in items})]
    if ties in ("optimistic", "pessimistic"):
        groups = [sorted(group, key=lambda shared: (shared > 0) == (ties == "pessimistic")) for group in groups]
    orders = [set(permutations(group)) if ties == "expected" else [tuple(group)] for group in groups]
    return [list(chain(*ranking)) for ranking in product(*orders)]


def mean_hits(case, q, k, **ties):
    """Mean number of relevant items among the first `k`."""
    return np.mean([sum(shared > 0 for shared in ranking[:k]) for ranking in rankings(case, q, **ties)])


def n_relevant(case, q):
    return sum(shared > 0 for _, shared in items_of(case, q))


def precision_sum(ranking, R=None):
    """Sum of the precisions at the relevant ranks up to `R`."""
    total, hits = 0.0, 0
    for rank, shared in enumerate(ranking[:R], start=1):
        if shared:
            hits += 1
            total += hits / rank
    return total


def mean_of(values):
    """Mean of those that are not None; None if there are none."""
    counted = [value for value in values if value is not None]
    return sum(counted) / len(counted) if counted else None


@pytest.fixture(scope="session")
def brute():
    """Cases and their expected rankings."""
    return SimpleNamespace(
        cases=cases,
        items=items_of,
        rankings=rankings,
        mean_hits=mean_hits,
        n_relevant=n_relevant,
        precision_sum=precision_sum,
        mean_of=mean_of,
    )


@pytest.fixture(scope="session")
def make_sides():
    """Draw larger codes and labels of both sides."""

    def make(n_queries=30, n=400, bits=16, n_classes=3, *, multi_hot=False, seed=0):
        rng = np.random.RandomState(seed)
        codes = [rng.randint(0, 2, (rows, bits)).astype(np.uint8) for rows in (n_queries, n)]
        shape = [(rows, n_classes) if multi_hot else rows for rows in (n_queries, n)]
        return *codes, *(rng.randint(0, 2 if multi_hot else n_classes, rows) for rows in shape)

    return make
