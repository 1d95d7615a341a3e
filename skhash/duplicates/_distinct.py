"""Distinct codes and which of them are near each other: codes are appended, and the new ones are searched among all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skhash.codes import pack_codes
from skhash.index import HammingIndex

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 4096  # queries of one search


class DistinctCodes:
    """Distinct codes of pictures.

    Many pictures may have one code, an empty page for example: n equal codes are n (n - 1) / 2 pairs, and here they are
    one code.

    Parameters
    ----------
    radius : int
        Largest distance of two codes that are near each other.
    n_jobs : int or None
        Number of threads of the search.
    """

    def __init__(self, radius: int, n_jobs: int | None) -> None:
        self.radius = radius
        self.index = HammingIndex(n_jobs=n_jobs)
        self.of_picture: list[int] = []  # the code of every picture
        # Two near codes, the later one first, and their distance.
        self.later, self.earlier, self.distances = (np.empty(0, np.int64) for _ in range(3))
        self._numbers: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def packed(self) -> NDArray[np.uint64]:
        """The codes as words."""
        return self.index.codes_ if len(self) else np.empty((0, 1), np.uint64)

    def members(self) -> list[list[int]]:
        """Return the pictures of every code."""
        members: list[list[int]] = [[] for _ in range(len(self))]
        for row, number in enumerate(self.of_picture):
            members[number].append(row)
        return members

    def extend(self, codes: NDArray[np.uint8]) -> None:
        """Append the codes of pictures, and find what is near those that are new.

        Parameters
        ----------
        codes : ndarray of uint8 of shape (n_pictures, bits)
            Bits.
        """
        n_before, new = len(self), []
        for row, code in enumerate(pack_codes(codes) if len(codes) else ()):
            number = self._numbers.setdefault(code.tobytes(), len(self))
            if number == n_before + len(new):
                new.append(row)
            self.of_picture.append(number)
        if not new:
            return
        self.index.partial_fit(codes[new])
        edges = [(self.later, self.earlier, self.distances)]
        for start in range(0, len(new), _BLOCK):
            rows = new[start : start + _BLOCK]
            distances, found = self.index.radius_neighbors(codes[rows], self.radius)
            later = np.repeat(np.arange(len(rows)) + n_before + start, [len(each) for each in found])
            earlier = np.concatenate(found).astype(np.int64)
            kept = earlier < later
            edges.append((later[kept], earlier[kept], np.concatenate(distances)[kept].astype(np.int64)))
        self.later, self.earlier, self.distances = (np.concatenate(parts) for parts in zip(*edges, strict=True))
