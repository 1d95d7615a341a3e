"""Input adapters: whatever people keep images and features in, as samples that give batches of tensors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
