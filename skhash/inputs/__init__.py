"""Input adapters: arrays, image files, PIL images and torch Datasets as samples that return batches of tensors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
