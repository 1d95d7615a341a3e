"""Why a neighbor is one: distances, how many pictures are as near, labels, folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skhash.codes import unpack_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from skhash.demo._pictures import Pictures


def describe(pictures: Pictures, row: int | None, code: NDArray[np.uint64], bits: int) -> dict[str, Any]:
    """Return what the page shows of a picture.

    Parameters
    ----------
    pictures : Pictures
        The pictures.
    row : int or None
        Position of the picture; None for an upload, which has no name here.
    code : ndarray of uint64
        Its code, packed.
    bits : int
        Length of the code.

    Returns
    -------
    fields : dict
        Position, name, label and the code as a string of 0 and 1.
    """
    text = (unpack_codes(code[None], bits)[0] + ord("0")).tobytes().decode()
    if row is None:
        return {"id": None, "name": None, "label": None, "code": text}
    return name_fields(pictures, row) | {"code": text}


def name_fields(pictures: Pictures, row: int) -> dict[str, Any]:
    """Return position, name and label of a picture.

    Parameters
    ----------
    pictures : Pictures
        The pictures.
    row : int
        Position of the picture.

    Returns
    -------
    fields : dict
        The fields. Names that are not valid text are made readable.
    """
    from skhash.duplicates import show_name

    return {"id": row, "name": show_name(pictures.names[row]), "label": pictures.label_of(row)}


def count_distances(
    packed: NDArray[np.uint64], code: NDArray[np.uint64], bits: int, *, without_query: bool
) -> NDArray[np.int64]:
    """Count the pictures at each distance.

    Parameters
    ----------
    packed : ndarray of uint64 of shape (n_pictures, n_words)
        Their codes.
    code : ndarray of uint64 of shape (1, n_words)
        The code of the query.
    bits : int
        Length of a code.
    without_query : bool
        Whether the query is one of the pictures, which then does not count.

    Returns
    -------
    counts : ndarray of int of shape (bits + 1,)
        Number of pictures whose code differs in 0, 1, ... bits.
    """
    counts = np.bincount(np.bitwise_count(packed ^ code).sum(axis=1, dtype=np.int64), minlength=bits + 1)
    counts[0] -= without_query
    return counts


def explain(
    pictures: Pictures,
    query: int | None,
    row: int,
    distance: int,
    counts: NDArray[np.int64],
    copy_distance: int | None,
) -> list[dict[str, Any]]:
    """Explain why a picture is a neighbor, and what speaks for or against it.

    Parameters
    ----------
    pictures : Pictures
        The pictures.
    query : int or None
        Position of the query; None for an upload.
    row : int
        Position of the neighbor.
    distance : int
        Number of bits in which their codes differ.
    counts : ndarray of int
        Number of pictures at each distance.
    copy_distance : int or None
        Number of bits in which the codes of copies may differ, if it is known.

    Returns
    -------
    reasons : list of dict
        With a `text`, and `agrees`: true, false, or null for facts without a verdict.
    """
    n_as_near, n = int(counts[: distance + 1].sum()), int(counts.sum())
    what = f"{distance} of {len(counts) - 1} bits differ{'s' if distance == 1 else ''}"
    reasons: list[dict[str, Any]] = [{"text": what, "agrees": None}]
    rarity = "no other picture is as near" if n_as_near == 1 else f"{n_as_near:,} of {n:,} pictures are as near"
    reasons.append({"text": rarity, "agrees": None})
    if copy_distance is not None and distance <= copy_distance:
        limit = "" if distance == 0 else f": up to {copy_distance} bits are usual for copies"
        reasons.append({"text": f"may be a copy{limit}", "agrees": None})
    if query is None:
        return reasons
    own, other = pictures.label_of(query), pictures.label_of(row)
    if other is not None:
        same = own == other
        reasons.append({"text": f"same label: {other}" if same else f"another label: {other}", "agrees": same})
    folder = pictures.folder_of(row)
    if folder is not None and folder == pictures.folder_of(query):
        reasons.append({"text": "same folder", "agrees": True})
    return reasons
