"""Attributes of an estimator that an error must not change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def restore_on_error(estimator: object, names: Collection[str] | None = None) -> Iterator[None]:
    """Put the attributes of an object back if the block raises, an interruption included.

    Parameters
    ----------
    estimator : object
        Changed in the block.
    names : collection of str, default=None
        Attributes to put back, or to remove if they were missing; None means all of them.

    Yields
    ------
    None
        The block runs once.

    Raises
    ------
    BaseException
        What the block raised.
    """
    state = vars(estimator)
    before = {name: value for name, value in state.items() if names is None or name in names}
    try:
        yield
    except BaseException:
        for name in list(state) if names is None else names:
            state.pop(name, None)
        state.update(before)
        raise
