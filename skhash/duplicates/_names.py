"""Names of pictures as text that prints everywhere."""

from __future__ import annotations

import os
import unicodedata

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # show text in another order


def show_name(name: str | int) -> str:
    r"""Return a name in one line that prints everywhere, even if it is a path that is not valid text.

    Parameters
    ----------
    name : str or int
        The name.

    Returns
    -------
    text : str
        The name; a backslash and a letter or number stand for each invalid byte, line break and control character,
        which might command a terminal.

    Examples
    --------
    >>> from skhash.duplicates import show_name
    >>> print(show_name("two\nlines.png"))
    two\nlines.png
    """
    text = os.fsencode(str(name)).decode("utf-8", "backslashreplace")
    return "".join(_escape(each) for each in text)


def _escape(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Zl", "Zp") or character in _TURNING
    return character.encode("unicode_escape").decode("ascii") if hidden else character
