"""Download a file so that it is either wholly and rightly there or not there at all."""

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

from tqdm.auto import tqdm

_CHUNK_BYTES = 1 << 20
_TIMEOUT_SECONDS = 60


def download(url, path, sha256):
    """Fetch `url` into the file `path`, with a progress bar; OSError if that fails or the checksum is another."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    try:
        found = _fetch(url, part)
        if found != sha256:
            raise OSError(f"{url} has sha256 {found}, but {sha256} was expected; the file was thrown away.")
        os.replace(part, path)
    except HTTPException as error:
        raise OSError(f"{url} broke off: {error!r}") from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(url, part):
    """Write what `url` holds to the file `part`, down to the disk, and give its sha256."""
    digest = hashlib.sha256()
    with urlopen(url, timeout=_TIMEOUT_SECONDS) as response, open(part, "xb") as file:
        total = int(response.headers.get("Content-Length", 0)) or None
        with tqdm(total=total, unit="B", unit_scale=True, desc=url.rpartition("/")[2]) as bar:
            while chunk := response.read(_CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
