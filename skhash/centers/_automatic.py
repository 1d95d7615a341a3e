"""The best centers of all generators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.centers._bch import bch_centers
from skhash.centers._bernoulli import bernoulli_centers
from skhash.centers._checks import NoCentersError
from skhash.centers._draws import best_quality, quality
from skhash.centers._levenshtein import levenshtein_centers
from skhash.centers._linear import linear_centers
from skhash.centers._maxhd import maxhd_centers
from skhash.centers._reed_solomon import reed_solomon_centers
from skhash.utils import local_random_state

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from skhash.utils import RandomStateLike

_STRUCTURED = (levenshtein_centers, linear_centers, bch_centers, reed_solomon_centers)
_RANDOM = (maxhd_centers, bernoulli_centers)
_MOST_RANDOM = 1024  # centers, beyond which random ones are not competitive and slow to compare


def automatic_centers(n_classes: int, bits: int, random_state: RandomStateLike = None) -> NDArray[np.int8]:
    """Make centers by each generator in turn, until none can be better; see `make_hash_centers`."""
    random_state = local_random_state(random_state)
    best: NDArray[np.int8] | None = None
    reached, bound = (-1, -1), best_quality(n_classes, bits)
    for generate in _STRUCTURED + (_RANDOM if n_classes <= _MOST_RANDOM else ()):
        try:
            centers = generate(n_classes, bits, random_state)
        except NoCentersError:
            continue
        if (achieved := quality(centers)) > reached:
            best, reached = centers, achieved
        if reached[0] == bound[0]:
            break
    return bernoulli_centers(n_classes, bits, random_state) if best is None else best
