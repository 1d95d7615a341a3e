from ._encoding import Encoded as Encoded
from ._encoding import Picture as Picture
from ._encoding import encode_pictures as encode_pictures
from ._encoding import make_hasher as make_hasher
from ._find import find_duplicates as find_duplicates
from ._finder import DuplicateFinder as DuplicateFinder
from ._finder import duplicate_distance as duplicate_distance
from ._names import show_name as show_name
from ._result import Duplicates as Duplicates
from ._result import Group as Group

__all__ = [
    "DuplicateFinder",
    "Duplicates",
    "Encoded",
    "Group",
    "Picture",
    "duplicate_distance",
    "encode_pictures",
    "find_duplicates",
    "make_hasher",
    "show_name",
]
