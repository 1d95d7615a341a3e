"""scikit-learn's `available_if`, declared so that type checkers see the signature of the decorated method."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Method = TypeVar("Method", bound=Callable[..., Any])

    def available_if(check: Callable[..., bool]) -> Callable[[Method], Method]:
        """Hide a method for which `check(estimator)` is not true."""
        ...

else:
    from sklearn.utils.metaestimators import available_if

__all__ = ["available_if"]
