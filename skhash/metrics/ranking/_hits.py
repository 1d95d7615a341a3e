"""Numbers of relevant items within the first ranks, for rankings in full or up to ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.bitops import kernel
from skhash.metrics.ranking._average_precision import TIES
from skhash.metrics.ranking._retrieval import RETRIEVAL_CONSTRAINTS
from skhash.metrics.ranking._tied_groups import TIE_ORDERS, tied_hits_within
from skhash.utils import StrOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.metrics.ranking._protocols import Ties
    from skhash.metrics.ranking._retrieval import Retrieval
    from skhash.utils import RandomStateLike

RANKING_CONSTRAINTS = {**RETRIEVAL_CONSTRAINTS, "ties": [StrOptions(TIES)], "random_state": ["random_state"]}


def hits_within(
    retrieval: Retrieval, cutoffs: NDArray[np.int64], ties: Ties, random_state: RandomStateLike | None = None
) -> NDArray[np.float64]:
    """Count the relevant items within the first ranks of every query.

    Parameters
    ----------
    retrieval : Retrieval
        Queries and database.
    cutoffs : ndarray of int64 of shape (n_cutoffs,)
        Numbers of ranks.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}
        Order of items at the same distance.
    random_state : int, RandomState instance or None, default=None
        Used by `ties="random"`.

    Returns
    -------
    hits : ndarray of float of shape (n_queries, n_cutoffs)
        Numbers of relevant items within each cutoff, expected numbers for "expected".
    """
    if ties == "random":
        retrieval = retrieval.shuffled(random_state)
    if ties in TIE_ORDERS:
        batches = retrieval.groups(
            lambda _, counts, relevant: (tied_hits_within(counts, relevant, cutoffs, TIE_ORDERS[ties]),)
        )
    else:
        batches = retrieval.ranks(
            lambda _, ranks, starts, lengths: (_ranks_within(ranks, starts, lengths, cutoffs),), int(cutoffs.max())
        )
    return retrieval.per_query(batches)[0]


@kernel
def _ranks_within(ranks, starts, lengths, cutoffs):
    """Count each query's ranks up to each cutoff."""
    hits = np.empty((len(lengths), len(cutoffs)))
    for q in range(len(lengths)):
        mine = ranks[starts[q] : starts[q] + lengths[q]]
        for c in range(len(cutoffs)):
            hits[q, c] = np.searchsorted(mine, cutoffs[c], side="right")
    return hits
