"""Dask: codes of collections, indexes that are built by workers, and indexes whose shards live in workers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
