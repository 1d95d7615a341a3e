"""Hash centers: one +-1 code per class, as far apart as can be, for the codes of that class to gather at."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._make": ["make_hash_centers"],
        "._bernoulli": ["bernoulli_centers"],
        "._hadamard": ["hadamard_centers"],
        "._maxhd": ["maxhd_centers"],
        "._statistics": ["class_centers", "min_distance", "orthogonality"],
    },
)
