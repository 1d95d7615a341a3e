"""From estimators to descriptions: JSON values, tensors beside them, and folders of indexes."""

from __future__ import annotations

import os
import secrets
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator

from skhash.io._tables import (
    INDEXES,
    SHARDED,
    UNSAVED,
    estimator_name,
    fitted_names,
    is_hasher,
    is_local,
    is_object,
)
from skhash.io._trust import describe_name
from skhash.metrics import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Encoder"]

_PLAIN = (bool, int, float, str)
_DROPPED = ("_sklearn_version", "_skl_callbacks", "_parent_callback_ctx", "_metadata_request")


class Encoder:
    """Describes an estimator; collects its tensors and the indexes that need a folder of their own.

    Every array, tensor, module and estimator gets a number when it is first met. It is described once, so that what
    was one object is one object again.

    Attributes
    ----------
    tensors : dict of str to ndarray
        The tensors by their names.
    folders : dict of str to index
        Fitted indexes by the names of their folders.
    pretrained : dict of int to str
        Names of trained networks by the `id` of the module.
    losses : set of int
        The `id` of each loss of the caller's that is described in full.
    has_modules : bool
        Whether there are torch modules or tensors.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, NDArray[Any]] = {}
        self.folders: dict[str, Any] = {}
        self.pretrained: dict[int, str] = {}
        self.losses: set[int] = set()
        self.has_modules = False
        self._numbers: dict[int, int | None] = {}  # None while an object is being described
        self._count = 0
        self._kept: list[Any] = []

    def value(self, value: Any, where: str) -> Any:
        """Describe any value; `where` says in messages what it is."""
        if value is None or type(value) in _PLAIN:
            return value
        if type(value) is list:
            return [self.value(each, where) for each in value]
        if type(value) is tuple:
            return {"type": "tuple", "items": [self.value(each, where) for each in value]}
        if type(value) is dict:
            return {"type": "dict", "items": [[self.value(k, where), self.value(v, where)] for k, v in value.items()]}
        if isinstance(value, np.generic):
            return self._scalar(value, where)
        if isinstance(value, os.PathLike):
            return {"type": "path", "path": os.fspath(value)}
        if isinstance(value, np.dtype) and value.kind in "biufUO":
            return {"type": "dtype", "name": value.str}
        if type(value) is slice:
            return {"type": "slice", "items": [value.start, value.stop, value.step]}
        return self._once(value, where)

    def _once(self, value: Any, where: str) -> Any:
        """Describe an object that may be met again."""
        if id(value) in self._numbers:
            number = self._numbers[id(value)]
            if number is None:
                raise TypeError(f"Cannot save {where}: it contains itself.")
            return {"type": "same", "number": number}
        self._numbers[id(value)] = None
        self._kept.append(value)  # or another object could get its address
        node = self._describe(value, where)
        self._numbers[id(value)] = self._count
        self._count += 1
        return {**node, "number": self._count - 1}

    def _describe(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            return self.array(value, where)
        if type(value) is Score:
            parts = {"definition": value.definition, "per_query": self.value(value.per_query, where)}
            return {"type": "score", "value": float(value), **parts}
        if isinstance(value, np.random.RandomState):
            _, keys, *rest = value.get_state(legacy=True)
            return {"type": "random state", "items": [self.value(each, where) for each in (keys, *rest)]}
        if isinstance(value, BaseEstimator) or type(value).__name__ in SHARDED:
            return self._estimator(value, where)
        if is_object(value):
            items = {field.name: self.value(getattr(value, field.name), where) for field in fields(value)}
            return {"type": "object", "class": type(value).__name__, "fields": items}
        if any(cls.__module__.partition(".")[0] == "torch" for cls in type(value).__mro__) or _is_pairing(value):
            from skhash.io._module_encoding import describe

            self.has_modules = True
            return describe(self, value, where)
        if callable(value):
            return {"type": "named", "name": describe_name(value, where)}
        raise TypeError(f"Cannot save {where}: a value of the type {type(value).__name__} is not in the format.")

    def array(self, array: NDArray[Any], where: str) -> dict[str, Any]:
        """Describe an array."""
        if type(array) not in (np.ndarray, np.memmap):
            raise TypeError(f"Cannot save {where}: an array of the type {type(array).__name__} is not in the format.")
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
            return {"type": "array", **self.tensor(array)}
        if array.dtype.kind not in "UO":
            raise TypeError(f"Cannot save {where}: an array of the type {array.dtype} is not in the format.")
        items = [item.item() if isinstance(item, np.generic) else item for item in array.reshape(-1).tolist()]
        if not all(item is None or type(item) in _PLAIN for item in items):
            raise TypeError(f"Cannot save {where}: an array of objects may hold numbers, texts and None only.")
        kind = "objects" if array.dtype.kind == "O" else "texts"
        return {"type": kind, "shape": list(array.shape), "items": items}

    def tensor(self, array: NDArray[Any]) -> dict[str, Any]:
        """Add a tensor. Axes are stored from the slowest to the fastest, so that the layout in memory comes back."""
        order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
        moved = array.transpose(order)
        if array.flags.c_contiguous or not moved.flags.c_contiguous:  # a view with gaps is copied, as by pickle
            order, moved = [], array
        name = str(len(self.tensors))
        self.tensors[name] = np.ascontiguousarray(moved, moved.dtype.newbyteorder("=")).reshape(moved.shape)
        return {"tensor": name, "axes": order} if order else {"tensor": name}

    def _scalar(self, value: np.generic, where: str) -> dict[str, Any]:
        item = value.item()
        if type(item) not in _PLAIN or (value.dtype.itemsize > 8 and value.dtype.kind != "U"):
            raise TypeError(f"Cannot save {where}: a number of the type {type(value).__name__} is not in the format.")
        return {"type": "scalar", "dtype": "str" if value.dtype.kind == "U" else value.dtype.name, "value": item}

    def _estimator(self, estimator: Any, where: str) -> dict[str, Any]:
        own = type(estimator).__name__
        if own in SHARDED:
            return self._sharded(estimator, where)
        name = estimator_name(estimator)
        is_own = name is None and is_hasher(type(estimator))
        if is_own:  # a subclass of the caller's
            name = describe_name(type(estimator), where)
        functions = [getattr(estimator, part, None) for part in ("func", "inverse_func")]
        if name is None or functions != [None, None]:
            raise TypeError(
                f"Cannot save {where}: {type(estimator).__module__}.{own} is not an estimator of skhash or one of the "
                "scikit-learn classes that the format has (see the user guide, Saving). Save the others yourself, for "
                "example by skops."
            )
        if own in INDEXES and hasattr(estimator, "n_samples_fit_"):
            return self.index(estimator, where)
        parameters = estimator.get_params(deep=False)
        get_state: Any = estimator.__getstate__() if is_own or name.startswith("skhash.") else vars(estimator)
        state = {k: v for k, v in get_state.items() if k not in parameters and k not in _DROPPED}
        if "device" in parameters and "device" in get_state:
            parameters["device"] = get_state["device"]  # "auto" in place of a Fabric
        self._note_pretrained(parameters.get("backbone"), state.get("module_"))
        if is_own and "module_" in state:
            from skhash.io._module_encoding import plain_losses

            self.losses |= plain_losses(state["module_"])
        parameters.update({key: None for key in UNSAVED if key in parameters})
        described = {key: self._parameter(key, each, where) for key, each in parameters.items()}
        unknown = sorted(key for key in state if key not in fitted_names(name))
        if unknown:
            raise TypeError(f"Cannot save {where}: {own} has the attribute {unknown[0]!r}, which is not in the format.")
        fitted = {key: self._fitted(key, each, f"{key} of {where}") for key, each in state.items()}
        return {"type": "estimator", "class": name, "parameters": described, "state": fitted}

    def _parameter(self, key: str, value: Any, where: str) -> Any:
        """Describe a parameter; each of the named steps of a pipeline is named in messages."""
        if key in ("steps", "transformer_list") and isinstance(value, list):
            return [self.value(tuple(step), f"step {step[0]!r} of {where}") for step in value]
        return self.value(value, f"{key} of {where}")

    def _fitted(self, key: str, value: Any, where: str) -> Any:
        """Describe a fitted attribute; an index among them is part of the file."""
        if type(value).__name__ == "HammingIndex" and key in ("index_", "label_index_"):
            return self._inline(value, where)
        if key == "_transformers_feature_names_out":  # of a `FeatureUnion`: arrays, or indexes of pandas
            value = [np.asarray(names, object) for names in value]
        return self.value(value, where)

    def _note_pretrained(self, backbone: Any, module: Any) -> None:
        """Remember that a module, which may be a copy of that of the estimator, is a trained network by name."""
        if isinstance(backbone, str) and module is not None:
            from skhash.nn import is_pretrained_name

            if is_pretrained_name(backbone):
                self.pretrained[id(getattr(module, "backbone", module))] = backbone

    def index(self, index: Any, where: str) -> dict[str, Any]:
        """Describe a fitted index by the name of a folder."""
        name = f"index-{secrets.token_hex(8)}"
        self.folders[name] = index
        parameters = {key: self.value(each, where) for key, each in index.get_params(deep=False).items()}
        return {"type": "folder", "class": type(index).__name__, "folder": name, "parameters": parameters}

    def _sharded(self, index: Any, where: str) -> dict[str, Any]:
        if not is_local(index.executor):
            raise TypeError(
                f"Cannot save {where}: executor must be None, a number or 'joblib', got {index.executor!r}."
            )
        names = ("n_neighbors", "radius", "executor")
        parameters = {name: getattr(index, name) for name in names if hasattr(index, name)}
        parts = [self.index(part, where) for part in index._indexes]
        return {"type": "sharded", "class": type(index).__name__, "parameters": parameters, "parts": parts}

    def _inline(self, index: Any, where: str) -> dict[str, Any]:
        """Describe a small index with the file: codes in the order of their ids, and labels."""
        collection = index._collection
        if collection.vectors is not None or not np.array_equal(index.ids_, np.arange(len(index.codes_))):
            raise TypeError(f"Cannot save {where}: an index with ids or vectors must be saved by itself.")
        labels = index.labels_
        return {
            "type": "index",
            "parameters": {key: self.value(each, where) for key, each in index.get_params(deep=False).items()},
            "bits": int(index.bits_),
            "codes": self.value(index.codes_, where),
            "labels": None if labels is None else self.value(labels.decode(), where),
        }


def _is_pairing(value: Any) -> bool:
    return type(value).__module__ == "skhash.losses._pairing"
