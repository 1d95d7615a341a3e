"""The training loop that all methods share: batches, optimizers, schedules, recipes, early stopping, and views.

Views are random augmentations: changed copies of the samples of a batch, such as crops of images or noisy features. A
network is trained on them so that its codes do not depend on these changes. Some methods compare two views of each
sample; the others see more varied samples. Views are drawn by a callable of a batch and a `torch.Generator`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
