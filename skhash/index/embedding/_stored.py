"""The state of an embedding index: records with ids, the quantizer that made them, and copies of the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skhash.index.embedding._layout import MAX_LEVELS, RecordLayout
from skhash.index.embedding._learning import read_finite
from skhash.index.embedding._quantizer import Quantizer, normalize
from skhash.utils import is_mapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.index.collection._collection import Collection

__all__ = ["Copies", "Read", "Stored", "read_vectors"]

_ROWS = 2048
_MAX_LOSS = 0.25  # share of a vector that int8 copies may cut off without a warning


@dataclass(frozen=True, eq=False)
class Copies:
    """How vectors are kept beside their records.

    Parameters
    ----------
    kind : {"int8", "float16", "float32"} or None
        Type of the copies; None for none.
    scales : ndarray of float32 of shape (n_features,)
        Value of a unit of each feature: 1 except for int8.
    metric : {"cosine", "euclidean", "inner_product"}
        What the copies are compared by. For the cosine vectors are copied at length 1, whatever their scale is.
    """

    kind: str | None
    scales: NDArray[np.float32]
    metric: str

    @classmethod
    def learn(cls, kind: str | None, X: NDArray[Any] | None, metric: str) -> Copies:
        """Choose the scales from training vectors: 127 units are the largest value of a feature, and a quarter more."""
        assert X is not None  # the index has seen vectors
        if kind != "int8":
            return cls(kind, np.ones(X.shape[1], np.float32), metric)
        largest = np.abs(normalized(np.asarray(X, np.float32), metric)).max(axis=0, initial=0.0)
        largest = np.maximum(largest, 1e-3 * largest.max(initial=0.0))
        scales = np.where(largest > 0, largest * np.float32(1.25 / 127), np.float32(1.0)).astype(np.float32)
        return cls(kind, np.maximum(scales, np.finfo(np.float32).tiny), metric)

    def make(self, X: NDArray[Any]) -> tuple[NDArray[Any] | None, int]:
        """Return copies of vectors, and how many vectors are far beyond the range of int8.

        The copies are the vectors themselves where these are of this type and in a memory map.
        """
        if self.kind is None:
            return None, 0
        if X.dtype == self.kind and self.kind != "int8" and is_mapped(X) and X.flags.c_contiguous:
            return X, 0
        copies, n_clipped = np.empty(X.shape, self.kind), 0
        for start in range(0, len(X), _ROWS):
            block = np.asarray(X[start : start + _ROWS], np.float32)
            if self.kind != "float32":
                block = normalized(block, self.metric)
            if self.kind == "int8":
                inside = np.clip(block, -127 * self.scales, 127 * self.scales)
                lost, lengths = (np.square(part, dtype=np.float64).sum(axis=1) for part in (block - inside, block))
                n_clipped += int(np.count_nonzero(lost > _MAX_LOSS**2 * lengths))
                block = np.rint(inside / self.scales)
            elif self.kind == "float16" and np.abs(block).max(initial=0.0) > np.finfo(np.float16).max:
                raise ValueError("X contains values beyond 65,504, the largest of float16: use rescore='float32'.")
            copies[start : start + _ROWS] = block
        return copies, n_clipped

    def read(self, copies: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vectors of which these are copies, rounded."""
        vectors = copies.astype(np.float32)
        return vectors * self.scales if self.kind == "int8" else vectors


class Read(NamedTuple):
    """Vectors as an index keeps them.

    Parameters
    ----------
    records : ndarray of uint64 of shape (n, n_words)
        Records.
    copies : ndarray of shape (n, n_features) or None
        Copies.
    n_clipped : int
        How many of the vectors are beyond the range of the records.
    n_clipped_copies : int
        How many of the vectors are beyond the range of the copies.
    """

    records: NDArray[np.uint64]
    copies: NDArray[Any] | None
    n_clipped: int
    n_clipped_copies: int


@dataclass(frozen=True, eq=False)
class Stored:
    """The state of an index, which a change replaces as a whole.

    Parameters
    ----------
    collection : Collection
        Records with ids, labels and copies of the vectors.
    quantizer : Quantizer
        Made the records.
    copies : Copies
        How the copies are made.
    """

    collection: Collection
    quantizer: Quantizer
    copies: Copies

    def with_collection(self, collection: Collection) -> Stored:
        """Return the state with other records."""
        return Stored(collection, self.quantizer, self.copies)

    def attachments(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return what a folder keeps beside the records: arrays, and facts for the header."""
        quantizer = self.quantizer
        arrays = {name: getattr(quantizer, name) for name in _ARRAYS}
        arrays["scales"] = self.copies.scales
        numbers = {name: getattr(quantizer, name) for name in _NUMBERS}
        layout = {"sizes": list(quantizer.layout.sizes), "field_bits": quantizer.layout.field_bits}
        return arrays, {"metric": quantizer.metric, "copies": self.copies.kind, **numbers, **layout}


_NUMBERS = ("length", "factor_step", "offset_low", "offset_step", "scale")
_ARRAYS = ("mean", "components", "half_steps")


def read_vectors(X: NDArray[Any], quantizer: Quantizer, copies: Copies) -> Read:
    """Return the records and copies of vectors, which are checked to be finite."""
    records, n_clipped = np.empty((len(X), quantizer.layout.n_words), np.uint64), 0
    for start in range(0, len(X), _ROWS):
        block = read_finite(X[start : start + _ROWS])
        encoded = quantizer.encode(block)
        records[start : start + len(block)] = encoded.records
        n_clipped += encoded.n_clipped
    kept, n_clipped_copies = copies.make(X)
    return Read(records, kept, n_clipped, n_clipped_copies)


def restore(collection: Collection, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> Stored:
    """Return the state of an index from what a folder kept, after checking that it fits together."""
    try:
        if set(arrays) != {*_ARRAYS, "scales"}:
            raise ValueError(f"arrays {sorted(arrays)}")
        n_words = collection.codes.shape[1]
        if not all(type(size) is int for size in [*facts["sizes"], facts["field_bits"]]):
            raise ValueError(f"sizes {facts['sizes']}")
        layout = RecordLayout(n_words, tuple(facts["sizes"]), facts["field_bits"])
        n_features = len(arrays["mean"])
        shapes = {
            "mean": (n_features,),
            "components": (layout.n_dims, n_features),
            "half_steps": (layout.n_dims,),
            "scales": (n_features,),
        }
        for name, shape in shapes.items():
            if arrays[name].shape != shape or arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} of shape {arrays[name].shape} and type {arrays[name].dtype}")
        ordered = all(a >= b > 0 for a, b in zip(layout.sizes, layout.sizes[1:], strict=False)) and layout.sizes[-1] > 0
        if len(layout.sizes) > MAX_LEVELS or layout.field_bits not in (8, 16):
            raise ValueError(f"{len(layout.sizes)} levels with fields of {layout.field_bits} bits")
        if not ordered or sum(layout.sizes) + 2 * layout.field_bits > 64 * n_words:
            raise ValueError(f"sizes {layout.sizes} of {n_words} words")
        if facts["metric"] not in ("cosine", "euclidean", "inner_product"):
            raise ValueError(f"metric {facts['metric']!r}")
        vectors, kind = collection.vectors, facts["copies"]
        found = None if vectors is None else (vectors.dtype.name, vectors.shape[1])
        if found != (None if kind is None else (kind, n_features)):
            raise ValueError(f"copies {kind!r} of vectors {found}")
        numbers = {name: float(facts[name]) for name in _NUMBERS}
        positive = min(numbers[name] for name in _NUMBERS if name != "offset_low")
        if not all(np.isfinite(list(numbers.values()))) or positive <= 0 or not (arrays["scales"] > 0).all():
            raise ValueError(f"numbers {numbers}")
    except (KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        raise ValueError(
            f"The saved index is damaged: its header and its arrays do not fit together ({error})."
        ) from error
    learned: dict[str, Any] = {name: arrays[name] for name in _ARRAYS} | numbers
    quantizer = Quantizer(metric=facts["metric"], layout=layout, **learned)
    return Stored(collection, quantizer, Copies(kind, arrays["scales"], quantizer.metric))


def normalized(vectors: NDArray[np.float32], metric: str) -> NDArray[np.float32]:
    """Return vectors as the metric compares them."""
    return normalize(vectors) if metric == "cosine" else vectors
