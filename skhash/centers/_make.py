"""One interface to all generators of hash centers."""

from numbers import Integral

from skhash.centers._bernoulli import bernoulli_centers
from skhash.centers._hadamard import hadamard_centers
from skhash.centers._maxhd import maxhd_centers
from skhash.utils import Interval, StrOptions, validate_params

_GENERATORS = {"bernoulli": bernoulli_centers, "hadamard": hadamard_centers, "maxhd": maxhd_centers}


@validate_params(
    {
        "n_classes": [Interval(Integral, 1, None, closed="left")],
        "bits": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions(set(_GENERATORS))],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_hash_centers(n_classes, bits, *, method="bernoulli", random_state=None):
    """Make one hash center per class.

    Parameters
    ----------
    n_classes : int
        Number of centers.
    bits : int
        Code length.
    method : {"bernoulli", "hadamard", "maxhd"}, default="bernoulli"
        How: fair coins; rows of a Hadamard matrix (`bits` a power of two); random codes kept only if far from the rest.
    random_state : int, RandomState instance or None, default=None
        Seeds whatever the method draws.

    Returns
    -------
    centers : ndarray of int8 of shape (n_classes, bits)
        Entries -1 or +1.

    Examples
    --------
    >>> from skhash.centers import make_hash_centers, min_distance
    >>> min_distance(make_hash_centers(10, 64, method="hadamard"))
    32
    """
    return _GENERATORS[method](n_classes, bits, random_state)
