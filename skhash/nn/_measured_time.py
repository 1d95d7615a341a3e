"""Measured time per code: a network on packed words and one in single precision, on one thread of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skhash.nn._float_twin import fold_batch_norm
from skhash.nn._inference import evaluation_mode
from skhash.nn.binary import export_network
from skhash.runtime import CodeComparison, PackedHasher, compare_codes, popcount_roof

_BATCHES = (1, 32)
_ROUNDS = 5
_SECONDS = 0.05  # per variant and round
_COMPARED = 32


@dataclass(frozen=True)
class MeasuredTime:
    """Milliseconds per sample: CPU time of this thread, the best of several interleaved rounds.

    Parameters
    ----------
    target : str
        Instruction set for which the kernels of the packed network were compiled.
    packed : dict of int to float
        Milliseconds per sample of the packed network, by batch size.
    reference : dict of int to float
        Milliseconds per sample of the reference in torch, by batch size: batch normalization merged into convolutions,
        in the faster of two memory layouts.
    roof_share : float
        Speed as a share of the peak popcount throughput of this processor. The first layer and all other work lower it,
        even if counting itself runs at the peak.
    comparison : CodeComparison
        Comparison of the codes of random samples: the packed network and the same network in torch.
    """

    target: str
    packed: dict[int, float]
    reference: dict[int, float]
    roof_share: float
    comparison: CodeComparison

    @property
    def speedup(self) -> dict[int, float]:
        """Time of the reference divided by that of the packed network, by batch size."""
        return {batch: self.reference[batch] / milliseconds for batch, milliseconds in self.packed.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return all values.

        Returns
        -------
        values : dict
            Target, share of the peak, whether codes were equal, milliseconds and ratios.
        """
        values = {"target": self.target, "roof_share": self.roof_share, "codes_equal": self.comparison.equal}
        for batch, ratio in self.speedup.items():
            values |= {
                f"packed_ms_{batch}": self.packed[batch],
                f"reference_ms_{batch}": self.reference[batch],
                f"speedup_{batch}": ratio,
            }
        return values


def measure_time(
    module: nn.Module,
    reference: nn.Module,
    shape: tuple[int, ...],
    reference_shape: tuple[int, ...],
    binary_macs: int,
) -> MeasuredTime:
    """Measure the time of a network on packed words and of a reference in torch.

    Parameters
    ----------
    module : nn.Module
        The network.
    reference : nn.Module
        The reference.
    shape, reference_shape : tuple of int
        Shapes of their samples.
    binary_macs : int
        Binary multiplications of the network per sample.

    Returns
    -------
    measured : MeasuredTime
        Times on one thread.

    Raises
    ------
    ValueError
        If a layer of `module` cannot be packed; the message names it.
    """
    packed = PackedHasher(export_network(module, shape), n_jobs=1)
    with _one_thread(), torch.inference_mode():
        comparison = _compare(module, packed, shape)
        folded = fold_batch_norm(reference).cpu().float()
        variants: dict[tuple[str, int, str], Callable[[], Any]] = {}
        for batch in _BATCHES:
            X, _ = _draw(shape, batch)
            _, x = _draw(reference_shape, batch)
            variants["packed", batch, ""] = lambda X=X: packed.codes(X)
            variants["reference", batch, "first"] = lambda x=x: folded(x)
            if x.ndim == 4:
                last = x.contiguous(memory_format=torch.channels_last)
                variants["reference", batch, "last"] = lambda last=last: folded(last)
        times = dict.fromkeys(variants, np.inf)
        peak = 0.0
        # Rounds are interleaved, so that a moment in which the machine is slow does not hit one variant alone.
        for _ in range(_ROUNDS):
            peak = max(peak, popcount_roof(packed.target, 1))
            for key, variant in variants.items():
                times[key] = min(times[key], 1e3 * _seconds(variant) / key[1])

    def best(kind: str) -> dict[int, float]:
        return {batch: min(t for key, t in times.items() if key[:2] == (kind, batch)) for batch in _BATCHES}

    share = binary_macs / (1e-3 * min(best("packed").values())) / peak
    return MeasuredTime(packed.target, best("packed"), best("reference"), share, comparison)


def _draw(shape: tuple[int, ...], n: int) -> tuple[NDArray[Any], Tensor]:
    """Draw samples, in the form for the packed network and in that for torch."""
    rng = np.random.default_rng(0)
    if len(shape) == 1:
        X = rng.normal(size=(n, *shape)).astype(np.float32)
        return X, torch.from_numpy(X)
    pixels = rng.integers(0, 256, size=(n, *shape), dtype=np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), torch.from_numpy(pixels) / 255


def _compare(module: nn.Module, packed: PackedHasher, shape: tuple[int, ...]) -> CodeComparison:
    X, x = _draw(shape, _COMPARED)
    device = next(module.parameters()).device
    with evaluation_mode(module):
        expected = module(x.to(device)).cpu().numpy()
    return compare_codes(expected, packed.decision_function(X))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(function: Callable[[], Any]) -> float:
    """Measure the time of one call, as the mean over enough calls to last `_SECONDS`."""
    n, taken = 1, 0.0
    while True:
        start = time.thread_time()
        for _ in range(n):
            function()
        taken = time.thread_time() - start
        if taken > _SECONDS or n >= 10**5:
            return taken / n
        n = max(2 * n, int(1.2 * n * _SECONDS / max(taken, 1e-6)))
