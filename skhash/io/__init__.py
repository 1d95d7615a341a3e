"""Save estimators and pipelines without pickle, and load them without running code that the file brings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
