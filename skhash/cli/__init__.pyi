from ._main import main as main
from ._picture_index import PictureIndex as PictureIndex

__all__ = ["PictureIndex", "main"]
