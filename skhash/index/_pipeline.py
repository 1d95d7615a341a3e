"""A pipeline that ends in an index, and searches in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted

from skhash.utils import available_if

if TYPE_CHECKING:
    from typing import Self

    from skhash.utils import SamplesLike

__all__ = ["SearchPipeline", "make_search_pipeline"]


def _final_has(name: str) -> Any:
    """Return a check for `available_if`: the last step has this method."""

    def check(pipeline: SearchPipeline) -> bool:
        last = pipeline.steps[-1][1]
        if not hasattr(last, name):
            raise AttributeError(f"The last step of this SearchPipeline, {type(last).__name__}, has no {name}.")
        return True

    return check


class SearchPipeline(Pipeline):
    """A scikit-learn pipeline of hashers that ends in an index and has the index's searches.

    It is a `sklearn.pipeline.Pipeline`: `fit` trains the hasher and indexes the codes of its training samples, `score`
    is mean average precision, and it works in `GridSearchCV`. In addition, `kneighbors` and `radius_neighbors` take
    samples, not codes, and `add` codes more of them.

    Parameters
    ----------
    steps : list of (str, estimator)
        The names and the estimators, of which the last one is an index.
    transform_input : list of str, default=None
        Names of metadata that are transformed by the steps before the one that takes them.
    memory : str or joblib.Memory, default=None
        Where fitted steps are cached.
    verbose : bool, default=False
        Whether to print the time of each step's `fit`.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.

    See Also
    --------
    make_search_pipeline : Names the steps by itself.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skhash import HammingIndex, ITQHasher, SearchPipeline
    >>> X = load_digits().data
    >>> search = SearchPipeline([("hasher", ITQHasher(bits=32, random_state=0)), ("index", HammingIndex())])
    >>> distances, ids = search.fit(X[:1000]).kneighbors(X[:2], n_neighbors=3)
    >>> ids[:, 0]
    array([0, 1])
    >>> search.add(X[1000:])["index"].n_samples_fit_
    1797
    """

    @available_if(_final_has("kneighbors"))
    def kneighbors(self, X: SamplesLike | None = None, n_neighbors: int | None = None, **options: Any) -> Any:
        """Find the nearest indexed samples.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features) or images, default=None
            Queries, as the first step takes them. None means the indexed samples, which are not their own neighbors.
        n_neighbors : int, default=None
            Number of neighbors; None means the index's parameter.
        **options
            Further arguments of the index's `kneighbors`, such as `return_distance`.

        Returns
        -------
        result : object
            What the `kneighbors` of the index returns: distances and ids of shape (n_queries, n_neighbors).
        """
        return self._last().kneighbors(self._encode(X), n_neighbors, **options)

    @available_if(_final_has("radius_neighbors"))
    def radius_neighbors(self, X: SamplesLike | None = None, radius: float | None = None, **options: Any) -> Any:
        """Find all indexed samples within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features) or images, default=None
            Queries, as the first step takes them. None means the indexed samples, which are not their own neighbors.
        radius : int, default=None
            Largest distance; None means the index's parameter.
        **options
            Further arguments of the index's `radius_neighbors`, such as `sort_results`.

        Returns
        -------
        result : object
            What the `radius_neighbors` of the index returns: one array of distances and one of ids per query.
        """
        return self._last().radius_neighbors(self._encode(X), radius, **options)

    @available_if(_final_has("add"))
    def add(self, X: SamplesLike, y: Any = None, **options: Any) -> Self:
        """Index more samples; the hasher does not change.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or images
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Their labels, if the index has labels.
        **options
            Further arguments of the index's `add`, such as `ids`.

        Returns
        -------
        self : object
            The same object.
        """
        self._last().add(self._encode(X), y, **options)
        return self

    def _last(self) -> Any:
        check_is_fitted(self)
        return self.steps[-1][1]

    def _encode(self, X: Any) -> Any:
        """Return codes of samples: what all steps but the last make of them."""
        return X if X is None or len(self.steps) == 1 else self[:-1].transform(X)


def make_search_pipeline(
    *steps: Any, transform_input: list[str] | None = None, memory: Any = None, verbose: bool = False
) -> SearchPipeline:
    """Make a `SearchPipeline` whose steps are named by their types, as `sklearn.pipeline.make_pipeline` does.

    Parameters
    ----------
    *steps : estimators
        The estimators, of which the last one is an index.
    transform_input : list of str, default=None
        Names of metadata that are transformed by the steps before the one that takes them.
    memory : str or joblib.Memory, default=None
        Where fitted steps are cached.
    verbose : bool, default=False
        Whether to print the time of each step's `fit`.

    Returns
    -------
    pipeline : SearchPipeline
        The pipeline, not fitted.

    Raises
    ------
    TypeError
        If the last step is not an index.

    Examples
    --------
    >>> from skhash import HammingIndex, LSHHasher, make_search_pipeline
    >>> make_search_pipeline(LSHHasher(), HammingIndex()).fit([[0.0, 1], [1, 0]]).kneighbors([[0.1, 0.9]], 1)[1]
    array([[0]])
    """
    if not steps or not hasattr(steps[-1], "kneighbors"):
        got = repr(steps[-1]) if steps else "no steps"
        raise TypeError(f"The last step must be an index, such as HammingIndex() or EmbeddingIndex(); got {got}.")
    named = make_pipeline(*steps).steps
    return SearchPipeline(named, transform_input=transform_input, memory=memory, verbose=verbose)
