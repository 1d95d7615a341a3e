"""Fusion: the operations after a convolution or pool that one kernel computes before it stores anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from skhash.runtime.compile._layout import channel_row, padded
from skhash.runtime.network._convolutions import BinaryConv
from skhash.runtime.network._elementwise import Add, Affine, Clip, RPReLU, Sign
from skhash.runtime.network._pools import MaxPool
from skhash.runtime.network._rounding import NEVER, affine, smallest_positive

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from skhash.runtime.network._network import Network
    from skhash.runtime.network._operation import Operation

    Consumers: TypeAlias = dict[int, list[int]]

__all__ = ["CALLER", "FusedOps", "Threshold", "find_threshold", "fuse", "threshold_row"]

CALLER = -1  # number of the consumer of the last value


class _Step(NamedTuple):
    """A step of the epilogue and its rows of numbers by channel."""

    name: str
    rows: Iterable[ArrayLike]


# Operations on single elements that an epilogue can compute, and the step that does it; see `codegen._epilogue`.
_STEPS: dict[type[Operation], Callable[[Any, int], _Step]] = {
    Affine: lambda op, n: _Step(
        "scale" if op.offset is None else "fused" if op.fused else "rounded", op.arrays().values()
    ),
    RPReLU: lambda op, n: _Step("rprelu", (op.before, op.slope, op.after)),
    Clip: lambda op, n: _Step("clip", ([op.low] * n, [op.high] * n)),
}
_ELEMENTWISE = tuple(_STEPS)
_MONOTONE = (Affine, Clip, MaxPool)  # preserve or reverse order, so a sign after them is a comparison of the sum
_MAX_STEPS = 32  # of a kernel: the time to compile it grows with the square of them


@dataclass
class FusedOps:
    """The operations that a kernel applies to its sums, and the values that it stores.

    Parameters
    ----------
    channels : int
        Channels of the values.
    steps : list of str
        Steps of the epilogue; see `codegen._epilogue`.
    rows : list of ndarray
        Numbers of the steps.
    fused : set of int
        Numbers of the fused operations.
    residual : int or None
        The value that is added.
    stored, signed : int or None
        The values that are written, as numbers and as bits.
    """

    channels: int
    steps: list[str] = field(default_factory=list)
    rows: list[NDArray[Any]] = field(default_factory=list)
    fused: set[int] = field(default_factory=set)
    residual: int | None = None
    stored: int | None = None
    signed: int | None = None

    def append_step(self, step: str, *rows: ArrayLike) -> None:
        """Append a step with its rows of numbers by channel."""
        self.steps.append(step)
        self.rows += [channel_row(np.asarray(row, np.float32), self.channels) for row in rows]

    def parameters(self) -> NDArray[np.float32]:
        """Return the rows as one array. Rows of int32 (thresholds) keep their bits."""
        rows = [row.view(np.float32) for row in self.rows]
        return np.stack(rows) if rows else np.zeros((1, padded(self.channels)), np.float32)

    def append(self, number: int, operation: Operation, value: int | None = None) -> None:
        """Append an operation other than `Sign` that reads `value`."""
        if isinstance(operation, Add):
            self.append_step("add")
            self.residual = next((source for source in operation.sources if source != value), value)
        else:
            step = _STEPS[type(operation)](operation, self.channels)
            self.append_step(step.name, *step.rows)
        self.fused.add(number)

    def append_sign(self, number: int, operation: Sign) -> None:
        """Append the sign, which is always the last step."""
        threshold = np.zeros(self.channels, np.float32) if operation.threshold is None else operation.threshold
        self.steps.append("sign")
        self.rows.append(channel_row(threshold, self.channels, np.inf))  # channels that only fill a word: bit 0
        self.fused.add(number)
        self.signed = number + 1


def fuse(ops: FusedOps, value: int, network: Network, consumers: Consumers, available: Collection[int]) -> None:
    """Extend fused operations by the consumers of `value`, as far as one kernel can compute them.

    Parameters
    ----------
    ops : FusedOps
        The operations fused so far.
    value : int
        Result of the last one.
    network : Network
        All operations.
    consumers : dict of int to list of int
        Numbers of the operations that read each value, `CALLER` for the code.
    available : collection of int
        Values that can be added, because they are computed before.
    """
    while len(consumers[value]) == 1 and consumers[value][0] != CALLER and len(ops.steps) < _MAX_STEPS:
        number = consumers[value][0]
        operation = network.operations[number]
        if not _can_fuse(ops, operation, value, available):
            break
        ops.append(number, operation, value)
        value = number + 1
    readers = [network.operations[number] if number != CALLER else None for number in consumers[value]]
    if len(readers) != 1 or not isinstance(readers[0], Sign):
        ops.append_step("integers" if network.maps()[value].kind == "integer" and not ops.steps else "store")
        ops.stored = value
    # Of several consumers one that ends in a sign can still be fused: its bits are stored beside the number.
    for number in consumers[value]:
        path = [] if number == CALLER else _path_to_sign(number, network, consumers)
        if path:
            for step in path[:-1]:
                ops.append(step, network.operations[step])
            ops.append_sign(path[-1], cast("Sign", network.operations[path[-1]]))
            return


def _can_fuse(ops: FusedOps, operation: Operation, value: int, available: Collection[int]) -> bool:
    if isinstance(operation, Add):
        others = [source for source in operation.sources if source != value]
        return ops.residual is None and len(others) == 1 and others[0] in available
    return isinstance(operation, _ELEMENTWISE)


def _path_to_sign(number: int, network: Network, consumers: Consumers) -> list[int]:
    """Return the operations from `number` to a sign, or nothing if a value between has another consumer."""
    path = [number]
    while isinstance(network.operations[path[-1]], _ELEMENTWISE):
        following = consumers[path[-1] + 1]
        if len(following) != 1 or following[0] == CALLER or len(path) >= _MAX_STEPS:
            return []
        path.append(following[0])
    return path if isinstance(network.operations[path[-1]], Sign) else []


@dataclass
class Threshold:
    """A binary convolution, monotone operations and a sign as one comparison of integers.

    Parameters
    ----------
    row : ndarray of int32 of shape (padded channels,)
        Bit 1 where the sum is at least this.
    factors : ndarray of int8 of shape (channels,)
        -1 where the filter's weights must be negated for that, else 1.
    flips : ndarray of bool of shape (channels,)
        Where the bit must be flipped at the end, after pooling.
    pool : MaxPool or None
        The max pool among the operations, computed as a disjunction of bits.
    fused : list of int
        Numbers of the operations after the convolution, the sign last.
    """

    row: NDArray[np.int32]
    factors: NDArray[np.int8]
    flips: NDArray[np.bool_]
    pool: MaxPool | None
    fused: list[int]

    @property
    def value(self) -> int:
        """Number of the value that the bits are."""
        return self.fused[-1] + 1


def find_threshold(network: Network, number: int, consumers: Consumers) -> Threshold | None:
    """Return the comparison of integers that replaces all operations from a binary convolution to the next sign.

    It exists for affine maps and clips, with or without one max pool among them. All of these are monotone, so the
    integer from which on the bit is 1 is found by evaluating them.

    Parameters
    ----------
    network : Network
        All operations.
    number : int
        Number of the convolution.
    consumers : dict of int to list of int
        Numbers of the operations that read each value.

    Returns
    -------
    threshold : Threshold or None
        None if other operations follow, or a value between has another consumer.
    """
    path, value = [], number + 1
    while not path or not isinstance(network.operations[path[-1]], Sign):
        if len(consumers[value]) != 1 or consumers[value][0] == CALLER:
            return None
        path.append(consumers[value][0])
        value = path[-1] + 1
        if not isinstance(network.operations[path[-1]], (*_MONOTONE, Sign)):
            return None
    operations = [network.operations[step] for step in path]
    pools = [place for place, operation in enumerate(operations) if isinstance(operation, MaxPool)]
    if len(pools) > 1:
        return None
    convolution = cast("BinaryConv", network.operations[number])
    channels = convolution.shape[0]
    place = pools[0] if pools else len(operations)
    before, after = (_falls(part, channels) for part in (operations[:place], operations[place:]))
    row = threshold_row(operations, before ^ after, convolution.limit, channels)
    factors = np.where(before, -1, 1).astype(np.int8)
    if not pools:
        return Threshold(row, factors, np.zeros(channels, bool), None, path)
    # Kernels can only pool bits by "any of them". Where the function after the pool rises, the bit of the maximum is
    # 1 if any bit `sum >= row` is. Where it falls, the bit is 1 if the maximum is small: if no sum is too large. For
    # sums s = -t that means: 1 iff all t >= row, iff no s >= 1 - row; so pool `s >= 1 - row` and flip the result.
    opposite = np.minimum(1 - row.astype(np.int64), NEVER)  # 1 - ALWAYS does not fit int32
    row[:channels] = np.where(after, opposite[:channels], row[:channels])
    return Threshold(row, factors, after, cast("MaxPool", operations[place]), path)


def _falls(operations: Sequence[Operation], channels: int) -> NDArray[np.bool_]:
    """Return where the operations reverse order: where an odd number of affine maps has a negative scale."""
    falls = np.zeros(channels, bool)
    for operation in operations:
        if isinstance(operation, Affine):
            falls ^= operation.scale < 0
    return falls


def threshold_row(
    operations: Sequence[Operation], falls: NDArray[np.bool_], limit: int, channels: int
) -> NDArray[np.int32]:
    """Find integer thresholds that are equivalent to float operations and a sign, by evaluating these.

    Parameters
    ----------
    operations : sequence of Operation
        Those after the integer sum: affine maps and clips, others (max pools) are skipped, and a sign.
    falls : ndarray of bool of shape (channels,)
        Where larger sums lead to smaller values.
    limit : int
        Largest magnitude of a sum.
    channels : int
        Number of channels.

    Returns
    -------
    row : ndarray of int32 of shape (padded channels,)
        Bit 1 where the sum, negated where `falls`, is at least this.
    """

    def passes(sums: NDArray[np.int64]) -> NDArray[np.bool_]:
        x = np.where(falls, -sums, sums).astype(np.float32)
        for operation in operations:
            if isinstance(operation, Affine):
                x = affine(x, operation)
            elif isinstance(operation, Clip):
                x = np.clip(x, np.float32(operation.low), np.float32(operation.high))
        threshold = cast("Sign", operations[-1]).threshold
        return x >= (np.float32(0) if threshold is None else threshold)

    return channel_row(smallest_positive(passes, limit, channels), channels, NEVER)
