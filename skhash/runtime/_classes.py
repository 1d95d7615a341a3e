"""How a packed hasher predicts classes: scores of learned classes, or a vote of training codes; in plain numpy."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skhash.codes import binarize, pack_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ClassRule", "ClassScores", "ClassVotes", "decode_classes", "encode_classes"]

_INPUTS = ("real", "tanh", "sign", "bit")
_DTYPES = re.compile(r"<U[1-9]\d{0,5}|<i[248]|<u[248]|\|[iu]1|\|b1|<f[248]|\|O")
_BLOCK_VALUES = 2**20  # numbers in memory at once
_LARGEST_JSON = 2**22
_LARGEST_TEXTS = 2**26  # bytes of the classes as an array: one long name makes all of them as long
_EPSILON = 1e-12  # as in torch's `normalize`


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Classes with linear scores or cosines; the highest wins, of equal ones the first.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Class labels.
    weight : ndarray of float64 of shape (n_classes, bits)
        Hash centers, or the weights of a classifier.
    bias : ndarray of float64 of shape (n_classes,)
        What is added to the scores.
    input : {"real", "tanh", "sign", "bit"}, default="real"
        What is multiplied: continuous codes, their tanh, their signs -1 and +1, or their bits 0 and 1.
    cosine : bool, default=False
        Whether rows of `weight` count by their direction alone.

    Raises
    ------
    ValueError
        If shapes do not fit together, numbers are not finite, or `input` is unknown.
    """

    classes: NDArray[Any]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    input: str = "real"
    cosine: bool = False

    def __post_init__(self) -> None:
        n = len(self.classes)
        if self.weight.ndim != 2 or n < 1 or self.weight.shape[0] != n or self.bias.shape != (n,):
            raise ValueError(
                f"weight and bias must have shapes ({n}, bits) and ({n},), got {self.weight.shape} and "
                f"{self.bias.shape}."
            )
        if not np.isfinite(self.weight).all() or not np.isfinite(self.bias).all():
            raise ValueError("weight and bias must be finite.")
        if self.input not in _INPUTS:
            raise ValueError(f"input must be one of {_INPUTS}, got {self.input!r}.")

    @property
    def bits(self) -> int:
        """Code length."""
        return self.weight.shape[1]

    def predict(self, z: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Predict classes.

        Parameters
        ----------
        z : ndarray of float of shape (n, bits)
            Continuous codes.

        Returns
        -------
        labels : ndarray of shape (n,)
            A class for each.
        """
        winners = np.empty(len(z), np.intp)
        rows = max(_BLOCK_VALUES // len(self.classes), 1)
        norms = np.maximum(np.sqrt((self.weight**2).sum(axis=1)), _EPSILON) if self.cosine else 1.0
        for start in range(0, len(z), rows):
            x = self._read(z[start : start + rows])
            # One order of the sum for any number of rows, which a matrix product does not have.
            scores = np.zeros((len(x), len(self.classes)))
            for column, weights in zip(x.T, self.weight.T, strict=True):
                scores += column[:, None] * weights
            winners[start : start + rows] = (scores / norms + self.bias).argmax(axis=1)
        return self.classes[winners]

    def _read(self, z: NDArray[Any]) -> NDArray[np.float64]:
        if self.input in ("sign", "bit"):
            bits = binarize(z).astype(np.float64)
            return bits if self.input == "bit" else 2 * bits - 1
        z = z.astype(np.float64)
        return np.tanh(z) if self.input == "tanh" else z


@dataclass(frozen=True, eq=False)
class ClassVotes:
    """Training codes that vote, as in `HammingIndex.predict`.

    Parameters
    ----------
    codes : ndarray of uint64 of shape (n, ceil(bits / 64))
        Training codes.
    labels : ndarray of int64 of shape (n,) or of uint8 of shape (n, n_classes)
        Positions in `classes`, or a multi-hot matrix.
    classes : ndarray of shape (n_classes,)
        Class labels; of multi-hot labels, the numbers of the columns.
    bits : int
        Code length.
    n_neighbors : int
        How many codes vote.

    Raises
    ------
    ValueError
        If shapes do not fit together, a label is not one of `classes`, or a bit beyond the code is 1.
    """

    codes: NDArray[np.uint64]
    labels: NDArray[Any]
    classes: NDArray[Any]
    bits: int
    n_neighbors: int

    def __post_init__(self) -> None:
        n, words, n_classes = len(self.codes), -(-self.bits // 64), len(self.classes)
        shapes = ((n,), (n, n_classes))
        if n < 1 or self.n_neighbors < 1 or self.codes.shape != (n, words) or self.labels.shape not in shapes:
            raise ValueError(
                f"codes and labels must have shapes (n, {words}) and (n,) or (n, {n_classes}), n and n_neighbors must "
                f"be >= 1, got {self.codes.shape}, {self.labels.shape} and {self.n_neighbors}."
            )
        if self.bits % 64 and (self.codes[:, -1] >> np.uint64(self.bits % 64)).any():
            raise ValueError("codes must have zeros beyond their last bit.")
        largest = 2 if self.labels.ndim == 2 else n_classes
        if self.labels.size and not (self.labels.min() >= 0 and self.labels.max() < largest):
            raise ValueError(f"labels must be integers from 0 to {largest - 1}.")

    def predict(self, z: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """Predict classes.

        Parameters
        ----------
        z : ndarray of float of shape (n, bits)
            Continuous codes.

        Returns
        -------
        labels : ndarray of shape (n,) or (n, n_classes)
            A class for each, or a multi-hot matrix.
        """
        queries, k = pack_codes(binarize(z)), min(self.n_neighbors, len(self.codes))
        winners = np.empty((len(queries), *self.labels.shape[1:]), self.labels.dtype)
        rows = max(_BLOCK_VALUES // len(self.codes), 1)
        for start in range(0, len(queries), rows):
            neighbors = self.labels[self._nearest(queries[start : start + rows], k)]
            if self.labels.ndim == 2:
                winners[start : start + rows] = 2 * neighbors.sum(axis=1, dtype=np.int64) >= k
                continue
            votes = sum((neighbors == column[:, None]).astype(np.int64) for column in neighbors.T)
            first = np.asarray(votes).argmax(axis=1)  # of equal ones the nearest
            winners[start : start + rows] = neighbors[np.arange(len(first)), first]
        return winners if self.labels.ndim == 2 else self.classes[winners]

    def _nearest(self, queries: NDArray[np.uint64], k: int) -> NDArray[np.int64]:
        """Return the rows of the nearest codes, ordered by (distance, row)."""
        n = len(self.codes)
        keys = np.zeros((len(queries), n), np.int64)
        for mine, theirs in zip(queries.T, self.codes.T, strict=True):
            keys += np.bitwise_count(mine[:, None] ^ theirs)
        keys = keys * n + np.arange(n)
        return np.sort(np.partition(keys, k - 1, axis=1)[:, :k], axis=1) % n


ClassRule: TypeAlias = ClassScores | ClassVotes


def encode_classes(rule: ClassScores | ClassVotes) -> NDArray[np.uint8]:
    """Return the bytes of a rule: size of the description, description (JSON), arrays.

    Raises
    ------
    TypeError
        If the classes cannot be written as JSON.
    """
    kind = rule.classes.dtype.newbyteorder("<").str
    values = rule.classes.tolist()
    if not _DTYPES.fullmatch(kind) or not all(isinstance(value, (str, bool, int, float)) for value in values):
        raise TypeError(f"classes must be strings or numbers, so that a file can hold them, got {rule.classes!r}.")
    entry: dict[str, Any] = {"classes": values, "dtype": kind, "bits": rule.bits}
    if isinstance(rule, ClassScores):
        entry |= {"kind": "scores", "input": rule.input, "cosine": rule.cosine}
        arrays = [rule.weight.astype("<f8"), rule.bias.astype("<f8")]
    else:
        multilabel = rule.labels.ndim == 2
        entry |= {"kind": "vote", "n": len(rule.codes), "n_neighbors": int(rule.n_neighbors), "multilabel": multilabel}
        arrays = [rule.codes.astype("<u8"), rule.labels.astype("|u1" if multilabel else "<i8")]
    text = json.dumps(entry, separators=(",", ":")).encode()
    if len(text) > _LARGEST_JSON or rule.classes.nbytes > _LARGEST_TEXTS:
        raise TypeError(f"classes must take at most {_LARGEST_JSON} bytes as JSON and {_LARGEST_TEXTS} in memory.")
    raw = b"".join([len(text).to_bytes(8, "little"), text, *(array.tobytes() for array in arrays)])
    return np.frombuffer(raw, np.uint8)


def decode_classes(raw: NDArray[np.uint8], bits: int) -> ClassScores | ClassVotes:
    """Return the rule that `encode_classes` wrote, for codes of so many bits; raise ValueError if it is damaged."""
    size = int.from_bytes(raw[:8].tobytes(), "little")
    if raw.size < 8 or size > min(raw.size - 8, _LARGEST_JSON):
        raise ValueError(f"the description of the classes would have {size} bytes")
    entry = json.loads(raw[8 : 8 + size].tobytes().decode())
    if entry["bits"] != bits or type(entry["bits"]) is not int:
        raise ValueError(f"the classes are for codes of {entry['bits']} bits, the network has {bits}")
    classes, data = _read_classes(entry["classes"], entry["dtype"]), raw[8 + size :]
    if entry["kind"] == "scores":
        if type(entry["cosine"]) is not bool:
            raise ValueError(f"cosine must be true or false, got {entry['cosine']}")
        weight, bias = _split(data, (("<f8", (len(classes), bits)), ("<f8", (len(classes),))))
        return ClassScores(classes, weight, bias, entry["input"], entry["cosine"])
    n, k, multilabel = entry["n"], entry["n_neighbors"], entry["multilabel"]
    if entry["kind"] != "vote" or type(n) is not int or type(k) is not int or type(multilabel) is not bool or n < 1:
        raise ValueError("the description of the classes is not one of scores or votes")
    labels = ("|u1", (n, len(classes))) if multilabel else ("<i8", (n,))
    codes, positions = _split(data, (("<u8", (n, -(-bits // 64))), labels))
    return ClassVotes(codes, positions, classes, bits, k)


def _read_classes(values: Any, kind: Any) -> NDArray[Any]:
    if not isinstance(values, list) or not isinstance(kind, str) or not _DTYPES.fullmatch(kind):
        raise ValueError(f"classes must be a list of values of a known type, got type {kind!r}")
    dtype = np.dtype(kind)
    if len(values) * dtype.itemsize > _LARGEST_TEXTS:
        raise ValueError(f"classes would take more than {_LARGEST_TEXTS} bytes")
    types: dict[str, tuple[type, ...]] = {"U": (str,), "b": (bool,), "f": (float,), "O": (str, bool, int, float)}
    if not all(type(value) in types.get(dtype.kind, (int,)) for value in values):
        raise ValueError(f"classes must be values of type {kind}")
    classes = np.empty(len(values), dtype)
    classes[:] = values  # integers that are too large are errors
    if dtype.kind == "U" and classes.tolist() != values:
        raise ValueError(f"classes must be values of type {kind}")
    return classes.astype(dtype.newbyteorder("="), copy=False)


def _split(data: NDArray[np.uint8], forms: tuple[tuple[str, tuple[int, ...]], ...]) -> list[NDArray[Any]]:
    """Cut bytes, which must fit exactly, into arrays."""
    sizes = [math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in forms]
    if sum(sizes) != data.size:
        raise ValueError(f"the arrays of the classes need {sum(sizes)} bytes, got {data.size}")
    parts, start = [], 0
    for (dtype, shape), size in zip(forms, sizes, strict=True):
        part = data[start : start + size].view(dtype).reshape(shape)
        parts.append(part.astype(part.dtype.newbyteorder("="), copy=True))
        start += size
    return parts
