"""The runtime's face: images or feature vectors in, hash codes out."""

import math
from numbers import Integral
from threading import Lock

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skhash.codes import binarize, pack_codes, unpack_codes
from skhash.runtime.codegen._targets import find_target
from skhash.runtime.compile._packed_weights import restore, without_weights
from skhash.runtime.compile._plan import Plan
from skhash.runtime.network._convolutions import RealConv
from skhash.runtime.network._elementwise import Affine, Clip, RPReLU, Sign
from skhash.runtime.network._network import Network
from skhash.runtime.network._pools import GlobalAvgPool

__all__ = ["PackedHasher"]

_ROWS = (64, 8, 1)  # feature vectors that a plan computes together
_BLOCK_ROWS = 512  # samples of a task, images much fewer
_BLOCK_IMAGES = 8


class PackedHasher:
    """A trained 1-bit network that computes hash codes on packed words, without torch.

    Codes do not depend on the batch, the number of threads or the processor: integer sums are exact, and sums of real
    numbers have one order.

    Parameters
    ----------
    network : Network
        The network.
    target : str, default=None
        Kernels to use: "vpopcntdq", "avx512" or "avx2" on x86, "generic" anywhere. None takes the fastest that this
        machine runs, and so does a hasher that comes out of a pickle.
    n_jobs : int, default=None
        Number of threads over blocks of samples; None means 1 unless in a `joblib.parallel_config` context, -1 all
        processors.

    Raises
    ------
    TypeError
        If `network` is no network.
    ValueError
        If `target` is unknown or does not run on this machine, or `n_jobs` is no number of threads.

    Attributes
    ----------
    network : Network
        What is computed; put together at every use.
    bits : int
        Code length.
    input_shape : tuple of int
        `(height, width, channels)` of images, or `(n_features,)`.
    target : str
        The kernels in use.

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

    def __init__(self, network, *, target=None, n_jobs=None):
        if not isinstance(network, Network):
            raise TypeError(
                f"network must be a skhash.runtime.Network, got {type(network).__name__}. (skhash.load_packed reads "
                "files, skhash.nn.binary.export_network takes torch modules.)"
            )
        if n_jobs is not None and not (isinstance(n_jobs, Integral) and n_jobs):
            raise ValueError(f"n_jobs must be None or an integer other than 0, got {n_jobs!r}.")
        self.n_jobs = n_jobs
        self._target = find_target(target)
        self._ends_real = network.maps()[-1].kind == "real"
        self._bits = network.bits
        self._weights, self._lock = {}, Lock()
        coder = network
        if self._ends_real and _can_pack(network):
            coder = Network(network.input_shape, [*network.operations, Sign(len(network.operations))])
        first = Plan(coder, self._target, 1, self._weights)  # lays all weights out
        operations = [without_weights(operation) for operation in coder.operations]
        self._coder = Network(network.input_shape, operations)
        self._network = self._coder
        if coder is not network:  # two ends of one network, on the same weights
            self._network = Network(network.input_shape, operations[:-1])
        self._plans, self._singles = {(self._coder, 1): [first]}, {self._network: [], self._coder: []}
        images = network.takes_images
        self._sample = (1, *network.input_shape), np.dtype(np.uint8 if images else np.float32), images

    @property
    def network(self):
        """What is computed."""
        operations = enumerate(self._network.operations)
        return Network(self.input_shape, [restore(op, self._weights.get(number)) for number, op in operations])

    @property
    def bits(self):
        """Code length."""
        return self._bits

    @property
    def input_shape(self):
        """Shape of one sample."""
        return self._network.input_shape

    @property
    def target(self):
        """Name of the kernels in use."""
        return self._target.name

    def transform(self, X):
        """Compute hash codes.

        Parameters
        ----------
        X : array-like
            uint8 images `(n, height, width, channels)`, `(n, channels, height, width)` or, with one channel,
            `(n, height, width)`; or feature vectors `(n, n_features)`.

        Returns
        -------
        codes : ndarray of uint8 of shape (n, bits)
            Bits, 0 or 1.
        """
        return unpack_codes(self.codes(X), self.bits)

    def codes(self, X):
        """Compute hash codes as packed words.

        Parameters
        ----------
        X : array-like
            As for `transform`.

        Returns
        -------
        packed : ndarray of uint64 of shape (n, ceil(bits / 64))
            Little-endian words, unused bits 0: what `HammingIndex` takes.
        """
        out = self._run(X, self._coder)
        return pack_codes(binarize(out)) if out.dtype == np.float32 else out

    def decision_function(self, X):
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
        out = self._run(X, self._network)
        if self._ends_real:
            return out
        return 2 * unpack_codes(out, self.bits).astype(np.float32) - 1

    def save(self, path):
        """Write the network to a file: 1 bit a binary weight, and the codes of a probe batch.

        Parameters
        ----------
        path : str or path-like
            The file. What was there before stays until the new file is whole.

        Raises
        ------
        FileNotFoundError, IsADirectoryError
            If there is no such folder, or the path is one.
        """
        from skhash.runtime._file import write

        write(path, self)

    def profile(self, X, n_rounds=5):
        """Time each kernel on one sample, alone and again and again: where the time goes.

        Parameters
        ----------
        X : array-like
            At least one sample, as for `transform`.
        n_rounds : int, default=5
            The best of so many rounds counts.

        Returns
        -------
        times : dict of str to float
            Microseconds of this thread's CPU time by operation: its number and name. An operation that was fused into
            an earlier one has no entry.
        """
        X = self._read(X)[:1]
        if not len(X):
            raise ValueError("X has no sample, but one is needed.")
        plan = self._take_plan(self._network, 1)
        times = plan.profile(X, self._new_codes(self._network, 1), n_rounds)
        self._give_back(self._network, plan)
        return times

    @property
    def weight_bytes(self):
        """Bytes of the weights of convolutions, as they are laid out in memory."""
        return sum(laid_out.tiles.nbytes for laid_out in self._weights.values())

    def _read(self, X):
        """Bring samples to C-contiguous arrays of the network's input shape."""
        X, shape = np.asarray(X), self.input_shape
        if not self._network.takes_images:
            if X.ndim != 2 or X.shape[1:] != shape:
                raise ValueError(f"X has shape {X.shape}, but this hasher takes features of shape (n, {shape[0]}).")
            if X.dtype.kind not in "fiub":
                raise ValueError(f"X has dtype {X.dtype}, expected numbers.")
            with np.errstate(over="ignore"):  # refused below
                X = np.ascontiguousarray(X, np.float32)
            if not np.isfinite(X).all():
                raise ValueError("X contains NaN, infinity or a value too large for dtype('float32').")
            return X
        height, width, channels = shape
        if X.dtype != np.uint8:
            raise ValueError(f"X has dtype {X.dtype}, but this hasher takes uint8 images with pixels from 0 to 255.")
        if channels == 1 and X.shape[1:] == (height, width):
            X = X[..., None]
        elif X.shape[1:] == (channels, height, width) != shape:
            X = np.moveaxis(X, 1, 3)
        if X.shape[1:] != shape:
            grey = f", (n, {height}, {width})" if channels == 1 else ""
            raise ValueError(
                f"X has shape {X.shape}, but this hasher takes images of shape (n, {height}, {width}, {channels})"
                f"{grey} or (n, {channels}, {height}, {width})."
            )
        return np.ascontiguousarray(X)

    def _run(self, X, network):
        """Codes as the network ends: float32 (n, bits) or packed words."""
        shape, dtype, images = self._sample
        if type(X) is np.ndarray and X.dtype is dtype and X.shape == shape and (images or _is_finite(X)):
            return self._run_single(X, network)
        X = self._read(X)
        out = self._new_codes(network, len(X))
        size = _BLOCK_IMAGES if network.takes_images else _BLOCK_ROWS
        n_jobs = 1 if len(X) <= size else min(effective_n_jobs(self.n_jobs), -(-len(X) // size))
        if n_jobs == 1:
            self._run_block(X, out, network)
        else:
            size = max(size, -(-len(X) // (4 * n_jobs)))
            parts = [slice(start, start + size) for start in range(0, len(X), size)]
            run = delayed(self._run_block)
            Parallel(n_jobs=n_jobs, require="sharedmem")(run(X[part], out[part], network) for part in parts)
        return out

    def _run_single(self, X, network):
        """The same for one sample that has been checked, with as little around it as can be."""
        singles = self._singles[network]
        try:
            plan, source, out = single = singles.pop()  # which no other thread then has
        except IndexError:
            plan = Plan(network, self._target, 1, self._weights)
            plan, source, out = single = plan, np.empty_like(X), self._new_codes(network, 1)
            plan.bind(source, out)
        np.copyto(source, X)
        plan.run_bound()
        codes = out.copy()
        singles.append(single)
        return codes

    def _new_codes(self, network, n):
        if network.maps()[-1].kind == "real":
            return np.empty((n, self.bits), np.float32)
        return np.zeros((n, -(-self.bits // 64)), np.uint64)

    def _run_block(self, X, out, network):
        start = 0
        for rows in (1,) if network.takes_images else _ROWS:
            stop = start + (len(X) - start) // rows * rows
            if stop > start:
                plan = self._take_plan(network, rows)
                plan.run(X[start:stop], out[start:stop])
                self._give_back(network, plan)
            start = stop

    def _take_plan(self, network, rows):
        """A plan that no other thread uses; they share the weights."""
        with self._lock:
            free = self._plans.setdefault((network, rows), [])
            return free.pop() if free else Plan(network, self._target, rows, self._weights)

    def _give_back(self, network, plan):
        with self._lock:
            self._plans[network, plan.n_rows].append(plan)

    def __getstate__(self):
        return {"network": self.network, "n_jobs": self.n_jobs}

    def __setstate__(self, state):
        self.__init__(state["network"], n_jobs=state["n_jobs"])

    def __repr__(self):
        sample = " x ".join(map(str, self.input_shape))
        return f"PackedHasher(bits={self.bits}, input={sample}, target={self.target!r})"


def _can_pack(network):
    """Whether a sign at the end leaves all weights as they are, so that the last kernel can pack codes.

    Behind a binary convolution it would become a comparison of integers, for which filters may be negated.
    """
    operation = network.operations[-1]
    while isinstance(operation, (Affine, Clip, RPReLU)) and operation.sources[0]:
        operation = network.operations[operation.sources[0] - 1]
    return network.maps()[-1].n_pixels == 1 and isinstance(operation, (GlobalAvgPool, RealConv))


def _is_finite(X):
    """Whether a sum of squares is finite: quicker than to look at every number; large numbers are false alarms."""
    return math.isfinite(np.vdot(X, X))
