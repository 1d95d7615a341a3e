"""How far apart codes can be at best."""

from skhash.centers._checks import checked


@checked()
def plotkin_bound(n_classes, bits):
    r"""Bound the minimum distance of a set of codes.

    Parameters
    ----------
    n_classes : int
        Number of codes.
    bits : int
        Code length.

    Returns
    -------
    distance : int
        No `n_classes` codes of `bits` bits are all further apart than this; `bits` for one code, and 0 if not even
        different codes are enough.

    Notes
    -----
    At most :math:`2 \lfloor d / (2 d - n) \rfloor` codes of n bits are d bits apart, for even :math:`d > n / 2`, and
    :math:`2^{n - 2 d + 2} d` for even :math:`d \le n / 2`; those of an odd d are as many as those of :math:`d + 1` with
    :math:`n + 1` bits. `levenshtein_centers` reach the first bound wherever the Hadamard matrices for it are known; the
    second one is far from what can be had once there are much more than `4 * bits` codes.

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
    distance = bits * n_classes // (2 * (n_classes - 1))  # the mean distance of n_classes codes is no larger
    while distance and _most_codes(bits, distance) < n_classes:
        distance -= 1
    return distance


def _most_codes(bits, distance):
    """Plotkin's bound on the number of codes."""
    if distance % 2:
        bits, distance = bits + 1, distance + 1
    if 2 * distance > bits:
        return 2 * (distance // (2 * distance - bits))
    return 2 ** (bits - 2 * distance + 2) * distance
