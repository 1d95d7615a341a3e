"""Types of the fields of operations: a constructor accepts more than the field then stores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Converted", "Int8s", "OptionalReals", "Pair", "Reals", "Shape", "Sources", "Words"]

Accepted = TypeVar("Accepted", contravariant=True)
Stored = TypeVar("Stored", covariant=True)


class Converted(Generic[Accepted, Stored]):
    """A dataclass field whose constructor argument is `Accepted` and whose attribute is `Stored`.

    It exists for type checkers only, which read descriptors this way; at run time `Operation` converts the values.
    (Checkers do not expect defaults beside descriptors, hence `ignore[reportAssignmentType]` where there is one.)
    """

    if TYPE_CHECKING:

        def __get__(self, instance: object, owner: type | None = None) -> Stored: ...

        def __set__(self, instance: object, value: Accepted) -> None: ...


Sources: TypeAlias = Converted["int | Iterable[int]", "tuple[int, ...]"]
Pair: TypeAlias = Converted[Iterable[int], "tuple[int, int]"]
Shape: TypeAlias = Converted[Iterable[int], "tuple[int, int, int, int]"]
Words: TypeAlias = Converted[ArrayLike, NDArray[np.uint8]]
Int8s: TypeAlias = Converted[ArrayLike, NDArray[np.int8]]
Reals: TypeAlias = Converted[ArrayLike, NDArray[np.float32]]
OptionalReals: TypeAlias = Converted["ArrayLike | None", "NDArray[np.float32] | None"]
