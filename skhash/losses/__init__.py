"""Losses as pure functions and thin modules: tensors in, a scalar out, usable without an estimator."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
