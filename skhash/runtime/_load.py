"""Read a packed hasher from its file, and check that it computes the same codes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skhash.runtime._file import read
from skhash.runtime._packed_hasher import PackedHasher
from skhash.runtime.codegen._targets import find_target

if TYPE_CHECKING:
    import os

__all__ = ["load_packed"]


def load_packed(path: str | os.PathLike[str], *, target: str | None = None, n_jobs: int | None = None) -> PackedHasher:
    """Load a network that `PackedHasher.save` wrote.

    Does not need torch and does not run code from the file. The codes of a probe batch are computed, to check that
    this machine computes the same as the one that wrote the file.

    Parameters
    ----------
    path : str or path-like
        The file.
    target, n_jobs : str and int, or None
        See `PackedHasher`.

    Returns
    -------
    hasher : PackedHasher
        Ready to `transform`.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is damaged, of another kind, or written by a newer version.
    RuntimeError
        If the probe batch's codes differ from those that were saved.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skhash import load_packed
    >>> from skhash.runtime import BinaryConv, Network, PackedHasher, Sign
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     PackedHasher(network).save(f"{folder}/model.skhash")
    ...     hasher = load_packed(f"{folder}/model.skhash")
    >>> hasher.bits
    8
    """
    find_target(target)  # an error in the arguments is not one of the file
    network, expected, classes = read(path)
    try:
        hasher = PackedHasher(network, target=target, n_jobs=n_jobs, classes=classes)
        found = hasher._probe_codes()
    except (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"{path} is damaged: its network cannot be run ({error!r}).") from error
    if found != expected:
        raise RuntimeError(
            f"{path}: self-test failed: the probe batch has codes {' '.join(found)}, expected {' '.join(expected)}. "
            f"The kernels ({hasher.target}) compute other codes on this machine than where the file was written."
        )
    return hasher
