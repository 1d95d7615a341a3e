"""From descriptions to estimators: classes of the tables only, and every value checked before it is used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.codes import unpack_codes
from skhash.index import EmbeddingIndex, HammingIndex, ShardedEmbeddingIndex, ShardedHammingIndex
from skhash.io._checks import check_fitted, check_keys
from skhash.io._tables import UNSAVED, find_estimator, find_object, fitted_names, is_foreign, is_hasher, is_local
from skhash.io._trust import backbone_names
from skhash.metrics import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.io._trust import Trust

    Node = dict[str, Any]

__all__ = ["Decoder"]

_DEEPEST = 100  # values within values
_LONGEST_TEXTS = 2**24  # bytes of an array of texts, unless the texts themselves are as long
_SCALARS = {"bool", "str", "float16", "float32", "float64"}
_SCALARS |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_INDEXES: dict[str, Any] = {"HammingIndex": HammingIndex, "EmbeddingIndex": EmbeddingIndex}
_SHARDED: dict[str, Any] = {"ShardedHammingIndex": ShardedHammingIndex, "ShardedEmbeddingIndex": ShardedEmbeddingIndex}


class Decoder:
    """Makes what a description says.

    Parameters
    ----------
    tensors : dict of str to ndarray
        The tensors of the file.
    trust : Trust
        Code of others.
    open_index : callable
        `open_index(type, name)` opens an index in a folder beside the file.
    """

    def __init__(
        self, tensors: dict[str, NDArray[Any]], trust: Trust, open_index: Callable[[Any, str], Any] | None
    ) -> None:
        self._tensors, self.trust, self._open_index = tensors, trust, open_index
        self._unused = set(tensors)
        self._found: dict[int, Any] = {}
        self._depth = 0

    def check_complete(self) -> None:
        """Refuse tensors that nothing has used."""
        if self._unused:
            raise ValueError(f"the tensors {sorted(self._unused)[:5]} belong to nothing")

    def value(self, node: Any) -> Any:
        """Make any value."""
        if node is None or isinstance(node, (bool, int, float, str)):
            return node
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError(f"values are nested more than {_DEEPEST} deep")
        try:
            return [self.value(each) for each in node] if isinstance(node, list) else self._object(node)
        finally:
            self._depth -= 1

    def _object(self, node: Node) -> Any:
        if node["type"] == "same":
            check_keys(node, "number")
            return self._found[node["number"]]
        make = _MAKERS.get(node["type"])
        node = dict(node)
        number = node.pop("number", None)
        if make is not None:
            made = make(self, node)
        else:
            from skhash.io._module_decoding import MAKERS

            if node["type"] not in MAKERS:
                raise ValueError(f"a value has the unknown type {node['type']!r}")
            made = MAKERS[node["type"]](self, node)
        if number is not None:
            if type(number) is not int or number in self._found:
                raise ValueError(f"the number {number!r} of an object is not a new one")
            self._found[number] = made
        return made

    def tensor(self, node: Node) -> NDArray[Any]:
        """Return a tensor of the file with its axes in place; each is used once."""
        name, axes = node["tensor"], node.get("axes")
        self._unused.remove(name)
        array = self._tensors[name]
        if axes is None:
            return array
        if sorted(axes) != list(range(array.ndim)):
            raise ValueError(f"the axes {axes!r} of tensor {name} are not those of its shape {array.shape}")
        return array.transpose(np.argsort(axes))

    def _tuple(self, node: Node) -> Any:
        check_keys(node, "items")
        return tuple(self.value(node["items"]))

    def _dict(self, node: Node) -> Any:
        check_keys(node, "items")
        found = {self.value(key): self.value(value) for key, value in node["items"]}
        if len(found) < len(node["items"]):
            raise ValueError("a key occurs twice")
        return found

    def _scalar(self, node: Node) -> Any:
        check_keys(node, "dtype", "value")
        if node["dtype"] not in _SCALARS or not isinstance(node["value"], (bool, int, float, str)):
            raise ValueError(f"{node['value']!r} of the type {node['dtype']!r} is no number or text")
        return np.str_(node["value"]) if node["dtype"] == "str" else np.dtype(node["dtype"]).type(node["value"])

    def _dtype(self, node: Node) -> Any:
        check_keys(node, "name")
        dtype = np.dtype(node["name"]) if isinstance(node["name"], str) and len(node["name"]) < 9 else None
        if dtype is None or dtype.kind not in "biufUO":
            raise ValueError(f"{node['name']!r} is not the name of a type of numbers")
        return dtype

    def _path(self, node: Node) -> Any:
        check_keys(node, "path")
        return Path(node["path"])

    def _slice(self, node: Node) -> Any:
        check_keys(node, "items")
        return slice(*self.value(node["items"]))

    def _array(self, node: Node) -> Any:
        check_keys(node, "tensor", optional=("axes",))
        return self.tensor(node)

    def _texts(self, node: Node) -> Any:
        check_keys(node, "shape", "items")
        items = node["items"]
        if not isinstance(items, list) or not all(type(item) is str for item in items):
            raise ValueError("an array of texts holds something else")
        lengths = [len(item) for item in items]
        if 4 * len(items) * max(lengths, default=0) > max(_LONGEST_TEXTS, 64 * sum(lengths)):
            raise ValueError("an array of texts would be much larger than the texts")
        return np.array(items, dtype=str).reshape(_shape(node["shape"], len(items)))

    def _objects(self, node: Node) -> Any:
        check_keys(node, "shape", "items")
        items = node["items"]
        if not isinstance(items, list) or not all(item is None or isinstance(item, _PLAIN) for item in items):
            raise ValueError("an array of objects holds something else than numbers, texts and null")
        array = np.empty(len(items), object)
        array[:] = items
        return array.reshape(_shape(node["shape"], len(items)))

    def _random_state(self, node: Node) -> Any:
        check_keys(node, "items")
        keys, position, *rest = self.value(node["items"])
        if not isinstance(keys, np.ndarray) or keys.dtype != np.uint32 or keys.shape != (624,):
            raise ValueError("a random state must have 624 integers")
        if type(position) is not int or not 0 <= position <= 624:
            raise ValueError("the position of a random state must be from 0 to 624")
        random_state = np.random.RandomState(0)
        random_state.set_state(("MT19937", keys, position, *rest))
        return random_state

    def _dataclass(self, node: Node) -> Any:
        check_keys(node, "class", "fields")
        cls = find_object(node["class"])
        names = {field.name for field in fields(cls)} if cls is not None else set()
        if cls is None or set(node["fields"]) != names:
            raise ValueError(f"{node['class']!r} with {sorted(node['fields'])} is not an object of this release")
        return cls(**{name: self.value(each) for name, each in node["fields"].items()})

    def _score(self, node: Node) -> Any:
        check_keys(node, "value", "definition", "per_query")
        value, definition, per_query = (self.value(node[key]) for key in ("value", "definition", "per_query"))
        if type(value) is not float or type(definition) is not str:
            raise ValueError(f"a score of {value!r} and {definition!r} is no number with its definition")
        if per_query is not None and not isinstance(per_query, np.ndarray):
            raise ValueError("the parts of a score are not an array")
        return Score(value, definition, per_query)

    def _named(self, node: Node) -> Any:
        check_keys(node, "name")
        return self.trust.find(node["name"], "import")

    def _estimator(self, node: Node) -> Any:
        check_keys(node, "class", "parameters", "state")
        cls = find_estimator(node["class"])
        if cls is None and isinstance(node["class"], str) and is_foreign(node["class"]):
            cls = self.trust.find(node["class"], "import")
            if not is_hasher(cls):
                raise ValueError(f"{node['class']} stands for {cls!r}, expected a class of hashers")
        if cls is None:
            raise ValueError(f"{node['class']!r} is not an estimator that this release can load")
        unknown = sorted(set(node["parameters"]) - set(cls._get_param_names()))
        unknown += sorted(name for name in node["state"] if name not in fitted_names(node["class"]))
        if unknown:
            raise ValueError(f"{node['class']} has no parameter or attribute {unknown[0]!r} in this release")
        parameters = {name: self.value(each) for name, each in node["parameters"].items()}
        given = [name for name in UNSAVED if parameters.get(name) is not None]
        if given:
            raise ValueError(f"{node['class']} has a value of {given[0]!r}, which no file may set")
        self.trust.check("it", backbone_names(parameters.get("backbone")))
        estimator = cls(**parameters)
        state = {name: self.value(each) for name, each in node["state"].items()}
        if hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
        if node["class"].startswith("skhash.") or is_foreign(node["class"]):
            check_fitted(estimator, state)
        vars(estimator).update(state)
        return estimator

    def _index(self, node: Node) -> Any:
        """Make an index of the codes and labels in the file."""
        check_keys(node, "parameters", "bits", "codes", "labels")
        bits, codes, labels = node["bits"], self.value(node["codes"]), self.value(node["labels"])
        if type(bits) is not int or not isinstance(codes, np.ndarray) or codes.dtype != np.uint64 or codes.ndim != 2:
            raise ValueError("an index must have bits and packed codes")
        if bits < 1 or codes.shape[1] != -(-bits // 64):
            raise ValueError(f"codes of {bits} bits do not have {codes.shape[1]} words")
        index = HammingIndex(**{name: self.value(each) for name, each in node["parameters"].items()})
        return index.fit(unpack_codes(codes, bits), labels)

    def _folder(self, node: Node) -> Any:
        check_keys(node, "class", "folder", "parameters")
        if self._open_index is None:
            raise ValueError("an index would be in a folder, but this is a single file")
        parameters = {name: self.value(each) for name, each in node["parameters"].items()}
        index = self._open_index(_INDEXES[node["class"]], node["folder"]).set_params(**parameters)
        index._validate_params()
        return index

    def _sharded(self, node: Node) -> Any:
        check_keys(node, "class", "parameters", "parts")
        if not set(node["parameters"]) <= {"n_neighbors", "radius", "executor"}:
            raise ValueError(f"{node['class']!r} has no parameters {sorted(node['parameters'])}")
        parameters = {key: self.value(each) for key, each in node["parameters"].items()}
        if not is_local(parameters.get("executor")):
            raise ValueError(f"executor must be None, a number or 'joblib', got {parameters['executor']!r}")
        return _SHARDED[node["class"]]([self.value(part) for part in node["parts"]], **parameters)


_PLAIN = (bool, int, float, str)
_MAKERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "array": Decoder._array,
    "dict": Decoder._dict,
    "dtype": Decoder._dtype,
    "estimator": Decoder._estimator,
    "folder": Decoder._folder,
    "index": Decoder._index,
    "named": Decoder._named,
    "object": Decoder._dataclass,
    "objects": Decoder._objects,
    "path": Decoder._path,
    "random state": Decoder._random_state,
    "scalar": Decoder._scalar,
    "score": Decoder._score,
    "sharded": Decoder._sharded,
    "slice": Decoder._slice,
    "texts": Decoder._texts,
    "tuple": Decoder._tuple,
}


def _shape(shape: Any, size: int) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(side) is int and 0 <= side < 2**31 for side in shape):
        raise ValueError(f"{shape!r} is no shape")
    if np.prod(shape, dtype=object) != size:
        raise ValueError(f"{size} items do not have the shape {shape}")
    return tuple(shape)
