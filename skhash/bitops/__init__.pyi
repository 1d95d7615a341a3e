from ._compile import kernel as kernel
from ._distance_counter import DistanceCounter as DistanceCounter
from ._lanes import LANES as LANES
from ._lanes import add_differing as add_differing
from ._lanes import below as below
from ._lanes import lanes_type as lanes_type
from ._lanes import load as load
from ._lanes import popcount as popcount
from ._lanes import smaller as smaller
from ._lanes import splat as splat
from ._lanes import store as store
from ._lanes import trailing_zeros as trailing_zeros
from ._lanes import transpose as transpose
from ._lanes import view as view
from ._running_counts import tabulate_values as tabulate_values

__all__ = [
    "DistanceCounter",
    "LANES",
    "add_differing",
    "below",
    "kernel",
    "lanes_type",
    "load",
    "popcount",
    "smaller",
    "splat",
    "store",
    "tabulate_values",
    "trailing_zeros",
    "transpose",
    "view",
]
