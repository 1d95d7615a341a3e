"""Where data sets are looked for, in which order, and what is said when they are nowhere."""

import os
from dataclasses import dataclass
from pathlib import Path

from skhash.datasets._download import download as download_file


@dataclass(frozen=True)
class Source:
    """What is known about where a data set comes from."""

    title: str
    folders: tuple[str, ...]  # names of its folder, the first for downloads
    expected: str  # the file names, in words
    url: str = ""  # what the names of downloaded files are appended to; empty if nothing is downloaded
    no_download: str = ""  # why nothing is, and where it can be had
    system_folders: tuple[str, ...] = ()
    advice: str = ""


def locate(source, look, *, data_home, download=False, files=None):
    """Return the first thing other than None that `look(folder)` finds, downloading `files` if there is none.

    `files` maps file names to sha256 checksums; a source without `url` is never downloaded. FileNotFoundError if the
    data set is nowhere and cannot be had.
    """
    places = _places(source, data_home)
    found = _search(source, look, places)
    if found is not None:
        return found
    if not source.url:
        raise FileNotFoundError(_describe_missing(source, places, f"It is not downloaded: {source.no_download}."))
    if not download:
        raise FileNotFoundError(_describe_missing(source, places, "Downloading was switched off (download=False)."))
    target = (Path(data_home).expanduser() if data_home else _cache_folder()) / source.folders[0]
    try:
        for name, sha256 in files.items():
            if not (target / name).is_file():
                download_file(source.url + name, target / name, sha256)
    except OSError as error:
        failure = f"Downloading it to {target} failed: {error}"
        raise FileNotFoundError(_describe_missing(source, places, failure)) from error
    return look(target)


def _places(source, data_home):
    """Folders to look in, in order, each with who named it."""
    named = [
        (data_home, "data_home"),
        (os.environ.get("SKHASH_DATA"), "environment variable SKHASH_DATA"),
        *((folder, "system package") for folder in source.system_folders),
        (_cache_folder(), "cache"),
    ]
    return {Path(folder).expanduser(): who for folder, who in named if folder}


def _cache_folder():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skhash"


def _search(source, look, places):
    """Look in each place itself and in the data set's own folder inside it."""
    for place in places:
        for folder in (place, *(place / name for name in source.folders)):
            found = look(folder)
            if found is not None:
                return found
    return None


def _describe_missing(source, places, failure):
    """Say where was looked for what, why it could not be downloaded, and what to do."""
    online = f", or use download=True on a machine with internet ({source.url})" if source.url else ""
    looked = "\n".join(f"  {place} ({who})" for place, who in places.items())
    return (
        f"{source.title} was not found. Looked in\n{looked}\nand their sub-folders {', '.join(source.folders)}, "
        f"for {source.expected}.\n{failure}\n"
        f"Pass the folder that holds the files as data_home= or in the environment variable SKHASH_DATA"
        f"{source.advice}{online}."
    )
