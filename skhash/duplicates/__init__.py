"""Near-duplicate images: groups of pictures whose codes are nearly equal, and which of each group to keep."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
