"""Read the pickled batches of CIFAR without running anything that a pickle may ask for.

Nothing is imported on a pickle's word: the few names that an array of bytes needs are answered with stand-ins that
only keep what they are given, and any other name is refused.
"""

import io
import pickle

import numpy as np


class _ArrayState:
    """Stands in for an array; keeps shape, type and bytes."""

    def __setstate__(self, state):
        _, self.shape, self.dtype, self.is_fortran, self.data = state

    def to_array(self):
        """Build the array of uint8."""
        if self.dtype.code not in ("u1", b"u1"):
            raise ValueError(f"an array has type {self.dtype.code!r} instead of 'u1'")
        return np.frombuffer(self.data, np.uint8).reshape(self.shape, order="F" if self.is_fortran else "C")


class _DTypeState:
    """Stands in for an array type; keeps its code."""

    def __init__(self, code, *_):
        self.code = code

    def __setstate__(self, state):
        pass


_STAND_INS = {
    "numpy.core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy._core.multiarray._reconstruct": lambda *_: _ArrayState(),
    "numpy.ndarray": _ArrayState,
    "numpy.dtype": _DTypeState,
    "_codecs.encode": lambda text, _: text.encode("latin1"),  # how Python 3 writes bytes for Python 2
}


class _BatchUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _STAND_INS[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which no batch needs; nothing was run"
            ) from None


def read_batch(data, name):
    """Read one pickled batch from bytes: its pixels and its labels, both arrays."""
    try:
        batch = _BatchUnpickler(io.BytesIO(data), encoding="bytes").load()
        batch = {key.decode() if isinstance(key, bytes) else key: value for key, value in batch.items()}
        return batch["data"].to_array(), np.asarray(batch["labels"])
    except Exception as error:  # a damaged pickle can raise anything
        raise ValueError(
            f"{name} is no batch of CIFAR-10 ({type(error).__name__}: {error}); expected a pickled dict of 'data', "
            "an array of uint8, and 'labels'."
        ) from error
