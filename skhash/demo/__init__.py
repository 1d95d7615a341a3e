"""A page in the browser that searches a folder of pictures or a data set, served on this machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
