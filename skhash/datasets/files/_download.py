"""Download a file so that it appears complete and verified, or not at all."""

from __future__ import annotations

import hashlib
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.request import urlopen

from tqdm.auto import tqdm

from skhash.utils import atomic_replace

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60


def download(url: str, path: str | Path, sha256: str) -> None:
    """Download `url` to the file `path` with a progress bar; raise OSError if that fails or the checksum differs."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # An error inside the block, a wrong checksum included, removes the temporary file before `path` changes.
        with atomic_replace(path) as file:
            found = _copy(url, file)
            if found != sha256:
                raise OSError(f"{url} has sha256 {found}, expected {sha256}; the downloaded file was deleted.")
    except HTTPException as error:
        raise OSError(f"The download of {url} was interrupted: {error!r}") from error


def _copy(url: str, file: BinaryIO) -> str:
    """Write the content of `url` to an open file and return its sha256."""
    digest = hashlib.sha256()
    with urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
        total = int(response.headers.get("Content-Length", 0)) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=url.rpartition("/")[2]) as bar:
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
    return digest.hexdigest()
