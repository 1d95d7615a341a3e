"""A 1-bit network as data: a list of operations with numpy arrays, and nothing that runs.

Converter, file format, plan and reference interpreter share only this. Value 0 is the network's input, value `i` the
result of operation `i - 1`; operations name their sources by these numbers, so a list of operations is a graph. Values
are maps `(height, width, channels)` of one of four kinds:

| kind | elements |
|---|---|
| `pixels` | uint8, the input of an image network |
| `real` | float32; a feature vector is a map of 1 x 1 |
| `integer` | the exact sums of a convolution over signs or pixels |
| `sign` | -1 or +1, stored as bits: 1 is +1 |
"""

from dataclasses import dataclass

import numpy as np

from skhash.runtime.network._operation import Map, Operation

__all__ = ["Network"]

_LARGEST_SIDE = 2**15


@dataclass(frozen=True, eq=False)
class Network:
    """A network that hashes images or feature vectors, as data.

    Parameters
    ----------
    input_shape : tuple of int
        `(height, width, channels)` of uint8 images, or `(n_features,)` of float32 vectors.
    operations : tuple of Operation
        What is computed, in order. The last value is the code: a `sign` map of 1 x 1, or a `real` map, which is
        flattened in the order (row, column, channel).

    Raises
    ------
    ValueError
        If an operation does not fit its sources; the message says which one and why.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv, Network, Sign
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> network.bits
    8
    """

    input_shape: tuple
    operations: tuple

    def __post_init__(self):
        shape = tuple(int(side) for side in self.input_shape)
        if len(shape) not in (1, 3) or not all(1 <= side < _LARGEST_SIDE for side in shape):
            raise ValueError(
                f"input_shape must be (height, width, channels) or (n_features,), each from 1 to {_LARGEST_SIDE - 1}, "
                f"got {self.input_shape!r}."
            )
        object.__setattr__(self, "input_shape", shape)
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "_maps", self._check())
        final = self._maps[-1]
        if not self.operations or (final.kind != "real" and (final.kind, final.n_pixels) != ("sign", 1)):
            raise ValueError(f"The last operation must give a real map, or a sign map of 1 x 1; it gives {final}.")

    @property
    def takes_images(self):
        """Whether the input is uint8 images rather than float32 feature vectors."""
        return len(self.input_shape) == 3

    @property
    def bits(self):
        """Code length."""
        final = self._maps[-1]
        return final.n_pixels * final.channels

    def maps(self):
        """Give the kind and shape of every value, the input first.

        Returns
        -------
        maps : list of Map
            One more than there are operations.
        """
        return list(self._maps)

    def _check(self):
        """The maps; `ValueError` if an operation does not fit its sources."""
        maps = [Map("pixels", *self.input_shape) if self.takes_images else Map("real", 1, 1, *self.input_shape)]
        for number, operation in enumerate(self.operations):
            if not isinstance(operation, Operation):
                raise ValueError(f"operations[{number}] is {operation!r}, expected one of skhash.runtime's operations.")
            name = f"operations[{number}] ({type(operation).__name__})"
            for source in operation.sources:
                if not 0 <= source <= number:
                    raise ValueError(f"{name} reads value {source}, expected one from 0 to {number}.")
            try:
                maps.append(operation.result(*(maps[source] for source in operation.sources)))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return maps

    def count_parameters(self):
        """Count what must be stored.

        Returns
        -------
        counts : dict of str to int
            `binary` weights of one bit, `int8` weights and `real` numbers of 32 bits.
        """
        counts = {"binary": 0, "int8": 0, "real": 0}
        for operation in self.operations:
            for name, array in operation.arrays().items():
                if name == "bits":
                    counts["binary"] += operation.n_weights
                else:
                    counts["int8" if array.dtype == np.int8 else "real"] += array.size
        return counts
