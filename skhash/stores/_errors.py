"""What can go wrong with an engine, as exceptions that are the same for all engines."""

from __future__ import annotations

__all__ = ["StoreConnectionError", "StoreError", "StoreFullError", "StoreMissingError"]


class StoreError(RuntimeError):
    """An engine could not do what a store asked for; nothing of a change was stored.

    Wrong arguments are `ValueError` and `TypeError`, as elsewhere. Messages never contain passwords.
    """


class StoreConnectionError(StoreError):
    """An engine cannot be reached, or was lost during a call. The next call of the store connects again."""


class StoreMissingError(StoreError):
    """The table of a store does not exist, because it was never created or was dropped."""


class StoreFullError(StoreError):
    """The disk or the memory of an engine is full."""
