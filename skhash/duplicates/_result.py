"""Groups of duplicates as lists, a data frame, JSON or a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skhash.duplicates._page import make_page

if TYPE_CHECKING:
    import os

    from PIL.Image import Image

    from skhash.duplicates._encoding import Picture
    from skhash.perceptual import ImageItems


@dataclass(frozen=True, eq=False)
class Group:
    """Pictures that are nearly equal.

    Parameters
    ----------
    pictures : list of Picture
        The pictures, the one to keep first.
    distances : list of int
        Number of bits in which each differs from the first.
    reason : str
        Why the first is kept: "most pixels", "largest file", "oldest file" or "first in order".
    sources : list of (ImageItems, int)
        Where to read each of them again.
    """

    pictures: list[Picture]
    distances: list[int]
    reason: str
    sources: list[tuple[ImageItems, int]] = field(repr=False)

    @property
    def names(self) -> list[str | int]:
        """Paths, or positions of images that are not files."""
        return [picture.name for picture in self.pictures]

    def read(self, place: int, at_least: int | None = None) -> Image:
        """Decode a picture again.

        Parameters
        ----------
        place : int
            Its position in the group.
        at_least : int, default=None
            Length that neither side of a JPEG file gets shorter than when it is decoded at a smaller size; None decodes
            all pixels.

        Returns
        -------
        image : PIL.Image.Image
            The picture.
        """
        items, row = self.sources[place]
        return items.read(row, at_least=at_least)


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Groups of nearly equal pictures.

    Parameters
    ----------
    details : list of Group
        The groups of two or more pictures.
    skipped : list of (str or int, str)
        Names of pictures that could not be read, and why.
    n_pictures : int
        Number of pictures that were read.
    max_distance : int
        Number of bits in which two duplicates may differ.
    bits : int
        Code length.
    hasher : str
        The kind of hash, or the class of the hasher.
    make_pairs : callable
        Returns an iterator over the pairs.
    """

    details: list[Group]
    skipped: list[tuple[str | int, str]]
    n_pictures: int
    max_distance: int
    bits: int
    hasher: str
    make_pairs: Callable[[], Iterator[tuple[str | int, str | int, int]]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.details)

    def __repr__(self) -> str:
        groups = "1 group" if len(self) == 1 else f"{len(self)} groups"
        return (
            f"Duplicates({groups}, {len(self.redundant)} of {self.n_pictures} pictures redundant, "
            f"{len(self.skipped)} skipped; {self.hasher} of {self.bits} bits, max_distance={self.max_distance})"
        )

    @property
    def groups(self) -> list[list[str | int]]:
        """Names of the pictures of every group, the one to keep first."""
        return [group.names for group in self.details]

    @property
    def keep(self) -> list[str | int]:
        """Name of the picture of every group that is kept."""
        return [group.names[0] for group in self.details]

    @property
    def reasons(self) -> list[str]:
        """Why it is kept."""
        return [group.reason for group in self.details]

    @property
    def redundant(self) -> list[str | int]:
        """Names of all pictures of groups that are not kept."""
        return [name for group in self.details for name in group.names[1:]]

    @property
    def pairs(self) -> list[tuple[str | int, str | int, int]]:
        """Every two duplicates, with their distance: n pictures with one code are n (n - 1) / 2 pairs."""
        return list(self.make_pairs())

    def to_frame(self) -> Any:
        """Return a data frame with a row for every picture of a group.

        Returns
        -------
        frame : pandas.DataFrame
            Columns "group", "picture", "keep", "reason" (of the one that is kept, else empty), "distance" (from it),
            "width", "height", "bytes" and "modified" (UTC).
        """
        import pandas

        rows = [
            {
                "group": number,
                "picture": picture.name,
                "keep": place == 0,
                "reason": group.reason if place == 0 else "",
                "distance": distance,
                "width": picture.width,
                "height": picture.height,
                "bytes": picture.n_bytes,
                "modified": _to_date(picture),
            }
            for number, group in enumerate(self.details)
            for place, (picture, distance) in enumerate(zip(group.pictures, group.distances, strict=True))
        ]
        columns = ["group", "picture", "keep", "reason", "distance", "width", "height", "bytes", "modified"]
        return pandas.DataFrame(rows, columns=columns)

    def to_dict(self) -> dict[str, Any]:
        """Return everything except the pairs as lists and dicts, which JSON has.

        Returns
        -------
        contents : dict
            Keys "hasher", "bits", "max_distance", "n_pictures", "groups" and "skipped".
        """
        groups = [
            {
                "keep": group.names[0],
                "reason": group.reason,
                "pictures": [
                    {
                        "name": picture.name,
                        "distance": distance,
                        "width": picture.width,
                        "height": picture.height,
                        "bytes": picture.n_bytes,
                        "modified": date.isoformat() if (date := _to_date(picture)) else None,
                    }
                    for picture, distance in zip(group.pictures, group.distances, strict=True)
                ],
            }
            for group in self.details
        ]
        return {
            "hasher": self.hasher,
            "bits": self.bits,
            "max_distance": self.max_distance,
            "n_pictures": self.n_pictures,
            "groups": groups,
            "skipped": [{"name": name, "reason": reason} for name, reason in self.skipped],
        }

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, max_groups: int | None = 500, thumbnail: int = 160
    ) -> str:
        """Make a page that shows the groups, without other files.

        Parameters
        ----------
        path : str or Path, default=None
            Where to write it; None only returns it.
        max_groups : int, default=500
            Number of groups that are shown; None means all. A group takes some 10 kB for each picture.
        thumbnail : int, default=160
            Largest width and height of the thumbnails, in pixels.

        Returns
        -------
        page : str
            The HTML text.
        """
        page = make_page(self, max_groups, thumbnail)
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page


def _to_date(picture: Picture) -> datetime | None:
    return None if picture.modified is None else datetime.fromtimestamp(picture.modified, UTC)
