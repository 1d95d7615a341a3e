"""Bit operations that search and metrics are built on: population count, bit slices, counters of distances."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
