"""Rows of a sparse matrix that become dense a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from skhash.summaries._blocks import rows_per_block

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class SparseRows:
    """A sparse matrix whose slices of rows are dense arrays.

    Everything that reads features block by block then computes the same as for the dense matrix, in the memory of a
    block.

    Parameters
    ----------
    matrix : sparse matrix or array of shape (n_samples, n_features)
        In CSR format.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skhash.summaries import SparseRows
    >>> rows = SparseRows(csr_array([[0, 1], [2, 0], [0, 3]]))
    >>> len(rows), rows[1:]
    (3, array([[2, 0],
           [0, 3]]))
    """

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of samples and features."""
        return self.matrix.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self.matrix.dtype

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return self.matrix[rows].toarray()

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield blocks of consecutive rows, of a size that does not grow with the matrix.

        Yields
        ------
        block : ndarray of shape (n, n_features)
            The rows, dense.
        """
        size = rows_per_block(self.shape[1])
        for start in range(0, len(self), size):
            yield self[start : start + size]
