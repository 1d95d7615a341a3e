"""Compilation of the search kernels before they are needed."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_scalar

from skhash.codes import pack_codes
from skhash.index.embedding._embedding_index import EmbeddingIndex
from skhash.index.hamming._hamming_index import HammingIndex

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["warm_up"]


def warm_up(bits: int = 64, *, algorithm: Literal["auto", "brute", "mih"] = "auto", metrics: bool = False) -> None:
    """Compile the kernels that searches need, so that no later search waits for the compiler.

    Call it when a service starts, or when the image of a container is built. The machine code is cached on disk where
    that is possible; the next process then loads it in less than a second.

    Parameters
    ----------
    bits : int, default=64
        Code length. All lengths share the kernels of searches.
    algorithm : {"auto", "brute", "mih"}, default="auto"
        As the parameter of `HammingIndex`. "auto" may build tables at any time, so it compiles as much as "mih";
        "brute" leaves the kernels of tables out, which take most of the time.
    metrics : bool, default=False
        Whether to compile the kernels of `skhash.metrics.mean_average_precision` and of `HammingIndex.score`, too.

    Raises
    ------
    ValueError
        If `bits` is less than 1, or `algorithm` is unknown.
    TypeError
        If `bits` is not an integer.

    Examples
    --------
    >>> import skhash
    >>> skhash.warm_up(bits=64, algorithm="brute")
    """
    check_scalar(bits, "bits", Integral, min_val=1)
    if algorithm not in ("auto", "brute", "mih"):
        raise ValueError(f"algorithm must be 'auto', 'brute' or 'mih', got {algorithm!r}.")
    bits = int(bits)
    codes = np.random.RandomState(0).randint(0, 2, (64, bits)).astype(bool)
    ways = ("brute",) if algorithm == "brute" else ("brute", "mih")
    for n_distinct in (64, 16):  # tables of many equal codes take a way of their own
        rows = np.arange(128) % n_distinct
        words, where = pack_codes(codes[rows]), rows > 0
        for way in ways:
            index = HammingIndex(bits=bits, algorithm=way, n_jobs=1).fit(words, rows)
            for k in (1, 50):  # few neighbors are kept as candidates, many are counted
                index.kneighbors(words[:8], k)
                index.kneighbors(words[:8], k, where=where)
            index.radius_neighbors(words[:8], min(bits, 2))
            index.radius_neighbors(words[:8], min(bits, 2), where=where)
            if way == "mih":  # codes that are not in the tables are scanned, and the hits merged
                index.add(words[:1], rows[:1]).radius_neighbors(words[:8], min(bits, 2))
    index = HammingIndex(bits=bits, algorithm="brute", n_jobs=1).fit(words, rows)
    index.kneighbors_asymmetric(codes[:8] - 0.5, 2)
    ids = index.kneighbors(words[:1], 2, return_distance=False)
    index.rerank(words[:1], ids, scoring="weighted", weights=np.ones(bits))
    index.rerank([[0.0]], ids, scoring="euclidean", vectors=np.zeros((1, 2, 1)))
    vectors = np.random.RandomState(0).normal(size=(64, 40))
    embeddings = EmbeddingIndex(n_jobs=1, random_state=0).fit(vectors)
    embeddings.kneighbors(vectors[:8], 2)
    embeddings.kneighbors(vectors[:8], 2, where=np.arange(64) > 9)
    if metrics:
        for ties in ("stable", "expected"):
            index.score(words[:8], rows[:8], ties=ties)
        # Many codes, and queries of few classes, take ways of their own.
        many = HammingIndex(bits=bits, algorithm="brute", n_jobs=1).fit(words[np.arange(2**14) % 128], np.zeros(2**14))
        many.score(words[:16], np.zeros(16))
        tags = np.eye(16, dtype=np.uint8)[rows % 16]
        HammingIndex(bits=bits, algorithm="brute", n_jobs=1).fit(words, tags).score(words[:8], tags[:8])
