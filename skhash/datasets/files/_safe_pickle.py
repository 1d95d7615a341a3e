"""Read pickled data sets without executing any code from the pickle.

Nothing is imported when a pickle names it: the few names that arrays and scalars of numbers need are replaced by
stand-ins that only keep their arguments. Any other name is an error.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Built = TypeVar("Built")


class _DTypeState:
    """Stand-in for a dtype; keeps its code, such as "u1", and its byte order."""

    byte_order = "="

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: Any) -> None:
        self.byte_order = state[1]

    def to_dtype(self) -> np.dtype[Any]:
        """Build the dtype, if it is an integer or floating-point one."""
        if not isinstance(self.code, str) or self.code[:1] not in ("i", "u", "f"):
            raise ValueError(f"an array has type {self.code!r}, expected integers or floating-point numbers")
        return np.dtype(self.code).newbyteorder(self.byte_order)  # pyright: ignore[reportArgumentType]


class _ArrayState:
    """Stand-in for an array; keeps shape, dtype and bytes."""

    def __setstate__(self, state: Any) -> None:
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self) -> NDArray[Any]:
        """Build the array."""
        flat = np.frombuffer(_to_bytes(self.data), self.dtype.to_dtype())
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C")


class _ScalarState:
    """Stand-in for a numpy scalar."""

    def __init__(self, dtype: Any, data: Any) -> None:
        self.dtype, self.data = dtype, data

    def to_number(self) -> Any:
        """Build the number."""
        return np.frombuffer(_to_bytes(self.data), self.dtype.to_dtype(), count=1)[0]


_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")
_STAND_INS: dict[str, Callable[..., Any]] = {
    "numpy.core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy._core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy.core.multiarray.scalar": _ScalarState,
    "numpy._core.multiarray.scalar": _ScalarState,
    "numpy.ndarray": _ArrayState,
    "numpy.dtype": _DTypeState,
    "_codecs.encode": lambda text, _: text.encode("latin1"),  # how Python 3 writes bytes for Python 2
    "__builtin__.bytes": lambda: b"",  # how it writes empty bytes
}


class _SafeNames:
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it refers to {module}.{name}, which data sets do not need; nothing was executed"
            ) from None


class _SafeUnpickler(_SafeNames, pickle.Unpickler):
    pass


class _SlowSafeUnpickler(_SafeNames, pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
    """Unpickler in Python, whose memo is a dict: no position in it allocates memory."""

    def load(self) -> Any:
        try:
            return super().load()
        except struct.error as error:
            raise pickle.UnpicklingError("pickle data was truncated") from error


def read_pickle(data: bytes, name: object, build: Callable[[Any], Built], *, what: str, expected: str) -> Built:
    """Read pickled lists, dicts, strings, numbers and arrays of numbers from bytes; return `build(content)`.

    Raise ValueError "`name` is not a valid `what` (reason); `expected`." if the pickle is damaged or holds anything
    else, or if `build` fails. The 8-bit strings of Python 2 are read as Latin-1.
    """
    try:
        unpickler = _SafeUnpickler if _memo_is_small(data) else _SlowSafeUnpickler
        content = unpickler(io.BytesIO(data), encoding="latin1").load()
        return build(_to_values(content, _Budget(len(data))))
    except Exception as error:  # a damaged pickle can raise any exception
        raise ValueError(f"{name} is not a valid {what} ({type(error).__name__}: {error}); {expected}.") from error


class _Budget:
    """Number of items that the content may still have: a pickle needs at least a byte for each item it does not share.

    A list that refers to one list many times multiplies items without bytes. Data sets do not share lists.
    """

    def __init__(self, n_bytes: int) -> None:
        self.left = n_bytes

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ValueError("it holds more items than bytes")


def _memo_is_small(data: bytes) -> bool:
    """Check that no position of the memo exceeds the number of bytes; the C unpickler allocates the memo up to it."""
    try:
        operations = pickletools.genops(data)
        return all(
            argument <= len(data) for opcode, argument, _ in operations if opcode.name in _PUTS and argument is not None
        )
    except Exception:  # a damaged pickle can raise any exception
        return False


def _to_values(thing: Any, budget: _Budget) -> Any:
    """Replace the stand-ins inside lists and dicts by the arrays and numbers that they represent."""
    budget.spend()
    if isinstance(thing, dict):
        return {_to_values(key, budget): _to_values(value, budget) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [_to_values(item, budget) for item in thing]
    if isinstance(thing, _ArrayState):
        return thing.to_array()
    if isinstance(thing, _ScalarState):
        return thing.to_number()
    if thing is None or isinstance(thing, (str, bytes, int, float)):
        return thing
    raise ValueError(f"it holds {type(thing).__name__}, expected text and numbers only")


def _to_bytes(data: str | bytes) -> bytes:
    """Return the bytes of an array, which Python 2 wrote as a string."""
    return data.encode("latin1") if isinstance(data, str) else data
