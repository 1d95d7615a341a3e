"""Parameters that must stay what they were for training to continue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any], *, when: str, advice: str) -> None:
    """Refuse to continue training if a parameter has changed.

    Parameters
    ----------
    before : mapping of str to object
        Parameters at an earlier time.
    now : mapping of str to object
        Parameters now, with at least the same names.
    when : str
        The earlier time, for the message: "when the network was made".
    advice : str
        What cannot be done and what to do instead, for the message.

    Returns
    -------
    None
        Nothing.

    Raises
    ------
    ValueError
        If a value differs. Arrays are compared by their elements.

    Examples
    --------
    >>> from skhash.utils import check_unchanged
    >>> check_unchanged({"bits": 8}, {"bits": 8}, when="in fit", advice="Call fit again.")
    """
    for name, old in before.items():
        value = now[name]
        if not (value is old or np.array_equal(value, old)):
            raise ValueError(f"{name} was {old!r} {when} and is {value!r} now: {advice}")
