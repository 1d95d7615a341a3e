"""Conditions on metadata, as data: a filter is read once, and each backend writes it in its own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from skhash.stores._schema import read_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Condition", "Where", "read_where"]

Where: TypeAlias = "Mapping[str, Any]"

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_SETS = ("in", "not in")


class Condition(NamedTuple):
    """One condition of a filter; all conditions of a filter must hold.

    Parameters
    ----------
    column : str
        A column of the store, or "id".
    op : {"==", "!=", "<", "<=", ">", ">=", "in", "not in"}
        The comparison.
    values : ndarray
        One value, or for "in" and "not in" any number: int64, float64, bool, or objects that are str.
    """

    column: str
    op: str
    values: NDArray[Any]

    @property
    def value(self) -> Any:
        """The value of a comparison, as an object of Python."""
        return self.values.tolist()[0]


def read_where(where: Where | None, columns: Mapping[str, str]) -> tuple[Condition, ...]:
    """Read a filter.

    Parameters
    ----------
    where : dict or None
        Conditions by column, see `CodeStore.kneighbors`.
    columns : dict of str to str
        The columns and their types.

    Returns
    -------
    conditions : tuple of Condition
        All of which must hold.
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        raise TypeError(
            "where must be a dict of columns to a value, a list of values, or (op, value), "
            f"got {type(where).__name__}: {where!r}."
        )
    types = {"id": "int", **columns}
    conditions: list[Condition] = []
    for column, given in where.items():
        if column not in types:
            raise ValueError(f"where: there is no column {column!r}; columns: {sorted(types)}.")
        # A list of pairs is several conditions; a list of values is one, as an array is.
        several = isinstance(given, list) and bool(given) and all(isinstance(one, tuple) for one in given)
        conditions += [_read_condition(column, one, types[column]) for one in (given if several else [given])]
    return tuple(conditions)


def _read_condition(column: str, given: Any, kind: str) -> Condition:
    argument = f"where[{column!r}]"
    op, value = "==", given
    if isinstance(given, tuple):
        if len(given) != 2 or not isinstance(given[0], str) or given[0] not in _COMPARISONS + _SETS:
            raise ValueError(
                f"{argument} must be a value, a list of values or (op, value) with op one of "
                f"{[*_COMPARISONS, *_SETS]}, got {given!r}."
            )
        op, value = given
    is_list = not isinstance(value, str) and hasattr(value, "__len__") and getattr(value, "ndim", 1) > 0
    if is_list and op == "==":
        op = "in"
    if is_list != (op in _SETS):
        raise ValueError(
            f"{argument}: {op!r} needs {'a list of values' if op in _SETS else 'one value'}, got {value!r}."
        )
    if kind == "bool" and op in ("<", "<=", ">", ">="):
        raise ValueError(f"{argument}: {op!r} does not compare bool; accepted: '==', '!=', 'in', 'not in'.")
    values = value if is_list else [value]
    if len(values) == 0:
        return Condition(column, op, np.empty(0, dtype=np.int64))
    return Condition(column, op, read_values(values, kind, argument))
