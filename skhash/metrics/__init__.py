"""Evaluation of retrievals and codes: ranking metrics with their definitions, statistics, scorers and Displays."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
