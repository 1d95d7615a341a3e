"""Contents of a store: the code length and the columns of metadata, with the rules for names and values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.utils import to_numpy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Schema", "check_name", "column_names", "read_columns", "read_ids", "read_metadata", "read_values"]

VERSION = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = re.compile(r"id|code|code_\d+|distance|query")
_TYPES = {int: "int", float: "float", str: "str", bool: "bool"}
_DTYPES: dict[str, Any] = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}


@dataclass(frozen=True)
class Schema:
    """Contents of a store for each id.

    Parameters
    ----------
    bits : int
        Code length.
    columns : dict of str to str
        Types of the columns of metadata by name: "int" (64 bits), "float" (double precision), "str" or "bool".
    """

    bits: int
    columns: dict[str, str]

    @property
    def n_words(self) -> int:
        """Number of 64-bit words of a code."""
        return -(-self.bits // 64)

    def to_json(self) -> str:
        """Return the text that a backend keeps beside its table."""
        return json.dumps({"skhash": VERSION, "bits": self.bits, "columns": self.columns})

    @classmethod
    def from_json(cls, text: str | None) -> Schema | None:
        """Read the text that `to_json` wrote; None if it is another text."""
        try:
            stored = json.loads(text or "")
        except ValueError:
            return None
        if not isinstance(stored, dict) or stored.get("skhash") != VERSION:
            return None
        bits, columns = stored.get("bits"), stored.get("columns")
        return cls(bits, read_columns(columns)) if type(bits) is int and isinstance(columns, dict) else None


def check_name(name: object, argument: str) -> str:
    """Return a name of a table or a column, or raise ValueError: names are part of statements."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{argument} must begin with a lower case letter and consist of at most 40 lower case letters, digits and "
            f"underscores, got {name!r}."
        )
    return name


def read_columns(columns: Mapping[str, Any] | None) -> dict[str, str]:
    """Return names and types of columns as `Schema` keeps them."""
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a dict of names to types, got {type(columns).__name__}.")
    read = {}
    for name, kind in columns.items():
        if _RESERVED.fullmatch(check_name(name, "Names of columns")):
            raise ValueError(f"columns must not be named {name!r}, which the store needs itself.")
        kind = _TYPES.get(kind, kind) if isinstance(kind, type) else kind
        if not isinstance(kind, str) or kind not in _DTYPES:
            raise ValueError(f"columns: the type of {name!r} must be int, float, str or bool, got {kind!r}.")
        read[name] = kind
    return read


def read_ids(ids: Any, n: int | None = None, *, unique: bool = True) -> NDArray[np.int64]:
    """Read ids, which are integers in a store.

    Parameters
    ----------
    ids : array-like of int of shape (n,)
        Ids.
    n : int, default=None
        Required number of ids; None for any.
    unique : bool, default=True
        Whether to refuse ids that occur twice.

    Returns
    -------
    ids : ndarray of int64 of shape (n,)
        The ids.
    """
    if isinstance(ids, (str, bytes)) or not hasattr(ids, "__len__"):
        raise TypeError(f"ids must be a list or an array of integers, got {type(ids).__name__}: {ids!r}.")
    given = _to_array(ids, "ids")
    if given.ndim != 1:
        raise ValueError(f"ids must have shape (n,), got {given.shape}.")
    if n is not None and len(given) != n:
        raise ValueError(f"ids must hold one id per code: X has {n}, ids has {len(given)}.")
    read = _to_integers(given, "ids")
    if unique and len(read) > 1:
        in_order = np.sort(read)
        repeated = np.unique(in_order[1:][in_order[1:] == in_order[:-1]])
        if len(repeated):
            raise ValueError(f"ids must be unique, but {name_some(repeated)} given more than once.")
    return read


def name_some(ids: NDArray[np.int64]) -> str:
    """Return the beginning of a sentence about ids, with the first of them."""
    first = int(ids[0])
    return f"{first} is" if len(ids) == 1 else f"{len(ids)} ids (the first of them {first}) are"


def read_metadata(metadata: Any, columns: Mapping[str, str], n: int) -> dict[str, NDArray[Any]]:
    """Read one value of each column for each code.

    Parameters
    ----------
    metadata : dict of str to array-like of shape (n,), data frame or None
        Values by column.
    columns : dict of str to str
        The columns that must be there, with their types.
    n : int
        Number of codes.

    Returns
    -------
    values : dict of str to ndarray of shape (n,)
        In the order of `columns`: int64, float64, bool, or objects that are str.
    """
    metadata = {} if metadata is None else metadata
    if not isinstance(metadata, Mapping) and not hasattr(metadata, "columns"):
        raise TypeError(f"metadata must be a dict of columns or a data frame, got {type(metadata).__name__}.")
    names = column_names(metadata)
    if sorted(map(str, names)) != sorted(columns):
        raise ValueError(f"metadata must have the columns {sorted(columns)}, got {sorted(map(str, names))}.")
    read = {}
    for name, kind in columns.items():
        values = read_values(metadata[name], kind, f"metadata[{name!r}]")
        if len(values) != n:
            raise ValueError(f"metadata[{name!r}] must hold one value per code: X has {n}, it has {len(values)}.")
        read[name] = values
    return read


def column_names(metadata: Any) -> list[Any]:
    """Return the names of the columns of a dict or a data frame; of a table of Arrow, `columns` are values."""
    names = getattr(metadata, "column_names", None)
    return list(getattr(metadata, "columns", metadata) if names is None else names)


def read_values(values: Any, kind: str, argument: str) -> NDArray[Any]:
    """Read values of one type.

    Parameters
    ----------
    values : array-like of shape (n,)
        The values.
    kind : {"int", "float", "str", "bool"}
        Their type.
    argument : str
        What the values are, for the message of an error.

    Returns
    -------
    values : ndarray of shape (n,)
        int64, float64, bool, or objects that are str.
    """
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise TypeError(f"{argument} must be a list or an array, got {type(values).__name__}: {values!r}.")
    array = _to_array(values, argument)
    if array.ndim != 1:
        raise ValueError(f"{argument} must have shape (n,), got {array.shape}.")
    if kind == "int":
        return _to_integers(array, argument)
    items: list[Any] = array.tolist() if array.dtype.kind not in "Mm" else list(array)
    if kind == "bool":
        for item in items:
            if not isinstance(item, (bool, np.bool_)):
                raise TypeError(f"{argument} must be bool, got {item!r}.")
        return np.array(items, dtype=bool)
    if kind == "float":
        for item in items if array.dtype.kind not in "fiu" else ():
            if isinstance(item, (bool, np.bool_)) or not isinstance(item, (int, float, np.number)):
                raise TypeError(f"{argument} must be numbers, got {item!r}.")
        try:
            numbers = np.array(array, dtype=np.float64)
        except OverflowError:
            raise ValueError(f"{argument} must be numbers of double precision, got larger ones.") from None
        if np.isnan(numbers).any():
            raise ValueError(f"{argument} must be numbers, got NaN.")
        return numbers
    for item in items:
        if not isinstance(item, str):
            raise TypeError(f"{argument} must be str, got {item!r}.")
        if "\0" in item or (not item.isascii() and any("\ud800" <= letter <= "\udfff" for letter in item)):
            raise ValueError(f"{argument} must be texts without NUL and half surrogate pairs, got {item!r}.")
    return np.fromiter(items, dtype=object, count=len(items))


def _to_array(values: Any, argument: str) -> NDArray[Any]:
    """Convert to an array that has the values themselves: numpy drops NUL at ends, and rounds large integers."""
    array = to_numpy(
        values if isinstance(values, (list, tuple)) or hasattr(values, "dtype") else list(values), argument
    )
    if isinstance(values, (list, tuple)) and array.ndim == 1 and array.dtype.kind not in "ib":
        return np.fromiter(values, dtype=object, count=len(values))
    return array


def _to_integers(array: NDArray[Any], argument: str) -> NDArray[np.int64]:
    """Convert an array to int64, or raise an error that names the first value that is no such number."""
    if array.dtype.kind == "i" or not array.size:
        return array.astype(np.int64)
    for item in array.tolist() if array.dtype.kind != "u" or array.max() >= 2**63 else ():
        if isinstance(item, bool) or not isinstance(item, (int, np.integer)):
            raise TypeError(f"{argument} must be integers, got {item!r}.")
        if not -(2**63) <= item < 2**63:
            raise ValueError(f"{argument} must fit int64, got {item}.")
    return array.astype(np.int64)
