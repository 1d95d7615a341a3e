"""Common parts of backends that use SQL: sessions for threads, and conditions as parameterized text."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skhash.stores._store import CodeStore

if TYPE_CHECKING:
    from skhash.stores._where import Condition

__all__ = ["SQLCodeStore"]

_OPERATORS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


class SQLCodeStore(CodeStore):
    """A store over an engine with sessions: each call takes a free one, and a transaction keeps its own to the end."""

    _TYPES: dict[str, str]  # of the engine, by the names of `Schema.columns`

    def _start(self) -> None:
        """Prepare the sessions; to be called before `__init__` of the base, which connects."""
        self._free: list[Any] = []
        self._guard = threading.Lock()

    @abstractmethod
    def _open_session(self) -> Any:
        """Connect."""

    @abstractmethod
    def _close_session(self, session: Any) -> None:
        """Close a session; it may be broken."""

    @abstractmethod
    def _is_usable(self, session: Any) -> bool:
        """Check whether a session can be used again."""

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """Yield the session of this thread's transaction, or one for this call."""
        held = getattr(self._local, "session", None)
        if held is not None:
            yield held
            return
        session = self._acquire()
        try:
            yield session
        finally:
            self._release(session)

    def _acquire(self) -> Any:
        while True:
            with self._guard:
                session = self._free.pop() if self._free else None
            if session is None:
                return self._open_session()
            if self._is_usable(session):
                return session
            self._close_session(session)

    def _release(self, session: Any) -> None:
        if self._is_closed or not self._is_usable(session):
            self._close_session(session)
            return
        with self._guard:
            self._free.append(session)

    def _disconnect(self) -> None:
        with self._guard:
            sessions, self._free = self._free, []
        for session in sessions:
            self._close_session(session)

    def _conditions(self, where: tuple[Condition, ...], values: dict[str, Any]) -> str:
        """Return conditions as text, and put their values into the parameters `values`."""
        texts = ["true"]
        for number, condition in enumerate(where):
            name, op = f"where_{number}", condition.op
            if op in _OPERATORS:
                values[name] = condition.value
                texts.append(f'"{condition.column}" {_OPERATORS[op]} {self._parameter(name, condition)}')
            elif len(condition.values):
                values[name] = condition.values.tolist()
                texts.append(f'"{condition.column}" {op} (select unnest({self._parameter(name, condition, "[]")}))')
            else:
                texts.append("true" if op == "not in" else "false")
        return " and ".join(texts)

    def _parameter(self, name: str, condition: Condition, suffix: str = "") -> str:
        """Return a placeholder of a condition's type."""
        kind = "int" if condition.column == "id" else self._schema.columns[condition.column]
        return self._placeholder(name, self._TYPES[kind].partition(" ")[0] + suffix)

    @abstractmethod
    def _placeholder(self, name: str, kind: str) -> str:
        """Return the text that stands for a named parameter of a type."""
