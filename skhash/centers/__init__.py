"""Hash centers: one +-1 code per class, as far apart as can be, for the codes of that class to gather at."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._make": ["CENTER_METHODS", "make_hash_centers"],
        "._bch": ["bch_centers"],
        "._bernoulli": ["bernoulli_centers"],
        "._hadamard": ["hadamard_centers"],
        "._levenshtein": ["levenshtein_centers"],
        "._linear": ["linear_centers"],
        "._maxhd": ["maxhd_centers"],
        "._reed_solomon": ["reed_solomon_centers"],
        "._bounds": ["plotkin_bound"],
        "._min_distance": ["min_distance"],
        "._statistics": ["class_centers", "distinct_columns", "orthogonality"],
    },
)
