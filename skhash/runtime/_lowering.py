"""From operations to jobs: which kernel does what, on which buffers, and which operations it does along the way."""

from dataclasses import replace
from functools import singledispatchmethod

import numpy as np

from skhash.runtime import _layout as layout
from skhash.runtime._fusion import Chain, find_threshold, follow
from skhash.runtime._kernels import Kernel, compile_kernel
from skhash.runtime._memory import Memory
from skhash.runtime._operations import (
    Add,
    Affine,
    AvgPool,
    BinaryConv,
    Clip,
    Concat,
    GlobalAvgPool,
    Int8Conv,
    Lookup,
    MaxPool,
    Operation,
    RealConv,
    RPReLU,
    Sign,
    SignsToReal,
)

__all__ = ["Lowering"]

_VECTORS = 2  # vectors of channels of a tile
_CALLER = -1  # number of the operation that reads the code


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
    weights : dict
        Laid-out weights that other plans of the same network and target made; filled as needed.

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
    """

    def __init__(self, network, target, n_rows, weights):
        self.network, self.target, self.n_rows, self._weights = network, target, n_rows, weights
        self.maps = [replace(map_, width=map_.width * n_rows) for map_ in network.maps()]
        self.memory, self.jobs, self.names, self.kept = Memory(), [], [], []
        self._places = {}
        self._users = {value: [] for value in range(len(self.maps))}
        for number, operation in enumerate(network.operations):
            for source in dict.fromkeys(operation.sources):
                self._users[source].append(number)
        self._users[len(network.operations)].append(_CALLER)
        self._waiting = {value: set(users) for value, users in self._users.items()}

    def lower(self):
        """Make all jobs."""
        self._read_input()
        done = set()
        for number, operation in enumerate(self.network.operations):
            if number in done:
                continue
            now = {number} | (self._lower(operation, number) or set())
            done |= now
            for value, waiting in self._waiting.items():
                if waiting and waiting <= now:
                    if value in self._places:
                        self.memory.release(self._places[value])
                waiting -= now
        self._write_output()

    def _read_input(self):
        """Copy the input to where it can be read beyond its ends."""
        map_ = self.maps[0]
        if self.network.takes_images:
            border = max((op.padding for op in self.network.operations if isinstance(op, Int8Conv)), default=0)
            place = self.memory.bordered(map_, map_.channels, border, 128)
            self._copy("input", map_.height, map_.width * map_.channels, out=place.address, out_stride=place.row_bytes)
        else:
            place = self.memory.real(map_)
            size = 4 * map_.channels
            self._copy("input", map_.n_pixels, size, out=place.address, out_stride=place.pixel_bytes)
        self._places[0] = place

    def _write_output(self):
        map_, place = self.maps[-1], self._places[len(self.network.operations)]
        size = 4 * map_.channels if map_.kind == "real" else -(-map_.channels // 8)
        self._copy("output", map_.n_pixels, size, source=place.address, source_stride=place.pixel_bytes)

    def _copy(self, name, n_rows, size, source_stride=None, out_stride=None, **fields):
        strides = {"source_stride": source_stride or size, "out_stride": out_stride or size}
        self._add_job(name, Kernel("copy"), n_tiles=n_rows, n_taps=size, **strides, **fields)

    def _add_job(self, name, kernel, **fields):
        job = {"kernel": compile_kernel(self.target, kernel)}
        for field, value in fields.items():
            if isinstance(value, np.ndarray):
                self.kept.append(value)
                value = value.ctypes.data
            job[field] = value
        self.jobs.append(job)
        self.names.append(name)

    def _laid_out(self, number, make):
        if number not in self._weights:
            self._weights[number] = make()
        return self._weights[number]

    # What follows a sum

    def _chain(self, value, chain=None, start=None):
        chain = chain or Chain(self.maps[value].channels)
        available = {v for v in self._places if self.maps[v].kind == "real"}
        follow(chain, value, self.network, self._users, available)
        return chain

    def _fields(self, chain):
        """Fields of a job for a chain; gives places to what it writes."""
        fields = {}
        if chain.rows:
            parameters = layout.kept(chain.parameters(), np.float32)
            fields |= {"parameters": parameters, "parameter_stride": parameters.strides[0]}
        if chain.residual is not None:
            place = self._places[chain.residual]
            fields |= {"residual": place.address, "residual_stride": place.pixel_bytes}
        if chain.stored is not None:
            place = self._places[chain.stored] = self._place_of_result(chain)
            fields |= {"out": place.address, "out_stride": place.pixel_bytes}
        if chain.signed is not None:
            fields |= self._signs(chain.signed)
        return fields

    def _place_of_result(self, chain):
        """The residual's own place if nothing else needs it: each number is read before it is overwritten."""
        if chain.residual is not None and self._waiting[chain.residual] <= chain.done:
            place = self._places[chain.residual]
            if place.key[0] == "real":
                self._waiting[chain.residual] = set()  # the place is given back by its new value only
                return place
        return self.memory.real(self.maps[chain.stored])

    def _signs(self, value):
        map_ = self.maps[value]
        readers = [self.network.operations[number] for number in self._users[value] if number != _CALLER]
        border = max((getattr(reader, "padding", 0) for reader in readers), default=0)
        place = self._places[value] = self.memory.signs(map_, border)
        offsets = layout.bit_offsets(map_.height, map_.width, map_.channels, border)
        return {"bits": place.buffer, "bit_offsets": offsets}

    # Convolutions

    def _convolve(self, number, kind, chain, out, window, weights, **fields):
        """Add a job of tiles."""
        pixels, n_tiles, tail = split_pixels(out.n_pixels, self.target.pixels)
        kernel = Kernel(kind, tuple(chain.steps), pixels, tail, _VECTORS)
        fields |= {"n_tiles": n_tiles, "n_blocks": layout.padded(out.channels) // self._block, "weights": weights}
        fields |= {"window": window[0], "taps": window[1], "n_taps": len(window[1])}
        self._add_job(self._name(number), kernel, **self._fields(chain), **fields)

    def _name(self, number):
        return f"{number} {type(self.network.operations[number]).__name__}"

    @property
    def _block(self):
        return self.target.lanes * _VECTORS

    def _check_rows(self, operation, kernel):
        if self.n_rows > 1 and (tuple(kernel) != (1, 1) or operation.stride != 1 or operation.padding):
            raise ValueError(f"{type(operation).__name__} with a window on feature vectors; expected kernel (1, 1).")

    @singledispatchmethod
    def _lower(self, operation: Operation, number):
        """Add the jobs of an operation and of what is fused with it; give the numbers of what else was done."""
        raise NotImplementedError(type(operation).__name__)

    @_lower.register
    def _(self, op: BinaryConv, number):
        self._check_rows(op, op.kernel)
        source, out, place = self.maps[op.sources[0]], self.maps[number + 1], self._places[op.sources[0]]
        threshold = find_threshold(self.network, number, self._users)
        sign_of_filter = 1
        if threshold is None:
            chain = self._chain(number + 1)
        else:
            chain = Chain(out.channels, ["threshold"], [threshold.row], set(threshold.done))
            sign_of_filter = threshold.negated
        weights, base, cases = self._laid_out(number, lambda: self._binary_weights(op, source, out, sign_of_filter))
        if cases is None:
            cases = layout.kept(np.zeros(out.n_pixels), np.int32)
        kernel = op.kernel
        start = -op.padding * (place.row_bytes + place.pixel_bytes)
        words = layout.padded(source.channels) // 32
        window = layout.convolution_window(
            (out.height, out.width), kernel, op.stride, place.row_bytes, place.pixel_bytes, (words, 4), start
        )
        unpooled = None
        if threshold is not None and threshold.pool is None:
            chain.signed = threshold.value
        elif threshold is not None:
            unpooled = self.memory.signs(out, 0)
        extra = {}
        if unpooled is not None:
            offsets = layout.bit_offsets(out.height, out.width, out.channels, 0)
            extra = {"bits": unpooled.buffer, "bit_offsets": offsets}
        self._convolve(number, "binary", chain, out, window, weights, base=base, cases=cases, source=place.address, **extra)
        if unpooled is not None:
            self._pool_bits(number, threshold, out, unpooled)
            self.memory.release(unpooled)
        return chain.done

    def _binary_weights(self, op, source, out, sign_of_filter):
        signs = op.signs() * np.asarray(sign_of_filter, np.int8)[..., None, None, None]
        size, out_size = (source.height, source.width), (out.height, out.width)
        if self.n_rows > 1:
            size = out_size = (1, 1)
        base, cases = layout.base_rows(signs, size, out_size, op.stride, op.padding, op.padding_value)
        return layout.tile_binary(signs, self._block), base, cases if len(base) > 1 else None

    def _pool_bits(self, number, threshold, map_, place):
        pool = threshold.pool
        out = self.maps[threshold.value]
        window, taps, cases = layout.pool_window(
            (map_.height, map_.width), (out.height, out.width), tuple(pool.kernel), pool.stride, pool.padding,
            place.row_bytes, place.pixel_bytes,
        )
        flips = np.packbits(layout.channel_row(threshold.flips, map_.channels), bitorder="little").view("<u4")
        self._add_job(
            self._name(number) + " bit pool", Kernel("bit_or"),
            source=place.address, window=window, taps=taps, cases=cases,
            n_tiles=out.n_pixels, n_blocks=len(flips), parameters=layout.kept(flips, np.uint32),
            **self._signs(threshold.value),
        )

    @_lower.register
    def _(self, op: Int8Conv, number):
        source, out, place = self.maps[0], self.maps[number + 1], self._places[op.sources[0]]
        chain = self._chain(number + 1)
        kernel = op.weight.shape[1:3]
        if not self.target.multiplies_bytes:
            table = np.broadcast_to(np.arange(256, dtype=np.float32) - 128, (source.channels, 256))
            bordered = self._look_up(number, source, place, table, op.padding)
            weights = self._laid_out(number, lambda: layout.tile_floats(op.weight, self._block))
            self._real_tiles(number, op, chain, source, out, bordered, weights)
            self.memory.release(bordered)
            return chain.done
        weights, base = self._laid_out(number, lambda: self._byte_weights(op))
        n_words = -(-kernel[1] * source.channels // 4)
        start = -op.padding * (place.row_bytes + place.pixel_bytes)
        window = layout.convolution_window(
            (out.height, out.width), (kernel[0], 1), op.stride, place.row_bytes, place.pixel_bytes, (n_words, 4), start
        )
        cases = layout.kept(np.zeros(out.n_pixels), np.int32)
        self._convolve(number, "int8", chain, out, window, weights, base=base, cases=cases, source=place.address)
        return chain.done

    def _byte_weights(self, op):
        sums = -128 * op.weight.reshape(len(op.weight), -1).sum(axis=1, dtype=np.int32)
        return layout.tile_bytes(op.weight, self._block), layout.kept(layout.channel_row(sums, len(sums)), np.int32)

    @_lower.register
    def _(self, op: Lookup, number):
        readers = [self.network.operations[n] for n in self._users[number + 1] if n != _CALLER]
        border = max((reader.padding for reader in readers if isinstance(reader, RealConv)), default=0)
        source, place = self.maps[0], self._places[op.sources[0]]
        self._places[number + 1] = self._look_up(number, source, place, op.table, border)

    def _look_up(self, number, map_, place, table, border):
        out = self.memory.bordered(map_, 4 * map_.channels, border, 0)
        table = layout.kept(np.ascontiguousarray(table.T), np.float32)
        self._add_job(
            self._name(number) + " look up", Kernel("lookup"),
            source=place.address, source_stride=place.row_bytes, out=out.address, out_stride=out.row_bytes,
            n_tiles=map_.height, n_taps=map_.width, n_blocks=map_.channels,
            parameters=table, parameter_stride=4 * map_.channels,
        )
        return out

    @_lower.register
    def _(self, op: RealConv, number):
        self._check_rows(op, op.weight.shape[1:3])
        source, out, place = self.maps[op.sources[0]], self.maps[number + 1], self._places[op.sources[0]]
        chain = self._chain(number + 1)
        weights = self._laid_out(number, lambda: layout.tile_floats(op.weight, self._block))
        bordered = None
        if place.border < op.padding:
            bordered = self.memory.bordered(source, place.pixel_bytes, op.padding, 0)
            self._copy(
                self._name(number) + " border", source.height, source.width * place.pixel_bytes, place.row_bytes,
                bordered.row_bytes, source=place.address, out=bordered.address,
            )
        self._real_tiles(number, op, chain, source, out, bordered or place, weights)
        if bordered:
            self.memory.release(bordered)
        return chain.done

    def _real_tiles(self, number, op, chain, source, out, place, weights):
        start = -op.padding * (place.row_bytes + place.pixel_bytes)
        window = layout.convolution_window(
            (out.height, out.width), op.weight.shape[1:3], op.stride, place.row_bytes, place.pixel_bytes,
            (source.channels, 4), start,
        )
        self._convolve(number, "real", chain, out, window, weights, source=place.address)

    # Pools and what is not fused

    def _pool(self, number, kind, value, chain, out, kernel=(1, 1), stride=1, padding=0):
        """Add a job that combines the values of windows."""
        map_, place = self.maps[value], self._places[value]
        window, taps, cases = layout.pool_window(
            (map_.height, map_.width), (out.height, out.width), tuple(kernel), stride, padding,
            place.row_bytes, place.pixel_bytes,
        )
        self._add_job(
            self._name(number), Kernel(kind, tuple(chain.steps)),
            source=place.address, window=window, taps=taps, cases=cases,
            n_tiles=out.n_pixels, n_blocks=layout.padded(out.channels) // self.target.lanes, **self._fields(chain),
        )
        return chain.done

    @_lower.register
    def _(self, op: MaxPool, number):
        kind = "max_integers" if self.maps[number + 1].kind == "integer" else "max"
        out = self.maps[number + 1]
        return self._pool(
            number, kind, op.sources[0], self._chain(number + 1), out, op.kernel, op.stride, op.padding
        )

    @_lower.register
    def _(self, op: AvgPool, number):
        chain = self._chain(number + 1)
        return self._pool(number, "mean", op.sources[0], chain, self.maps[number + 1], op.kernel, op.stride)

    @_lower.register
    def _(self, op: GlobalAvgPool, number):
        map_ = self.maps[op.sources[0]]
        chain = self._chain(number + 1)
        return self._pool(number, "mean", op.sources[0], chain, self.maps[number + 1], (map_.height, map_.width))

    @_lower.register
    def _(self, op: SignsToReal, number):
        return self._pool(number, "unpack", op.sources[0], self._chain(number + 1), self.maps[number + 1])

    @_lower.register(Affine)
    @_lower.register(RPReLU)
    @_lower.register(Clip)
    @_lower.register(Add)
    @_lower.register(Sign)
    def _(self, op, number):
        value, map_ = op.sources[0], self.maps[number + 1]
        chain = Chain(map_.channels)
        if isinstance(op, Sign):
            chain.sign(number, op)
        else:
            chain.apply(number, op, value)
            self._chain(number + 1, chain)
        kind = "max_integers" if self.maps[value].kind == "integer" else "max"
        return self._pool(number, kind, value, chain, map_)

    @_lower.register
    def _(self, op: Concat, number):
        out = self._places[number + 1] = self.memory.real(self.maps[number + 1])
        address = out.address
        for value in op.sources:
            map_, place = self.maps[value], self._places[value]
            self._copy(
                self._name(number), map_.n_pixels, 4 * map_.channels, place.pixel_bytes, out.pixel_bytes,
                source=place.address, out=address,
            )
            address += 4 * map_.channels


def split_pixels(n_pixels, most):
    """Cut pixels into tiles of nearly `most` pixels: `(pixels, n_tiles, tail)`."""
    for pixels in (most, most - 1):
        if pixels and n_pixels % pixels == 0:
            return pixels, n_pixels // pixels, 0
    n_tiles = -(-n_pixels // most)
    pixels = -(-n_pixels // n_tiles)
    return pixels, n_pixels // pixels, n_pixels % pixels
