from ._bch import bch_centers as bch_centers
from ._bernoulli import bernoulli_centers as bernoulli_centers
from ._bounds import plotkin_bound as plotkin_bound
from ._hadamard import hadamard_centers as hadamard_centers
from ._levenshtein import levenshtein_centers as levenshtein_centers
from ._linear import linear_centers as linear_centers
from ._make import CENTER_METHODS as CENTER_METHODS
from ._make import make_hash_centers as make_hash_centers
from ._maxhd import maxhd_centers as maxhd_centers
from ._min_distance import min_distance as min_distance
from ._reed_solomon import reed_solomon_centers as reed_solomon_centers
from ._statistics import class_centers as class_centers
from ._statistics import distinct_columns as distinct_columns
from ._statistics import orthogonality as orthogonality

__all__ = [
    "CENTER_METHODS",
    "bch_centers",
    "bernoulli_centers",
    "class_centers",
    "distinct_columns",
    "hadamard_centers",
    "levenshtein_centers",
    "linear_centers",
    "make_hash_centers",
    "maxhd_centers",
    "min_distance",
    "orthogonality",
    "plotkin_bound",
    "reed_solomon_centers",
]
