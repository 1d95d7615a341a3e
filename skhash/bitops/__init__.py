"""Bit operations that search and metrics are built on: population count, bit slices, counters of distances."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._compile": ["kernel"],
        "._distance_counter": ["DistanceCounter"],
        "._lanes": [
            *("LANES", "add_differing", "below", "lanes_type", "load", "popcount", "smaller", "splat", "store"),
            *("trailing_zeros", "transpose", "view"),
        ],
        "._running_counts": ["tabulate_values"],
    },
)
