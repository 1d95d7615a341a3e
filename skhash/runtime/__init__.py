"""The 1-bit runtime: networks with binary weights and activations on packed words, without torch.

A network is data (`Network`, a list of operations), which a plan lays out for this machine and kernels of vector
instructions run; `interpret` computes the same with numpy, slowly, and is what the kernels are tested against.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
