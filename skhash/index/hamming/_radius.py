"""All codes within a radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

from skhash.index.hamming._snapshot import on_snapshot
from skhash.index.hamming._state import _IndexState, split_by_query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skhash.index.collection._ids import IdsLike
    from skhash.utils import CodesLike

__all__ = ["RadiusMixin"]


class RadiusMixin(_IndexState):
    """The method of `HammingIndex` that finds all codes within a radius."""

    @overload
    def radius_neighbors(
        self,
        X: CodesLike | None = None,
        radius: int | None = None,
        return_distance: Literal[True] = True,
        *,
        where: IdsLike | None = None,
        max_neighbors: int | None = None,
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]]: ...
    @overload
    def radius_neighbors(
        self,
        X: CodesLike | None = None,
        radius: int | None = None,
        *,
        return_distance: Literal[False],
        where: IdsLike | None = None,
        max_neighbors: int | None = None,
    ) -> NDArray[np.object_]: ...
    @overload
    def radius_neighbors(
        self,
        X: CodesLike | None = None,
        radius: int | None = None,
        return_distance: bool = True,
        *,
        where: IdsLike | None = None,
        max_neighbors: int | None = None,
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]: ...
    @on_snapshot
    def radius_neighbors(
        self,
        X: CodesLike | None = None,
        radius: int | None = None,
        return_distance: bool = True,
        *,
        where: IdsLike | None = None,
        max_neighbors: int | None = None,
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]] | NDArray[np.object_]:
        """Find all codes within a radius.

        Parameters
        ----------
        X : array-like of shape (n_queries, bits) or in another form of `skhash.codes`, default=None
            Queries. None means the indexed codes, each of which is then not its own neighbor.
        radius : int, default=None
            Largest distance of a neighbor; None means the parameter of that name.
        return_distance : bool, default=True
            Whether to return the distances.
        where : array-like of bool of shape (`n_samples_fit_`,) or array-like of ids, default=None
            The codes among which to search: a mask in the order of `ids_`, or the ids themselves. Bools are always a
            mask, anything else ids.
        max_neighbors : int, default=None
            Largest number of neighbors of a query; None means all. Of more, the nearest ones by (distance, row) are
            returned, so a query with exactly `max_neighbors` of them may have more within the radius: `[len(i) ==
            max_neighbors for i in ids]` says which. The search then holds at most `max_neighbors` neighbors per query,
            however many there are, and takes as long as `kneighbors` for so many.

        Returns
        -------
        distances : ndarray of object of shape (n_queries,)
            An int32 array per query; only if `return_distance`.
        ids : ndarray of object of shape (n_queries,)
            An array of int64 or object per query: ids of the neighbors, ordered by (distance, row); without
            user-defined ids by (distance, id).

        Raises
        ------
        ValueError
            If `radius` is negative, `max_neighbors` less than 1, or `X` does not contain codes of this index's length.

        Notes
        -----
        Without `max_neighbors` a search holds 12 bytes for each neighbor, which are those of the result: all distances
        in one array and all ids in another, of which the arrays of the queries are views. Objects as ids take 8 bytes
        more during the search. A scan also counts the codes of each query at each distance, which takes some 20 bytes
        for each query and distance up to `radius`. Tables hold more while they search.

        Examples
        --------
        >>> from skhash import HammingIndex
        >>> index = HammingIndex().fit([[0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1]])
        >>> distances, ids = index.radius_neighbors([[0, 0, 0], [1, 1, 1]], 2)
        >>> ids[0], ids[1]
        (array([0, 3, 1]), array([2, 1, 3]))
        >>> index.radius_neighbors([[0, 0, 0]], 2, max_neighbors=2)[1][0]
        array([0, 3])
        """
        counts, distances, rows = self._within(X, radius, where, max_neighbors)
        ids = split_by_query(self._collection.to_ids(rows), counts)
        return (split_by_query(distances, counts), ids) if return_distance else ids
