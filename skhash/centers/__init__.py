"""Hash centers: one +-1 code per class, as far apart as possible, that the codes of the class are trained toward."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
