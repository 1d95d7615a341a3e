from ._checking import ImageList as ImageList
from ._checking import check_images as check_images
from ._checking import find_images as find_images
from ._folder import load_image_folder as load_image_folder

__all__ = ["ImageList", "check_images", "find_images", "load_image_folder"]
