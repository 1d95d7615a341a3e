"""A page of groups of duplicates, with thumbnails in the text itself."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from skhash.duplicates._names import show_name

if TYPE_CHECKING:
    from skhash.duplicates._encoding import Picture
    from skhash.duplicates._result import Duplicates, Group

_STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.group { display: flex; flex-wrap: wrap; gap: .8rem; }
figure { margin: 0; padding: .5rem; border: 1px solid #ccc; border-radius: 6px; width: 12rem; background: #fff; }
figure.keep { border: 2px solid #2a7d2a; }
img { display: block; max-width: 100%; margin: 0 auto .4rem; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; } .fact { color: #666; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd; } figure { background: #262626; } }
"""


def make_page(duplicates: Duplicates, max_groups: int | None, thumbnail: int) -> str:
    """Make the text of the page.

    Parameters
    ----------
    duplicates : Duplicates
        The groups.
    max_groups : int or None
        Number of groups that are shown.
    thumbnail : int
        Largest width and height of the thumbnails.

    Returns
    -------
    page : str
        HTML without links to other files.
    """
    shown = duplicates.details[:max_groups]
    rule = (
        f"Two pictures are nearly equal if their codes ({escape(duplicates.hasher)}, {duplicates.bits} bits) differ in "
        f"at most {duplicates.max_distance} bits. The first is kept: most pixels, then largest file, then oldest."
    )
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Duplicates</title><style>{_STYLE}</style></head><body>",
        f"<h1>{len(duplicates)} {'group' if len(duplicates) == 1 else 'groups'} of nearly equal pictures</h1>",
        f"<p>{duplicates.n_pictures} pictures were read, {len(duplicates.redundant)} of them are redundant. {rule}</p>",
    ]
    for number, group in enumerate(shown, 1):
        lines.append(f"<h2>Group {number}: {len(group.pictures)} pictures</h2>")
        lines.append(f'<div class="group">{"".join(_figures(group, thumbnail))}</div>')
    if len(shown) < len(duplicates):
        lines.append(f"<p>{len(duplicates) - len(shown)} more groups are not shown.</p>")
    if duplicates.skipped:
        lines.append(f"<h2>{len(duplicates.skipped)} pictures could not be read</h2><ul>")
        lines.extend(
            f"<li>{escape(show_name(name))}: {escape(show_name(reason))}</li>" for name, reason in duplicates.skipped
        )
        lines.append("</ul>")
    return "\n".join([*lines, "</body></html>", ""])


def _figures(group: Group, thumbnail: int) -> list[str]:
    """Return the pictures of a group."""
    figures = []
    for place, (picture, distance) in enumerate(zip(group.pictures, group.distances, strict=True)):
        keep = place == 0
        verdict = f"keep: {group.reason}" if keep else f"{distance} bits differ"
        name = escape(show_name(picture.name))
        figures.append(
            f"<figure{' class=keep' if keep else ''}>{_thumbnail(group, place, name, thumbnail)}<figcaption>{name}<br>"
            f'<b>{escape(verdict)}</b><br><span class="fact">{_facts(picture)}</span></figcaption></figure>'
        )
    return figures


def _facts(picture: Picture) -> str:
    """Return the size of a picture and of its file."""
    size = f"{picture.width} &times; {picture.height}"
    return size if picture.n_bytes is None else f"{size}, {picture.n_bytes / 1000:,.0f} kB"


def _thumbnail(group: Group, place: int, name: str, side: int) -> str:
    """Return an image whose pixels are in the text."""
    try:
        image = group.read(place, at_least=side)
    except Exception as error:  # the file was removed or changed since it was read
        return f"<p>{escape(type(error).__name__)}</p>"
    image.thumbnail((side, side))
    image = image.convert("RGB")
    image.info.clear()  # comments of the file
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{text}" alt="{name}" width="{image.width}" height="{image.height}">'
