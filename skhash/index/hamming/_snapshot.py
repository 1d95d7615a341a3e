"""Snapshots of an index: every search reads one state, so that it can run during a change."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from skhash.index.engine._engine import SearchEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from skhash.index.collection._collection import Collection

    Method = TypeVar("Method", bound=Callable[..., Any])

__all__ = ["Snapshot", "on_snapshot"]


class Snapshot:
    """A collection with the engine that searches its codes. A change of an index replaces both at once.

    Parameters
    ----------
    collection : Collection
        Codes with ids and labels, none of which changes.
    bits : int
        Code length.
    engine : SearchEngine, default=None
        An engine that knows the codes, or the first of them; None means a new one at first use.
    """

    collection: Collection

    def __init__(self, collection: Collection, bits: int, engine: SearchEngine | None = None) -> None:
        self.collection = collection
        self._bits = bits
        self._engine = engine

    def with_collection(self, collection: Collection) -> Snapshot:
        """Return a snapshot of the same or more codes, with an engine that learns of these at the first search."""
        snapshot = Snapshot(collection, self._bits, self._engine)
        if collection.buffers.get("codes") is not self.collection.buffers.get("codes") and self._engine is not None:
            snapshot.engine(self._engine.algorithm)  # at once, or both buffers would be kept
        return snapshot

    def engine(self, algorithm: Literal["auto", "brute", "mih"]) -> SearchEngine:
        """Return the engine, or a new one for another algorithm."""
        engine = self._engine
        codes = self.collection.codes
        # If two threads race here, one uses an engine of its own once: slower, never wrong.
        if engine is None or engine.algorithm != algorithm:
            engine = self._engine = SearchEngine(codes, self._bits, algorithm)
        elif len(engine.codes) < len(codes):
            engine = self._engine = engine.extend(codes)
        return engine

    def share(self) -> Snapshot:
        """Return a copy for pickling that shares memory; later changes of one do not affect the other."""
        return Snapshot(self.collection.share(), self._bits)


def on_snapshot(method: Method) -> Method:
    """Run a method of an index on a shallow copy of it, which changes of the index do not reach.

    Copying the dictionary of attributes is atomic, and a change replaces one attribute: so the method sees the state
    before the change or the one after it, without a lock. An attribute that the method sets is set on the copy only.
    """

    @wraps(method)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        view = object.__new__(type(self))
        view.__dict__ = self.__dict__.copy()
        return method(view, *args, **kwargs)

    return cast("Method", wrapper)
