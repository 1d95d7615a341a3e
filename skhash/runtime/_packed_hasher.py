"""The public class of the runtime: images or feature vectors in, hash codes out."""

from __future__ import annotations

from numbers import Integral
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.codes import binarize, pack_codes, to_hex, unpack_codes
from skhash.runtime._file import probe, write
from skhash.runtime._prediction import PackedPrediction
from skhash.runtime._samples import is_finite, read_samples
from skhash.runtime.codegen._targets import find_target
from skhash.runtime.compile._packed_weights import strip_weights, unpack_weights
from skhash.runtime.compile._plan import Plan
from skhash.runtime.network._convolutions import RealConv
from skhash.runtime.network._elementwise import Affine, Clip, RPReLU, Sign
from skhash.runtime.network._network import Network
from skhash.runtime.network._pools import GlobalAvgPool
from skhash.utils import count_threads, encode_dask, is_dask, map_threads

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

    from skhash.runtime._classes import ClassRule
    from skhash.runtime.compile._explanation import CompiledPlan
    from skhash.runtime.compile._packed_weights import PackedWeights

__all__ = ["PackedHasher"]

_ROWS = (64, 8, 1)  # feature vectors that a plan computes together
_BLOCK_ROWS = 512  # samples per task of a thread; images take much longer
_BLOCK_IMAGES = 8


class PackedHasher(PackedPrediction):
    """A trained 1-bit network that computes hash codes on packed words, without torch.

    Codes do not depend on the batch, the number of threads or the processor: integer sums are exact, and sums of real
    numbers have one order.

    Parameters
    ----------
    network : Network
        The network.
    target : str, default=None
        Kernels to use: "vpopcntdq", "avx512" or "avx2" on x86, "generic" anywhere. None takes the fastest that this
        machine runs, and so does a hasher that is unpickled.
    n_jobs : int, default=None
        Number of threads over blocks of samples; None means 1 unless in a `joblib.parallel_config` context, -1 all
        processors.
    classes : ClassScores or ClassVotes, default=None
        What `predict` needs; ``to_packed(classes=True)`` of a hasher fills it in.

    Attributes
    ----------
    network : Network
        The network; assembled from the packed weights at every access.
    bits : int
        Code length.
    input_shape : tuple of int
        `(height, width, channels)` of images, or `(n_features,)`.
    target : str
        Name of the kernels in use.
    weight_bytes : int
        Size of the packed weights of all convolutions.

    Raises
    ------
    TypeError
        If `network` is not a `Network`, or `classes` something else.
    ValueError
        If `target` is unknown or does not run on this machine, or `n_jobs` is not a number of threads.

    See Also
    --------
    load_packed : Load a hasher from a file.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.runtime import BinaryConv, Network, PackedHasher, Sign
    >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
    >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
    >>> PackedHasher(network).transform([[1, -2, 3, 4, -5, 6, 7, 8], [-1, 2, -3, -4, -5, 6, -7, -8]])
    array([[0, 1, 1, 0, 1, 1, 0, 1],
           [1, 0, 0, 1, 0, 0, 1, 0]], dtype=uint8)
    """

    n_jobs: int | None

    def __init__(
        self,
        network: Network,
        *,
        target: str | None = None,
        n_jobs: int | None = None,
        classes: ClassRule | None = None,
    ) -> None:
        if not isinstance(network, Network):
            raise TypeError(
                f"network must be a skhash.runtime.Network, got {type(network).__name__}. (skhash.load_packed reads "
                "files, skhash.nn.binary.export_network converts torch modules.)"
            )
        if n_jobs is not None and not (isinstance(n_jobs, Integral) and n_jobs):
            raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}.")
        self.n_jobs = n_jobs
        self._set_classes(classes, network.bits)
        self._target = find_target(target)
        self._ends_real = network.maps()[-1].kind == "real"
        self._bits = network.bits
        self._weights: dict[int, PackedWeights] = {}
        self._lock = Lock()
        coder = network
        if self._ends_real and _can_pack(network):
            coder = Network(network.input_shape, [*network.operations, Sign(len(network.operations))])
        first = Plan(coder, self._target, 1, self._weights)  # packs all weights
        operations = [strip_weights(operation) for operation in coder.operations]
        self._coder = Network(network.input_shape, operations)
        self._network = self._coder
        if coder is not network:  # one network with two ends, which share the weights
            self._network = Network(network.input_shape, operations[:-1])
        self._plans: dict[tuple[Network, int], list[Plan]] = {(self._coder, 1): [first]}
        self._singles: dict[Network, list[tuple[Plan, NDArray[Any], NDArray[Any]]]] = {
            self._network: [],
            self._coder: [],
        }
        images = network.takes_images
        self._sample = (1, *network.input_shape), np.dtype(np.uint8 if images else np.float32), images

    @property
    def network(self) -> Network:
        """The network, with its weights unpacked."""
        operations = enumerate(self._network.operations)
        return Network(self.input_shape, [unpack_weights(op, self._weights.get(number)) for number, op in operations])

    @property
    def bits(self) -> int:
        """Code length."""
        return self._bits

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return self._network.input_shape

    @property
    def target(self) -> str:
        """Name of the kernels in use."""
        return self._target.name

    @property
    def weight_bytes(self) -> int:
        """Size of the packed weights of all convolutions."""
        return sum(weights.tiles.nbytes for weights in self._weights.values())

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Compute hash codes.

        Parameters
        ----------
        X : array-like
            Images of uint8, `(n, height, width, channels)`, `(n, channels, height, width)` or, with one channel,
            `(n, height, width)`; or feature vectors `(n, n_features)`. Lazy for Dask, see `skhash.distributed`.

        Returns
        -------
        codes : ndarray of uint8 of shape (n, bits)
            Bits, 0 or 1.
        """
        if is_dask(X):
            return encode_dask(self, X, "transform")
        return unpack_codes(self.codes(X), self.bits)

    def codes(self, X: ArrayLike) -> NDArray[np.uint64]:
        """Compute hash codes as packed words.

        Parameters
        ----------
        X : array-like
            As for `transform`.

        Returns
        -------
        packed : ndarray of uint64 of shape (n, ceil(bits / 64))
            Little-endian words, unused bits 0, as `HammingIndex` accepts them.
        """
        out = self._run(X, self._coder)
        return pack_codes(binarize(out)) if out.dtype == np.float32 else out

    def decision_function(self, X: ArrayLike) -> NDArray[np.float32]:
        """Compute continuous codes.

        Parameters
        ----------
        X : array-like
            As for `transform`.

        Returns
        -------
        z : ndarray of float32 of shape (n, bits)
            Bit `k` is 1 where `z[:, k] >= 0`. -1 and +1 if the network ends in bits.
        """
        if is_dask(X):
            return encode_dask(self, X, "decision_function")
        out = self._run(X, self._network)
        return out if self._ends_real else 2 * unpack_codes(out, self.bits).astype(np.float32) - 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file: 1 bit per binary weight, and the codes of a probe batch.

        Parameters
        ----------
        path : str or path-like
            The file. An existing file stays as it is until the new one is complete.

        Raises
        ------
        FileNotFoundError, IsADirectoryError
            If the folder does not exist, or the path is a folder.
        """
        write(path, self.network, self._probe_codes(), self.classes)

    def explain(self) -> CompiledPlan:
        """Return how codes of one sample are computed: jobs, kernels, fused operations, buffers and work.

        Returns
        -------
        plan : CompiledPlan
            The compiled plan of `codes` and `transform`; printing it shows a table. Where the network ends in real
            numbers, the plan may have one operation more, the sign that packs the code.

        Examples
        --------
        >>> import numpy as np
        >>> from skhash.runtime import BinaryConv, Network, PackedHasher, Sign
        >>> weight = np.where(np.arange(64).reshape(8, 1, 1, 8) % 3, 1, -1)
        >>> network = Network((8,), (Sign(0), BinaryConv.from_signs(1, weight), Sign(2)))
        >>> plan = PackedHasher(network).explain()
        >>> [(job.name, job.operations) for job in plan.jobs]
        [('input', ()), ('0 Sign', (0,)), ('1 BinaryConv', (1, 2)), ('output', ())]
        """
        plan = self._borrow_plan(self._coder, 1)
        explanation = plan.explain()
        self._return_plan(self._coder, plan)
        return explanation

    def profile(self, X: ArrayLike, n_rounds: int = 5) -> dict[str, float]:
        """Time each kernel on one sample, repeated in isolation.

        Parameters
        ----------
        X : array-like
            At least one sample, as for `transform`.
        n_rounds : int, default=5
            Number of rounds, of which the best counts.

        Returns
        -------
        times : dict of str to float
            Microseconds of this thread's CPU time by operation: its number and name. An operation that was fused into
            an earlier one does not have an entry.
        """
        X = read_samples(X, self.input_shape)[:1]
        if not len(X):
            raise ValueError("X must have at least one sample, got 0.")
        plan = self._borrow_plan(self._network, 1)
        times = plan.profile(X, _new_codes(self._network, 1, self.bits), n_rounds)
        self._return_plan(self._network, plan)
        return times

    def _probe_codes(self) -> list[str]:
        return to_hex(self.codes(probe(self._network)), self.bits)

    def _run(self, X: ArrayLike, network: Network) -> NDArray[Any]:
        """Compute codes as the network ends: float32 (n, bits) or packed words."""
        shape, dtype, images = self._sample
        if type(X) is np.ndarray and X.dtype is dtype and X.shape == shape and (images or is_finite(X)):
            return self._run_single(X, network)
        X = read_samples(X, self.input_shape)
        out = _new_codes(network, len(X), self.bits)
        size = _BLOCK_IMAGES if network.takes_images else _BLOCK_ROWS
        n_jobs = 1 if len(X) <= size else min(count_threads(self.n_jobs), -(-len(X) // size))
        if n_jobs == 1:
            self._run_block(X, out, network)
        else:
            size = max(size, -(-len(X) // (4 * n_jobs)))
            parts = [slice(start, start + size) for start in range(0, len(X), size)]
            map_threads(lambda part: self._run_block(X[part], out[part], network), parts, n_jobs)
        return out

    def _run_single(self, X: NDArray[Any], network: Network) -> NDArray[Any]:
        """Compute the code of one checked sample with as little overhead as possible."""
        singles = self._singles[network]
        try:
            plan, source, out = single = singles.pop()  # atomic: no other thread gets this one
        except IndexError:
            plan = Plan(network, self._target, 1, self._weights)
            plan, source, out = single = plan, np.empty_like(X), _new_codes(network, 1, self.bits)
            plan.bind(source, out)
        np.copyto(source, X)
        plan.run_bound()
        codes = out.copy()
        singles.append(single)
        return codes

    def _run_block(self, X: NDArray[Any], out: NDArray[Any], network: Network) -> None:
        start = 0
        for rows in (1,) if network.takes_images else _ROWS:
            stop = start + (len(X) - start) // rows * rows
            if stop > start:
                plan = self._borrow_plan(network, rows)
                plan.run(X[start:stop], out[start:stop])
                self._return_plan(network, plan)
            start = stop

    def _borrow_plan(self, network: Network, rows: int) -> Plan:
        """Return a plan that no other thread uses; all plans share the weights."""
        with self._lock:
            free = self._plans.setdefault((network, rows), [])
            return free.pop() if free else Plan(network, self._target, rows, self._weights)

    def _return_plan(self, network: Network, plan: Plan) -> None:
        with self._lock:
            self._plans[network, plan.n_rows].append(plan)

    def __getstate__(self) -> dict[str, Any]:
        return {"network": self.network, "n_jobs": self.n_jobs, "classes": self.classes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["network"], n_jobs=state["n_jobs"], classes=state.get("classes"))

    def __repr__(self) -> str:
        sample = " x ".join(map(str, self.input_shape))
        return f"PackedHasher(bits={self.bits}, input={sample}, target={self.target!r})"


def _new_codes(network: Network, n: int, bits: int) -> NDArray[Any]:
    if network.maps()[-1].kind == "real":
        return np.empty((n, bits), np.float32)
    return np.zeros((n, -(-bits // 64)), np.uint64)


def _can_pack(network: Network) -> bool:
    """Check whether a sign at the end leaves all weights unchanged, so that the last kernel can pack codes.

    After a binary convolution it would become a comparison of integers, for which filters may be negated.
    """
    operation = network.operations[-1]
    while isinstance(operation, (Affine, Clip, RPReLU)) and operation.sources[0]:
        operation = network.operations[operation.sources[0] - 1]
    return network.maps()[-1].n_pixels == 1 and isinstance(operation, (GlobalAvgPool, RealConv))
