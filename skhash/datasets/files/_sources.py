"""Find a data set: where it is searched for, in which order, and the error message if it is not found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from skhash.datasets.files._download import download as download_file

Found = TypeVar("Found")


@dataclass(frozen=True)
class Source:
    """Origin of a data set.

    Parameters
    ----------
    title : str
        Name of the data set.
    folders : tuple of str
        Names of its folder; the first one is used for downloads.
    expected : str
        The file names, in words.
    url : str, default=""
        Prefix of the addresses of its files; empty if it is not downloaded.
    no_download : str, default=""
        Why it is not downloaded, and where to get it.
    system_folders : tuple of str, default=()
        Folders of system packages.
    advice : str, default=""
        Another way to get it, for the error message.
    """

    title: str
    folders: tuple[str, ...]
    expected: str
    url: str = ""
    no_download: str = ""
    system_folders: tuple[str, ...] = ()
    advice: str = ""


def locate(
    source: Source,
    look: Callable[[Path], Found | None],
    *,
    data_home: str | os.PathLike[str] | None,
    download: bool = False,
    files: Mapping[str, str] | None = None,
) -> Found:
    """Return the first result of `look(folder)` that is not None; download `files` if there is no such result.

    `files` maps file names to sha256 checksums; a source without `url` is never downloaded. Raise FileNotFoundError if
    the data set is not found and cannot be downloaded.
    """
    places = _places(source, data_home)
    found = _search(source, look, places)
    if found is not None:
        return found
    if not source.url:
        raise FileNotFoundError(_describe_missing(source, places, f"It is not downloaded: {source.no_download}."))
    if not download:
        raise FileNotFoundError(_describe_missing(source, places, "Downloads are turned off (download=False)."))
    target = (Path(data_home).expanduser() if data_home else _cache_folder()) / source.folders[0]
    try:
        for name, sha256 in (files or {}).items():
            if not (target / name).is_file():
                download_file(source.url + name, target / name, sha256)
    except OSError as error:
        failure = f"The download to {target} failed: {error}"
        raise FileNotFoundError(_describe_missing(source, places, failure)) from error
    found = look(target)
    assert found is not None, f"{source.title}: the downloaded files are not recognized"
    return found


def _places(source: Source, data_home: str | os.PathLike[str] | None) -> dict[Path, str]:
    """Return the folders to search, in order, with the setting that each comes from."""
    named = [
        (data_home, "data_home"),
        (os.environ.get("SKHASH_DATA"), "environment variable SKHASH_DATA"),
        *((folder, "system package") for folder in source.system_folders),
        (_cache_folder(), "cache"),
    ]
    return {Path(folder).expanduser(): setting for folder, setting in named if folder}


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skhash"


def _search(source: Source, look: Callable[[Path], Found | None], places: Mapping[Path, str]) -> Found | None:
    """Search each place itself and the data set's own folder inside it."""
    for place in places:
        for folder in (place, *(place / name for name in source.folders)):
            found = look(folder)
            if found is not None:
                return found
    return None


def _describe_missing(source: Source, places: Mapping[Path, str], failure: str) -> str:
    """Compose the error message: places and names, why it was not downloaded, and what to do."""
    online = f", or use download=True on a machine with internet ({source.url})" if source.url else ""
    searched = "\n".join(f"  {place} ({setting})" for place, setting in places.items())
    return (
        f"{source.title} was not found. Searched\n{searched}\nand their sub-folders {', '.join(source.folders)}, "
        f"for {source.expected}.\n{failure}\n"
        f"Pass the folder that holds the files as data_home= or in the environment variable SKHASH_DATA"
        f"{source.advice}{online}."
    )
