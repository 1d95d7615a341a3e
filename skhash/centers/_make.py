"""One interface to all generators of hash centers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skhash.centers._automatic import automatic_centers
from skhash.centers._bch import bch_centers
from skhash.centers._bernoulli import bernoulli_centers
from skhash.centers._checks import checked
from skhash.centers._hadamard import hadamard_centers
from skhash.centers._levenshtein import levenshtein_centers
from skhash.centers._linear import linear_centers
from skhash.centers._maxhd import maxhd_centers
from skhash.centers._reed_solomon import reed_solomon_centers
from skhash.utils import StrOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_GENERATORS: dict[str, Callable[..., Any]] = {
    "auto": automatic_centers,
    "bch": bch_centers,
    "bernoulli": bernoulli_centers,
    "hadamard": hadamard_centers,
    "levenshtein": levenshtein_centers,
    "linear": linear_centers,
    "maxhd": maxhd_centers,
    "reed_solomon": reed_solomon_centers,
}
CENTER_METHODS: tuple[str, ...] = tuple(_GENERATORS)


@checked(method=[StrOptions(set(_GENERATORS))], random_state=["random_state"])
def make_hash_centers(
    n_classes: int, bits: int, *, method: str = "auto", random_state: RandomStateLike = None
) -> NDArray[np.int8]:
    """Make one hash center per class.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length.
    method : str, default="auto"
        Generator of the centers:

        - "auto": the best of all others; it has centers for any `n_classes` and `bits`.
        - "levenshtein": rows of Hadamard matrices, concatenated to be as far apart as possible; up to about `2 * bits`
          classes.
        - "hadamard": the first rows of one Hadamard matrix and its negative; `bits` must be the order of one.
        - "linear", "bch", "reed_solomon": words of error-correcting codes.
        - "maxhd": random codes that are kept only if they are far from the others; at most about ten thousand classes.
        - "bernoulli": fair coins.

        See `levenshtein_centers`, `hadamard_centers` and so on.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws. The same seed yields the same centers; "hadamard" does not draw for up to `2 * bits` classes.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1. `min_distance` and `distinct_columns` measure their quality.

    Raises
    ------
    ValueError
        If the method has no centers for these numbers of classes and bits, which "auto" and "bernoulli" always have.

    Notes
    -----
    "auto" chooses the largest minimum distance, and among equal ones the most `distinct_columns`, because a bit that
    repeats another bit in all centers wastes distance between classes. It tries "levenshtein", "linear", "bch" and
    "reed_solomon", then, for up to 1,024 classes, "maxhd" and "bernoulli", in this order, and stops when the minimum
    distance reaches `plotkin_bound`. Among equals it chooses the first.

    Minimum distances of "auto", with the bound in brackets where it is larger:

    =========  =======  =======  =======  =======
    n_classes  16 bits  32 bits  48 bits  64 bits
    =========  =======  =======  =======  =======
    10         8        17       26       35
    21         8        16       24       33
    100        6        14 (15)  22 (23)  32
    =========  =======  =======  =======  =======

    Examples
    --------
    >>> from skhash.centers import distinct_columns, make_hash_centers, min_distance
    >>> centers = make_hash_centers(10, 64, random_state=0)
    >>> min_distance(centers), distinct_columns(centers)
    (35, 62)
    """
    return _GENERATORS[method](n_classes, bits, random_state)
