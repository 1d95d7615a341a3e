"""Restore the attributes of an estimator after an error."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager


@contextmanager
def restore_on_error(estimator: object, names: Collection[str] | None = None) -> Iterator[None]:
    """Restore the attributes of an object if the block raises, including KeyboardInterrupt.

    Parameters
    ----------
    estimator : object
        The object that the block changes.
    names : collection of str, default=None
        Attributes to restore, or to remove if they did not exist; None means all of them.

    Yields
    ------
    None
        The block runs once.

    Raises
    ------
    BaseException
        The exception of the block.
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
