"""Which checkpoints belong to a fit: those of the same data and parameters, in a folder named by a digest of both."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from skhash import __version__
from skhash.inputs import ImageFiles, Samples
from skhash.nn import digest_network, digest_object
from skhash.training import Checkpoint, FabricLike, Ranks, resolve_device, resolve_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.deep._hasher import DeepHasher
    from skhash.utils import Labels

__all__ = ["open_checkpoint"]

# Parameters that codes do not depend on.
_IRRELEVANT = frozenset({"checkpoint", "inference", "random_state", "verbose", "warm_start"})
_BLOCK_BYTES = 2**24


def open_checkpoint(
    hasher: DeepHasher,
    samples: Samples,
    labels: Labels | None,
    random_state: np.random.RandomState,
    generator: torch.Generator,
    *,
    weights: NDArray[np.float64] | None = None,
    eval_set: tuple[Samples, Labels] | None = None,
    start: bytes,
    wrapper: dict[str, Any] | None,
    resume: bool,
    ranks: Ranks | None = None,
) -> Checkpoint | None:
    """Return the checkpoints of a fit, or None if the hasher's parameter `checkpoint` is None.

    Parameters
    ----------
    hasher : DeepHasher
        The hasher.
    samples : Samples
        All samples of the fit.
    labels : Labels or None
        Their labels.
    random_state : RandomState instance
        Random state of the training; set back to the start of the interrupted fit.
    generator : torch.Generator
        Generator of the training; set back likewise.
    weights : ndarray of float64 of shape (n_samples,), default=None
        Weights of the samples, without those of balanced classes.
    eval_set : tuple of (Samples, Labels), default=None
        Samples to score codes on.
    start : bytes
        What `describe_seed` has returned before the first random number was drawn.
    wrapper : dict or None
        Further parameters that the training depends on.
    resume : bool
        Whether the fit continues from the hasher's network.
    ranks : Ranks, default=None
        Processes that train together.

    Returns
    -------
    checkpoint : Checkpoint or None
        In a subfolder for this class, these parameters, samples and labels, and these releases of skhash and torch.

    Raises
    ------
    ValueError
        If the path cannot be a folder, because it or a part of it is a file.
    """
    if hasher.checkpoint is None:
        return None
    _check_folder(hasher.checkpoint)
    key = hashlib.sha256(start)  # faster than others where processors support it
    parameters = hasher.get_params(deep=False)
    parameters.update({f"wrapper {name}": value for name, value in (wrapper or {}).items()})
    for name, value in sorted(parameters.items()):
        if isinstance(value, FabricLike):
            value = f"{value.device.type} x {value.world_size}"
        if name not in _IRRELEVANT:
            key.update(name.encode() + b"=" + digest_object(value))
    # "auto" depends on the processor, and so do the weights.
    precision = resolve_precision(hasher.precision, resolve_device(hasher.device), automatic=True)
    key.update(str(precision).encode())
    releases = __version__, str(torch.__version__)
    key.update(repr((type(hasher).__qualname__, releases, tuple(samples.sample_shape), len(samples))).encode())
    if resume:
        key.update(digest_network(hasher.module_, named=True))
    if labels is not None:
        _add_labels(key, labels)
    _add_samples(key, samples)
    if weights is not None:
        key.update(b"weights" + weights.tobytes())
    if eval_set is not None:
        key.update(b"eval_set")
        _add_labels(key, eval_set[1])
        _add_samples(key, eval_set[0])
    folder = Path(hasher.checkpoint) / f"{type(hasher).__name__}-{key.hexdigest()[:32]}"
    return Checkpoint(folder, random_state, generator, ambient=not hasher._draws_by_generator(), ranks=ranks)


def _check_folder(checkpoint: str | os.PathLike[str]) -> None:
    """Raise ValueError if the path, or what should contain it, is a file: nothing could ever be written."""
    path = Path(checkpoint)
    existing = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise ValueError(
            f"checkpoint must be a folder or a new path, got {str(path)!r}, but {str(existing)!r} is a file."
        )


def describe_seed(hasher: DeepHasher, random_state: np.random.RandomState) -> bytes:
    """Return what stands for the parameter `random_state` of a fit; empty if it is None."""
    if hasher.checkpoint is None or hasher.random_state is None:
        return b""
    _, words, *rest = random_state.get_state()
    return np.asarray(words).tobytes() + repr(rest).encode()


def _add_labels(key: Any, labels: Labels) -> None:
    """Add labels to a digest."""
    key.update(repr((labels.codes.shape, labels.classes.tolist())).encode())
    key.update(np.asarray(labels.codes, dtype=np.int64).tobytes())


def _add_samples(key: Any, samples: Samples) -> None:
    """Add the samples to a digest: numbers, or place, size and time of files."""
    if isinstance(samples, ImageFiles):
        for item in samples.items:
            if isinstance(item, (str, os.PathLike)):
                status = os.stat(item)
                key.update(repr((os.path.abspath(item), status.st_size, status.st_mtime_ns)).encode())
            else:
                key.update(repr((item.mode, item.size)).encode() + item.tobytes())
        return
    key.update(repr((type(samples).__name__, samples.integer)).encode())
    dtype = torch.float64 if samples.kind == "features" else torch.float32
    step = max(_BLOCK_BYTES // (8 * int(np.prod(samples.sample_shape))), 1)
    for begin in range(0, len(samples), step):
        end = min(begin + step, len(samples))
        if isinstance(samples, Samples):
            block = samples.data[begin:end]
            key.update(block.dtype.str.encode() + np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)
        else:
            key.update(samples.batch(np.arange(begin, end), dtype).contiguous().numpy())
