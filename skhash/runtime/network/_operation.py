"""The base class of all operations, and the kind and shape of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from skhash.runtime.network._fields import Sources

__all__ = ["LARGEST_EXACT", "LARGEST_SIDE", "Map", "Operation", "window_output"]

Kind: TypeAlias = Literal["pixels", "real", "integer", "sign"]

LARGEST_EXACT = 2**24  # float32 holds every integer up to here
_Reader: TypeAlias = "tuple[Callable[[Any], Any], str]"
LARGEST_SIDE = 2**15 - 1  # of maps, windows and strides
_LARGEST_PADDING = 128


def _integer(value: Any) -> int:
    """Return an integer; TypeError for other numbers, which an address must not be computed from."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return index(value)


def _number(value: Any) -> float:
    """Return a real number as float; TypeError for text."""
    if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    """Return a bool; TypeError for anything else."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError
    return bool(value)


_INTEGERS: _Reader = (lambda values: tuple(map(_integer, values)), "integers")
# How settings are read, by the annotation of their field (a string, since annotations are not evaluated).
_READERS: dict[str, _Reader] = {
    "int": (_integer, "an integer"),
    "float": (_number, "a number"),
    "bool": (_boolean, "True or False"),
    **dict.fromkeys(("Sources", "Pair", "Shape"), _INTEGERS),
}


@dataclass(frozen=True)
class Map:
    """Kind and shape of a value.

    Parameters
    ----------
    kind : {"pixels", "real", "integer", "sign"}
        Type of the elements; see `Network`.
    height, width, channels : int
        Shape.

    Examples
    --------
    >>> from skhash.runtime import Map
    >>> print(Map("sign", 7, 7, 512))
    sign 7 x 7 x 512
    """

    kind: Kind
    height: int
    width: int
    channels: int

    def __str__(self) -> str:
        return f"{self.kind} {self.height} x {self.width} x {self.channels}"

    @property
    def n_pixels(self) -> int:
        """Number of positions: `height * width`."""
        return self.height * self.width


class Operation:
    """Base class of the operations of a network; a subclass is a frozen dataclass whose first field is `sources`.

    Arrays are converted to the types of `_dtypes`; None stays None where it is the default. Settings must be of the
    types that they are annotated with, because kernels compute addresses from them.
    """

    sources: Sources
    _dtypes: ClassVar[dict[str, DTypeLike]] = {}

    def __post_init__(self) -> None:
        if isinstance(self.sources, (int, np.integer)):
            object.__setattr__(self, "sources", (self.sources,))
        for field in fields(cast("Any", self)):
            if field.type in _READERS:
                value = self._read_setting(field.name, *_READERS[cast("str", field.type)])
                object.__setattr__(self, field.name, value)
        optional = {field.name for field in fields(cast("Any", self)) if field.default is None}
        for name, dtype in self._dtypes.items():
            if getattr(self, name) is None:
                if name in optional:
                    continue
                raise TypeError(f"{type(self).__name__}: {name} must be an array, got None.")
            array = np.asarray(getattr(self, name), dtype=dtype)
            if dtype == np.float32 and np.isnan(array).any():
                raise ValueError(f"{type(self).__name__}: {name} contains NaN.")
            object.__setattr__(self, name, array)

    def _read_setting(self, name: str, read: Callable[[Any], Any], expected: str) -> Any:
        try:
            return read(getattr(self, name))
        except (OverflowError, TypeError, ValueError):
            message = f"{type(self).__name__}: {name} must be {expected}, got {getattr(self, name)!r}."
            raise TypeError(message) from None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, without those that are None."""
        return {name: getattr(self, name) for name in self._dtypes if getattr(self, name) is not None}

    @classmethod
    def dtypes(cls) -> dict[str, DTypeLike]:
        """Return the types of the arrays by name."""
        return cls._dtypes

    def settings(self) -> dict[str, Any]:
        """Return all fields except the arrays by name: numbers, strings and tuples of numbers."""
        names = [field.name for field in fields(cast("Any", self))]
        return {name: getattr(self, name) for name in names if name not in self._dtypes}

    # Both catch-alls, so that subclasses may name the sources that they take.
    def result(self, *sources: Any, **named: Any) -> Map:
        """Return the `Map` of the result, given those of the sources.

        Parameters
        ----------
        *sources, **named : Map
            One for each source.

        Returns
        -------
        result : Map
            Kind and shape.

        Raises
        ------
        ValueError
            If the operation does not fit the sources; the message says why.
        """
        raise NotImplementedError

    @staticmethod
    def _require_kind(source: Map, *kinds: Kind) -> Map:
        if source.kind not in kinds:
            raise ValueError(f"the source is {source}, expected kind {' or '.join(kinds)}.")
        return source

    def _require_channels(self, source: Map, *names: str, axis: int = 0) -> None:
        for name in names:
            shape = getattr(self, name).shape
            if len(shape) <= axis or shape[axis] != source.channels or (axis == 0 and len(shape) > 1):
                raise ValueError(f"{name} has shape {shape}, but the source has {source.channels} channels.")


def window_output(map_: Map, kernel: Sequence[int], stride: int, padding: int) -> tuple[int, int]:
    """Return height and width of the output of a sliding window; `ValueError` if the window does not fit once."""
    fits = len(kernel) == 2 and min(kernel) >= 1 and max(kernel) <= LARGEST_SIDE and 1 <= stride <= LARGEST_SIDE
    if fits and 0 <= padding < max(2, *kernel) and padding <= _LARGEST_PADDING:
        sides = zip((map_.height, map_.width), kernel, strict=True)
        height, width = ((side + 2 * padding - k) // stride + 1 for side, k in sides)
        if min(height, width) >= 1:
            return height, width
    raise ValueError(f"a window of {tuple(kernel)} with stride {stride} and padding {padding} does not fit {map_}.")
