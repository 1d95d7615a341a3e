"""What codes really cost: a network on packed words against one in single precision, on one thread of this machine."""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from skhash.nn._float_twin import fold_batch_norm
from skhash.nn._inference import evaluation_mode
from skhash.nn.binary import export_network
from skhash.runtime import CodeComparison, PackedHasher, compare_codes, popcount_roof

_BATCHES = (1, 32)
_ROUNDS = 5
_SECONDS = 0.05  # of a form in a round
_COMPARED = 32


@dataclass(frozen=True)
class MeasuredTime:
    """Milliseconds a sample, the best of interleaved rounds of this thread's CPU time.

    Parameters
    ----------
    target : str
        Kernels of the packed network.
    packed : dict of int to float
        Milliseconds a sample of the packed network, by batch size.
    reference : dict of int to float
        The same of the reference in torch, batch normalisation merged into convolutions, in the faster of two memory
        layouts.
    roof_share : float
        Share of the highest speed at which this processor counts bits; what the first layer and all else take makes it
        less, even if counting itself is at the roof.
    comparison : CodeComparison
        Codes of the packed network and of the same network in torch, of random samples.
    """

    target: str
    packed: dict
    reference: dict
    roof_share: float
    comparison: CodeComparison

    @property
    def speedup(self):
        """How many times as fast as the reference the packed network is, by batch size."""
        return {batch: self.reference[batch] / milliseconds for batch, milliseconds in self.packed.items()}

    def to_dict(self):
        """Give the figures.

        Returns
        -------
        figures : dict
            Milliseconds, ratios, share of the roof, and whether codes were equal.
        """
        figures = {"target": self.target, "roof_share": self.roof_share, "codes_equal": self.comparison.equal}
        for batch, ratio in self.speedup.items():
            figures |= {
                f"packed_ms_{batch}": self.packed[batch],
                f"reference_ms_{batch}": self.reference[batch],
                f"speedup_{batch}": ratio,
            }
        return figures


def measure_time(module, reference, shape, reference_shape, binary_macs):
    """Time a network on packed words, and another one in torch.

    Parameters
    ----------
    module : nn.Module
        The network; a `ValueError` says which layer cannot be packed.
    reference : nn.Module
        What to compare with.
    shape, reference_shape : tuple of int
        Shapes of their samples.
    binary_macs : int
        Binary multiplications of the network per sample.

    Returns
    -------
    measured : MeasuredTime
        Times on one thread.
    """
    packed = PackedHasher(export_network(module, shape), n_jobs=1)
    with _one_thread(), torch.inference_mode():
        comparison = _compare(module, packed, shape)
        folded = fold_batch_norm(reference).cpu().float()
        forms = {}
        for batch in _BATCHES:
            X, _ = _draw(shape, batch)
            _, x = _draw(reference_shape, batch)
            forms["packed", batch, ""] = lambda X=X: packed.codes(X)
            forms["reference", batch, "first"] = lambda x=x: folded(x)
            if x.ndim == 4:
                last = x.contiguous(memory_format=torch.channels_last)
                forms["reference", batch, "last"] = lambda last=last: folded(last)
        times = dict.fromkeys(forms, np.inf)
        roof = 0.0
        for _ in range(_ROUNDS):
            roof = max(roof, popcount_roof(packed.target, 1))
            for key, form in forms.items():
                times[key] = min(times[key], 1e3 * _seconds(form) / key[1])

    def best(kind):
        return {batch: min(t for key, t in times.items() if key[:2] == (kind, batch)) for batch in _BATCHES}

    share = binary_macs / (1e-3 * min(best("packed").values())) / roof
    return MeasuredTime(packed.target, best("packed"), best("reference"), share, comparison)


def _draw(shape, n):
    """Samples as the packed network takes them, and as torch does."""
    rng = np.random.default_rng(0)
    if len(shape) == 1:
        X = rng.normal(size=(n, *shape)).astype(np.float32)
        return X, torch.from_numpy(X)
    pixels = rng.integers(0, 256, size=(n, *shape), dtype=np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), torch.from_numpy(pixels) / 255


def _compare(module, packed, shape):
    X, x = _draw(shape, _COMPARED)
    device = next(module.parameters()).device
    with evaluation_mode(module):
        expected = module(x.to(device)).cpu().numpy()
    return compare_codes(expected, packed.decision_function(X))


@contextmanager
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _seconds(form):
    """Time of one call, over as many as fill a moment."""
    n, taken = 1, 0.0
    while True:
        start = time.thread_time()
        for _ in range(n):
            form()
        taken = time.thread_time() - start
        if taken > _SECONDS or n >= 10**5:
            return taken / n
        n = max(2 * n, int(1.2 * n * _SECONDS / max(taken, 1e-6)))
