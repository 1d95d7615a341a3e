"""A figure that knows how it was defined."""


class Score(float):
    """A float that says what it measures.

    Parameters
    ----------
    value : float
        The figure.
    definition : str
        Everything that the figure depends on beside the data, in one line.
    per_query : ndarray of float of shape (n_queries,), default=None
        The figures of the single queries of which this is the mean, NaN for a query that was left out.

    Examples
    --------
    >>> from skhash.metrics import Score
    >>> score = Score(0.5, "mAP@all")
    >>> score
    0.5
    >>> score.definition
    'mAP@all'
    """

    def __new__(cls, value, definition, per_query=None):
        score = super().__new__(cls, value)
        score.definition = definition
        score.per_query = per_query
        return score

    def __getnewargs__(self):
        return float(self), self.definition, self.per_query
