"""An emitter of LLVM's intermediate code: memory by address, vectors, and loops as folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Value = ir.NamedValue | ir.Constant

__all__ = ["F32", "I32", "I64", "Emitter", "vector"]

I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
F32 = ir.FloatType()


def vector(element: ir.Type, lanes: int) -> ir.VectorType:
    """Return the type of a vector."""
    return ir.VectorType(element, lanes)


class Emitter:
    """Writes instructions into a function; addresses are 64-bit integers throughout.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Builder at the place of the next instruction.
    lanes : int
        32-bit lanes of a vector.
    """

    def __init__(self, builder: ir.IRBuilder, lanes: int) -> None:
        self.b: Any = builder  # its methods are made by untyped decorators, which checkers misread
        self.lanes = lanes
        self.ints, self.floats, self.bytes = vector(I32, lanes), vector(F32, lanes), vector(I8, 4 * lanes)

    def load(self, address: Value, type_: ir.Type, align: int = 4) -> Value:
        """Load a value. Alignment 4 costs nothing on modern processors, unless a cache line ends in between."""
        value = self.b.load(self.b.inttoptr(address, type_.as_pointer()))
        value.align = align
        return value

    def store(self, value: Value, address: Value, align: int = 4) -> None:
        """Store a value."""
        self.b.store(value, self.b.inttoptr(address, value.type.as_pointer())).align = align

    def offset(self, table: Value, index: Value | int) -> Value:
        """Load entry `index` of a table of int32, as 64 bits."""
        return self.b.sext(self.load(self.at(table, index, 4), I32), I64)

    def at(self, address: Value, index: Value | int, size: Value | int) -> Value:
        """Compute the address of element `index`, where elements have `size` bytes; also an index plus an index."""
        if isinstance(index, int):
            assert isinstance(size, int)
            return self.b.add(address, I64(index * size)) if index else address
        return self.b.add(address, self.b.mul(index, I64(size) if isinstance(size, int) else size))

    def splat(self, value: Value) -> Value:
        """Build a vector of one value in all lanes."""
        type_ = vector(value.type, self.lanes)
        first = self.b.insert_element(ir.Constant(type_, ir.Undefined), value, I32(0))
        zeros = ir.Constant(vector(I32, self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(first, ir.Constant(type_, ir.Undefined), zeros)

    def constant(self, type_: ir.VectorType, value: float) -> Value:
        """Build a vector of one constant in all lanes."""
        return ir.Constant(type_, [ir.Constant(type_.element, value)] * type_.count)

    def call(self, name: str, *args: Value) -> Value:
        """Call an LLVM intrinsic whose result is of the type of its first argument."""
        module = self.b.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(args[0].type, [arg.type for arg in args]), name)
        return self.b.call(function, args)

    def popcount(self, value: Value) -> Value:
        """Count the bits of each element."""
        type_ = cast("ir.VectorType", value.type)
        return self.call(f"llvm.ctpop.v{type_.count}i{type_.element.width}", value)

    def fused(self, x: Value, y: Value, z: Value) -> Value:
        """Compute `x * y + z` with one rounding."""
        return self.call(f"llvm.fma.v{self.lanes}f32", x, y, z)

    def larger(self, x: Value, y: Value) -> Value:
        """Compute the maximum of each two lanes, integers or floats."""
        compare = self.b.icmp_signed if x.type == self.ints else self.b.fcmp_ordered
        return self.b.select(compare(">", x, y), x, y)

    def store_mask(self, mask: Value, address: Value) -> None:
        """Store a vector of one-bit values as bits, lane 0 in the lowest."""
        self.store(self.b.bitcast(mask, ir.IntType(self.lanes)), address, 1)

    def load_mask(self, address: Value) -> Value:
        """Load bits as a vector of one-bit values."""
        return self.b.bitcast(self.load(address, ir.IntType(self.lanes), 1), vector(I1, self.lanes))

    def fold_if_any(
        self, count: Value, initial: Sequence[Value], body: Callable[[Value, list[Value]], list[Value] | None]
    ) -> list[Value]:
        """Loop as `fold` does, or not at all if `count` is 0."""
        before = self.b.block
        with self.b.if_then(self.b.icmp_signed(">", count, I64(0))):
            new = self.fold(count, initial, body)
            after = self.b.block
        carried = [self.b.phi(value.type) for value in initial]
        for phi, start, end in zip(carried, initial, new, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(end, after)
        return carried

    def fold(
        self,
        count: Value,
        initial: Sequence[Value],
        body: Callable[[Value, list[Value]], list[Value] | None],
        step: int = 1,
    ) -> list[Value]:
        """Loop over `index = 0, step, ... < count`, at least once, with values that each round replaces.

        Parameters
        ----------
        count : value
            End of the range, 64-bit.
        initial : list of value
            Carried values before the first round.
        body : callable
            `body(index, carried)` writes a round and returns the new values.
        step : int, default=1
            Increment of the index.

        Returns
        -------
        carried : list of value
            Carried values after the last round.
        """
        # The values are phi nodes of the loop's head: they stay in registers, without a load or store per round.
        before = self.b.block
        head = self.b.append_basic_block("loop")
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(I64)
        carried = [self.b.phi(value.type) for value in initial]
        new = body(index, carried) or []
        last, following = self.b.block, self.b.add(index, I64(step))
        for phi, start, end in zip([index, *carried], [I64(0), *initial], [following, *new], strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(end, last)
        done = self.b.append_basic_block("done")
        self.b.cbranch(self.b.icmp_signed("<", following, count), head, done)
        self.b.position_at_end(done)
        return new

    def loop_if_any(self, count: Value, body: Callable[[Value], None]) -> None:
        """Loop as `fold` does without carried values, or not at all if `count` is 0."""
        with self.b.if_then(self.b.icmp_signed(">", count, I64(0))):
            self.fold(count, [], lambda index, _: body(index))
