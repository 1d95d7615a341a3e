"""From operations to jobs: which kernel does what, on which buffers, and which operations it does along the way."""

from dataclasses import replace

import numpy as np

from skhash.runtime.codegen._kernels import Kernel, compile_kernel
from skhash.runtime.compile import _layout as layout
from skhash.runtime.compile import _lower_convolutions as convolutions
from skhash.runtime.compile import _lower_others as others
from skhash.runtime.compile._buffers import Memory
from skhash.runtime.compile._fusion import Chain, follow
from skhash.runtime.network._convolutions import BinaryConv, Int8Conv, Lookup, RealConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, Concat, RPReLU, Sign, SignsToReal
from skhash.runtime.network._pools import AvgPool, GlobalAvgPool, MaxPool

__all__ = ["CALLER", "Lowering"]

CALLER = -1  # number of the operation that reads the code
_RULES = {
    BinaryConv: convolutions.lower_binary,
    Int8Conv: convolutions.lower_int8,
    Lookup: convolutions.lower_lookup,
    RealConv: convolutions.lower_real,
    MaxPool: others.lower_max_pool,
    AvgPool: others.lower_mean,
    GlobalAvgPool: others.lower_mean_of_all,
    Concat: others.lower_concat,
    SignsToReal: others.lower_signs_to_real,
    **dict.fromkeys((Affine, RPReLU, Clip, Add, Sign), others.lower_elementwise),
}


class Lowering:
    """Turns a network into jobs.

    Parameters
    ----------
    network : Network
        What to compute.
    target : Target
        For which kernels.
    n_rows : int
        Feature vectors that lie side by side as the pixels of one map.
    weights : dict of int to LaidOut
        Weights by operation that other plans of the same network and target laid out; filled as needed.

    Attributes
    ----------
    jobs : list of dict
        Fields of the jobs, in order. The first reads the input, the last writes the code.
    names : list of str
        What each job does.
    memory : Memory
        The buffers.
    kept : list of ndarray
        Everything else that jobs point to.
    maps, places, users : list of Map, dict of int to Place, dict of int to list of int
        By value: its shape, where it lies, and the operations that read it.
    """

    def __init__(self, network, target, n_rows, weights):
        self.network, self.target, self.n_rows, self._weights = network, target, n_rows, weights
        self.maps = [replace(map_, width=map_.width * n_rows) for map_ in network.maps()]
        self.memory, self.jobs, self.names, self.kept, self.places = Memory(), [], [], [], {}
        self.users = {value: [] for value in range(len(self.maps))}
        for number, operation in enumerate(network.operations):
            for source in dict.fromkeys(operation.sources):
                self.users[source].append(number)
        self.users[len(network.operations)].append(CALLER)
        self._waiting = {value: set(users) for value, users in self.users.items()}

    def lower(self):
        """Make all jobs."""
        self._read_input()
        done = set()
        for number, operation in enumerate(self.network.operations):
            if number not in done:
                now = {number} | set(_RULES[type(operation)](self, operation, number))
                done |= now
                self._finish(now)
        self._write_output()

    def _finish(self, done):
        """Take back the places of values that nobody waits for any more."""
        for value, waiting in self._waiting.items():
            if waiting and waiting <= done and value in self.places:
                self.memory.release(self.places[value])
            waiting -= done

    def _read_input(self):
        """Copy the input to where it can be read beyond its ends."""
        map_ = self.maps[0]
        if self.network.takes_images:
            border = self.padding_of_readers(0)
            place = self.memory.bordered(map_, map_.channels, border, 128)
            self.copy("input", map_.height, map_.width * map_.channels, out=place.address, out_stride=place.row_bytes)
        else:
            place = self.memory.real(map_)
            size = 4 * map_.channels
            self.copy("input", map_.n_pixels, size, out=place.address, out_stride=place.pixel_bytes)
        self.places[0] = place

    def _write_output(self):
        map_, place = self.maps[-1], self.places[len(self.network.operations)]
        if map_.kind == "real":
            size = row = 4 * map_.channels
        else:
            size, row = -(-map_.channels // 8), 8 * -(-map_.channels // 64)  # a caller's words, of which the rest is 0
        fields = {"source": place.address, "source_stride": place.pixel_bytes}
        self.copy("output", map_.n_pixels, size, out_stride=row, **fields)

    def copy(self, name, n_rows, size, source_stride=None, out_stride=None, **fields):
        """Add a job that copies rows of bytes."""
        strides = {"source_stride": source_stride or size, "out_stride": out_stride or size}
        self.add_job(name, Kernel("copy"), n_tiles=n_rows, n_taps=size, **strides, **fields)

    def add_job(self, name, kernel, **fields):
        """Add a job; arrays among the fields are kept, and the job gets their addresses."""
        job = {"kernel": compile_kernel(self.target, kernel)}
        for field, value in fields.items():
            if isinstance(value, np.ndarray):
                self.kept.append(value)
                value = value.ctypes.data
            job[field] = value
        self.jobs.append(job)
        self.names.append(name)

    def name(self, number):
        """What to call the jobs of an operation."""
        return f"{number} {type(self.network.operations[number]).__name__}"

    def refuse_windows(self, operation, kernel, stride, padding):
        """Refuse windows on feature vectors: several of them lie side by side."""
        if not self.network.takes_images and (tuple(kernel), stride, padding) != ((1, 1), 1, 0):
            raise ValueError(
                f"{type(operation).__name__}: feature vectors have no windows; expected kernel (1, 1), stride 1 and no "
                f"padding, got {tuple(kernel)}, {stride} and {padding}."
            )

    def padding_of_readers(self, value):
        """Width of the border that the operations which read a value want."""
        readers = [self.network.operations[number] for number in self.users[value] if number != CALLER]
        return max((getattr(reader, "padding", 0) for reader in readers), default=0)

    def laid_out(self, number, make):
        """Weights of an operation, laid out at most once for all plans."""
        if number not in self._weights:
            self._weights[number] = make()
        return self._weights[number]

    def chain_from(self, value, chain=None):
        """What one kernel can do from a value on; see `follow`."""
        chain = chain or Chain(self.maps[value].channels)
        available = {v for v in self.places if self.maps[v].kind == "real"}
        follow(chain, value, self.network, self.users, available)
        return chain

    def pool_that_streams(self, chain, out):
        """Number of the max pool that alone reads what a chain stores, if it is worth not to keep the whole map."""
        if chain.stored is None or chain.signed is not None or chain.residual is not None:
            return None
        readers = self.users[chain.stored]
        if len(readers) != 1 or readers[0] == CALLER or self.maps[chain.stored].kind != "real":
            return None
        pool = self.network.operations[readers[0]]
        return readers[0] if isinstance(pool, MaxPool) and pool.kernel[0] < out.height else None

    def fields(self, chain):
        """Fields of a job for a chain; gives places to what it writes."""
        fields = {}
        if chain.rows:
            parameters = layout.kept(chain.parameters(), np.float32)
            fields |= {"parameters": parameters, "parameter_stride": parameters.strides[0]}
        if chain.residual is not None:
            place = self.places[chain.residual]
            fields |= {"residual": place.address, "residual_stride": place.pixel_bytes}
        if chain.stored is not None:
            place = self.places[chain.stored] = self._place_of_result(chain)
            fields |= {"out": place.address, "out_stride": place.pixel_bytes}
        if chain.signed is not None:
            fields |= self.sign_fields(chain.signed)
        return fields

    def sign_fields(self, value):
        """Give a place to signs, with the border that their readers want."""
        map_, border = self.maps[value], self.padding_of_readers(value)
        place = self.places[value] = self.memory.signs(map_, border)
        offsets = layout.bit_offsets(map_.height, map_.width, map_.channels, border)
        return {"bits": place.buffer.ctypes.data, "bit_offsets": offsets}

    def _place_of_result(self, chain):
        """The residual's own place if nothing else needs it: each number is read before it is overwritten."""
        if chain.residual is not None and self._waiting[chain.residual] <= chain.done:
            place = self.places[chain.residual]
            if place.key[0] == "real":
                self._waiting[chain.residual] = set()  # the place is given back by its new value only
                return place
        return self.memory.real(self.maps[chain.stored])
