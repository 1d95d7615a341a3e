"""Linear codes found by a search, better than BCH codes shortened from the next power of two.

The search was simulated annealing of the set of columns of a generator matrix: a step swapped a column for an unused
one, and the energy was the sum of (d - weight) ** 2 over the words lighter than the wanted distance d. All columns are
different.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from skhash.centers._fit_length import Code
from skhash.centers._hadamard_matrix import hadamard_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

# (bits, dimension, minimum distance): bit c is set if the binary digits of c are a column.
_COLUMNS = {
    (24, 7, 10): 0x4898105400940D04248028000010C000,
    (32, 7, 14): 0x460350E320811A008210815E040C0008,
    (40, 7, 18): 0xA02430217053E28AC2A022A1005088E8,
    (44, 7, 20): 0x503408880DD92E3B1C443A2311108064,
    (48, 7, 22): 0x027F90517101400EEA2808CD1D90EE80,
    (32, 8, 13): 0x10820080001040000548100002000480162C080A106400200C00000410000000,
    (36, 8, 16): 0x901105040000020001202044401000010F000200003000400C82048182004220,
    (48, 8, 21): 0x058021504409008024A029882012295500500106020013500010000009080082,
    (52, 8, 24): 0x008100008C290711120044414010047051802923090C05E810A2020200000080,
    (36, 9, 14): (
        0x88841084002000000000002000100000000034000100100000000000004000000000000504000010010100400020000060001180001008090812000000000000
    ),
    (40, 9, 16): (
        0x00104400010A0000040000020081000001100010000000001800000820000010400000002001000000000002290000040010000122000000002005050808C002
    ),
}


def found_codes() -> list[Code]:
    """Return the codes that the search has found, and the Golay code of 24 bits.

    Returns
    -------
    codes : list of Code
        Codes with exact distances.
    """
    return [
        *(Code(*parameters, partial(_generator, parameters)) for parameters in _COLUMNS),
        Code(24, 12, 8, golay_code),
    ]


def _generator(parameters: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return the generator matrix of a code, whose columns are in ascending order."""
    _, dimension, _ = parameters
    columns = np.array([c for c in range(2**dimension) if _COLUMNS[parameters] >> c & 1])
    return (columns >> np.arange(dimension)[:, None] & 1).astype(np.uint8)


def golay_code() -> NDArray[np.uint8]:
    """Build the extended Golay code: the identity beside Paley's matrix of order 12 with its border negated."""
    bordered = hadamard_rows(12, np.arange(12)) == -1
    bordered[0] ^= True
    bordered[:, 0] ^= True
    return np.concatenate([np.eye(12, dtype=np.uint8), bordered.astype(np.uint8)], axis=1)
