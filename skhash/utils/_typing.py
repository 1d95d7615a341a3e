"""Types of the arguments of public functions, for annotations. Importing them loads no other package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import numpy as np
    from bitarray import bitarray
    from numpy.typing import ArrayLike
    from PIL.Image import Image
    from torch.utils.data import Dataset

# Arrays, tensors, data frames and nested lists all satisfy ArrayLike: each has `__array__` or is a sequence.
CodesLike: TypeAlias = "ArrayLike | Sequence[bitarray]"
SamplesLike: TypeAlias = (
    "ArrayLike | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Sequence[Image] | Dataset[Any]"
)
RandomStateLike: TypeAlias = "int | np.random.RandomState | None"
