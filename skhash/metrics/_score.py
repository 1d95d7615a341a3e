"""A float with its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    from numpy.typing import NDArray


class Score(float):
    """A float with the definition of what it measures.

    Parameters
    ----------
    value : float
        The value.
    definition : str
        Everything that the value depends on besides the data, in one line.
    per_query : ndarray of float of shape (n_queries,), default=None
        The values of the single queries, whose mean the score is; NaN for a query that was left out.

    Examples
    --------
    >>> from skhash.metrics import Score
    >>> score = Score(0.5, "mAP@all")
    >>> score
    0.5
    >>> score.definition
    'mAP@all'
    """

    definition: str
    per_query: NDArray[np.float64] | None

    def __new__(cls, value: SupportsFloat, definition: str, per_query: NDArray[np.float64] | None = None) -> Self:
        score = super().__new__(cls, value)
        score.definition = definition
        score.per_query = per_query
        return score

    def __getnewargs__(self) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]  more arguments
        return float(self), self.definition, self.per_query
