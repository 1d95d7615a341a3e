"""The innermost loops over codes, as LLVM code that is compiled once per process and width.

A block is 64 codes, a group is `LANES` of them. Codes lie in rows, as in memory, or word by word in a tile, one lane
per code. Codes of some widths have loops of their own, others share some: see `_row_code`, which adds up rows.

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
from skhash.bitops._row_code import (
    INDEX,
    LONG,
    SHORT,
    UNROLLED,
    ZEROS,
    add_to,
    differing,
    for_word_groups,
    read_lanes,
    row_distances,
    variable,
    vector_at,
)

__all__ = ["BLOCK", "BlockCode", "block_code", "compile_code", "emit_compressed", "measure_code", "member_code"]

BLOCK: int = 64  # codes: one bit of a word each
_MOST_UNROLLED = 8  # words of a code in a tile; in rows, more of them take a loop over groups
_MOST_GROUPED = 4  # words of a code: members of a bucket are compared in groups
_ZIPPED = (1, 2, 4, 8)  # words of a code: it is copied to a tile by the shuffles of `unzip` alone
_MOST_SHORT = 16  # words of a code
_GROUP = 4  # queries that share each load of codes
_POINTER = WORD.as_pointer()
_SHORT_WORD = ir.IntType(16)
_FAR = ir.Constant(VECTOR, [2**32 - 1] * LANES)  # beyond any distance


def _for_groups(builder: ir.IRBuilder, width: int, generate: Callable[[Any], None]) -> None:
    """Generate code for each group of a block: one after the other for few words, else a loop."""
    if 0 < width <= _MOST_UNROLLED:
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
    count, limits = variable(b, WORD(0)), splat_vector(b, VECTOR, limit)
    step = b.mul(n_words, WORD(LANES))
    with cgutils.for_range(b, n_blocks) as loop:
        nearest, first = variable(b, _FAR), b.mul(loop.index, b.mul(n_words, WORD(BLOCK)))

        def compare(j: Any, nearest: Any = nearest, first: Any = first) -> None:
            group = b.gep(codes, [b.add(first, b.mul(step, j))])
            distances = row_distances(b, group, n_words, pattern, width)
            b.store(emit_smaller(b, b.load(nearest), distances), nearest)

        _for_groups(b, width, compare)
        # Each block is written, and overwritten by the next one unless it counts: that needs no branch.
        b.store(b.add(label, b.mul(loop.index, WORD(BLOCK))), b.gep(found, [b.load(count)]))
        add_to(b, count, b.zext(_any_below(b, b.load(nearest), limits), WORD))
    b.ret(b.load(count))


def _filter_tile(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `filter_tile`."""
    tile, stride, n_words, n_blocks, patterns, length, limits, found, label, label_step = args
    count = variable(b, WORD(0))
    queries = [b.gep(patterns, [b.mul(length, WORD(i))]) for i in range(_GROUP)]
    bounds = [splat_vector(b, VECTOR, b.load(b.gep(limits, [WORD(i)]))) for i in range(_GROUP)]
    labels = [b.add(label, b.mul(label_step, WORD(i))) for i in range(_GROUP)]

    def add_word(totals: list[Any], w: Any, position: Any) -> list[Any]:
        codes = read_lanes(b, tile, b.add(b.mul(stride, w), position))
        words = (splat_vector(b, VECTOR, b.load(b.gep(query, [w]))) for query in queries)
        return [b.add(total, differing(b, codes, word)) for total, word in zip(totals, words, strict=True)]

    with cgutils.for_range(b, n_blocks) as loop:
        start = b.mul(loop.index, WORD(BLOCK))
        nearest = [_FAR] * _GROUP
        for j in range(0, BLOCK, LANES):
            position = b.add(start, WORD(j))
            if width > 0:
                totals = [ZEROS] * _GROUP
                for w in range(width):
                    totals = add_word(totals, WORD(w), position)
            else:
                sums = [variable(b, ZEROS) for _ in range(_GROUP)]
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
                add_to(b, count, b.zext(hit, WORD))
    b.ret(b.load(count))


def emit_compressed(b: ir.IRBuilder, values: Any, mask: Any, found: Any, count: Any) -> None:
    """Generate a store of the lanes under a mask at element `count`, a variable that is advanced."""
    name, undefined = f"llvm.experimental.vector.compress.v{LANES}i64", ir.Constant(VECTOR, ir.Undefined)
    b.store(call_intrinsic(b, name, values, mask, undefined), vector_at(b, found, b.load(count)), align=8)
    n_hits = call_intrinsic(b, f"llvm.ctpop.i{LANES}", b.bitcast(mask, ir.IntType(LANES)))
    add_to(b, count, b.zext(n_hits, WORD))


def _append_group(
    b: ir.IRBuilder, distances: Any, j: Any, limits: Any, allowed: Any, row: Any, shifts: Any, found: Any, count: Any
) -> None:
    """Generate the appending of those codes of group `j` of a block that are allowed and nearer than the limits."""
    below = b.icmp_unsigned("<", distances, limits)
    bits: Any = b.trunc(b.lshr(allowed, b.mul(j, WORD(LANES))), ir.IntType(LANES))
    rows = b.add(splat_vector(b, VECTOR, b.add(row, b.mul(j, WORD(LANES)))), INDEX)
    emit_compressed(b, b.or_(b.shl(distances, shifts), rows), b.and_(below, b.bitcast(bits, below.type)), found, count)


def _append_hits(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `append_hits`."""
    found, codes, n_words, pattern, limit, allowed, row, shift = args
    count, limits = variable(b, WORD(0)), splat_vector(b, VECTOR, limit)
    step, shifts = b.mul(n_words, WORD(LANES)), splat_vector(b, VECTOR, shift)

    def append(j: Any) -> None:
        distances = row_distances(b, b.gep(codes, [b.mul(step, j)]), n_words, pattern, width)
        _append_group(b, distances, j, limits, allowed, row, shifts, found, count)

    _for_groups(b, width, append)
    b.ret(b.load(count))


def _append_tile(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `append_tile`, which is the same for every width."""
    found, tile, stride, n_words, pattern, limit, allowed, row, shift = args
    count, limits, shifts = variable(b, WORD(0)), splat_vector(b, VECTOR, limit), splat_vector(b, VECTOR, shift)
    sums = [variable(b, ZEROS) for _ in range(BLOCK // LANES)]
    with cgutils.for_range(b, n_words) as words:
        codes, word = b.mul(stride, words.index), splat_vector(b, VECTOR, b.load(b.gep(pattern, [words.index])))
        for j, total in enumerate(sums):
            add_to(b, total, differing(b, read_lanes(b, tile, b.add(codes, WORD(LANES * j))), word))
    for j, total in enumerate(sums):
        _append_group(b, b.load(total), WORD(j), limits, allowed, row, shifts, found, count)
    b.ret(b.load(count))


def _append_members(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `append_members`."""
    found, codes, n, n_words, pattern, limit, row, shift = args
    count, limits, shifts = variable(b, WORD(0)), splat_vector(b, VECTOR, limit), splat_vector(b, VECTOR, shift)
    if width == LONG:  # one by one: few members would not fill a group
        with cgutils.for_range(b, n) as loop:
            total, first = variable(b, ZEROS), b.mul(loop.index, n_words)

            def add_group(group: Any, mask: Any) -> None:
                code = read_lanes(b, codes, b.add(first, group), mask)
                add_to(b, total, differing(b, code, read_lanes(b, pattern, group, mask)))

            for_word_groups(b, n_words, add_group)
            distance = call_intrinsic(b, f"llvm.vector.reduce.add.v{LANES}i64", b.load(total), result=WORD)
            b.store(b.or_(b.shl(distance, shift), b.add(row, loop.index)), b.gep(found, [b.load(count)]))
            add_to(b, count, b.zext(b.icmp_unsigned("<", distance, limit), WORD))
        b.ret(b.load(count))
        return
    with cgutils.for_range(b, b.lshr(b.add(n, WORD(LANES - 1)), WORD(LANES.bit_length() - 1))) as loop:
        first = b.mul(loop.index, WORD(LANES))
        distances = row_distances(b, b.gep(codes, [b.mul(first, n_words)]), n_words, pattern, width)
        inside = b.icmp_unsigned("<", INDEX, splat_vector(b, VECTOR, b.sub(n, first)))
        mask = b.and_(b.icmp_unsigned("<", distances, limits), inside)
        bits = b.bitcast(mask, ir.IntType(LANES))
        with b.if_then(b.icmp_unsigned("!=", bits, ir.IntType(LANES)(0)), likely=False):
            rows = b.add(splat_vector(b, VECTOR, b.add(row, first)), INDEX)
            emit_compressed(b, b.or_(b.shl(distances, shifts), rows), mask, found, count)
    b.ret(b.load(count))


def _fill_tile(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `fill_tile`."""
    tile, stride, codes, n_words, n_groups = args
    with cgutils.for_range(b, n_groups) as loop:
        first = b.gep(codes, [b.mul(loop.index, b.mul(n_words, WORD(LANES)))])
        column = b.gep(tile, [b.mul(loop.index, WORD(LANES))])

        def store(lanes: Any, w: Any, column: Any = column) -> None:
            b.store(lanes, vector_at(b, column, b.mul(stride, w)), align=8)

        def store_group(group: Any, mask: Any, first: Any = first, store: Any = store) -> None:
            starts = (b.add(b.mul(n_words, WORD(i)), group) for i in range(LANES))
            for w, lanes in enumerate(unzip(b, [read_lanes(b, first, start, mask) for start in starts])):
                word = b.add(group, WORD(w))
                if mask is None:
                    store(lanes, word)
                else:
                    with b.if_then(b.icmp_unsigned("<", word, n_words)):
                        store(lanes, word)

        if width > 0:
            for w, lanes in enumerate(unzip(b, [read_lanes(b, first, WORD(LANES * w)) for w in range(width)])):
                store(lanes, WORD(w))
        else:
            for_word_groups(b, n_words, store_group)
    b.ret(WORD(0))


def _measure_rows(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `measure_rows`."""
    codes, n_words, n_blocks, pattern, measured = args
    lanes = ir.VectorType(_SHORT_WORD, LANES)
    with cgutils.for_range(b, n_blocks) as loop:
        start = b.mul(loop.index, WORD(BLOCK))

        def measure(j: Any, start: Any = start) -> None:
            first = b.add(start, b.mul(j, WORD(LANES)))
            distances = row_distances(b, b.gep(codes, [b.mul(first, n_words)]), n_words, pattern, width)
            out = b.bitcast(b.gep(measured, [first]), lanes.as_pointer())
            b.store(b.trunc(distances, lanes), out, align=2)

        _for_groups(b, width, measure)
    b.ret(WORD(0))


def _count_below(b: ir.IRBuilder, width: int, *args: Any) -> None:
    """Generate the function behind `count_below`, which is the same for every width."""
    measured, n_blocks, limit = args
    lanes = ir.VectorType(_SHORT_WORD, BLOCK // 2)
    limits = splat_vector(b, lanes, b.trunc(limit, _SHORT_WORD))
    counts = [variable(b, ir.Constant(lanes, [0] * lanes.count)) for _ in range(2)]
    with cgutils.for_range(b, n_blocks) as loop:
        for i, count in enumerate(counts):
            start = b.add(b.mul(loop.index, WORD(BLOCK)), WORD(i * lanes.count))
            distances = b.load(b.bitcast(b.gep(measured, [start]), lanes.as_pointer()), align=2)
            add_to(b, count, b.zext(b.icmp_unsigned("<", distances, limits), lanes))
    total = b.zext(b.add(b.load(counts[0]), b.load(counts[1])), ir.VectorType(ir.IntType(32), lanes.count))
    number = call_intrinsic(b, f"llvm.vector.reduce.add.v{lanes.count}i32", total, result=ir.IntType(32))
    b.ret(b.zext(number, WORD))


class BlockCode(NamedTuple):
    """Addresses of the functions for codes of some width; 0 for those that were not asked for.

    Parameters
    ----------
    filter_rows, append_hits, filter_tile, fill_tile, append_tile : int
        Addresses of machine code. The last is 0 for codes of one word, which are their own tile, too.
    """

    filter_rows: int
    append_hits: int
    filter_tile: int = 0
    fill_tile: int = 0
    append_tile: int = 0


_FUNCTIONS: dict[str, tuple[Callable[..., None], tuple[ir.Type, ...]]] = {
    "filter_rows": (_filter_rows, (_POINTER, WORD, WORD, _POINTER, WORD, _POINTER, WORD)),
    "append_hits": (_append_hits, (_POINTER, _POINTER, WORD, _POINTER, WORD, WORD, WORD, WORD)),
    "append_members": (_append_members, (_POINTER, _POINTER, WORD, WORD, _POINTER, WORD, WORD, WORD)),
    "filter_tile": (_filter_tile, (_POINTER, WORD, WORD, WORD, _POINTER, WORD, _POINTER, _POINTER, WORD, WORD)),
    "fill_tile": (_fill_tile, (_POINTER, WORD, _POINTER, WORD, WORD)),
    "measure_rows": (_measure_rows, (_POINTER, WORD, WORD, _POINTER, _SHORT_WORD.as_pointer())),
    "count_below": (_count_below, (_SHORT_WORD.as_pointer(), WORD, WORD)),
    "append_tile": (_append_tile, (_POINTER, _POINTER, WORD, WORD, _POINTER, WORD, WORD, WORD, WORD)),
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


_make_compiler = cache(_Compiler)
_makers = Lock()


def _compiler(cpu: str) -> _Compiler:
    """Return the only compiler for a processor: the code of another one would be freed while its addresses are used."""
    with _makers:  # `cache` calls the function again for threads that come before the first call ends
        return _make_compiler(cpu)


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
    width = _width(n_words)
    widths = {"filter_rows": width, "append_hits": width}
    if tiles:
        widths["filter_tile"] = width if width <= _MOST_UNROLLED else SHORT
        widths["fill_tile"] = width if width in _ZIPPED else SHORT
        if n_words > 1:
            widths["append_tile"] = SHORT
    return BlockCode(**{name: _compiler(cpu).address(name, width) for name, width in widths.items()})


@cache
def measure_code(n_words: int, cpu: str = "") -> tuple[int, int]:
    """Return the addresses of the functions behind `measure_rows` and `count_below` for codes of `n_words` words."""
    return _compiler(cpu).address("measure_rows", _width(n_words)), _compiler(cpu).address("count_below", SHORT)


def _width(n_words: int) -> int:
    """Return the width for which functions for codes of `n_words` words are compiled."""
    return n_words if n_words in UNROLLED else SHORT if n_words <= _MOST_SHORT else LONG


@cache
def member_code(n_words: int) -> int:
    """Return the address of the function behind `append_members` for codes of `n_words` words."""
    return _compiler("").address(
        "append_members", n_words if n_words <= _MOST_GROUPED and n_words in UNROLLED else LONG
    )
