"""What every operation has: sources, settings, arrays, and the shape of what it gives."""

from dataclasses import dataclass, fields
from operator import index
from typing import ClassVar

import numpy as np

__all__ = ["EXACT", "Map", "Operation", "out_size"]

EXACT = 2**24  # float32 holds every integer up to here
_READ = {  # settings by their annotation
    int: (index, "an integer"),
    tuple: (lambda values: tuple(map(index, values)), "integers"),
    float: (float, "a number"),
}


@dataclass(frozen=True)
class Map:
    """Kind and shape of a value.

    Parameters
    ----------
    kind : {"pixels", "real", "integer", "sign"}
        What it consists of; see `Network`.
    height, width, channels : int
        How much of it there is.

    Examples
    --------
    >>> from skhash.runtime import Map
    >>> print(Map("sign", 7, 7, 512))
    sign 7 x 7 x 512
    """

    kind: str
    height: int
    width: int
    channels: int

    def __str__(self):
        return f"{self.kind} {self.height} x {self.width} x {self.channels}"

    @property
    def n_pixels(self):
        """Number of places."""
        return self.height * self.width


class Operation:
    """Base class of what a network consists of; a subclass is a frozen dataclass whose first field is `sources`.

    Arrays are converted to the types of `_dtypes`; None stays None. Settings must be of the kinds that they are
    annotated with, for kernels compute addresses from them.
    """

    sources: tuple
    _dtypes: ClassVar[dict] = {}

    def __post_init__(self):
        if isinstance(self.sources, (int, np.integer)):
            object.__setattr__(self, "sources", (self.sources,))
        for field in fields(self):
            kind = tuple if field.name == "sources" else field.type
            if kind in _READ:
                object.__setattr__(self, field.name, self._read_setting(field.name, *_READ[kind]))
        for name, dtype in self._dtypes.items():
            if getattr(self, name) is None:
                continue
            array = np.asarray(getattr(self, name), dtype=dtype)
            if dtype == np.float32 and np.isnan(array).any():
                raise ValueError(f"{type(self).__name__}: {name} holds NaN.")
            object.__setattr__(self, name, array)

    def _read_setting(self, name, read, expected):
        try:
            return read(getattr(self, name))
        except (TypeError, ValueError):
            message = f"{type(self).__name__}: {name} must be {expected}, got {getattr(self, name)!r}."
            raise TypeError(message) from None

    def arrays(self):
        """Give the arrays by name, without those that are None."""
        return {name: getattr(self, name) for name in self._dtypes if getattr(self, name) is not None}

    @classmethod
    def dtypes(cls):
        """Give the types of the arrays by name."""
        return cls._dtypes

    def settings(self):
        """Give everything but the arrays by name: numbers, strings and tuples of numbers."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in self._dtypes}

    def result(self, *sources):
        """Give the `Map` of the result from those of the sources, or a `ValueError` that says what does not fit."""
        raise NotImplementedError

    @staticmethod
    def _of_kind(source, *kinds):
        if source.kind not in kinds:
            raise ValueError(f"the source is {source}, expected kind {' or '.join(kinds)}.")
        return source

    def _check_channels(self, source, *names, axis=0):
        for name in names:
            shape = getattr(self, name).shape
            if len(shape) <= axis or shape[axis] != source.channels:
                raise ValueError(f"{name} has shape {shape}, but the source has {source.channels} channels.")


def out_size(map_, kernel, stride, padding):
    """Height and width of what a window sweeps out; `ValueError` if it does not fit once."""
    if min(kernel) >= 1 and stride >= 1 and 0 <= padding < max(2, *kernel):
        sides = zip((map_.height, map_.width), kernel, strict=True)
        sizes = [(side + 2 * padding - k) // stride + 1 for side, k in sides]
        if min(sizes) >= 1:
            return sizes
    raise ValueError(f"a window of {kernel} with stride {stride} and padding {padding} does not fit {map_}.")
