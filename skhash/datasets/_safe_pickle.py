"""Read pickled data, as data sets come in, without running anything that a pickle may ask for.

Nothing is imported on a pickle's word: the few names that arrays and scalars of numbers need are answered with
stand-ins that only keep what they are given, and any other name is refused.
"""

import io
import pickle

import numpy as np


class _DTypeState:
    """Stands in for an array type; keeps its code, such as "u1", and its byte order."""

    byte_order = "="

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        self.byte_order = state[1]

    def to_dtype(self):
        """Build the type, if it is one of integers or floating-point numbers."""
        if not isinstance(self.code, str) or self.code[:1] not in ("i", "u", "f"):
            raise ValueError(f"an array has type {self.code!r}, which holds no numbers")
        return np.dtype(self.code).newbyteorder(self.byte_order)


class _ArrayState:
    """Stands in for an array; keeps shape, type and bytes."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self):
        """Build the array."""
        flat = np.frombuffer(_to_bytes(self.data), self.dtype.to_dtype())
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _ScalarState:
    """Stands in for a number of an array type."""

    def __init__(self, dtype, data):
        self.dtype, self.data = dtype, data

    def to_number(self):
        """Build the number."""
        return np.frombuffer(_to_bytes(self.data), self.dtype.to_dtype(), count=1)[0]


_STAND_INS = {
    "numpy.core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy._core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy.core.multiarray.scalar": _ScalarState,
    "numpy._core.multiarray.scalar": _ScalarState,
    "numpy.ndarray": _ArrayState,
    "numpy.dtype": _DTypeState,
    "_codecs.encode": lambda text, _: text.encode("latin1"),  # how Python 3 writes bytes for Python 2
    "__builtin__.bytes": lambda: b"",  # and no bytes
}


class _SafeUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _STAND_INS[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no data set needs; nothing was run"
            ) from None


def read_pickle(data, name, build, *, what, expected):
    """Read pickled lists, dicts, strings, numbers and arrays of numbers from bytes, and give `build(content)`.

    ValueError "`name` is no `what` (why); `expected`." if the pickle is damaged, holds anything else, or `build` fails.
    The 8-bit strings of Python 2 are read as Latin-1.
    """
    try:
        return build(_to_values(_SafeUnpickler(io.BytesIO(data), encoding="latin1").load()))
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(f"{name} is no {what} ({type(error).__name__}: {error}); {expected}.") from error


def _to_values(thing):
    """Replace the stand-ins inside lists and dicts by the arrays and numbers that they stand for."""
    if isinstance(thing, dict):
        return {_to_values(key): _to_values(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_to_values(item) for item in thing]
    if isinstance(thing, _ArrayState):
        return thing.to_array()
    if isinstance(thing, _ScalarState):
        return thing.to_number()
    if thing is None or isinstance(thing, (str, bytes, int, float)):
        return thing
    raise ValueError(f"it holds {type(thing).__name__}, which is neither text nor numbers")


def _to_bytes(data):
    """The bytes of an array; Python 2 wrote them as a string."""
    return data.encode("latin1") if isinstance(data, str) else data
