"""How good a retrieval is: average precision with its definition spelled out, and scorers for scikit-learn."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._average_precision": ["average_precision"],
        "._mean_average_precision": ["mean_average_precision"],
        "._scorers": ["make_map_scorer"],
    },
)
