"""Pictures that may be hostile: uploads are decoded within limits, and thumbnails are made anew."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from skhash.perceptual import DRAFT_SIDE
from skhash.utils import import_optional, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from skhash.demo._pictures import Pictures

LARGEST_BODY = 2**24  # bytes of an upload
LARGEST_PICTURE = 4 * 10**7  # pixels, however few bytes they take
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SIDE = 256  # pixels of a thumbnail
_TINY = 96  # pixels up to which pictures are sent as they are
_CACHE = 2**26  # bytes of thumbnails that stay in memory


class Refused(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        The status of HTTP.
    text : str
        What the client is told.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read_upload(data: bytes, *, draft: bool = False) -> Image:
    """Decode an upload.

    Parameters
    ----------
    data : bytes
        The file.
    draft : bool, default=False
        Whether JPEG files are decoded at a smaller size, as files of the same hasher are.

    Returns
    -------
    image : PIL.Image.Image
        The picture, upright, of mode "L" or "RGB".

    Raises
    ------
    Refused
        If it is no picture, is damaged, or has too many pixels.
    """
    module = import_optional("PIL.Image", extra="demo", purpose="Reading uploads")
    kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    try:
        with module.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > LARGEST_PICTURE:
                raise module.DecompressionBombError
            if draft:
                image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))  # which formats other than JPEG ignore
            return open_image(image, name="The upload")
    except (module.DecompressionBombError, module.DecompressionBombWarning):
        raise Refused(413, f"The picture has more than {LARGEST_PICTURE // 10**6} million pixels.") from None
    except module.UnidentifiedImageError:
        raise Refused(415, f"The upload is not a picture that is read here ({kinds}).") from None
    except Exception as error:  # Pillow's plugins raise anything on damaged files
        text = str(error) if isinstance(error, ValueError) else f"The upload is damaged: {error}"
        raise Refused(422, text) from None


class Thumbnails:
    """Small versions of pictures, the last of which stay in memory.

    They are encoded anew: nothing of a file but its pixels is sent, whatever else it contains.

    Parameters
    ----------
    pictures : Pictures
        The pictures.
    """

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self._lock = threading.Lock()
        self._made: OrderedDict[int, tuple[str, bytes]] = OrderedDict()
        self._n_bytes = 0

    def get(self, row: int) -> tuple[str, bytes]:
        """Return the thumbnail of a picture.

        Parameters
        ----------
        row : int
            Position of the picture.

        Returns
        -------
        kind : str
            The content type.
        data : bytes
            The file.

        Raises
        ------
        Refused
            If there is no such picture, or it cannot be read.
        """
        with self._lock:
            if row in self._made:
                self._made.move_to_end(row)
                return self._made[row]
        if not 0 <= row < len(self.pictures):
            raise Refused(404, "There is no such picture.")
        try:
            made = _encode(self.pictures.items.read(row, at_least=SIDE))
        except Exception:  # the message of the error would contain the path
            raise Refused(404, "The picture cannot be read.") from None
        with self._lock:
            if row not in self._made:
                self._made[row] = made
                self._n_bytes += len(made[1])
            while self._n_bytes > _CACHE:
                self._n_bytes -= len(self._made.popitem(last=False)[1][1])
        return made


def _encode(image: Image) -> tuple[str, bytes]:
    if image.mode not in ("L", "RGB"):  # floating-point values
        image = image.convert("L")
    tiny = max(image.size) <= _TINY
    if not tiny:
        image.thumbnail((SIDE, SIDE))
    image.info.clear()  # comments of the file
    buffer = io.BytesIO()
    image.save(buffer, "PNG") if tiny else image.save(buffer, "JPEG", quality=80)
    return ("image/png" if tiny else "image/jpeg"), buffer.getvalue()
