"""Upper bounds of the minimum distance of codes."""

from __future__ import annotations

from skhash.centers._checks import checked


@checked()
def plotkin_bound(n_classes: int, bits: int) -> int:
    r"""Compute an upper bound of the minimum distance of a set of codes.

    Parameters
    ----------
    n_classes : int
        Number of codes.
    bits : int
        Code length.

    Returns
    -------
    distance : int
        No `n_classes` codes of `bits` bits have a larger minimum distance. It is `bits` for one code, and 0 if there
        are fewer different codes than `n_classes`.

    Notes
    -----
    At most :math:`2 \lfloor d / (2 d - n) \rfloor` codes of n bits have a minimum distance d, for even
    :math:`d > n / 2`, and :math:`2^{n - 2 d + 2} d` for even :math:`d \le n / 2`; for odd d, the bound is that of
    :math:`d + 1` and :math:`n + 1` bits. `levenshtein_centers` reach the first bound wherever the Hadamard matrices for
    it are known; the second one is not tight for many more than `4 * bits` codes.

    References
    ----------
    .. [1] M. Plotkin. "Binary codes with specified minimum distance". IRE Transactions on Information Theory 6, 1960.

    Examples
    --------
    >>> from skhash.centers import plotkin_bound
    >>> plotkin_bound(10, 64), plotkin_bound(100, 64)
    (35, 32)
    """
    if n_classes == 1:
        return bits
    # The mean distance is at most this: a bit that is set in half of the codes differs in n_classes ** 2 / 4 pairs, of
    # n_classes (n_classes - 1) / 2.
    distance = bits * n_classes // (2 * (n_classes - 1))
    while distance and _most_codes(bits, distance) < n_classes:
        distance -= 1
    return distance


def _most_codes(bits: int, distance: int) -> int:
    """Compute Plotkin's bound on the number of codes."""
    if distance % 2:
        bits, distance = bits + 1, distance + 1
    if 2 * distance > bits:
        return 2 * (distance // (2 * distance - bits))
    return 2 ** (bits - 2 * distance + 2) * distance
