"""`SearchPlan`: what a search would do and cost, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SearchPlan", "TablesState"]

TablesState = Literal["built", "being built", "to be built", "to be built in the background", "not built"]


@dataclass(frozen=True)
class SearchPlan:
    """Forecast of a search; see `HammingIndex.explain`. Printing it shows a table.

    Parameters
    ----------
    algorithm : {"brute", "mih"}
        Algorithm that will answer most of the queries, as `last_search_["algorithm"]` says after the search.
    reason : str
        Why.
    n_queries : int
        Number of queries.
    n_codes : int
        Number of codes in the index.
    n_allowed : int
        Number of codes that the search may find: fewer than `n_codes` with `where`.
    n_removed : int
        Number of removed codes that still take memory.
    n_distinct : int or None
        Estimated number of codes that tables hold: the distinct ones where many codes are equal. None if it was not
        estimated.
    n_appended : int
        Number of codes that were added after the tables were built and are scanned in addition.
    scan_ns : float or None
        Cost of a query by a scan in nanoseconds: measured in searches of this kind, or that of a model.
    tables_ns : float or None
        Cost of a query by the tables in nanoseconds: measured, or forecast from a sample of the codes without building
        the tables. None if tables cannot be built, or would defeat the purpose of a memory map.
    tables : {"built", "being built", "to be built", "to be built in the background", "not built"}
        Whether the tables exist, or would be built: by the search, which waits for them, or in another thread, so that
        later searches use them.
    n_jobs : int
        Largest number of threads.
    """

    algorithm: Literal["brute", "mih"]
    reason: str
    n_queries: int
    n_codes: int
    n_allowed: int
    n_removed: int
    n_distinct: int | None
    n_appended: int
    scan_ns: float | None
    tables_ns: float | None
    tables: TablesState
    n_jobs: int

    def __str__(self) -> str:
        notes = [f"{self.n_allowed:,} allowed"]
        notes += [] if self.n_distinct is None else [f"about {self.n_distinct:,} distinct"]
        notes += [f"{self.n_removed:,} removed"] if self.n_removed else []
        notes += [f"{self.n_appended:,} not in the tables"] if self.n_appended else []
        rows = {
            "algorithm": f"{self.algorithm}: {self.reason}",
            "queries": f"{self.n_queries:,}",
            "codes": f"{self.n_codes:,} ({', '.join(notes)})",
            "scan": _format_cost(self.scan_ns),
            "tables": f"{self.tables}, {_format_cost(self.tables_ns)}",
            "threads": f"{self.n_jobs}",
        }
        return "\n".join(f"{name:<11}{value}" for name, value in rows.items())


def _format_cost(ns: float | None) -> str:
    """Return a cost as text."""
    return "cost not forecast" if ns is None else f"{ns / 1000:,.1f} us per query"
