"""Estimators in repositories of models, with a card that describes them; saved and loaded without pickle."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
