from ._files import draft_side as draft_side
from ._files import list_pictures as list_pictures
from ._files import may_be_reduced as may_be_reduced
from ._files import open_picture as open_picture
from ._functions import DRAFT_SIDE as DRAFT_SIDE
from ._functions import KINDS as KINDS
from ._functions import average_hash as average_hash
from ._functions import block_hash as block_hash
from ._functions import check_bits as check_bits
from ._functions import dhash as dhash
from ._functions import perceptual_scores as perceptual_scores
from ._functions import phash as phash
from ._functions import whash as whash
from ._reading import ImageItems as ImageItems
from ._reading import read_image as read_image
from ._reading import read_items as read_items

__all__ = [
    "DRAFT_SIDE",
    "KINDS",
    "ImageItems",
    "average_hash",
    "block_hash",
    "check_bits",
    "dhash",
    "draft_side",
    "list_pictures",
    "may_be_reduced",
    "open_picture",
    "perceptual_scores",
    "phash",
    "read_image",
    "read_items",
    "whash",
]
