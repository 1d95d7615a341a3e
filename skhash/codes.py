"""Hash codes in all their forms, and the sign convention: a continuous code `z >= 0` is bit 1, any other value bit 0.

The forms, for `n` codes of `bits` bits:

============== ============================ =========================================================================
form           shape and dtype              meaning
============== ============================ =========================================================================
bits           (n, bits), integer or bool   one bit per column: 0 / 1, or -1 / +1 with +1 as bit 1; floats of just
                                            these values too
packed words   (n, ceil(bits / 64)) uint64  bit `k` of a code is bit `k % 64` of word `k // 64`; padding bits are zero
packed bytes   (n, ceil(bits / 8)) uint8    the same bits, byte by byte: bit `k` is bit `k % 8` of byte `k // 8`;
                                            `bits=` must be passed, and for the order of `np.packbits`, which is the
                                            other one, `bitorder="big"`
bitarrays      list of `bitarray`           one per code, all of the same length
hex strings    list of str                  the packed bytes, two hexadecimal digits each
integers       list of int                  bit `k` of a code is bit `k` of the integer
============== ============================ =========================================================================

Hex strings and integers must be converted, by `from_hex` and `from_integers`. The dtype decides the form, which is
never guessed from the values: uint64 is packed words, any other integer one bit per column. This module needs neither
torch nor numba.
"""

from __future__ import annotations

import sys
from numbers import Integral, Number
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard, cast, overload

import numpy as np

from skhash.utils import to_numpy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bitarray import bitarray
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from skhash.utils import CodesLike

    BitOrder: TypeAlias = Literal["little", "big"]

__all__ = [
    "as_packed",
    "binarize",
    "from_bitarray",
    "from_hex",
    "from_integers",
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
_REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little")[:, 0]


@overload
def binarize(z: Tensor, threshold: float = 0.0) -> Tensor: ...
@overload
def binarize(z: ArrayLike, threshold: float = 0.0) -> NDArray[np.uint8]: ...
def binarize(z: Any, threshold: float = 0.0) -> Tensor | NDArray[np.uint8]:
    """Convert continuous codes to bits: 1 where `z >= threshold`, else 0.

    A value equal to the threshold is 1, so that there is never a third symbol, unlike in `numpy.sign` and `torch.sign`.

    Parameters
    ----------
    z : array-like or torch.Tensor
        Continuous codes, of any shape.
    threshold : float, default=0.0
        Smallest value that becomes bit 1.

    Returns
    -------
    bits : ndarray of uint8 or torch.Tensor of torch.uint8
        Same shape as `z`; a tensor on the same device if `z` is a tensor.

    Raises
    ------
    TypeError
        If `z` contains complex numbers, strings or dates, which are on no side of a threshold.
    ValueError
        If `z` contains NaN, which is on neither side of a threshold.

    Examples
    --------
    >>> from skhash.codes import binarize
    >>> binarize([[-0.5, 0.0, 2.0]])
    array([[0, 1, 1]], dtype=uint8)
    """
    is_tensor = hasattr(z, "detach")
    values: Any = z.detach() if is_tensor else to_numpy(z, "z")
    is_float = values.dtype.is_floating_point if is_tensor else values.dtype.kind == "f"
    is_complex = values.dtype.is_complex if is_tensor else values.dtype.kind == "c"
    if is_complex or (not is_tensor and values.dtype.kind in "SUVmM"):
        raise TypeError(f"z must contain real numbers, got values of type {values.dtype}.")
    if is_float and bool((values != values).any()):
        raise ValueError("z contains NaN, which has no sign; continuous codes must be numbers.")
    bits = values >= threshold
    return bits.byte() if is_tensor else bits.astype(np.uint8)


def pack_codes(codes: ArrayLike) -> NDArray[np.uint64]:
    """Pack codes with one bit per column into little-endian 64-bit words.

    Parameters
    ----------
    codes : array-like of shape (n, bits)
        Entries 0 / 1, -1 / +1 or bool.

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


def unpack_codes(packed: ArrayLike, bits: int | None = None) -> NDArray[np.uint8]:
    """Unpack 64-bit words into one bit per column.

    Parameters
    ----------
    packed : array-like of uint64 of shape (n, n_words)
        Packed words, as returned by `pack_codes`.
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
    words, bits = as_packed(packed, bits)
    as_bytes = np.ascontiguousarray(words, dtype="<u8").view(np.uint8)
    return np.unpackbits(as_bytes, axis=1, count=bits, bitorder="little")


def as_packed(
    codes: CodesLike, bits: int | None = None, *, bitorder: BitOrder = "little"
) -> tuple[NDArray[np.uint64], int]:
    """Convert codes in any form to packed words.

    Parameters
    ----------
    codes : array-like or list of bitarray
        Any form of the table in this module except hex strings and integers (see `from_hex` and `from_integers`).
    bits : int, default=None
        Code length. Required for packed bytes; for packed words None means 64 per word; for the other forms it is only
        checked.
    bitorder : {"little", "big"}, default="little"
        Which bit of a packed byte is the first: the lowest, or as in `np.packbits` the highest. Other forms do not
        depend on it.

    Returns
    -------
    packed : ndarray of uint64 of shape (n, ceil(bits / 64))
        C-contiguous, native byte order; shares memory with `codes` if they already have this form.
    bits : int
        Code length.

    Raises
    ------
    ValueError
        If the values are not codes, or the width does not fit the form; the message names both widths.

    Examples
    --------
    >>> import numpy as np
    >>> from skhash.codes import as_packed
    >>> as_packed(np.array([[True, False, True]]))
    (array([[5]], dtype=uint64), 3)
    >>> as_packed(np.array([[5, 1]], dtype=np.uint8), bits=9)
    (array([[261]], dtype=uint64), 9)
    >>> as_packed(np.packbits([[1, 0, 1, 0, 0, 0, 0, 0, 1]], axis=1), bits=9, bitorder="big")
    (array([[261]], dtype=uint64), 9)
    """
    if bits is not None:
        _check_bits(bits)
    _check_bitorder(bitorder)
    if is_bitarray(codes) or _is_bitarray_list(codes):
        codes = from_bitarray(cast("Sequence[bitarray]", codes))  # raises for a single bitarray
    array = _as_array(codes)
    width: int = array.shape[1]
    if array.dtype == np.uint64:
        bits = 64 * width if bits is None else int(bits)
        if width != -(-bits // 64):
            raise ValueError(
                f"Packed codes have {width} words of 64 bits, but bits={bits} needs {-(-bits // 64)}. "
                "(uint64 always means packed words; cast codes with one bit per column to uint8.)"
            )
        return _check_padding(np.ascontiguousarray(array, dtype=np.uint64), bits), bits
    if array.dtype == np.uint8 and bits is not None and width != bits and width == -(-int(bits) // 8):
        return _check_padding(_bytes_to_words(_reorder(array, bitorder)), int(bits), bitorder), int(bits)
    if bits is not None and width != bits:
        packed_too = f", or {-(-int(bits) // 8)} as packed bytes" if array.dtype == np.uint8 else ""
        hint = explain_width(array, int(bits))
        raise ValueError(f"codes have {width} columns, but bits={bits} needs {bits} columns{packed_too}.{hint}")
    return _pack_bits(_as_bits(array)), width


def to_bitarray(codes: CodesLike, bits: int | None = None, *, bitorder: BitOrder = "little") -> list[bitarray]:
    """Convert codes to a list of `bitarray`, bit 0 first.

    Parameters
    ----------
    codes : array-like or list of bitarray
        Codes in any form that `as_packed` accepts.
    bits : int, default=None
        Code length, as in `as_packed`.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes, as in `as_packed`.

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
    from bitarray import bitarray

    packed, bits = as_packed(codes, bits, bitorder=bitorder)
    out = []
    for row in _words_to_bytes(packed, bits):  # frombytes appends whole bytes; the slice drops the padding bits
        code = bitarray(endian="little")
        code.frombytes(row.tobytes())
        out.append(code[:bits])
    return out


def from_bitarray(bitarrays: Sequence[bitarray]) -> NDArray[np.uint8]:
    """Convert bitarrays to one bit per column.

    Parameters
    ----------
    bitarrays : list of bitarray
        All of the same length; either endianness.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Column `k` is element `k` of each bitarray.

    Raises
    ------
    TypeError
        If `bitarrays` is not a non-empty list of bitarray.
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> from bitarray import bitarray
    >>> from skhash.codes import from_bitarray
    >>> from_bitarray([bitarray("101"), bitarray("001")])
    array([[1, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    if is_bitarray(bitarrays) or not _is_bitarray_list(bitarrays):
        raise TypeError(f"bitarrays must be a non-empty list of bitarray, got {type(bitarrays).__name__}.")
    lengths = sorted({len(code) for code in bitarrays})
    if len(lengths) > 1:
        raise ValueError(f"bitarrays must all have the same length, got lengths {lengths[0]} to {lengths[-1]}.")
    # `unpack` writes one byte (0 or 1) per bit for either endianness, while the raw buffer depends on it.
    joined = b"".join(code.unpack() for code in bitarrays)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(bitarrays), lengths[0]).copy()


def to_hex(codes: CodesLike, bits: int | None = None, *, bitorder: BitOrder = "little") -> list[str]:
    """Convert codes to hexadecimal strings, for URLs, file names and databases.

    Parameters
    ----------
    codes : array-like or list of bitarray
        Codes in any form that `as_packed` accepts.
    bits : int, default=None
        Code length, as in `as_packed`.
    bitorder : {"little", "big"}, default="little"
        Order of the bits in packed bytes: in those of `codes`, as in `as_packed`, and in those that the digits stand
        for.

    Returns
    -------
    strings : list of str
        `2 * ceil(bits / 8)` digits each: the packed bytes in order; bit 0 is the lowest bit of the first byte, or with
        `bitorder="big"` the highest.

    Examples
    --------
    >>> from skhash.codes import to_hex
    >>> to_hex([[1, 0, 1, 0, 0, 0, 0, 0, 1]])
    ['0501']
    """
    packed, bits = as_packed(codes, bits, bitorder=bitorder)
    return [row.tobytes().hex() for row in _reorder(_words_to_bytes(packed, bits), bitorder)]


def from_hex(strings: Sequence[str], bits: int, *, bitorder: BitOrder = "little") -> NDArray[np.uint8]:
    """Read codes from hexadecimal strings, such as those that `to_hex` has written.

    Parameters
    ----------
    strings : list of str
        `2 * ceil(bits / 8)` hexadecimal digits each.
    bits : int
        Code length.
    bitorder : {"little", "big"}, default="little"
        Whether bit 0 is the lowest bit of the first byte, as `to_hex` writes it, or the highest, as in the strings of
        most libraries of image hashes.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Bits, 0 or 1.

    Raises
    ------
    TypeError
        If `strings` is a single string, or contains other objects.
    ValueError
        If a string has another length or other characters, or sets padding bits.

    Examples
    --------
    >>> from skhash.codes import from_hex
    >>> from_hex(["0501"], bits=9)
    array([[1, 0, 1, 0, 0, 0, 0, 0, 1]], dtype=uint8)
    >>> from_hex(["a080"], bits=9, bitorder="big")
    array([[1, 0, 1, 0, 0, 0, 0, 0, 1]], dtype=uint8)
    """
    if isinstance(strings, str):
        raise TypeError(f"strings must be a list of str, got one str: {strings!r}.")
    _check_bits(bits)
    _check_bitorder(bitorder)
    digits = 2 * -(-bits // 8)
    for string in strings:
        if not isinstance(string, str):
            raise TypeError(f"strings must be a list of str, got an element of type {type(string).__name__}.")
        if len(string) != digits or not set(string) <= _HEX_DIGITS:
            raise ValueError(f"strings: bits={bits} needs {digits} hexadecimal digits, got {string!r}.")
    as_bytes = np.frombuffer(bytes.fromhex("".join(strings)), dtype=np.uint8).reshape(len(strings), digits // 2)
    return unpack_codes(_check_padding(_bytes_to_words(_reorder(as_bytes, bitorder)), bits, bitorder), bits)


def from_integers(integers: Sequence[int] | NDArray[np.integer[Any]], bits: int) -> NDArray[np.uint8]:
    """Convert integers, one per code, to one bit per column.

    Parameters
    ----------
    integers : array-like of int of shape (n,)
        Bit `k` of a code is bit `k` of its integer. Negative integers are read in two's complement, so that the signed
        columns of a database return the codes that were stored in them.
    bits : int
        Code length; it may be more than 64.

    Returns
    -------
    codes : ndarray of uint8 of shape (n, bits)
        Bits, 0 or 1.

    Raises
    ------
    TypeError
        If `integers` contains other objects.
    ValueError
        If an integer has more bits.

    Examples
    --------
    >>> from skhash.codes import from_integers
    >>> from_integers([5, -1], bits=4)
    array([[1, 0, 1, 0],
           [1, 1, 1, 1]], dtype=uint8)
    """
    _check_bits(bits)
    if isinstance(integers, (str, bytes)) or not hasattr(integers, "__len__"):
        raise TypeError(f"integers must be a list or an array of int, got {type(integers).__name__}.")
    bits, given = int(bits), to_numpy(integers, "integers")
    if given.ndim != 1:
        raise ValueError(f"integers must have shape (n,), got {given.shape}.")
    if given.size and given.dtype.kind in "iu" and bits <= 64:
        for extreme in (given.min(), given.max()):
            _check_integer(int(extreme), bits)
        words = given.astype(np.uint64)[:, None]  # negative ones in two's complement
        return unpack_codes(words & np.uint64(2**bits - 1), bits)
    # A list that numpy cannot store as integers, such as [2**64, 1], is read element by element.
    values: list[Any] = given.tolist() if given.dtype.kind in "iu" else list(integers)
    for value in values:
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"integers must be a list or an array of int, got {value!r}.")
        _check_integer(int(value), bits)
    n_bytes = -(-bits // 8)
    joined = b"".join((int(value) % 2**bits).to_bytes(n_bytes, "little") for value in values)
    as_bytes = np.frombuffer(joined, dtype=np.uint8).reshape(len(values), n_bytes)
    return unpack_codes(_bytes_to_words(as_bytes), bits)


def _check_integer(value: int, bits: int) -> None:
    """Check that an integer fits a code length, as an unsigned or a signed one."""
    if not -(2 ** (bits - 1)) <= value < 2**bits:
        raise ValueError(f"integers must have at most bits={bits} bits, got {value}.")


def _check_bits(bits: object) -> None:
    """Check that a code length is a positive integer."""
    if not isinstance(bits, (int, np.integer)) or isinstance(bits, bool) or bits < 1:
        raise ValueError(f"bits must be a positive integer, got {bits!r}.")


def _check_bitorder(bitorder: object) -> None:
    """Check the name of an order of bits."""
    if not isinstance(bitorder, str) or bitorder not in ("little", "big"):
        raise ValueError(f"bitorder must be 'little' or 'big', got {bitorder!r}.")


def is_bitarray(code: object) -> TypeGuard[bitarray]:
    """Check whether an object is a `bitarray`, without importing its module: where nobody has, nothing is one."""
    # Another thread may be importing it: then its class is not there yet.
    cls = getattr(sys.modules.get("bitarray"), "bitarray", None)
    return cls is not None and isinstance(code, cls)


def _is_bitarray_list(codes: object) -> TypeGuard[Sequence[bitarray]]:
    return isinstance(codes, (list, tuple)) and len(codes) > 0 and all(is_bitarray(code) for code in codes)


def _as_array(codes: Any) -> NDArray[Any]:
    """Convert an array-like to a 2-D array of a dtype that codes can have."""
    codes = to_numpy(codes, "codes")
    explain_form(codes)
    if codes.ndim != 2:
        raise ValueError(
            f"Expected 2D array of codes, got {codes.ndim}D array of shape {codes.shape} instead. "
            "Reshape one code with codes.reshape(1, -1)."
        )
    if codes.dtype == object and all(isinstance(item, (Number, np.bool_)) for item in codes.ravel()):
        codes = np.array(codes.tolist())
    if codes.dtype.kind not in "buif":
        raise ValueError(f"codes have dtype {codes.dtype}; accepted: {_ACCEPTED}.")
    if not codes.dtype.isnative:  # a big-endian uint64 is not equal to np.uint64, by which packed words are recognized
        codes = codes.astype(codes.dtype.newbyteorder("="))
    if codes.shape[1] == 0:
        raise ValueError(f"codes have 0 columns (shape={codes.shape}); at least 1 bit is needed.")
    return codes


def explain_form(codes: NDArray[Any]) -> None:
    """Raise ValueError for the forms that must be converted, with the call that converts them."""
    kind = codes.dtype.kind
    if codes.ndim == 2 and kind in "biuf":
        return  # the form of most codes, at once: the text of a dtype takes longer than a short search
    if codes.size and kind == "O":
        kinds = {type(item) for item in codes.ravel()}
        for base, its_kind in ((str, "U"), (bytes, "S"), (Integral, "i")):
            if all(issubclass(one, base) for one in kinds) and bool not in kinds:
                kind = its_kind
    refusal = f"codes have dtype {codes.dtype}; accepted: {_ACCEPTED}."
    if kind == "c":
        raise ValueError(f"Complex data not supported: {refusal}")
    if kind == "U":
        raise ValueError(f"{refusal} Hex strings are read by skhash.codes.from_hex(codes, bits).")
    if kind == "S":
        raise ValueError(
            f'{refusal} Packed codes of type bytes are read by np.frombuffer(b"".join(codes), np.uint8)'
            ".reshape(len(codes), -1) and bits=."
        )
    if codes.ndim == 1 and kind in "iu":
        raise ValueError(
            f"Expected 2D array of codes, got 1D array of shape {codes.shape} instead. Reshape your data: "
            "codes.reshape(1, -1) is one code. Integers, one per code, are read by "
            "skhash.codes.from_integers(codes, bits)."
        )
    if codes.ndim > 2 and kind in "biu":
        raise ValueError(
            f"Expected 2D array of codes, got {codes.ndim}D array of shape {codes.shape} instead. Reshape the bits of "
            "each code with codes.reshape(len(codes), -1)."
        )


def explain_width(codes: NDArray[Any], bits: int) -> str:
    """Return the sentence that an error about the width of packed codes of another type needs, else nothing."""
    return _hint_for_integers(codes.dtype) if codes.shape[1] == -(-bits // (8 * codes.itemsize)) else ""


def _hint_for_integers(dtype: np.dtype[Any]) -> str:
    """Return the sentence of an error about values or widths that packed codes of another integer type would have."""
    if dtype == np.int8:
        return (
            " Packed bytes must be uint8: codes.view(np.uint8), or for the precision 'binary' of sentence-transformers "
            "codes.view(np.uint8) ^ 128 with bitorder='big'."
        )
    if dtype.kind in "iu" and dtype.itemsize > 1:
        return " Packed words must be uint64" + (
            ": codes.view(np.uint64)." if dtype.itemsize == 8 else "; codes.view(np.uint8) are packed bytes."
        )
    return ""


def _as_bits(codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Check codes with one bit per column and return them as bool."""
    if codes.dtype == bool:
        return codes
    if codes.dtype == np.uint64:
        raise TypeError("uint64 codes are packed already; cast codes with one bit per column to uint8.")
    if codes.size == 0:
        return codes.astype(bool)
    low, high = codes.min(), codes.max()
    is_one = codes == 1
    rest = low if low != 1 else 0  # the value of bit 0; codes of ones only have none
    if high <= 1 and rest in (0, -1) and bool((is_one | (codes == rest)).all()):
        return is_one
    raise ValueError(_describe_values(codes, low, high))


def _describe_values(codes: NDArray[Any], low: Any, high: Any) -> str:
    """Return an error message for values that are not codes, according to the most likely mistake."""
    if codes.dtype.kind == "f" and not bool(np.isfinite(codes).all()):
        return f"codes contain NaN or inf; accepted: {_ACCEPTED}."
    if codes.dtype.kind == "f" and bool((codes != np.rint(codes)).any()):
        return (
            f"codes are continuous (values from {low:.3g} to {high:.3g}); binarize them first: "
            "skhash.codes.binarize(z), or HammingIndex(binarize=0.0)."
        )
    if low >= -1 and high <= 1:
        return (
            "codes mix 0/1 with -1/+1: a 0 among -1/+1 is what sign(0) returns in numpy and torch; "
            "use skhash.codes.binarize(z), which returns only two symbols."
        )
    packed = _hint_for_integers(codes.dtype)
    if codes.dtype == np.uint8:
        packed = " Packed bytes need bits=, the code length."
    return f"codes have values from {low} to {high}; accepted: {_ACCEPTED}.{packed}"


def _pack_bits(codes: NDArray[np.bool_]) -> NDArray[np.uint64]:
    as_bytes = np.packbits(codes, axis=1, bitorder="little")
    return _bytes_to_words(as_bytes)


def _reorder(as_bytes: NDArray[np.uint8], bitorder: BitOrder) -> NDArray[np.uint8]:
    """Convert bytes of an order of bits to little-endian ones, or back."""
    return as_bytes if bitorder == "little" else _REVERSED[as_bytes]


def _bytes_to_words(as_bytes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    n, width = as_bytes.shape
    padded = np.zeros((n, 8 * -(-width // 8)), dtype=np.uint8)
    padded[:, :width] = as_bytes
    return padded.view("<u8").astype(np.uint64, copy=False)


def _words_to_bytes(packed: NDArray[np.uint64], bits: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(packed, dtype="<u8").view(np.uint8)[:, : -(-bits // 8)]


def _check_padding(packed: NDArray[np.uint64], bits: int, bitorder: BitOrder | None = None) -> NDArray[np.uint64]:
    """Check that no bit beyond `bits` is set: it would count in every distance."""
    spare = bits % 64
    if spare and packed.size and bool((packed[:, -1] >> np.uint64(spare)).any()):
        order = ""
        if bitorder == "little":
            order = '; bytes from np.packbits need bitorder="big"'
        raise ValueError(
            f"Packed codes have bits set beyond bits={bits}; pass the code length they were packed with{order}."
        )
    return packed
