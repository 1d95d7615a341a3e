"""Which operations one kernel can do: the chain that follows a convolution or pool until its result must be kept."""

from dataclasses import dataclass, field

import numpy as np

from skhash.runtime.compile._layout import channel_row, padded
from skhash.runtime.network._elementwise import Add, Affine, Clip, RPReLU, Sign
from skhash.runtime.network._pools import MaxPool
from skhash.runtime.network._rounding import NEVER, affine, smallest_positive

__all__ = ["Chain", "Threshold", "follow", "find_threshold", "threshold_row"]


@dataclass
class Chain:
    """What a kernel does to its sums.

    Parameters
    ----------
    channels : int
        Of the values.
    steps : list of str
        See `_steps`.
    rows : list of ndarray
        Their numbers.
    done : set of int
        Numbers of the operations that the chain does.
    residual : int or None
        The value that is added.
    stored, signed : int or None
        The values that are written, as numbers and as bits.
    """

    channels: int
    steps: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    done: set = field(default_factory=set)
    residual: int | None = None
    stored: int | None = None
    signed: int | None = None

    def add(self, step, *rows):
        """Append a step with its rows, of numbers by channel."""
        self.steps.append(step)
        self.rows += [channel_row(np.asarray(row, np.float32), self.channels) for row in rows]

    def parameters(self):
        """The rows as one array of float32."""
        rows = [row.view(np.float32) for row in self.rows]
        return np.stack(rows) if rows else np.zeros((1, padded(self.channels)), np.float32)

    def apply(self, number, operation, value=None):
        """Append an operation other than `Sign` that reads `value`."""
        if isinstance(operation, Affine):
            step = "scale" if operation.offset is None else "fused" if operation.fused else "rounded"
            self.add(step, *operation.arrays().values())
        elif isinstance(operation, RPReLU):
            self.add("rprelu", operation.before, operation.slope, operation.after)
        elif isinstance(operation, Clip):
            self.add("clip", *([end] * self.channels for end in (operation.low, operation.high)))
        else:
            self.add("add")
            self.residual = next((source for source in operation.sources if source != value), value)
        self.done.add(number)

    def sign(self, number, operation):
        """Append the sign, which ends a chain."""
        threshold = np.zeros(self.channels, np.float32) if operation.threshold is None else operation.threshold
        self.steps.append("sign")
        self.rows.append(channel_row(threshold, self.channels, np.inf))  # channels that only fill a word: bit 0
        self.done.add(number)
        self.signed = number + 1


def follow(chain, value, network, users, available):
    """Extend a chain from `value` as far as one kernel goes.

    Parameters
    ----------
    chain : Chain
        What there is already.
    value : int
        Its last value.
    network : Network
        Where the operations stand.
    users : dict of int to list of int
        Numbers of the operations that read each value; negative is the caller.
    available : set of int
        Values that can be added.
    """
    while len(users[value]) == 1 and users[value][0] >= 0:
        number = users[value][0]
        operation = network.operations[number]
        if not _can_follow(chain, operation, value, available):
            break
        chain.apply(number, operation, value)
        value = number + 1
    readers = [network.operations[number] if number >= 0 else None for number in users[value]]
    if len(readers) != 1 or not isinstance(readers[0], Sign):
        chain.add("integers" if network.maps()[value].kind == "integer" and not chain.steps else "store")
        chain.stored = value
    for number in users[value]:
        path = number >= 0 and _path_to_sign(number, network, users)
        if path:
            for step in path[:-1]:
                chain.apply(step, network.operations[step])
            chain.sign(path[-1], network.operations[path[-1]])
            return


def _can_follow(chain, operation, value, available):
    if isinstance(operation, Add):
        others = [source for source in operation.sources if source != value]
        return chain.residual is None and len(others) == 1 and others[0] in available
    return isinstance(operation, (Affine, RPReLU, Clip))


def _path_to_sign(number, network, users):
    """Operations from `number` to a sign, if nothing else reads what is between."""
    path = [number]
    while isinstance(network.operations[path[-1]], (Affine, RPReLU, Clip)):
        following = users[path[-1] + 1]
        if len(following) != 1 or following[0] < 0:
            return []
        path.append(following[0])
    return path if isinstance(network.operations[path[-1]], Sign) else []


@dataclass
class Threshold:
    """A convolution, perhaps a max pool, perhaps an affine map, and a sign, as one comparison of integers.

    Parameters
    ----------
    row : ndarray of int32 of shape (padded channels,)
        Bit 1 where the sum reaches it.
    factors : ndarray of int8 of shape (channels,)
        -1 where the filter's weights must be negated for that, else 1.
    flips : ndarray of bool of shape (channels,)
        Where the bit must be flipped in the end, after pooling.
    pool : MaxPool or None
        What lies between, as a disjunction of bits.
    done : list of int
        Numbers of the operations after the convolution.
    """

    row: np.ndarray
    factors: np.ndarray
    flips: np.ndarray
    pool: MaxPool | None
    done: list

    @property
    def value(self):
        """The value that the bits are."""
        return self.done[-1] + 1


def find_threshold(network, number, users):
    """Find out whether what follows binary convolution `number` is one comparison of integers; None if not.

    It is for affine maps and limits, with or without a max pool among them, and a sign. All of these are monotone, so
    the integer from which on the bit is 1 is found by evaluating them.
    """
    path, value = [], number + 1
    while not path or not isinstance(network.operations[path[-1]], Sign):
        if len(users[value]) != 1 or users[value][0] < 0:
            return None
        path.append(users[value][0])
        value = path[-1] + 1
        if not isinstance(network.operations[path[-1]], (Affine, Clip, MaxPool, Sign)):
            return None
    operations = [network.operations[step] for step in path]
    pools = [place for place, operation in enumerate(operations) if isinstance(operation, MaxPool)]
    if len(pools) > 1:
        return None
    convolution = network.operations[number]
    channels = convolution.shape[0]
    place = pools[0] if pools else len(operations)
    before, after = (_falls(part, channels) for part in (operations[:place], operations[place:]))
    row = threshold_row(operations, before ^ after, convolution.limit, channels)
    factors = np.where(before, -1, 1).astype(np.int8)
    if not pools:
        return Threshold(row, factors, np.zeros(channels, bool), None, path)
    # If larger maxima are less likely 1, all bits must be: no sum with the other sign may reach 1 - threshold.
    opposite = np.minimum(1 - row.astype(np.int64), NEVER)
    row[:channels] = np.where(after, opposite[:channels], row[:channels])
    return Threshold(row, factors, after, operations[place], path)


def _falls(operations, channels):
    """Where affine maps make larger numbers smaller."""
    falls = np.zeros(channels, bool)
    for operation in operations:
        if isinstance(operation, Affine):
            falls ^= operation.scale < 0
    return falls


def threshold_row(operations, falls, limit, channels):
    """Integer thresholds that do what float operations and a sign do, found by evaluating these.

    Parameters
    ----------
    operations : list of Affine, Clip and Sign
        What follows the integer sum; others are passed over.
    falls : ndarray of bool of shape (channels,)
        Where larger sums make smaller values.
    limit : int
        Largest magnitude of a sum.
    channels : int
        Number of channels.

    Returns
    -------
    row : ndarray of int32 of shape (padded channels,)
        Bit 1 where the sum, negated where it falls, reaches it.
    """

    def passes(sums):
        x = np.where(falls, -sums, sums).astype(np.float32)
        for operation in operations:
            if isinstance(operation, Affine):
                x = affine(x, operation)
            elif isinstance(operation, Clip):
                x = np.clip(x, np.float32(operation.low), np.float32(operation.high))
        threshold = operations[-1].threshold
        return x >= (np.float32(0) if threshold is None else threshold)

    return channel_row(smallest_positive(passes, limit, channels), channels, NEVER)
