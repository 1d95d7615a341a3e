"""Failures of an engine as exceptions that are the same for all engines."""

from __future__ import annotations

__all__ = ["StoreConnectionError", "StoreError", "StoreFullError", "StoreMissingError"]


class StoreError(RuntimeError):
    """Error of an engine that could not do what a store asked for; nothing of a change was stored.

    Wrong arguments are `ValueError` and `TypeError`, as elsewhere. Messages never contain passwords.
    """


class StoreConnectionError(StoreError):
    """Error of an engine that cannot be reached, or was lost during a call; the next call connects again."""


class StoreMissingError(StoreError):
    """Error of a store whose table was dropped."""


class StoreFullError(StoreError):
    """Error of an engine whose disk or memory is full."""
