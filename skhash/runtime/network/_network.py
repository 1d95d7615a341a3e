"""A 1-bit network as data: a list of operations with numpy arrays, and no code that runs them.

The exporter, the file format, the plan and the interpreter share only this. Value 0 is the network's input, value `i`
the result of operation `i - 1`; operations name their sources by these numbers, so a list of operations is a graph.
Values are maps `(height, width, channels)` of one of four kinds:

| kind | elements |
|---|---|
| `pixels` | uint8, the input of an image network |
| `real` | float32; a feature vector is a map of 1 x 1 |
| `integer` | the exact sums of a convolution over signs or pixels |
| `sign` | -1 or +1, stored as bits: 1 is +1 |
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from skhash.runtime.network._convolutions import BinaryConv, Int8Conv, Lookup, RealConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, Concat, RPReLU, Sign, SignsToReal
from skhash.runtime.network._operation import LARGEST_SIDE, Map, Operation
from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skhash.runtime.network._fields import Converted

    InputShape = Converted[Iterable[int], tuple[int, ...]]
    Operations = Converted[Iterable[Operation], tuple[Operation, ...]]

__all__ = ["OPERATIONS", "Network"]

# All kinds of operations, by the name that files store.
OPERATIONS: dict[str, type[Operation]] = {
    operation.__name__: operation
    for operation in (
        *(Lookup, Int8Conv, RealConv, BinaryConv, Affine, Sign, SignsToReal, RPReLU, Clip, Add, Concat),
        *(MaxPool, AvgPool, GlobalAvgPool),
    )
}
# Far beyond what networks need; a few bytes of a file must not take all memory or run for minutes.
_MAX_OPERATIONS = 2**12
_MAX_ELEMENTS = 2**26  # of a map
_MAX_TOTAL = 2**28  # of all maps
_MAX_WORK = 2**38  # multiplications of all windows


@dataclass(frozen=True, eq=False)
class Network:
    """A network that hashes images or feature vectors, as data.

    Parameters
    ----------
    input_shape : tuple of int
        `(height, width, channels)` of uint8 images, or `(n_features,)` of float32 vectors.
    operations : tuple of Operation
        Operations in the order in which they are computed. The last value is the code: a `sign` map of 1 x 1, or a
        `real` map, which is flattened in the order (row, column, channel).

    Raises
    ------
    ValueError
        If an operation does not fit its sources; the message names the operation and the reason.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv, Network, Sign
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> network.bits
    8
    """

    input_shape: InputShape
    operations: Operations
    _maps: list[Map] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            shape = tuple(index(side) for side in self.input_shape)
        except TypeError:
            shape = ()
        if len(shape) not in (1, 3) or not all(1 <= side <= LARGEST_SIDE for side in shape):
            raise ValueError(
                f"input_shape must be (height, width, channels) or (n_features,), integers from 1 to {LARGEST_SIDE}, "
                f"got {self.input_shape!r}."
            )
        object.__setattr__(self, "input_shape", shape)
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "_maps", self._check())
        final = self._maps[-1]
        if not self.operations or (final.kind != "real" and (final.kind, final.n_pixels) != ("sign", 1)):
            raise ValueError(f"The last operation must return a real map or a sign map of 1 x 1, got {final}.")

    @property
    def takes_images(self) -> bool:
        """True if the input consists of uint8 images, False if of float32 feature vectors."""
        return len(self.input_shape) == 3

    @property
    def bits(self) -> int:
        """Code length."""
        final = self._maps[-1]
        return final.n_pixels * final.channels

    def maps(self) -> list[Map]:
        """Return the kind and shape of every value, the input first.

        Returns
        -------
        maps : list of Map
            One for the input and one for each operation.
        """
        return list(self._maps)

    def _check(self) -> list[Map]:
        """Compute the maps; `ValueError` if an operation does not fit its sources."""
        maps = [Map("pixels", *self.input_shape) if self.takes_images else Map("real", 1, 1, *self.input_shape)]
        if len(self.operations) > _MAX_OPERATIONS:
            raise ValueError(f"A network must have <= {_MAX_OPERATIONS} operations, got {len(self.operations)}.")
        total = work = 0
        _check_elements("The input", maps[0])
        for number, operation in enumerate(self.operations):
            if not isinstance(operation, Operation):
                raise ValueError(f"operations[{number}] is {operation!r}, expected an operation of skhash.runtime.")
            name = f"operations[{number}] ({type(operation).__name__})"
            for source in operation.sources:
                if not 0 <= source <= number:
                    raise ValueError(f"{name} reads value {source}, expected one from 0 to {number}.")
            try:
                maps.append(operation.result(*(maps[source] for source in operation.sources)))
            except (TypeError, ValueError) as error:  # TypeError: another number of sources
                raise ValueError(f"{name}: {error}") from None
            _check_elements(name, maps[-1])
            total += maps[-1].n_pixels * maps[-1].channels
            work += maps[-1].n_pixels * maps[-1].channels * _window_size(operation)
            if total > _MAX_TOTAL or work > _MAX_WORK:
                raise ValueError(
                    f"{name}: all values together must have <= {_MAX_TOTAL} elements, computed from windows of "
                    f"<= {_MAX_WORK} elements, got {total} and {work} so far."
                )
        return maps

    def count_parameters(self) -> dict[str, int]:
        """Count the parameters by how they are stored.

        Returns
        -------
        counts : dict of str to int
            `binary` weights of one bit, `int8` weights and `real` numbers of 32 bits.
        """
        counts = {"binary": 0, "int8": 0, "real": 0}
        for operation in self.operations:
            for array in operation.arrays().values():
                if isinstance(operation, BinaryConv):
                    counts["binary"] += operation.n_weights
                else:
                    counts["int8" if array.dtype == np.int8 else "real"] += array.size
        return counts


def _check_elements(name: str, result: Map) -> None:
    """Raise ValueError for a map that would take too much memory."""
    if result.n_pixels * result.channels > _MAX_ELEMENTS:
        raise ValueError(f"{name} is {result}, expected a map of <= {_MAX_ELEMENTS} elements.")


def _window_size(operation: Operation) -> int:
    """Return from how many elements an operation computes one."""
    if isinstance(operation, BinaryConv):
        return operation.limit
    if isinstance(operation, (Int8Conv, RealConv)):
        return math.prod(operation.weight.shape[1:])
    return math.prod(operation.kernel) if isinstance(operation, (MaxPool, AvgPool)) else 1
