"""The definitions of mean average precision in the literature, by name.

Each definition is that of a paper's own evaluation code, except for ties: nearly all of that code breaks them as its
sorting function happens to do, which is not a definition. Here they are in database order.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from numbers import Integral
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from skhash.utils import check_option

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DENOMINATOR_WORDS", "RANKING_PROTOCOLS", "TIE_WORDS", "RankingProtocol", "resolve_protocol"]

Denominator: TypeAlias = Literal["top", "total", "min"]
Ties: TypeAlias = Literal["stable", "expected", "optimistic", "pessimistic", "random"]
ZeroHit: TypeAlias = Literal["zero", "skip"]

TIE_WORDS = {
    "stable": "ties in database order",
    "expected": "averaged over all orders of ties",
    "optimistic": "relevant items first among ties",
    "pessimistic": "relevant items last among ties",
    "random": "ties in a random database order",
}
DENOMINATOR_WORDS = {
    "top": "relevant items in the top R",
    "total": "all relevant items",
    "min": "min(R, relevant items)",
}


@dataclass(frozen=True)
class RankingProtocol:
    """A definition of mean average precision.

    Parameters
    ----------
    name : str
        Name of the definition.
    R : int or None, default=None
        Number of ranks that count, at least 1; None means the whole ranking.
    denominator : {"top", "total", "min"}, default="top"
        Divisor of the sum of precisions: relevant items within the first `R`, all relevant items, or `min(R, total)`.
    zero_hit : {"zero", "skip"}, default="zero"
        Whether a query with no relevant item within the first `R` counts 0 or is left out.
    unlabeled : {"zero", "skip"}, default="zero"
        Whether a query without any label counts 0 or is left out, for multi-hot labels.
    ties : {"stable", "expected", "optimistic", "pessimistic", "random"}, default="stable"
        Order of items at the same distance.
    used_by : str, default=""
        The papers or programs that use it.

    Raises
    ------
    ValueError
        If a parameter has a value that is not listed above.

    Examples
    --------
    >>> from skhash.metrics import RANKING_PROTOCOLS
    >>> RANKING_PROTOCOLS["gldv2"].denominator
    'min'
    >>> print(RANKING_PROTOCOLS["hashnet"].describe())
    mAP@all (hashnet): AP over relevant items in the top R; queries without a hit skipped; ties in database order
    """

    name: str
    R: int | None = None
    denominator: Denominator = "top"
    zero_hit: ZeroHit = "zero"
    unlabeled: ZeroHit = "zero"
    ties: Ties = "stable"
    used_by: str = ""

    def __post_init__(self) -> None:
        if self.R is not None and not (isinstance(self.R, Integral) and self.R >= 1):
            raise ValueError(f"R must be an integer >= 1 or None, got {self.R!r}.")
        check_option("denominator", self.denominator, DENOMINATOR_WORDS)
        check_option("zero_hit", self.zero_hit, ("zero", "skip"))
        check_option("unlabeled", self.unlabeled, ("zero", "skip"))
        check_option("ties", self.ties, TIE_WORDS)

    def describe(self) -> str:
        """Return the definition in one line.

        Returns
        -------
        definition : str
            Everything that the score depends on besides the data.
        """
        without = "count 0" if self.zero_hit == "zero" else "skipped"
        unlabeled = "; queries without a label skipped" if self.unlabeled == "skip" and self.zero_hit == "zero" else ""
        depth = "all" if self.R is None else self.R
        return (
            f"mAP@{depth} ({self.name}): AP over {DENOMINATOR_WORDS[self.denominator]}; queries without a hit {without}"
            f"{unlabeled}; {TIE_WORDS[self.ties]}"
        )


_TABLE = (
    RankingProtocol("skhash", used_by="the default here"),
    RankingProtocol("hashnet", zero_hit="skip", used_by="HashNet's test.py"),
    RankingProtocol("orthohash", used_by="OrthoHash, FIRe"),
    RankingProtocol("csq", unlabeled="skip", used_by="CSQ"),
    RankingProtocol("deephash-pytorch", used_by="DeepHash-pytorch, LBHash; GreedyHash, CIBHash and TreezzZ's ports"),
    RankingProtocol("dch", zero_hit="skip", used_by="thulab/DeepHash (DCH)"),
    RankingProtocol("tbh", zero_hit="skip", used_by="TBH, DSDH's MATLAB code"),
    RankingProtocol("ssdh", used_by="SSDH, whose own sort is stable"),
    RankingProtocol("gldv2", R=100, denominator="min", used_by="DELG's metrics for Google Landmarks v2"),
    RankingProtocol("gldv2-orthohash", R=100, denominator="total", used_by="OrthoHash and SDC on Google Landmarks v2"),
)

RANKING_PROTOCOLS: Mapping[str, RankingProtocol] = MappingProxyType({protocol.name: protocol for protocol in _TABLE})


def resolve_protocol(protocol: str | RankingProtocol, **wanted: Any) -> RankingProtocol:
    """Return a protocol with some fields changed; the changes become part of its name.

    Parameters
    ----------
    protocol : str or RankingProtocol
        A name of `RANKING_PROTOCOLS`, or a definition of your own.
    **wanted
        Fields to change; those that are None keep their values.

    Returns
    -------
    protocol : RankingProtocol
        The definition.
    """
    plan = RANKING_PROTOCOLS[protocol] if isinstance(protocol, str) else protocol
    names = {field.name for field in fields(plan)}
    changes = {key: value for key, value in wanted.items() if key in names and value not in (None, getattr(plan, key))}
    name = ", ".join([plan.name, *(f"{key}={value!r}" for key, value in changes.items() if key != "R")])
    return replace(plan, **changes, name=name)
