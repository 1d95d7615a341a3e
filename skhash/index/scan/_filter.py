"""The filter at the core of every scan: find the blocks of codes that contain one nearer than a limit.

The innermost loop has no branches and no stores except one per block: it computes the smallest distance of a block of
64 codes, and only blocks that pass are examined again. It exists in two forms:

- For a few queries, codes are read as they lie in memory, in rows, and distances are added up in registers.
- For many queries, codes are copied, tile by tile, into an order that suits vectors (word-major: one lane per code) and
  stay in the first-level cache while all queries pass over them, four at a time.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skhash.bitops import (
    BLOCK,
    LANES,
    BlockCode,
    block_code,
    fill_tile,
    filter_rows,
    filter_tile,
    kernel,
    mask_bits,
    pattern_length,
    trailing_zeros,
    view,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TILE", "allowed_bits", "find_blocks", "find_code", "make_patterns", "new_space", "next_tile"]

TILE = 2**18  # codes per tile, at most
_ROW_WORDS = 4096  # words per tile of rows, which fill the first-level cache
_TILE_WORDS = 2048  # words per word-major tile, which leave room for the rows
_GROUP = 4  # queries that share each load of codes
_FEW = 8  # fewer queries do not pay for the word-major order
_ONE = np.uint64(1)
_ALL = np.uint64(2**64 - 1)
_NONE = np.empty((0, 0), np.uint64)


def find_code(n_queries: int, n_words: int) -> BlockCode:
    """Return the innermost loops for a search: a few queries do not pay for the word-major order."""
    return block_code(n_words, n_queries >= (_GROUP if n_words <= 2 else _FEW))


def make_patterns(queries: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the queries as the filter reads them: repeated or padded with zeros to `pattern_length` words."""
    n_words = queries.shape[1]
    positions = _positions(n_words)
    if positions is not None:
        return queries.take(positions, axis=1)
    patterns = np.zeros((len(queries), pattern_length(n_words)), np.uint64)
    patterns[:, :n_words] = queries
    return patterns


@cache
def _positions(n_words: int) -> NDArray[np.intp] | None:
    """Return the positions of a query's words in its pattern; None if it is padded."""
    length = pattern_length(n_words)
    return np.arange(length) % n_words if length % n_words == 0 else None


class Space(NamedTuple):
    """Memory for a scan.

    Parameters
    ----------
    tile : ndarray of uint64 of shape (n_words, n_codes)
        Word-major codes; empty for a few queries.
    blocks : ndarray of int64 of shape (n,)
        Blocks that the filter finds.
    rows : ndarray of uint64 of shape (n_codes, n_words)
        Codes in rows, where they are not read in place: gathered ones, or less than a block at the end.
    numbers : ndarray of int64 of shape (n_codes,)
        Their rows.
    """

    tile: NDArray[np.uint64]
    blocks: NDArray[np.int64]
    rows: NDArray[np.uint64]
    numbers: NDArray[np.int64]


def new_space(code: BlockCode, n_queries: int, n_words: int, gathers: bool) -> tuple[Space, int]:
    """Allocate memory for a scan; return it and the number of codes per tile."""
    # The codes of one query are not read twice.
    n_tile_words = _TILE_WORDS if code.fill_tile else TILE if n_queries == 1 and not gathers else _ROW_WORDS
    n_codes = max(BLOCK, n_tile_words // n_words // BLOCK * BLOCK)
    tile = _NONE
    if code.fill_tile and n_words > 1:
        words = np.empty(n_words * n_codes + LANES, np.uint64)
        first = -(words.ctypes.data // 8) % LANES  # at a cache line, so that no load crosses two
        tile = words[first : first + n_words * n_codes].reshape(n_words, n_codes)
    blocks = np.empty(n_queries * (n_codes // BLOCK) + _GROUP, np.int64)
    n_rows = n_codes if gathers else BLOCK
    return Space(tile, blocks, np.empty((n_rows, n_words), np.uint64), np.empty(n_rows, np.int64)), n_codes


@kernel
def allowed_bits(allowed, row, n):
    """Return a word whose bit `i` is set if the code `row + i` may be found, for at most a block of `n` codes."""
    bits = _ALL if n >= BLOCK else (_ONE << np.uint64(n)) - _ONE
    if len(allowed) == 0:
        return bits
    if n >= BLOCK:
        return mask_bits(allowed, row)
    for i in range(n):
        if not allowed[row + i]:
            bits &= ~(_ONE << np.uint64(i))
    return bits


@kernel
def next_tile(codes, allowed, start, most, gathers, rows, numbers):
    """Return the size of the tile of codes from row `start` on, the next row, and whether the tile is in `rows`.

    At most `most` codes, which is a multiple of a block. `rows` and `numbers` are filled with allowed codes and their
    rows if `gathers`, and with all codes if these are less than a block.
    """
    if not gathers and len(codes) - start >= BLOCK:
        size = min(most, (len(codes) - start) // BLOCK * BLOCK)
        return size, start + size, False
    size = np.int64(0)
    while start < len(codes) and size + BLOCK <= most:
        n = min(BLOCK, len(codes) - start)
        bits = allowed_bits(allowed if gathers else allowed[:0], start, n)
        while bits:
            row = start + trailing_zeros(bits)
            bits &= bits - _ONE
            for w in range(codes.shape[1]):
                rows[size, w] = codes[row, w]
            numbers[size] = row
            size += 1
        start += n
    return size, start, True


@kernel
def find_blocks(code, tile, codes, size, patterns, limits, found):
    """List the blocks with codes nearer than a query's limit, as `query * TILE + start`; return their number.

    Less than a block at the end is always listed.

    Parameters
    ----------
    code : BlockCode
        The innermost loops.
    tile, found
        The tile and the blocks of a `Space`.
    codes : ndarray of uint64 of shape (size, n_words)
        Codes in rows.
    size : int
        Number of codes.
    patterns : ndarray of uint64 of shape (n_queries, n)
        From `make_patterns`.
    limits : ndarray of uint64 of shape (n_queries,)
        Limits.
    """
    n_blocks, n_grouped, n_found = size // BLOCK, 0, 0
    if code[2] != 0:
        words = tile
        if codes.shape[1] == 1:  # in one word per code both orders are the same
            words = view(codes, 0, size)
        else:
            fill_tile(code[3], tile, codes, n_blocks * (BLOCK // LANES))
        n_grouped = len(patterns) // _GROUP * _GROUP
        for q in range(0, n_grouped, _GROUP):
            n_found += filter_tile(code[2], words, n_blocks, patterns, q, limits, found, n_found, q * TILE, TILE)
    for q in range(n_grouped, len(patterns)):
        n_found += filter_rows(code[0], codes, n_blocks, patterns, q, limits[q], found, n_found, q * TILE)
    if n_blocks * BLOCK < size:
        for q in range(len(patterns)):
            found[n_found + q] = q * TILE + n_blocks * BLOCK
        n_found += len(patterns)
    return n_found
