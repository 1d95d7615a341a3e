"""Hash codes in all their forms, and the one sign convention: a continuous code `z >= 0` is bit 1, anything else bit 0.

The forms, for `n` codes of `bits` bits:

============== ============================ =========================================================================
form           shape and dtype              meaning
============== ============================ =========================================================================
bits           (n, bits), integer or bool   one bit per column: 0 / 1, or -1 / +1 with +1 as bit 1; floats of just
                                            these values too
packed words   (n, ceil(bits / 64)) uint64  bit `k` of a code is bit `k % 64` of word `k // 64`; padding bits are zero
packed bytes   (n, ceil(bits / 8)) uint8    the same bits, byte by byte, little-endian; must be announced by `bits=`
bitarrays      list of `bitarray`           one per code, all of one length
hex strings    list of str                  the packed bytes, two hexadecimal digits each
============== ============================ =========================================================================

The form is told by the type, never guessed from the values: uint64 is packed words, any other integer one bit per
column. Nothing here needs torch or numba.
"""

import numpy as np
from bitarray import bitarray

__all__ = [
    "as_packed",
    "binarize",
    "from_bitarray",
    "from_hex",
    "pack_codes",
    "to_bitarray",
    "to_hex",
    "unpack_codes",
]

_HEX_DIGITS = set("0123456789abcdefABCDEF")
_ACCEPTED = (
    "0/1, -1/+1 or bool with one bit per column; uint64 packed words; uint8 packed bytes with bits= given; "
    "or a list of bitarray"
)


def binarize(z, threshold=0.0):
    """Turn continuous codes into bits: 1 where `z >= threshold`, else 0.

    Exactly on the threshold counts as 1, so that there is never a third symbol, unlike `numpy.sign` and `torch.sign`.

    Parameters
    ----------
    z : array-like or torch.Tensor
        Continuous codes, of any shape.
    threshold : float, default=0.0
        Smallest value that is bit 1.

    Returns
    -------
    bits : ndarray of uint8 or torch.Tensor of torch.uint8
        Same shape as `z`; a tensor, on the same device, if `z` is one.

    Raises
    ------
    ValueError
        If `z` contains NaN, which is neither side of a threshold.

    Examples
    --------
    >>> from skhash.codes import binarize
    >>> binarize([[-0.5, 0.0, 2.0]])
    array([[0, 1, 1]], dtype=uint8)
    """
    is_tensor = hasattr(z, "detach")
    z = z.detach() if is_tensor else np.asarray(z)
    is_float = z.dtype.is_floating_point if is_tensor else z.dtype.kind == "f"
    if is_float and bool((z != z).any()):
        raise ValueError("z contains NaN: a continuous code must be a number to have a sign.")
    bits = z >= threshold
    return bits.byte() if is_tensor else bits.astype(np.uint8)


def pack_codes(codes):
    """Pack codes with one bit per column into little-endian 64-bit words.

    Parameters
    ----------
    codes : array-like of shape (n, bits)
        0 / 1, -1 / +1 or bool.

    Returns
    -------
    packed : ndarray of uint64 of shape (n, ceil(bits / 64))
        Bit `k` of a code is bit `k % 64` of word `k // 64`; padding bits are zero.

    Examples
    --------
    >>> from skhash.codes import pack_codes
    >>> pack_codes([[1, 0, 1], [-1, -1, 1]])
    Traceback (most recent call last):
    ...
    ValueError: codes mix 0/1 with -1/+1: ...
    >>> pack_codes([[1, 0, 1], [0, 0, 1]])
    array([[5],
           [4]], dtype=uint64)
    """
    return _pack_bits(_as_bits(_as_array(codes)))


def unpack_codes(packed, bits=None):
    """Unpack 64-bit words into one bit per column.

    Parameters
    ----------
    packed : array-like of uint64 of shape (n, n_words)
        As `pack_codes` makes them.
    bits : int, default=None
        Code length; None means all `64 * n_words` bits.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Bits, 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.codes import unpack_codes
    >>> unpack_codes(np.array([[5], [4]], dtype=np.uint64), bits=3)
    array([[1, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    packed = _as_array(packed)
    if packed.dtype != np.uint64:
        raise TypeError(f"packed must have dtype uint64, got {packed.dtype}.")
    packed, bits = as_packed(packed, bits)
    as_bytes = np.ascontiguousarray(packed, dtype="<u8").view(np.uint8)
    return np.unpackbits(as_bytes, axis=1, count=bits, bitorder="little")


def as_packed(codes, bits=None):
    """Bring codes in any form to packed words.

    Parameters
    ----------
    codes : array-like or list of bitarray
        Any form of the module's table but hex strings (for these: `from_hex`).
    bits : int, default=None
        Code length. Must be given for packed bytes; for packed words None means 64 per word; for the other forms it
        is only checked.

    Returns
    -------
    packed : ndarray of uint64 of shape (n, ceil(bits / 64))
        C-contiguous, native byte order; a view of `codes` where it already had this form.
    bits : int
        Code length.

    Raises
    ------
    ValueError
        If the values are no codes, or the width fits no form; both widths are named.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.codes import as_packed
    >>> as_packed(np.array([[True, False, True]]))
    (array([[5]], dtype=uint64), 3)
    >>> as_packed(np.array([[5, 1]], dtype=np.uint8), bits=9)
    (array([[261]], dtype=uint64), 9)
    """
    if bits is not None:
        _check_bits(bits)
    if isinstance(codes, bitarray) or _is_bitarray_list(codes):
        codes = from_bitarray(codes)
    codes = _as_array(codes)
    width = codes.shape[1]
    if codes.dtype == np.uint64:
        bits = 64 * width if bits is None else int(bits)
        if width != -(-bits // 64):
            raise ValueError(
                f"Packed codes have {width} words of 64 bits, but bits={bits} needs {-(-bits // 64)}. "
                "(uint64 always means packed words; cast one-bit-per-column codes to uint8.)"
            )
        return _check_padding(np.ascontiguousarray(codes, dtype=np.uint64), bits), bits
    if codes.dtype == np.uint8 and bits is not None and width != bits and width == -(-int(bits) // 8):
        return _check_padding(_bytes_to_words(codes), int(bits)), int(bits)
    if bits is not None and width != bits:
        packed_too = f", or {-(-int(bits) // 8)} as packed bytes" if codes.dtype == np.uint8 else ""
        raise ValueError(f"codes have {width} columns, but bits={bits} needs {bits} columns{packed_too}.")
    return _pack_bits(_as_bits(codes)), width


def to_bitarray(codes, bits=None):
    """Convert codes to a list of `bitarray`, bit 0 first.

    Parameters
    ----------
    codes : array-like
        Codes in any form that `as_packed` takes.
    bits : int, default=None
        Code length, as in `as_packed`.

    Returns
    -------
    bitarrays : list of bitarray
        Little-endian bitarrays of length `bits`.

    Examples
    --------
    >>> from skhash.codes import to_bitarray
    >>> to_bitarray([[1, 0, 1]])
    [bitarray('101')]
    """
    packed, bits = as_packed(codes, bits)
    out = []
    for row in _words_to_bytes(packed, bits):
        code = bitarray(endian="little")
        code.frombytes(row.tobytes())
        out.append(code[:bits])
    return out


def from_bitarray(bitarrays):
    """Convert bitarrays to one bit per column.

    Parameters
    ----------
    bitarrays : list of bitarray
        All of one length; either endianness.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Column `k` is element `k` of each bitarray.

    Examples
    --------
    >>> from bitarray import bitarray
    >>> from skhash.codes import from_bitarray
    >>> from_bitarray([bitarray("101"), bitarray("001")])
    array([[1, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    if isinstance(bitarrays, bitarray) or not _is_bitarray_list(bitarrays):
        raise TypeError(f"bitarrays must be a non-empty list of bitarray, got {type(bitarrays).__name__}.")
    lengths = sorted({len(code) for code in bitarrays})
    if len(lengths) > 1:
        raise ValueError(f"bitarrays must all have one length, got lengths {lengths[0]} to {lengths[-1]}.")
    # One byte (0 or 1) per bit whatever the endianness of the bitarray.
    joined = b"".join(code.unpack() for code in bitarrays)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(bitarrays), lengths[0]).copy()


def to_hex(codes, bits=None):
    """Write codes as hexadecimal strings, for URLs, file names and databases.

    Parameters
    ----------
    codes : array-like
        Codes in any form that `as_packed` takes.
    bits : int, default=None
        Code length, as in `as_packed`.

    Returns
    -------
    strings : list of str
        `2 * ceil(bits / 8)` digits each: the packed bytes in order, bit 0 the lowest of the first byte.

    Examples
    --------
    >>> from skhash.codes import to_hex
    >>> to_hex([[1, 0, 1, 0, 0, 0, 0, 0, 1]])
    ['0501']
    """
    packed, bits = as_packed(codes, bits)
    return [row.tobytes().hex() for row in _words_to_bytes(packed, bits)]


def from_hex(strings, bits):
    """Read codes that `to_hex` wrote.

    Parameters
    ----------
    strings : list of str
        `2 * ceil(bits / 8)` hexadecimal digits each.
    bits : int
        Code length.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Bits, 0 or 1.

    Examples
    --------
    >>> from skhash.codes import from_hex
    >>> from_hex(["0501"], bits=9)
    array([[1, 0, 1, 0, 0, 0, 0, 0, 1]], dtype=uint8)
    """
    if isinstance(strings, str):
        raise TypeError(f"strings must be a list of str, got one str: {strings!r}.")
    _check_bits(bits)
    digits = 2 * -(-bits // 8)
    for string in strings:
        if len(string) != digits or not set(string) <= _HEX_DIGITS:
            raise ValueError(f"strings: bits={bits} needs {digits} hexadecimal digits, got {string!r}.")
    as_bytes = np.frombuffer(bytes.fromhex("".join(strings)), dtype=np.uint8).reshape(len(strings), digits // 2)
    return unpack_codes(_check_padding(_bytes_to_words(as_bytes), bits), bits)


def _check_bits(bits):
    """Refuse a code length that is none."""
    if not isinstance(bits, (int, np.integer)) or isinstance(bits, bool) or bits < 1:
        raise ValueError(f"bits must be a positive integer, got {bits!r}.")


def _is_bitarray_list(codes):
    return isinstance(codes, (list, tuple)) and len(codes) > 0 and all(isinstance(code, bitarray) for code in codes)


def _as_array(codes):
    """Anything array-like as a 2-D array of a type that codes can have."""
    if hasattr(codes, "detach"):
        codes = codes.detach().cpu()
    codes = np.asarray(codes)
    if codes.ndim != 2:
        raise ValueError(
            f"Expected 2D array of codes, got {codes.ndim}D array of shape {codes.shape} instead. "
            "Reshape one code with codes.reshape(1, -1)."
        )
    if codes.dtype.kind not in "buif":
        raise ValueError(f"codes have dtype {codes.dtype}; accepted: {_ACCEPTED}.")
    if not codes.dtype.isnative:  # uint64 is told by comparing types, which byte order would spoil
        codes = codes.astype(codes.dtype.newbyteorder("="))
    if codes.shape[1] == 0:
        raise ValueError(f"codes have 0 columns (shape={codes.shape}); at least 1 bit is needed.")
    return codes


def _as_bits(codes):
    """Check one-bit-per-column codes and give them as bool."""
    if codes.dtype == bool:
        return codes
    if codes.dtype == np.uint64:
        raise TypeError("uint64 codes are packed already; cast one-bit-per-column codes to uint8.")
    if codes.size == 0:
        return codes.astype(bool)
    low, high = codes.min(), codes.max()
    is_one = codes == 1
    rest = low if low != 1 else 0
    if high <= 1 and rest in (0, -1) and bool((is_one | (codes == rest)).all()):
        return is_one
    raise ValueError(_describe_values(codes, low, high))


def _describe_values(codes, low, high):
    """Say what is wrong with values that are no codes, in the words of the likeliest mistake."""
    if codes.dtype.kind == "f" and not bool(np.isfinite(codes).all()):
        return f"codes contain NaN or inf; accepted: {_ACCEPTED}."
    if codes.dtype.kind == "f" and bool((codes != np.rint(codes)).any()):
        return (
            f"codes are continuous (values from {low:.3g} to {high:.3g}); binarize them first: "
            "skhash.codes.binarize(z), or HammingIndex(binarize=0.0)."
        )
    if low >= -1 and high <= 1:
        return (
            "codes mix 0/1 with -1/+1: a 0 among -1/+1 is what sign(0) gives in numpy and torch; "
            "use skhash.codes.binarize(z), which knows two symbols."
        )
    packed = " Packed bytes need bits=, the code length." if codes.dtype == np.uint8 else ""
    return f"codes have values from {low} to {high}; accepted: {_ACCEPTED}.{packed}"


def _pack_bits(codes):
    as_bytes = np.packbits(codes, axis=1, bitorder="little")
    return _bytes_to_words(as_bytes)


def _bytes_to_words(as_bytes):
    n, width = as_bytes.shape
    padded = np.zeros((n, 8 * -(-width // 8)), dtype=np.uint8)
    padded[:, :width] = as_bytes
    return padded.view("<u8").astype(np.uint64, copy=False)


def _words_to_bytes(packed, bits):
    return np.ascontiguousarray(packed, dtype="<u8").view(np.uint8)[:, : -(-bits // 8)]


def _check_padding(packed, bits):
    """Refuse words with set bits beyond `bits`: they would count in every distance."""
    spare = bits % 64
    if spare and packed.size and bool((packed[:, -1] >> np.uint64(spare)).any()):
        raise ValueError(f"Packed codes have bits set beyond bits={bits}: the code length must be larger than that.")
    return packed
