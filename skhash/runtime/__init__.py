"""The 1-bit runtime: networks with binary weights and activations on packed words, without torch.

A network is data (`Network`, a list of operations). `PackedHasher` compiles it for this machine to kernels of vector
instructions; `PackedHasher.explain` shows the compiled plan. `interpret` computes the same with numpy, slowly, and the
kernels are tested against it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
