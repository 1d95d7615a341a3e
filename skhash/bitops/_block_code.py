"""The innermost loops over codes, as LLVM code that is compiled once per process and width.

A block is 64 codes, a group is `LANES` of them. Codes lie in rows, as in memory, or word by word in a tile, one lane
per code. Codes of 1, 2, 4 or 8 words have loops of their own, in which the loop over words is unrolled; short and long
codes of other widths share one each.

numba would take seconds for these loops, and again for each width. LLVM alone takes some hundredths of a second, so
that nothing need be cached on disk. See `_blocks` for what the functions do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba.core import cgutils

from skhash.bitops._lanes import LANES, VECTOR, WORD, call_intrinsic, emit_smaller, splat_vector, unzip

__all__ = ["BLOCK", "BlockCode", "block_code", "compile_code", "emit_compressed", "member_code"]

BLOCK: int = 64  # codes: one bit of a word each
_UNROLLED = (1, 2, 4, 8)  # words of a code
_SHORT, _LONG = 0, -1  # other widths: codes are read side by side, or one by one
_MOST_GROUPED = 4  # words of a code: members of a bucket are compared in groups
_MOST_SHORT = 16  # words of a code
_GROUP = 4  # queries that share each load of codes
_POINTER = WORD.as_pointer()
_ZEROS = ir.Constant(VECTOR, [0] * LANES)
_FAR = ir.Constant(VECTOR, [2**32 - 1] * LANES)  # beyond any distance
_INDEX = ir.Constant(VECTOR, list(range(LANES)))


def _at(builder: ir.IRBuilder, words: Any, position: Any) -> Any:
    """Generate a pointer to the vector at a position."""
    return builder.bitcast(builder.gep(words, [position]), VECTOR.as_pointer())


def _read(builder: ir.IRBuilder, words: Any, position: Any, mask: Any = None) -> Any:
    """Generate a load of lanes; those that the mask leaves out are not read, and are 0."""
    pointer = _at(builder, words, position)
    if mask is None:
        return builder.load(pointer, align=8)
    function_type = ir.FunctionType(VECTOR, [pointer.type, ir.IntType(32), mask.type, VECTOR])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.masked.load.v{LANES}i64.p0")
    return builder.call(function, (pointer, ir.IntType(32)(8), mask, _ZEROS))


def _variable(builder: ir.IRBuilder, value: Any) -> Any:
    """Generate a variable with an initial value, which LLVM keeps in a register."""
    variable = cgutils.alloca_once(builder, value.type)
    builder.store(value, variable)
    return variable


def _add_to(builder: ir.IRBuilder, variable: Any, value: Any) -> None:
    """Generate an addition to a variable."""
    builder.store(builder.add(builder.load(variable), value), variable)


def _for_word_groups(builder: ir.IRBuilder, n_words: Any, generate: Callable[[Any, Any], None]) -> None:
    """Generate a loop over groups of words, the last of which may be partial.

    `generate` gets the first word and the mask of lanes, None for all.
    """
    n_whole = builder.and_(n_words, WORD(-LANES))
    with cgutils.for_range_slice(builder, WORD(0), n_whole, WORD(LANES)) as (first, _):
        generate(first, None)
    with builder.if_then(builder.icmp_unsigned("<", n_whole, n_words)):
        left = splat_vector(builder, VECTOR, builder.sub(n_words, n_whole))
        generate(n_whole, builder.icmp_unsigned("<", _INDEX, left))


def _differing(builder: ir.IRBuilder, a: Any, b: Any) -> Any:
    """Generate the number of bits in which each two lanes differ."""
    return call_intrinsic(builder, f"llvm.ctpop.v{LANES}i64", builder.xor(a, b))


def _add_neighbors(builder: ir.IRBuilder, vectors: list[Any]) -> Any:
    """Generate the sums of as many consecutive lanes as there are vectors, 2**p, as one vector."""
    even, odd = (
        ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(range(parity, 2 * LANES, 2))) for parity in (0, 1)
    )
    while len(vectors) > 1:
        vectors = [
            builder.add(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def _row_distances(builder: ir.IRBuilder, first: Any, n_words: Any, pattern: Any, width: int) -> Any:
    """Generate the distances of a group of codes in rows to a query, as lanes.

    The pattern is the query, repeated to eight words for an unrolled width, else padded with zeros to a multiple.
    """
    if width > 0:
        query = _read(builder, pattern, WORD(0))
        read = (_read(builder, first, WORD(LANES * j)) for j in range(width))
        return _add_neighbors(builder, [_differing(builder, lanes, query) for lanes in read])
    totals = [_variable(builder, _ZEROS) for _ in range(LANES)]
    starts = [builder.mul(n_words, WORD(i)) for i in range(LANES)]

    def add_group_of(codes: Sequence[int]) -> Callable[[Any, Any], None]:
        def add_group(group: Any, mask: Any) -> None:
            query = _read(builder, pattern, group)
            for i in codes:
                code = _read(builder, first, builder.add(starts[i], group), mask)
                _add_to(builder, totals[i], _differing(builder, code, query))

        return add_group

    # Codes side by side share the loads of the query; long ones are read one by one, as memory streams best.
    for codes in [range(LANES)] if width == _SHORT else [[i] for i in range(LANES)]:
        _for_word_groups(builder, n_words, add_group_of(codes))
    return _add_neighbors(builder, [builder.load(total) for total in totals])


def _for_groups(builder: ir.IRBuilder, width: int, generate: Callable[[Any], None]) -> None:
    """Generate code for each group of a block: a loop around the loops over words, else one after the other."""
    if width > 0:
        for j in range(BLOCK // LANES):
            generate(WORD(j))
        return
    with cgutils.for_range(builder, WORD(BLOCK // LANES)) as loop:
        generate(loop.index)


def _any_below(builder: ir.IRBuilder, nearest: Any, limit: Any) -> Any:
    """Generate whether any lane is below those of the limit, as one bit."""
    bits = builder.bitcast(builder.icmp_unsigned("<", nearest, limit), ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.IntType(LANES)(0))


def _filter_rows(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `filter_rows`."""
    codes, n_words, n_blocks, pattern, limit, found, label = args
    count, limits = _variable(b, WORD(0)), splat_vector(b, VECTOR, limit)
    step = b.mul(n_words, WORD(LANES))
    with cgutils.for_range(b, n_blocks) as loop:
        nearest, first = _variable(b, _FAR), b.mul(loop.index, b.mul(n_words, WORD(BLOCK)))

        def compare(j: Any, nearest: Any = nearest, first: Any = first) -> None:
            group = b.gep(codes, [b.add(first, b.mul(step, j))])
            distances = _row_distances(b, group, n_words, pattern, width)
            b.store(emit_smaller(b, b.load(nearest), distances), nearest)

        _for_groups(b, width, compare)
        # Each block is written, and overwritten by the next one unless it counts: that needs no branch.
        b.store(b.add(label, b.mul(loop.index, WORD(BLOCK))), b.gep(found, [b.load(count)]))
        _add_to(b, count, b.zext(_any_below(b, b.load(nearest), limits), WORD))
    b.ret(b.load(count))


def _filter_tile(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `filter_tile`."""
    tile, stride, n_words, n_blocks, patterns, length, limits, found, label, label_step = args
    count = _variable(b, WORD(0))
    queries = [b.gep(patterns, [b.mul(length, WORD(i))]) for i in range(_GROUP)]
    bounds = [splat_vector(b, VECTOR, b.load(b.gep(limits, [WORD(i)]))) for i in range(_GROUP)]
    labels = [b.add(label, b.mul(label_step, WORD(i))) for i in range(_GROUP)]

    def add_word(totals: list[Any], w: Any, position: Any) -> list[Any]:
        codes = _read(b, tile, b.add(b.mul(stride, w), position))
        words = (splat_vector(b, VECTOR, b.load(b.gep(query, [w]))) for query in queries)
        return [b.add(total, _differing(b, codes, word)) for total, word in zip(totals, words, strict=True)]

    with cgutils.for_range(b, n_blocks) as loop:
        start = b.mul(loop.index, WORD(BLOCK))
        nearest = [_FAR] * _GROUP
        for j in range(0, BLOCK, LANES):
            position = b.add(start, WORD(j))
            if width > 0:
                totals = [_ZEROS] * _GROUP
                for w in range(width):
                    totals = add_word(totals, WORD(w), position)
            else:
                sums = [_variable(b, _ZEROS) for _ in range(_GROUP)]
                with cgutils.for_range(b, n_words) as words:
                    for total, sum_ in zip(
                        add_word([b.load(sum_) for sum_ in sums], words.index, position), sums, strict=True
                    ):
                        b.store(total, sum_)
                totals = [b.load(sum_) for sum_ in sums]
            nearest = [emit_smaller(b, *pair) for pair in zip(nearest, totals, strict=True)]
        hits = [_any_below(b, *pair) for pair in zip(nearest, bounds, strict=True)]
        with b.if_then(b.or_(b.or_(hits[0], hits[1]), b.or_(hits[2], hits[3])), likely=False):
            for hit, first in zip(hits, labels, strict=True):
                b.store(b.add(first, start), b.gep(found, [b.load(count)]))
                _add_to(b, count, b.zext(hit, WORD))
    b.ret(b.load(count))


def emit_compressed(b: ir.IRBuilder, values: Any, mask: Any, found: Any, count: Any) -> None:
    """Generate a store of the lanes under a mask at element `count`, a variable that is advanced."""
    name, undefined = f"llvm.experimental.vector.compress.v{LANES}i64", ir.Constant(VECTOR, ir.Undefined)
    b.store(call_intrinsic(b, name, values, mask, undefined), _at(b, found, b.load(count)), align=8)
    n_hits = call_intrinsic(b, f"llvm.ctpop.i{LANES}", b.bitcast(mask, ir.IntType(LANES)))
    _add_to(b, count, b.zext(n_hits, WORD))


def _append_hits(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `append_hits`."""
    found, codes, n_words, pattern, limit, allowed, row, shift = args
    count, limits = _variable(b, WORD(0)), splat_vector(b, VECTOR, limit)
    step, shifts = b.mul(n_words, WORD(LANES)), splat_vector(b, VECTOR, shift)

    def append(j: Any) -> None:
        distances = _row_distances(b, b.gep(codes, [b.mul(step, j)]), n_words, pattern, width)
        below = b.icmp_unsigned("<", distances, limits)
        bits: Any = b.trunc(b.lshr(allowed, b.mul(j, WORD(LANES))), ir.IntType(LANES))
        mask = b.and_(below, b.bitcast(bits, below.type))
        rows = b.add(splat_vector(b, VECTOR, b.add(row, b.mul(j, WORD(LANES)))), _INDEX)
        emit_compressed(b, b.or_(b.shl(distances, shifts), rows), mask, found, count)

    _for_groups(b, width, append)
    b.ret(b.load(count))


def _append_members(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `append_members`."""
    found, codes, n, n_words, pattern, limit, row, shift = args
    count, limits, shifts = _variable(b, WORD(0)), splat_vector(b, VECTOR, limit), splat_vector(b, VECTOR, shift)
    if width == _LONG:  # one by one: few members would not fill a group
        with cgutils.for_range(b, n) as loop:
            total, first = _variable(b, _ZEROS), b.mul(loop.index, n_words)

            def add_group(group: Any, mask: Any) -> None:
                code = _read(b, codes, b.add(first, group), mask)
                _add_to(b, total, _differing(b, code, _read(b, pattern, group)))

            _for_word_groups(b, n_words, add_group)
            distance = call_intrinsic(b, f"llvm.vector.reduce.add.v{LANES}i64", b.load(total), result=WORD)
            b.store(b.or_(b.shl(distance, shift), b.add(row, loop.index)), b.gep(found, [b.load(count)]))
            _add_to(b, count, b.zext(b.icmp_unsigned("<", distance, limit), WORD))
        b.ret(b.load(count))
        return
    with cgutils.for_range(b, b.lshr(b.add(n, WORD(LANES - 1)), WORD(LANES.bit_length() - 1))) as loop:
        first = b.mul(loop.index, WORD(LANES))
        distances = _row_distances(b, b.gep(codes, [b.mul(first, n_words)]), n_words, pattern, width)
        inside = b.icmp_unsigned("<", _INDEX, splat_vector(b, VECTOR, b.sub(n, first)))
        mask = b.and_(b.icmp_unsigned("<", distances, limits), inside)
        bits = b.bitcast(mask, ir.IntType(LANES))
        with b.if_then(b.icmp_unsigned("!=", bits, ir.IntType(LANES)(0)), likely=False):
            rows = b.add(splat_vector(b, VECTOR, b.add(row, first)), _INDEX)
            emit_compressed(b, b.or_(b.shl(distances, shifts), rows), mask, found, count)
    b.ret(b.load(count))


def _fill_tile(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `fill_tile`."""
    tile, stride, codes, n_words, n_groups = args
    with cgutils.for_range(b, n_groups) as loop:
        first = b.gep(codes, [b.mul(loop.index, b.mul(n_words, WORD(LANES)))])
        column = b.gep(tile, [b.mul(loop.index, WORD(LANES))])

        def store(lanes: Any, w: Any, column: Any = column) -> None:
            b.store(lanes, _at(b, column, b.mul(stride, w)), align=8)

        def store_group(group: Any, mask: Any, first: Any = first, store: Any = store) -> None:
            starts = (b.add(b.mul(n_words, WORD(i)), group) for i in range(LANES))
            for w, lanes in enumerate(unzip(b, [_read(b, first, start, mask) for start in starts])):
                word = b.add(group, WORD(w))
                if mask is None:
                    store(lanes, word)
                else:
                    with b.if_then(b.icmp_unsigned("<", word, n_words)):
                        store(lanes, word)

        if width > 0:
            for w, lanes in enumerate(unzip(b, [_read(b, first, WORD(LANES * w)) for w in range(width)])):
                store(lanes, WORD(w))
        else:
            _for_word_groups(b, n_words, store_group)
    b.ret(WORD(0))


class BlockCode(NamedTuple):
    """Addresses of the functions for codes of some width; 0 for those that were not asked for.

    Parameters
    ----------
    filter_rows, append_hits, filter_tile, fill_tile : int
        Addresses of machine code.
    """

    filter_rows: int
    append_hits: int
    filter_tile: int = 0
    fill_tile: int = 0


_FUNCTIONS: dict[str, tuple[Callable[..., None], tuple[ir.Type, ...]]] = {
    "filter_rows": (_filter_rows, (_POINTER, WORD, WORD, _POINTER, WORD, _POINTER, WORD)),
    "append_hits": (_append_hits, (_POINTER, _POINTER, WORD, _POINTER, WORD, WORD, WORD, WORD)),
    "append_members": (_append_members, (_POINTER, _POINTER, WORD, WORD, _POINTER, WORD, WORD, WORD)),
    "filter_tile": (_filter_tile, (_POINTER, WORD, WORD, WORD, _POINTER, WORD, _POINTER, _POINTER, WORD, WORD)),
    "fill_tile": (_fill_tile, (_POINTER, WORD, _POINTER, WORD, WORD)),
}


class _Compiler:
    """Compiles functions for a processor; their code is kept as long as the process lives."""

    def __init__(self, cpu: str) -> None:
        with suppress(RuntimeError):  # newer versions of llvmlite initialize themselves and refuse the call
            binding.initialize()
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        self._cpu = cpu
        self._machine = self._make_machine()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), self._make_machine())
        self._addresses: dict[str, int] = {}
        self._lock = Lock()

    def address(self, name: str, width: int) -> int:
        """Return the address of a function for codes of some width."""
        generate, argument_types = _FUNCTIONS[name]
        return self.compile(f"{name}_{width % 256}", argument_types, lambda b, *args: generate(b, width, *args))

    def compile(self, symbol: str, argument_types: Sequence[ir.Type], generate: Callable[..., None]) -> int:
        """Return the address of a function, which is compiled at its first use; see `compile_code`."""
        with self._lock:
            if symbol not in self._addresses:
                self._addresses[symbol] = self._compile(symbol, argument_types, generate)
            return self._addresses[symbol]

    def _make_machine(self) -> binding.TargetMachine:
        features = "" if self._cpu else binding.get_host_cpu_features().flatten()
        target = binding.Target.from_default_triple()
        cpu = self._cpu or binding.get_host_cpu_name()
        return target.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)

    def _compile(self, symbol: str, argument_types: Sequence[ir.Type], generate: Callable[..., None]) -> int:
        module = ir.Module(symbol)
        function = ir.Function(module, ir.FunctionType(WORD, argument_types), symbol)
        generate(ir.IRBuilder(function.append_basic_block()), *function.args)
        compiled = binding.parse_assembly(str(module))
        compiled.verify()
        passes = binding.create_pass_builder(self._machine, binding.create_pipeline_tuning_options(3))
        passes.getModulePassManager().run(compiled, passes)
        self._engine.add_module(compiled)
        self._engine.finalize_object()
        return self._engine.get_function_address(symbol)


_compiler = cache(_Compiler)


def compile_code(symbol: str, argument_types: Sequence[ir.Type], generate: Callable[..., None], cpu: str = "") -> int:
    """Compile a function of LLVM that returns a word; return its address.

    Parameters
    ----------
    symbol : str
        Name of the function.
    argument_types : sequence of ir.Type
        Types of the arguments.
    generate : callable
        Generates the function from a builder and the arguments.
    cpu : str, default=""
        Processor for which to compile, as LLVM names it; empty means this one.

    Returns
    -------
    address : int
        Address of the machine code, which is kept as long as the process lives.
    """
    return _compiler(cpu).compile(symbol, argument_types, generate)


@cache
def block_code(n_words: int, tiles: bool, cpu: str = "") -> BlockCode:
    """Return the functions for codes of `n_words` words, with those for tiles if `tiles`.

    `cpu` is a processor as LLVM names it, such as "haswell"; "" is this machine.
    """
    width = n_words if n_words in _UNROLLED else _SHORT if n_words <= _MOST_SHORT else _LONG
    names = BlockCode._fields if tiles else BlockCode._fields[:2]
    return BlockCode(*(_compiler(cpu).address(name, width) for name in names))


@cache
def member_code(n_words: int) -> int:
    """Return the address of the function behind `append_members` for codes of `n_words` words."""
    return _compiler("").address(
        "append_members", n_words if n_words <= _MOST_GROUPED and n_words in _UNROLLED else _LONG
    )
